//! What must never be printed, kept out of the one kind of text that nobody writes on purpose: that of a panic (`CF-56`). Everything
//! else holds secrets in types that don't show them.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write;
use std::panic;

use secrecy::{ExposeSecret, SecretString};

use crate::cli::complain;
use crate::config::MASK;

/// Tells panics without these secrets from now on: in the log once there is one, before that on standard error.
pub(crate) fn in_panics(mut secrets: Vec<SecretString>) {
    // A secret that is part of another one must not keep the other from being found.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
    panic::set_hook(Box::new(move |info| {
        let mut text = info.to_string();
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            let _ = write!(text, "\n{backtrace}");
        }
        let text = masked(&text, &secrets);
        if tracing::dispatcher::has_been_set() {
            tracing::error!("{text}");
        } else {
            complain(&text);
        }
    }));
}

fn masked(text: &str, secrets: &[SecretString]) -> String {
    secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Inputs};

    /// Scenario 26.
    #[test]
    fn cf_56_the_text_of_a_panic_has_no_secret_raw_or_encoded() {
        let jwt = "an invented secret of 40 bytes for tests";
        let keys = format!("[{{ kid = \"a\", secret = \"{jwt}\" }}]");
        let variables = [
            ("LARDER_DATABASE__URL", "postgres://ann:s3%2Fcr3t@localhost/app"),
            ("DIRECT_URL", "postgres://ann:0ther@localhost/app"),
            ("LARDER_IDENTITY__JWT__KEYS", &keys),
        ];
        let inputs = Inputs {
            variables: variables.map(|(name, value)| (name.into(), value.into())).to_vec(),
            ..Inputs::default()
        };
        let secrets = Config::load(&inputs).unwrap().secrets();
        let text = format!("panicked: s3/cr3t in postgres://ann:s3%2Fcr3t@localhost/app, 0ther and {jwt}");
        assert_eq!(
            masked(&text, &secrets),
            "panicked: ******** in postgres://ann:********@localhost/app, ******** and ********"
        );
        assert_eq!(masked("nothing to hide", &secrets), "nothing to hide");
    }
}
