use figment::value::Value;

use super::setting::Setting;

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

impl Setting for Environment {
    const EXPECTED: &'static str = "one of production, staging, development, test";

    fn read(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "production" | "prod" | "hetzner" => Some(Self::Production),
            "staging" | "nonprod" | "hetzner_nonprod" => Some(Self::Staging),
            "development" | "dev" | "local" => Some(Self::Development),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    fn show(&self) -> toml::Value {
        self.as_str().into()
    }
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
