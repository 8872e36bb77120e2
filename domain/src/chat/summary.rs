use super::words;
use crate::{Code, Instant, Invalid, OwnerId, SessionId, SummaryId, TextRule, Version, Violations, check_text};

/// Most key topics, and most entities, of one summary.
pub const MAX_SUMMARY_ENTRIES: usize = 100;
const ENTRY: TextRule = TextRule::up_to(200);

words! {
    /// Whether the summary of a session still fits (`CH-62`, `CH-63`).
    SummaryState {
        /// It covers all there is.
        Fresh = "fresh",
        /// The session's content changed since.
        Content = "content",
        /// It was written under an older configuration.
        Config = "config",
        /// The session has messages and no summary.
        Missing = "missing",
    }
}

/// The current digest of a session, written by a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Whose it is.
    pub owner_id: OwnerId,
    /// The id of the row.
    pub id: SummaryId,
    /// What it is about; a session has at most one.
    pub session_id: SessionId,
    /// 1 to 50 000 characters.
    pub text: String,
    /// At most 100 of 1 to 200 characters.
    pub key_topics: Vec<String>,
    /// At most 100 of 1 to 200 characters.
    pub entities: Vec<String>,
    /// The model that wrote it, 1 to 200 characters.
    pub model_name: String,
    /// The configuration under which it was written, from 1.
    pub config_version: i64,
    /// The content revision of the session that it covers, from 1.
    pub source_content_revision: i64,
    /// Live messages when it was stored.
    pub message_count: i64,
    /// When the first of them was made.
    pub first_message_at: Option<Instant>,
    /// When the last of them was made.
    pub last_message_at: Option<Instant>,
    /// When it was stored.
    pub generated_at: Instant,
    /// When the row was made.
    pub created_at: Instant,
    /// When the row last changed.
    pub updated_at: Instant,
    /// Rises with every replacement.
    pub version: Version,
}

/// A summary as a client sends it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SummaryDraft {
    /// See [`Summary::text`].
    pub text: String,
    /// See [`Summary::key_topics`].
    pub key_topics: Vec<String>,
    /// See [`Summary::entities`].
    pub entities: Vec<String>,
    /// See [`Summary::model_name`].
    pub model_name: String,
    /// See [`Summary::config_version`].
    pub config_version: i64,
    /// The content revision that the client read before it summarised; the current one unless sent (`CH-60`).
    pub source_content_revision: Option<i64>,
}

impl SummaryDraft {
    /// Checks what can be checked without the session.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut violations = Violations::new();
        check_text(&self.text, TextRule::up_to(50_000), "/text", &mut violations);
        check_text(&self.model_name, TextRule::up_to(200), "/model_name", &mut violations);
        for (entries, pointer) in [(&self.key_topics, "/key_topics"), (&self.entities, "/entities")] {
            if entries.len() > MAX_SUMMARY_ENTRIES {
                let message = format!("must have at most {MAX_SUMMARY_ENTRIES} entries");
                violations.add(pointer, Code::TooMany, message);
                continue;
            }
            for (index, entry) in entries.iter().enumerate() {
                check_text(entry, ENTRY, &format!("{pointer}/{index}"), &mut violations);
            }
        }
        if self.config_version < 1 {
            violations.add("/config_version", Code::OutOfRange, "must be at least 1");
        }
        if self.source_content_revision.is_some_and(|revision| revision < 1) {
            violations.add("/source_content_revision", Code::OutOfRange, SOURCE_RANGE);
        }
        violations.finish(())
    }

    /// The refusal of a content revision that the session doesn't have, or of a session without content (`CH-60`).
    pub fn source_out_of_range() -> Invalid {
        Invalid::one("/source_content_revision", Code::OutOfRange, SOURCE_RANGE)
    }
}

const SOURCE_RANGE: &str = "must be from 1 to the content revision of the session";

impl Summary {
    /// Whether the summary still fits a session with this content revision (`CH-62`). Never [`SummaryState::Missing`].
    pub fn state(&self, content_revision: i64, config_version: i64) -> SummaryState {
        if content_revision > self.source_content_revision {
            SummaryState::Content
        } else if self.config_version < config_version {
            SummaryState::Config
        } else {
            SummaryState::Fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn draft() -> SummaryDraft {
        SummaryDraft {
            text: "They planned a trip.".into(),
            key_topics: vec!["travel".into()],
            entities: vec!["Lisbon".into()],
            model_name: "some-model".into(),
            config_version: 1,
            source_content_revision: None,
        }
    }

    fn first(draft: SummaryDraft) -> (String, Code) {
        let invalid = draft.check().unwrap_err();
        (invalid.violations()[0].pointer.clone(), invalid.violations()[0].code)
    }

    #[test]
    fn ch_60_what_a_client_sends_is_checked() {
        assert!(draft().check().is_ok());
        let full = SummaryDraft {
            text: "ß".repeat(50_000),
            key_topics: vec!["ß".repeat(200); 100],
            entities: vec![],
            ..draft()
        };
        assert!(full.check().is_ok());
        let cases = [
            (
                SummaryDraft {
                    text: String::new(),
                    ..draft()
                },
                ("/text", Code::TooShort),
            ),
            (
                SummaryDraft {
                    text: "x".repeat(50_001),
                    ..draft()
                },
                ("/text", Code::TooLong),
            ),
            (
                SummaryDraft {
                    model_name: String::new(),
                    ..draft()
                },
                ("/model_name", Code::TooShort),
            ),
            (
                SummaryDraft {
                    key_topics: vec!["x".into(); 101],
                    ..draft()
                },
                ("/key_topics", Code::TooMany),
            ),
            (
                SummaryDraft {
                    entities: vec!["x".into(), "x".repeat(201)],
                    ..draft()
                },
                ("/entities/1", Code::TooLong),
            ),
            (
                SummaryDraft {
                    config_version: 0,
                    ..draft()
                },
                ("/config_version", Code::OutOfRange),
            ),
            (
                SummaryDraft {
                    source_content_revision: Some(0),
                    ..draft()
                },
                ("/source_content_revision", Code::OutOfRange),
            ),
        ];
        for (draft, (pointer, code)) in cases {
            assert_eq!(first(draft), (pointer.to_owned(), code));
        }
    }

    #[test]
    fn ch_62_content_goes_before_configuration() {
        let summary = Summary {
            owner_id: OwnerId(Uuid::nil()),
            id: SummaryId(Uuid::nil()),
            session_id: SessionId(Uuid::nil()),
            text: "t".into(),
            key_topics: vec![],
            entities: vec![],
            model_name: "m".into(),
            config_version: 2,
            source_content_revision: 5,
            message_count: 1,
            first_message_at: None,
            last_message_at: None,
            generated_at: Instant::EPOCH,
            created_at: Instant::EPOCH,
            updated_at: Instant::EPOCH,
            version: 1,
        };
        for (content_revision, config_version, expected) in [
            (5, 2, SummaryState::Fresh),
            (5, 1, SummaryState::Fresh),
            (5, 3, SummaryState::Config),
            (6, 2, SummaryState::Content),
            (6, 3, SummaryState::Content),
        ] {
            assert_eq!(summary.state(content_revision, config_version), expected);
        }
    }
}
