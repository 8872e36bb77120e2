use super::problem::Problem;
use super::reader::Reader;
use super::setting::{Setting, words};

/// What an installation is for (`CF-10`). Decides defaults only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Environment {
    /// People's real data.
    Production,
    /// As production, for trying out.
    Staging,
    /// One's own machine.
    #[default]
    Development,
    /// Tests.
    Test,
}

impl Environment {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
            Self::Test => "test",
        }
    }

    /// Whether nothing may be made up: a store and a signing key must be given (`CF-11`, `ID-21`).
    pub fn is_strict(self) -> bool {
        matches!(self, Self::Production | Self::Staging)
    }

    /// The schema of an installation that names none (`CF-12`).
    pub fn default_schema(self) -> &'static str {
        match self {
            Self::Production => "larder",
            Self::Staging => "larder_staging",
            Self::Development => "larder_dev",
            Self::Test => "larder_test",
        }
    }
}

words!(
    Environment,
    "production" | "prod" | "hetzner" => Environment::Production,
    "staging" | "nonprod" | "hetzner_nonprod" => Environment::Staging,
    "development" | "dev" | "local" => Environment::Development,
    "test" => Environment::Test,
);

/// Reads `environment`, whose words may be more by `[environment_aliases]`.
pub(super) fn read(reader: &mut Reader) -> Environment {
    let aliases = reader.find_section::<Environment>("environment_aliases");
    let word = reader.find::<String>("environment");
    let environment = match &word {
        None => Environment::default(),
        Some(word) => {
            let alias = aliases.iter().find(|(alias, _)| *alias == word.value);
            let known = Environment::read(&word.value.as_str().into());
            known.or(alias.map(|(_, found)| found.value)).unwrap_or_else(|| {
                let text = format!("must be {}, or a word of environment_aliases", Environment::EXPECTED);
                reader.problems.add(word.problem(Problem::new(text)));
                Environment::default()
            })
        }
    };
    reader.show("environment", environment.show());
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cf_10_words_and_no_guess() {
        for (word, expected) in [
            ("prod", Some(Environment::Production)),
            ("hetzner", Some(Environment::Production)),
            ("nonprod", Some(Environment::Staging)),
            ("hetzner_nonprod", Some(Environment::Staging)),
            ("dev", Some(Environment::Development)),
            ("local", Some(Environment::Development)),
            ("test", Some(Environment::Test)),
            ("produktion", None),
            ("Production ", None),
            ("", None),
        ] {
            assert_eq!(Environment::read(&word.into()), expected, "{word}");
        }
    }
}
