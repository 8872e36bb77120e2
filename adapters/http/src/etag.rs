//! Entity tags: versions as the wire shows them (conventions §3).

use larder_domain::Version;

use crate::problem::{Code, Problem};

/// The tag of a version.
pub(crate) fn of(version: Version) -> String {
    format!("\"{version}\"")
}

/// The tag of a version whose status lapsed with time (`CH-81`).
pub(crate) fn of_lapsed(version: Version) -> String {
    format!("\"{version}-i\"")
}

/// Whether `If-None-Match` names a tag, compared weakly as RFC 9110 wants it for a GET.
pub(crate) fn is_known(if_none_match: Option<&str>, tag: &str) -> bool {
    if_none_match.is_some_and(|sent| {
        sent.split(',')
            .map(str::trim)
            .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    })
}

/// The version that `If-Match` demands, `None` for any. A well-formed tag that no version has is stale.
pub(crate) fn demanded(if_match: Option<&str>) -> Result<Option<Version>, Problem> {
    let Some(sent) = if_match.map(str::trim) else {
        return Ok(None);
    };
    if sent == "*" {
        return Ok(None);
    }
    let opaque = sent.strip_prefix("W/").unwrap_or(sent);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('"') => {
            // A weak tag never matches strongly.
            let version = if opaque.len() == sent.len() {
                inner.parse().ok()
            } else {
                None
            };
            let version = version.filter(|version| of(*version) == sent);
            version.map(Some).ok_or(Problem::new(Code::Stale))
        }
        _ => Err(Problem::new(Code::MalformedHeader)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_compares_weakly_and_in_lists() {
        for (sent, known) in [
            (Some("\"3\""), true),
            (Some("W/\"3\""), true),
            (Some("\"1\", \"3\""), true),
            (Some("*"), true),
            (Some("\"3-i\""), false),
            (Some("3"), false),
            (None, false),
        ] {
            assert_eq!(is_known(sent, "\"3\""), known, "{sent:?}");
        }
    }

    #[test]
    fn if_match_demands_one_version() {
        let code = |sent| demanded(Some(sent)).map_err(|problem| problem.code());
        assert_eq!(demanded(None).unwrap(), None);
        assert_eq!(code("*"), Ok(None));
        assert_eq!(code(" \"3\" "), Ok(Some(3)));
        for stale in ["\"3-i\"", "W/\"3\"", "\"\"", "\"x\"", "\"+3\"", "\"03\""] {
            assert_eq!(code(stale), Err(Code::Stale), "{stale}");
        }
        for malformed in ["3", "", "\"3", "\"3\", \"4\""] {
            assert_eq!(code(malformed), Err(Code::MalformedHeader), "{malformed}");
        }
    }
}
