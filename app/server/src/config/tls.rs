//! How a connection is protected (`CF-30`, `CF-31`). What is missing means the strictest, and nothing ever falls back to less.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use larder_sql::target::{Host, Tls};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::problem::{Problem, Problems};
use super::reader::Found;
use super::setting::words;

/// What was asked for: by `tls.mode`, whose words are the three that are shown, or by `sslmode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TlsMode {
    VerifyFull,
    VerifyCa,
    /// Encrypted without any check, which there is none of here.
    Require,
    /// `disable`, and the modes of libpq that are content without encryption.
    Disable,
}

words!(
    TlsMode,
    "verify-full" => TlsMode::VerifyFull,
    "verify-ca" => TlsMode::VerifyCa,
    "disable" => TlsMode::Disable,
);

impl TlsMode {
    /// The parameter `sslmode` of an address.
    pub(super) fn of_sslmode(text: &str) -> Option<Self> {
        match text {
            "verify-full" => Some(Self::VerifyFull),
            "verify-ca" => Some(Self::VerifyCa),
            "require" => Some(Self::Require),
            "disable" | "allow" | "prefer" => Some(Self::Disable),
            _ => None,
        }
    }
}

/// What was set of `tls`.
pub(super) struct Asked<'a> {
    pub(super) mode: Option<&'a Found<TlsMode>>,
    pub(super) ca_file: Option<&'a Found<PathBuf>>,
    pub(super) allow_insecure: Option<&'a Found<bool>>,
}

/// Decides how connections to a host are protected. `None` when that was noted as an error.
pub(super) fn resolve(asked: &Asked<'_>, host: &Host, problems: &mut Problems) -> Option<Tls> {
    let allows_insecure = asked.allow_insecure.filter(|found| found.value);
    if let Some(allowing) = allows_insecure {
        let text = "connections without TLS are allowed where they are asked for; remove this as soon as you can";
        problems.warn(allowing.problem(Problem::coded("tls_insecure", text)));
    }
    let ca_file = match asked.ca_file {
        Some(found) => Some(readable(found, problems)?),
        None => None,
    };
    let verified = |host_name| Tls::Verified {
        host_name,
        ca_file: ca_file.clone(),
    };
    match asked.mode {
        None if is_this_machine(host) => Some(Tls::Off),
        None => Some(verified(true)),
        Some(found) => match found.value {
            TlsMode::VerifyFull => Some(verified(true)),
            TlsMode::VerifyCa => Some(verified(false)),
            TlsMode::Require => {
                let text = "the certificate and its name are checked as with verify-full";
                problems.warn(found.problem(Problem::coded("tls_raised", text)));
                Some(verified(true))
            }
            TlsMode::Disable if is_this_machine(host) || allows_insecure.is_some() => Some(Tls::Off),
            TlsMode::Disable => {
                let text = "a host that is not this machine is reached over verified TLS only: use verify-full (with \
                            tls.ca_file where its certificate is of a private CA)";
                problems.add(found.problem(Problem::coded("tls_insecure", text)));
                None
            }
        },
    }
}

fn readable(found: &Found<PathBuf>, problems: &mut Problems) -> Option<PathBuf> {
    match why_unreadable(&found.value) {
        None => Some(found.value.clone()),
        Some(why) => {
            let text = format!("{}: {why}", found.value.display());
            problems.add(found.problem(Problem::coded("tls_ca_unreadable", text)));
            None
        }
    }
}

fn why_unreadable(path: &Path) -> Option<String> {
    let pem = match std::fs::read(path) {
        Ok(pem) => pem,
        Err(error) => return Some(error.to_string()),
    };
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if certificates.is_empty() => Some("there is no certificate (PEM) in it".to_owned()),
        Ok(_) => None,
        Err(_) => Some("it is not valid PEM".to_owned()),
    }
}

/// Whether a connection to the host never leaves this machine.
pub(super) fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Socket(_) => true,
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cf_30_which_hosts_are_this_machine() {
        for name in ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.9", "::1"] {
            assert!(is_this_machine(&Host::Tcp(name.into())), "{name}");
        }
        for name in [
            "db.example.com",
            "localhost.example.com",
            "10.0.0.7",
            "127.0.0.1.example.com",
            "::2",
        ] {
            assert!(!is_this_machine(&Host::Tcp(name.into())), "{name}");
        }
        assert!(is_this_machine(&Host::Socket("/run/postgresql".into())));
    }
}
