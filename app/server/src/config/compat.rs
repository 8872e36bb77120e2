use std::time::Duration;

use larder_domain::Instant;

use super::problem::Problem;
use super::reader::Reader;
use super::setting::Setting;
use super::{DAY, MINUTE};

/// `[compat]`.
#[derive(Clone, Debug)]
pub struct Compat {
    /// Whether the compatibility surface is served.
    pub enabled: bool,
    /// The path under which it is served completely; empty is nowhere.
    pub mount: String,
    /// When it ends, if that is known.
    pub sunset: Option<Instant>,
    /// How long an access token of a login there counts.
    pub login_token_ttl: Duration,
    /// Most messages in one answer.
    pub max_messages: u32,
}

pub(super) fn read(reader: &mut Reader) -> Compat {
    const MOUNT: &str = "compat.mount";
    const SUNSET: &str = "compat.sunset";
    let enabled = reader.get("compat.enabled", true);
    let mount = reader.find::<String>(MOUNT);
    if let Some(found) = mount.as_ref().filter(|found| !is_mount(&found.value)) {
        let text = "must be empty or a path such as /compat, at which nothing else is";
        reader.problems.add(found.problem(Problem::new(text)));
    }
    let mount = mount.map_or_else(|| "/compat".to_owned(), |found| found.value);
    reader.show(MOUNT, mount.show());
    let sunset = reader.find::<Instant>(SUNSET).map(|found| found.value);
    if let Some(instant) = sunset {
        reader.show(SUNSET, instant.show());
    }
    Compat {
        enabled,
        mount,
        sunset,
        login_token_ttl: reader.get_within("compat.login_token_ttl", DAY, 15 * MINUTE..=90 * DAY),
        max_messages: reader.get_within("compat.max_messages", 2_000, 1..=100_000),
    }
}

/// Whether the compatibility surface may be served below a path: none, or one that begins with no step of the native paths.
fn is_mount(path: &str) -> bool {
    const TAKEN: [&str; 7] = ["api", "docs", "openapi.json", "livez", "readyz", "health", "metrics"];
    let Some(steps) = path.strip_prefix('/') else {
        return path.is_empty();
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_step = |step: &str| !step.is_empty() && step.chars().all(is_plain);
    let mut all = steps.split('/');
    all.all(is_step) && steps.split('/').next().is_none_or(|first| !TAKEN.contains(&first))
}

#[cfg(test)]
mod tests {
    use super::is_mount;

    #[test]
    fn a_mount_is_a_path_of_its_own() {
        for path in ["", "/compat", "/old/v1", "/api-old", "/A_b-1"] {
            assert!(is_mount(path), "{path}");
        }
        for path in [
            "/",
            "compat",
            "/compat/",
            "//x",
            "/api",
            "/api/v1/chat",
            "/docs",
            "/a b",
            "/{x}",
            "/:x",
            "/*x",
            "/metrics/x",
        ] {
            assert!(!is_mount(path), "{path}");
        }
    }
}
