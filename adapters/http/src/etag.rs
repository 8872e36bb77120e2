//! Entity tags: versions as the wire shows them (conventions §3).

use larder_domain::Version;
use larder_ports::inbound::chat::{MessageTag, PutCondition};

use crate::problem::{Code, Problem};

/// The tag of a version.
pub(crate) fn of(version: Version) -> String {
    format!("\"{version}\"")
}

/// The tag of a version whose status lapsed with time (`CH-81`).
pub(crate) fn of_lapsed(version: Version) -> String {
    format!("\"{version}-i\"")
}

/// The tag of a version whose answer depends on more than the version (conventions §3).
pub(crate) fn of_marked(version: Version, mark: &str) -> String {
    format!("\"{version}-{mark}\"")
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
    match demanded_message(if_match)? {
        Some(MessageTag { is_lapsed: true, .. }) => Err(Problem::new(Code::Stale)),
        tag => Ok(tag.map(|tag| tag.version)),
    }
}

/// The state of a message that `If-Match` demands, `None` for any (`CH-81`).
pub(crate) fn demanded_message(if_match: Option<&str>) -> Result<Option<MessageTag>, Problem> {
    let Some(sent) = if_match.map(str::trim).filter(|sent| *sent != "*") else {
        return Ok(None);
    };
    let opaque = sent.strip_prefix("W/").unwrap_or(sent);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner.filter(|inner| !inner.contains('"')) else {
        return Err(Problem::new(Code::MalformedHeader));
    };
    let (version, is_lapsed) = match inner.strip_suffix("-i") {
        Some(version) => (version, true),
        None => (inner, false),
    };
    let tag = version.parse().ok().map(|version| MessageTag { version, is_lapsed });
    // A weak tag never matches strongly, nor does another spelling of a number.
    let tag = tag.filter(|tag| of_message(*tag) == sent);
    tag.map(Some).ok_or(Problem::new(Code::Stale))
}

/// What `If-Match` and `If-None-Match` demand of a PUT (`CH-14`).
pub(crate) fn condition(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<PutCondition, Problem> {
    match (if_match, if_none_match.map(str::trim)) {
        (None, None) => Ok(PutCondition::None),
        (None, Some("*")) => Ok(PutCondition::Absent),
        // Nothing is there and not there at once.
        (Some(_), Some("*")) => Err(Problem::new(Code::Stale)),
        (_, Some(_)) => Err(Problem::new(Code::MalformedHeader)),
        (Some(sent), None) => Ok(match demanded_message(Some(sent))? {
            Some(tag) => PutCondition::State(tag),
            None => PutCondition::Present,
        }),
    }
}

fn of_message(tag: MessageTag) -> String {
    match tag.is_lapsed {
        true => of_lapsed(tag.version),
        false => of(tag.version),
    }
}

/// The same where the resource never changes without `If-Match` (`CH-51`).
pub(crate) fn required(if_match: Option<&str>) -> Result<Option<Version>, Problem> {
    match if_match {
        None => Err(Problem::new(Code::PreconditionRequired)),
        sent => demanded(sent),
    }
}

/// The version that `If-Match` demands of a resource whose tags may carry one of these marks. What a mark tells is derived, so it
/// doesn't count against a change.
pub(crate) fn demanded_marked(if_match: Option<&str>, marks: &[&str]) -> Result<Option<Version>, Problem> {
    let plain = if_match.and_then(|sent| {
        let version = marks
            .iter()
            .find_map(|mark| sent.trim().strip_suffix(&format!("-{mark}\"")))?;
        Some(format!("{version}\""))
    });
    demanded(plain.as_deref().or(if_match))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precondition_may_be_required() {
        assert_eq!(
            required(None).map_err(|problem| problem.code()),
            Err(Code::PreconditionRequired)
        );
        assert_eq!(required(Some("*")).unwrap(), None);
        assert_eq!(required(Some("\"3\"")).unwrap(), Some(3));
    }

    #[test]
    fn a_mark_does_not_count_against_a_change() {
        let code = |sent: Option<&str>| demanded_marked(sent, &["content", "config"]).map_err(|problem| problem.code());
        assert_eq!(code(None), Ok(None));
        assert_eq!(code(Some("\"3\"")), Ok(Some(3)));
        assert_eq!(code(Some(&of_marked(3, "content"))), Ok(Some(3)));
        assert_eq!(code(Some(&of_marked(3, "config"))), Ok(Some(3)));
        assert_eq!(code(Some(&of_marked(3, "other"))), Err(Code::Stale));
        assert_eq!(code(Some("W/\"3-content\"")), Err(Code::Stale));
        assert_eq!(code(Some("3-content\"")), Err(Code::MalformedHeader));
    }

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
    fn ch_81_a_lapsed_state_has_a_tag_of_its_own() {
        let tag = |sent| demanded_message(Some(sent)).map_err(|problem| problem.code());
        let state = |version, is_lapsed| Ok(Some(MessageTag { version, is_lapsed }));
        assert_eq!(tag("\"3\""), state(3, false));
        assert_eq!(tag("\"3-i\""), state(3, true));
        for stale in ["\"-i\"", "\"3-i-i\"", "W/\"3-i\"", "\"03-i\"", "\"3-x\""] {
            assert_eq!(tag(stale), Err(Code::Stale), "{stale}");
        }
    }

    #[test]
    fn ch_14_what_a_put_demands() {
        let of = |a, b| condition(a, b).map_err(|problem| problem.code());
        let state = MessageTag {
            version: 3,
            is_lapsed: false,
        };
        assert_eq!(of(None, None), Ok(PutCondition::None));
        assert_eq!(of(None, Some(" * ")), Ok(PutCondition::Absent));
        assert_eq!(of(Some("*"), None), Ok(PutCondition::Present));
        assert_eq!(of(Some("\"3\""), None), Ok(PutCondition::State(state)));
        assert_eq!(of(Some("\"3\""), Some("*")), Err(Code::Stale));
        assert_eq!(of(None, Some("\"3\"")), Err(Code::MalformedHeader));
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
