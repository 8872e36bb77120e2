//! What `larder serve` tells whoever started it: where it is, and what to do next.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use larder_services::identity::SignUpMode;

/// What is told.
pub(crate) struct Welcome<'a> {
    /// The listener's own address.
    pub(crate) address: SocketAddr,
    /// That of the listener for operators.
    pub(crate) admin_address: Option<SocketAddr>,
    /// Where each distinct store is, and whether it can be reached.
    pub(crate) stores: Vec<(String, bool)>,
    pub(crate) sign_up: SignUpMode,
    /// Whether any account was ever made; `None` when the store can't tell.
    pub(crate) has_users: Option<bool>,
    /// How this program is started with the same configuration.
    pub(crate) program: &'a str,
}

impl Welcome<'_> {
    pub(crate) fn text(&self) -> String {
        let url = format!("http://{}", reachable(self.address));
        let mut text = format!("\nLarder {} takes requests.\n\n", env!("CARGO_PKG_VERSION"));
        let _ = write!(text, "  Address  {url}");
        if self.address.ip().is_unspecified() {
            text.push_str("  (and every other address of this machine)");
        }
        let _ = writeln!(text, "\n  Docs     {url}/docs");
        for (index, (store, is_reachable)) in self.stores.iter().enumerate() {
            let label = if index == 0 { "Data" } else { "" };
            let state = if *is_reachable {
                ""
            } else {
                "  (not ready yet; Larder keeps trying)"
            };
            let _ = writeln!(text, "  {label:<7}  {store}{state}");
        }
        if let Some(address) = self.admin_address {
            let _ = writeln!(text, "  Metrics  http://{}/metrics", reachable(address));
        }
        text.push_str(&self.next_step(&url));
        text
    }

    fn next_step(&self, url: &str) -> String {
        let command = format!("{} user create ann", self.program);
        let sign_up = curl(
            url,
            "sign-up",
            r#"{"username": "ann", "password": "a long one of your own"}"#,
        );
        let log_in = curl(
            url,
            "login",
            r#"{"login": "ann", "password": "a long one of your own"}"#,
        );
        match (self.has_users, self.sign_up) {
            (Some(true), _) => format!("\nLog in:\n{log_in}"),
            (_, SignUpMode::Closed) => format!("\nMake the first user, who becomes administrator:\n\n  {command}\n"),
            _ => {
                format!(
                    "\nMake the first user, who becomes administrator:\n{sign_up}\nor in another terminal: {command}\n"
                )
            }
        }
    }
}

fn curl(url: &str, operation: &str, body: &str) -> String {
    format!("\n  curl {url}/api/v1/auth/{operation} \\\n    -H 'Content-Type: application/json' \\\n    -d '{body}'\n")
}

/// An address that a program on this machine can use: nobody can connect to 0.0.0.0.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(sign_up: SignUpMode, has_users: Option<bool>) -> String {
        Welcome {
            address: "0.0.0.0:8080".parse().unwrap(),
            admin_address: Some("127.0.0.1:8081".parse().unwrap()),
            stores: vec![("SQLite file /data/larder.db".into(), true)],
            sign_up,
            has_users,
            program: "larder --config a.toml",
        }
        .text()
    }

    #[test]
    fn an_address_that_can_be_used() {
        let text = welcome(SignUpMode::Open, Some(false));
        assert!(
            text.contains("http://127.0.0.1:8080/docs") && !text.contains("0.0.0.0"),
            "{text}"
        );
        assert!(text.contains("SQLite file /data/larder.db"), "{text}");
        assert!(text.contains("http://127.0.0.1:8081/metrics"), "{text}");
    }

    #[test]
    fn the_next_step_depends_on_what_is_there() {
        for (sign_up, has_users, signs_up, creates, logs_in) in [
            (SignUpMode::Invite, Some(false), true, true, false),
            (SignUpMode::Open, None, true, true, false),
            (SignUpMode::Closed, Some(false), false, true, false),
            (SignUpMode::Closed, Some(true), false, false, true),
            (SignUpMode::Invite, Some(true), false, false, true),
        ] {
            let text = welcome(sign_up, has_users);
            assert_eq!(text.contains("/auth/sign-up"), signs_up, "{text}");
            assert_eq!(text.contains("larder --config a.toml user create"), creates, "{text}");
            assert_eq!(text.contains("/auth/login"), logs_in, "{text}");
        }
    }
}
