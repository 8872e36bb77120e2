use crate::{Code, Instant, Invalid, OwnerId, Patch, PromptId, TextRule, Version, Violations, check_text};

/// Most live prompts of one owner (`CH-50`).
pub const MAX_PROMPTS: u32 = 2000;
const TITLE: TextRule = TextRule::up_to(200);
const TEXT: TextRule = TextRule::up_to(100_000);

/// A saved template of a title and a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prompt {
    /// Whose it is.
    pub owner_id: OwnerId,
    /// Its id, unique for the owner.
    pub id: PromptId,
    /// 1 to 200 characters.
    pub title: String,
    /// 1 to 100 000 characters.
    pub text: String,
    /// When it was made, which orders lists.
    pub created_at: Instant,
    /// When the row last changed.
    pub updated_at: Instant,
    /// When it went to the trash.
    pub deleted_at: Option<Instant>,
    /// Rises with every change of the row.
    pub version: Version,
}

/// A new prompt as a client sends it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PromptDraft {
    /// An id of the client's own making, honoured.
    pub id: Option<PromptId>,
    /// See [`Prompt::title`].
    pub title: String,
    /// See [`Prompt::text`].
    pub text: String,
}

/// A change of a prompt: a merge patch. Neither field can be cleared.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PromptPatch {
    /// See [`Prompt::title`].
    pub title: Patch<String>,
    /// See [`Prompt::text`].
    pub text: Patch<String>,
}

impl Prompt {
    /// Makes a prompt of what a client sent.
    pub fn create(draft: PromptDraft, owner_id: OwnerId, id: PromptId, now: Instant) -> Result<Self, Invalid> {
        let mut violations = Violations::new();
        check_text(&draft.title, TITLE, "/title", &mut violations);
        check_text(&draft.text, TEXT, "/text", &mut violations);
        violations.finish(Self {
            owner_id,
            id,
            title: draft.title,
            text: draft.text,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            version: 1,
        })
    }

    /// The prompt after a merge patch, with the next version; `None` when the patch changes nothing.
    pub fn change(&self, patch: PromptPatch, now: Instant) -> Result<Option<Self>, Invalid> {
        let mut violations = Violations::new();
        let title = changed(&self.title, patch.title, TITLE, "/title", &mut violations);
        let text = changed(&self.text, patch.text, TEXT, "/text", &mut violations);
        let changed = violations.finish(Self {
            title,
            text,
            ..self.clone()
        })?;
        if changed == *self {
            return Ok(None);
        }
        Ok(Some(Self {
            updated_at: now,
            version: self.version + 1,
            ..changed
        }))
    }
}

fn changed(stored: &str, patch: Patch<String>, rule: TextRule, pointer: &str, violations: &mut Violations) -> String {
    match patch {
        Patch::Keep => stored.to_owned(),
        Patch::Clear => {
            violations.add(pointer, Code::Required, "must not be null");
            String::new()
        }
        Patch::Set(text) => {
            check_text(&text, rule, pointer, violations);
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn prompt(title: &str, text: &str) -> Result<Prompt, Invalid> {
        let draft = PromptDraft {
            id: None,
            title: title.into(),
            text: text.into(),
        };
        Prompt::create(draft, OwnerId(Uuid::nil()), PromptId(Uuid::nil()), Instant::EPOCH)
    }

    fn refused<T: std::fmt::Debug>(result: Result<T, Invalid>) -> Vec<(String, Code)> {
        let invalid = result.unwrap_err();
        invalid
            .violations()
            .iter()
            .map(|violation| (violation.pointer.clone(), violation.code))
            .collect()
    }

    #[test]
    fn lengths_are_checked_before_the_store_is_asked() {
        let both = [
            ("/title".to_owned(), Code::TooShort),
            ("/text".to_owned(), Code::TooShort),
        ];
        assert_eq!(refused(prompt("", "")), both);
        assert!(prompt(&"ß".repeat(200), &"ß".repeat(100_000)).is_ok());
        let both = [
            ("/title".to_owned(), Code::TooLong),
            ("/text".to_owned(), Code::TooLong),
        ];
        assert_eq!(refused(prompt(&"ß".repeat(201), &"ß".repeat(100_001))), both);
    }

    #[test]
    fn neither_field_can_be_cleared() {
        let patch = PromptPatch {
            title: Patch::Clear,
            text: Patch::Clear,
        };
        let both = [
            ("/title".to_owned(), Code::Required),
            ("/text".to_owned(), Code::Required),
        ];
        assert_eq!(refused(prompt("a", "b").unwrap().change(patch, Instant::EPOCH)), both);
    }

    proptest! {
        #[test]
        fn a_patch_changes_what_it_sends_and_its_own_values_nothing(title in "\\PC{1,9}", text in "\\PC{1,9}") {
            let stored = prompt("old", "stored").unwrap();
            let later = Instant::from_micros(7).unwrap();
            let patch = PromptPatch { title: Patch::Set(title.clone()), text: Patch::Set(text.clone()) };
            let changed = stored.change(patch.clone(), later).unwrap().unwrap_or_else(|| stored.clone());
            prop_assert_eq!((&changed.title, &changed.text), (&title, &text));
            prop_assert_eq!(changed.change(patch, later).unwrap(), None);
            prop_assert_eq!(changed.change(PromptPatch::default(), later).unwrap(), None);
        }
    }
}
