//! What the surface calls things: in texts, and in pointers to what was sent (`CO-09`, names of chat.md §6.2).

use super::failure::Refused;
use crate::problem::Problem;

/// The words for one kind of resource.
#[derive(Debug)]
pub(super) struct Words {
    /// What is said when there is none.
    pub(super) missing: &'static str,
    /// Pointers of the domain and of the surface, where they differ.
    pub(super) fields: &'static [(&'static str, &'static str)],
}

/// For what has no words of its own.
pub(super) const NONE: Words = Words {
    missing: "Not found",
    fields: &[],
};

/// Conversations.
pub(super) const SESSION: Words = Words {
    missing: "Chat session not found",
    fields: &[
        ("/id", "/session_id"),
        ("/name", "/session_name"),
        ("/character_name", "/ai_character_name"),
        ("/model_name", "/ai_text_gen_model"),
        ("/agent_session_id", "/claude_session_id"),
        ("/last_update", "/last_update_override"),
        ("/query/q", "/search_text"),
    ],
};

/// A conversation that is to be deleted.
pub(super) const REMOVED_SESSION: Words = Words {
    missing: "Session not found",
    ..SESSION
};

/// Saved templates.
pub(super) const PROMPT: Words = Words {
    missing: "Prompt not found",
    fields: &[("/id", "/prompt_id"), ("/text", "/prompt")],
};

impl Words {
    /// What a use case refused, in these words.
    pub(super) fn refuse(&'static self, error: impl Into<Problem>) -> Refused {
        Refused::new(error.into(), self)
    }

    /// How the surface points to what the domain points to.
    pub(super) fn pointer(&self, pointer: &str) -> String {
        for (theirs, ours) in self.fields {
            match pointer.strip_prefix(theirs) {
                Some(below) if below.is_empty() || below.starts_with('/') => return format!("{ours}{below}"),
                _ => {}
            }
        }
        pointer.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_renamed_by_whole_steps() {
        assert_eq!(SESSION.pointer("/name"), "/session_name");
        assert_eq!(SESSION.pointer("/tags/3"), "/tags/3");
        assert_eq!(SESSION.pointer("/names"), "/names");
        assert_eq!(SESSION.pointer("/id/x"), "/session_id/x");
    }
}
