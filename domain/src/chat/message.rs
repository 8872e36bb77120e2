use std::time::Duration;

use super::{Attachment, AttachmentDraft, words};
use crate::{
    AttachmentId, Code, FreeJson, Instant, Invalid, JsonRule, JsonShape, MessageId, OwnerId, SessionId, TextRule,
    Version, Violations, check_text,
};

/// Most messages of one turn (`CH-03`).
pub const MAX_TURN: usize = 20;
/// Most attachments of one message (`CH-90`).
pub(super) const MAX_ATTACHMENTS: usize = 50;
const TEXT: TextRule = TextRule::maybe_empty(500_000);
/// The rule of a free object.
pub(super) const OBJECT: JsonRule = JsonRule {
    shape: JsonShape::Object,
    max_bytes: 64 * 1024,
    max_depth: 32,
};
/// The rule of chart data.
pub(super) const CHARTS: JsonRule = JsonRule {
    shape: JsonShape::ObjectArray(100),
    max_bytes: 256 * 1024,
    max_depth: 32,
};

words! {
    /// Who speaks.
    SenderRole {
        /// The person.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// Instructions.
        System = "system",
        /// The result of a tool.
        Tool = "tool",
    }
}

words! {
    /// Whether an answer is all there (`CH-80` to `CH-82`).
    MessageStatus {
        /// All there.
        Complete = "complete",
        /// Still growing, under a lease.
        Partial = "partial",
        /// Ended early.
        Interrupted = "interrupted",
    }
}

/// What a message says. Everything else on it is metadata.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Content {
    /// 0 to 500 000 characters.
    pub text: Option<String>,
    /// 0 to 500 000 characters.
    pub reasoning: Option<String>,
    /// At most 50; files before images, each kind in the order of the client.
    pub attachments: Vec<Attachment>,
    /// An array of at most 100 objects.
    pub chart_data: Option<FreeJson>,
}

/// Tokens that an answer cost, as the client counted them. Each is 0 or more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Read by the model.
    pub input_tokens: Option<i64>,
    /// Written by the model.
    pub output_tokens: Option<i64>,
    /// Of the input, those that came from a cache.
    pub cached_tokens: Option<i64>,
    /// Of the output, those that were reasoning.
    pub reasoning_tokens: Option<i64>,
}

/// The switches of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MessageFlags {
    /// Read aloud.
    pub is_tts: bool,
    /// Carries a position on earth.
    pub is_gps_location: bool,
    /// The client shows a button to transcribe.
    pub show_transcribe_button: bool,
    /// Marked by the person.
    pub favourite: bool,
    /// Made by a test of the client.
    pub test_mode: bool,
}

/// One row of a conversation at a fixed position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Whose it is.
    pub owner_id: OwnerId,
    /// Its id, unique for the owner.
    pub id: MessageId,
    /// The conversation.
    pub session_id: SessionId,
    /// 1 or more, never reused and never changed. Order within a session is this, never `created_at` (`CH-03`).
    pub position: i64,
    /// Who speaks; never changes (`CH-15`).
    pub sender_role: SenderRole,
    /// A free display name, at most 255 characters.
    pub sender_name: Option<String>,
    /// As stored; readers see [`Message::status_at`].
    pub status: MessageStatus,
    /// Set exactly while `partial`.
    pub lease_expires_at: Option<Instant>,
    /// How long a chunk renews the lease: set by the client that made the message partial, else the configured time counts.
    pub lease_seconds: Option<i64>,
    /// What it says.
    pub content: Content,
    /// At most 100 characters.
    pub character_name: Option<String>,
    /// At most 100 characters.
    pub responding_agent: Option<String>,
    /// At most 200 characters.
    pub model_name: Option<String>,
    /// An object.
    pub model_settings: Option<FreeJson>,
    /// At most 200 characters.
    pub tts_model_name: Option<String>,
    /// An object.
    pub image_settings: Option<FreeJson>,
    /// An object.
    pub image_request: Option<FreeJson>,
    /// Metadata of agent coding, an opaque object.
    pub agent_data: Option<FreeJson>,
    /// Tokens.
    pub usage: Usage,
    /// Switches.
    pub flags: MessageFlags,
    /// When the answer began, as the client says.
    pub started_at: Option<Instant>,
    /// When the answer ended, as the client says; not before `started_at`.
    pub finished_at: Option<Instant>,
    /// The number of the current content, 1 for the original.
    pub revision: i64,
    /// When the content last changed.
    pub edited_at: Option<Instant>,
    /// When it was stored.
    pub created_at: Instant,
    /// When the row last changed.
    pub updated_at: Instant,
    /// When it went to the trash.
    pub deleted_at: Option<Instant>,
    /// Rises with every change of the row.
    pub version: Version,
}

/// A new message as a client sends it. Free JSON is the raw text of the field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageDraft {
    /// An id of the client's own making, honoured (`CH-06`).
    pub id: Option<MessageId>,
    /// Required (`CH-07`).
    pub sender_role: SenderRole,
    /// See [`Message::sender_name`].
    pub sender_name: Option<String>,
    /// `complete` unless sent.
    pub status: Option<MessageStatus>,
    /// For a partial message, how long the lease runs: 10 to 3600 seconds (`CH-81`).
    pub lease_seconds: Option<i64>,
    /// See [`Content::text`].
    pub text: Option<String>,
    /// See [`Content::reasoning`].
    pub reasoning: Option<String>,
    /// See [`Content::attachments`].
    pub attachments: Vec<AttachmentDraft>,
    /// See [`Content::chart_data`].
    pub chart_data: Option<String>,
    /// See [`Message::character_name`].
    pub character_name: Option<String>,
    /// See [`Message::responding_agent`].
    pub responding_agent: Option<String>,
    /// See [`Message::model_name`].
    pub model_name: Option<String>,
    /// See [`Message::model_settings`].
    pub model_settings: Option<String>,
    /// See [`Message::tts_model_name`].
    pub tts_model_name: Option<String>,
    /// See [`Message::image_settings`].
    pub image_settings: Option<String>,
    /// See [`Message::image_request`].
    pub image_request: Option<String>,
    /// See [`Message::agent_data`].
    pub agent_data: Option<String>,
    /// See [`Message::usage`].
    pub usage: Usage,
    /// See [`Message::flags`].
    pub flags: MessageFlags,
    /// See [`Message::started_at`].
    pub started_at: Option<Instant>,
    /// See [`Message::finished_at`].
    pub finished_at: Option<Instant>,
}

impl MessageDraft {
    /// A draft with nothing but a role.
    pub fn new(sender_role: SenderRole) -> Self {
        Self {
            id: None,
            sender_role,
            sender_name: None,
            status: None,
            lease_seconds: None,
            text: None,
            reasoning: None,
            attachments: Vec::new(),
            chart_data: None,
            character_name: None,
            responding_agent: None,
            model_name: None,
            model_settings: None,
            tts_model_name: None,
            image_settings: None,
            image_request: None,
            agent_data: None,
            usage: Usage::default(),
            flags: MessageFlags::default(),
            started_at: None,
            finished_at: None,
        }
    }
}

impl MessageDraft {
    /// Whether a message made of it has content (`CH-04`). Free JSON that is none counts, and is refused when it is made.
    pub fn has_content(&self) -> bool {
        let says = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let holds = |raw: &Option<String>| {
            let json = raw.as_deref().map(FreeJson::from_stored);
            json.is_some_and(|json| json.is_none_or(|json| !json.is_empty()))
        };
        says(&self.text)
            || says(&self.reasoning)
            || !self.attachments.is_empty()
            || holds(&self.chart_data)
            || holds(&self.agent_data)
    }
}

/// What Larder adds to a draft.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Whose message it becomes.
    pub owner_id: OwnerId,
    /// The conversation it joins.
    pub session_id: SessionId,
    /// Its id: the client's own, or a fresh one.
    pub id: MessageId,
    /// One id for each attachment of the draft, in order.
    pub attachment_ids: Vec<AttachmentId>,
    /// Its place in the turn, from 1; the store turns it into the position.
    pub ordinal: i64,
    /// The time of the request.
    pub now: Instant,
    /// The lease of a partial message that asks for none.
    pub default_lease: Duration,
}

impl Message {
    /// Checks what a client sent and makes a message of it (`CH-04`, `CH-07`, `CH-90`, `CH-91`).
    ///
    /// Pointers of violations start with `prefix`. Until it is stored, `position` is the place in the turn.
    pub fn create(draft: MessageDraft, stamp: Stamp, prefix: &str) -> Result<Self, Violations> {
        let mut violations = Violations::under(prefix);
        check_texts(
            [
                draft.text.as_deref(),
                draft.reasoning.as_deref(),
                draft.sender_name.as_deref(),
                draft.character_name.as_deref(),
                draft.responding_agent.as_deref(),
                draft.model_name.as_deref(),
                draft.tts_model_name.as_deref(),
            ],
            &mut violations,
        );
        let mut json = |raw: &Option<String>, rule, pointer: &str| {
            let raw = raw.as_deref()?;
            violations.keep(FreeJson::parse(raw, rule, &format!("{prefix}{pointer}")))
        };
        let chart_data = json(&draft.chart_data, CHARTS, "/chart_data");
        let model_settings = json(&draft.model_settings, OBJECT, "/model_settings");
        let image_settings = json(&draft.image_settings, OBJECT, "/image_settings");
        let image_request = json(&draft.image_request, OBJECT, "/image_request");
        let agent_data = json(&draft.agent_data, OBJECT, "/agent_data");
        check_usage(draft.usage, &mut violations);
        check_timers(draft.started_at, draft.finished_at, &mut violations);
        let attachments = make_attachments(draft.attachments, stamp.attachment_ids, prefix);
        let attachments = violations.keep(attachments).unwrap_or_default();
        let status = draft.status.unwrap_or(MessageStatus::Complete);
        let lease_expires_at = check_lease(
            status,
            draft.lease_seconds,
            &stamp.now,
            stamp.default_lease,
            &mut violations,
        );
        let content = Content {
            text: draft.text,
            reasoning: draft.reasoning,
            attachments,
            chart_data,
        };
        if violations.is_empty() {
            check_content(status, &content, agent_data.as_ref(), &mut violations);
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(Self {
            owner_id: stamp.owner_id,
            id: stamp.id,
            session_id: stamp.session_id,
            position: stamp.ordinal,
            sender_role: draft.sender_role,
            sender_name: draft.sender_name,
            status,
            lease_expires_at,
            lease_seconds: draft.lease_seconds.filter(|_| status == MessageStatus::Partial),
            content,
            character_name: draft.character_name,
            responding_agent: draft.responding_agent,
            model_name: draft.model_name,
            model_settings,
            tts_model_name: draft.tts_model_name,
            image_settings,
            image_request,
            agent_data,
            usage: draft.usage,
            flags: draft.flags,
            started_at: draft.started_at,
            finished_at: draft.finished_at,
            revision: 1,
            edited_at: None,
            created_at: stamp.now,
            updated_at: stamp.now,
            deleted_at: None,
            version: 1,
        })
    }

    /// The status that a reader sees: a partial message whose lease ran out reads `interrupted` (`CH-81`).
    pub fn status_at(&self, now: Instant) -> MessageStatus {
        match (self.status, self.lease_expires_at) {
            (MessageStatus::Partial, Some(expiry)) if expiry <= now => MessageStatus::Interrupted,
            (status, _) => status,
        }
    }
}

/// Checks a turn as a whole: 1 to [`MAX_TURN`] messages (`CH-03`), no id twice (`CH-06`).
pub fn check_turn(drafts: &[MessageDraft]) -> Result<(), Invalid> {
    let mut violations = Violations::new();
    if drafts.is_empty() {
        violations.add("/messages", Code::Required, "must have at least one message");
    } else if drafts.len() > MAX_TURN {
        violations.add(
            "/messages",
            Code::TooMany,
            format!("must have at most {MAX_TURN} messages"),
        );
    }
    // What lies beyond the limit is refused already, and comparing all pairs of a long list would be costly.
    for (index, draft) in drafts.iter().enumerate().take(MAX_TURN) {
        if draft.id.is_some() && drafts[..index].iter().any(|earlier| earlier.id == draft.id) {
            violations.add(
                &format!("/messages/{index}/id"),
                Code::Duplicate,
                "must not be used twice in one turn",
            );
        }
    }
    violations.finish(())
}

/// Checks the texts of a message: text, reasoning, and the names of sender, character, agent and models.
pub(super) fn check_texts(texts: [Option<&str>; 7], violations: &mut Violations) {
    const RULES: [(TextRule, &str); 7] = [
        (TEXT, "/text"),
        (TEXT, "/reasoning"),
        (TextRule::up_to(255), "/sender_name"),
        (TextRule::up_to(100), "/character_name"),
        (TextRule::up_to(100), "/responding_agent"),
        (TextRule::up_to(200), "/model_name"),
        (TextRule::up_to(200), "/tts_model_name"),
    ];
    for (text, (rule, pointer)) in texts.into_iter().zip(RULES) {
        if let Some(text) = text {
            check_text(text, rule, pointer, violations);
        }
    }
}

/// Makes the attachments of a message, files before images. `ids` has one id for each draft.
pub(super) fn make_attachments(
    drafts: Vec<AttachmentDraft>,
    ids: Vec<AttachmentId>,
    prefix: &str,
) -> Result<Vec<Attachment>, Violations> {
    let mut violations = Violations::under(prefix);
    if drafts.len() > MAX_ATTACHMENTS {
        refuse_attachments("/attachments", &mut violations);
        return Err(violations);
    }
    let mut attachments: Vec<Attachment> = drafts
        .into_iter()
        .zip(ids)
        .enumerate()
        .filter_map(|(index, (draft, id))| {
            violations.keep(Attachment::new(draft, id, &format!("{prefix}/attachments/{index}")))
        })
        .collect();
    attachments.sort_by_key(|attachment| attachment.kind.as_str());
    if violations.is_empty() {
        Ok(attachments)
    } else {
        Err(violations)
    }
}

/// Notes that there are more than [`MAX_ATTACHMENTS`].
pub(super) fn refuse_attachments(pointer: &str, violations: &mut Violations) {
    let message = format!("must have at most {MAX_ATTACHMENTS} entries");
    violations.add(pointer, Code::TooMany, message);
}

/// An answer does not end before it begins.
pub(super) fn check_timers(started: Option<Instant>, finished: Option<Instant>, violations: &mut Violations) {
    if let (Some(started), Some(finished)) = (started, finished)
        && finished < started
    {
        violations.add("/finished_at", Code::OutOfRange, "must not be before started_at");
    }
}

/// A complete message has content (`CH-04`).
pub(super) fn check_content(
    status: MessageStatus,
    content: &Content,
    agent_data: Option<&FreeJson>,
    violations: &mut Violations,
) {
    if status == MessageStatus::Complete && !has_content(content, agent_data) {
        violations.add(
            "",
            Code::EmptyMessage,
            "needs a text, a reasoning, an attachment, chart data or agent data",
        );
    }
}

fn has_content(content: &Content, agent_data: Option<&FreeJson>) -> bool {
    let says = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let holds = |json: Option<&FreeJson>| json.is_some_and(|json| !json.is_empty());
    says(&content.text)
        || says(&content.reasoning)
        || !content.attachments.is_empty()
        || holds(content.chart_data.as_ref())
        || holds(agent_data)
}

/// Counts are never negative.
pub(super) fn check_usage(usage: Usage, violations: &mut Violations) {
    for (tokens, pointer) in [
        (usage.input_tokens, "/usage/input_tokens"),
        (usage.output_tokens, "/usage/output_tokens"),
        (usage.cached_tokens, "/usage/cached_tokens"),
        (usage.reasoning_tokens, "/usage/reasoning_tokens"),
    ] {
        if tokens.is_some_and(|tokens| tokens < 0) {
            violations.add(pointer, Code::OutOfRange, "must not be negative");
        }
    }
}

fn check_lease(
    status: MessageStatus,
    seconds: Option<i64>,
    now: &Instant,
    default: Duration,
    violations: &mut Violations,
) -> Option<Instant> {
    let span = match seconds {
        None => default,
        Some(_) if status != MessageStatus::Partial => {
            violations.add("/lease_seconds", Code::BadFormat, "is only for a partial message");
            default
        }
        Some(seconds @ 10..=3_600) => Duration::from_secs(seconds.unsigned_abs()),
        Some(_) => {
            violations.add("/lease_seconds", Code::OutOfRange, "must be 10 to 3600");
            default
        }
    };
    (status == MessageStatus::Partial).then(|| now.plus(span))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::chat::AttachmentKind;

    fn at(second: i64) -> Instant {
        Instant::from_micros(second * 1_000_000).unwrap()
    }

    fn create(draft: MessageDraft) -> Result<Message, Invalid> {
        let stamp = Stamp {
            owner_id: OwnerId(Uuid::from_u128(1)),
            session_id: SessionId(Uuid::from_u128(2)),
            id: MessageId(Uuid::from_u128(3)),
            attachment_ids: (0..draft.attachments.len())
                .map(|n| AttachmentId(Uuid::from_u128(n as u128)))
                .collect(),
            ordinal: 1,
            now: at(100),
            default_lease: Duration::from_secs(120),
        };
        Ok(Message::create(draft, stamp, "/messages/0")?)
    }

    fn draft() -> MessageDraft {
        MessageDraft::new(SenderRole::User)
    }

    fn text(text: &str) -> MessageDraft {
        MessageDraft {
            text: Some(text.into()),
            ..draft()
        }
    }

    fn refusal(draft: MessageDraft) -> (String, Code) {
        let refused = create(draft).unwrap_err();
        (refused.violations()[0].pointer.clone(), refused.violations()[0].code)
    }

    #[test]
    fn ch_04_a_draft_tells_whether_it_has_content() {
        let json = |raw: &str| MessageDraft {
            agent_data: Some(raw.into()),
            ..draft()
        };
        for with_content in [text(" "), json(r#"{"a":1}"#), json("{")] {
            assert!(with_content.has_content(), "{with_content:?}");
        }
        for without in [draft(), text(""), json("{ }")] {
            assert!(!without.has_content(), "{without:?}");
            assert!(create(without).is_err());
        }
    }

    #[test]
    fn ch_04_a_complete_message_needs_content() {
        let empty = ("/messages/0".to_owned(), Code::EmptyMessage);
        assert_eq!(refusal(draft()), empty);
        assert_eq!(refusal(text("")), empty);
        assert_eq!(
            refusal(MessageDraft {
                chart_data: Some("[]".into()),
                ..draft()
            }),
            empty
        );
        assert_eq!(
            refusal(MessageDraft {
                agent_data: Some("{}".into()),
                ..draft()
            }),
            empty
        );
        for with_content in [
            text(" "),
            MessageDraft {
                reasoning: Some("r".into()),
                ..draft()
            },
            MessageDraft {
                chart_data: Some("[{}]".into()),
                ..draft()
            },
            MessageDraft {
                agent_data: Some(r#"{"a":1}"#.into()),
                ..draft()
            },
            MessageDraft {
                status: Some(MessageStatus::Partial),
                ..draft()
            },
            MessageDraft {
                status: Some(MessageStatus::Interrupted),
                ..draft()
            },
        ] {
            assert!(create(with_content).is_ok());
        }
    }

    #[test]
    fn ch_90_lengths_are_checked_with_a_pointer() {
        assert!(create(text(&"x".repeat(500_000))).is_ok());
        assert_eq!(
            refusal(text(&"x".repeat(500_001))),
            ("/messages/0/text".into(), Code::TooLong)
        );
        assert_eq!(refusal(text("a\0")), ("/messages/0/text".into(), Code::Nul));
        let many = vec![
            AttachmentDraft {
                kind: AttachmentKind::File,
                url: "f".into(),
                description: None,
                media_type: None,
                size_bytes: None
            };
            51
        ];
        assert!(
            create(MessageDraft {
                attachments: many[..50].to_vec(),
                ..draft()
            })
            .is_ok()
        );
        assert_eq!(
            refusal(MessageDraft {
                attachments: many,
                ..draft()
            }),
            ("/messages/0/attachments".into(), Code::TooMany)
        );
    }

    #[test]
    fn ch_91_json_out_of_bounds() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(33), "1") + &"}".repeat(33);
        assert_eq!(
            refusal(MessageDraft {
                model_settings: Some(deep),
                ..text("x")
            }),
            ("/messages/0/model_settings".into(), Code::TooDeep)
        );
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(64 * 1024));
        assert_eq!(
            refusal(MessageDraft {
                agent_data: Some(large),
                ..text("x")
            }),
            ("/messages/0/agent_data".into(), Code::TooLong)
        );
    }

    #[test]
    fn timers_and_tokens() {
        let backwards = MessageDraft {
            started_at: Some(at(2)),
            finished_at: Some(at(1)),
            ..text("x")
        };
        assert_eq!(refusal(backwards), ("/messages/0/finished_at".into(), Code::OutOfRange));
        let negative = MessageDraft {
            usage: Usage {
                cached_tokens: Some(-1),
                ..Usage::default()
            },
            ..text("x")
        };
        assert_eq!(
            refusal(negative),
            ("/messages/0/usage/cached_tokens".into(), Code::OutOfRange)
        );
    }

    #[test]
    fn ch_81_a_partial_message_reads_interrupted_once_its_lease_ran_out() {
        let partial = create(MessageDraft {
            status: Some(MessageStatus::Partial),
            lease_seconds: Some(10),
            ..draft()
        })
        .unwrap();
        assert_eq!(partial.lease_expires_at, Some(at(110)));
        assert_eq!(partial.status_at(at(109)), MessageStatus::Partial);
        assert_eq!(partial.status_at(at(110)), MessageStatus::Interrupted);
        let default = create(MessageDraft {
            status: Some(MessageStatus::Partial),
            ..draft()
        })
        .unwrap();
        assert_eq!(default.lease_expires_at, Some(at(220)));
        let complete = create(text("x")).unwrap();
        assert_eq!(
            (complete.lease_expires_at, complete.status_at(at(9_999))),
            (None, MessageStatus::Complete)
        );
        for lease in [9, 3_601] {
            let out = MessageDraft {
                status: Some(MessageStatus::Partial),
                lease_seconds: Some(lease),
                ..draft()
            };
            assert_eq!(refusal(out), ("/messages/0/lease_seconds".into(), Code::OutOfRange));
        }
        assert!(
            create(MessageDraft {
                lease_seconds: Some(10),
                ..text("x")
            })
            .is_err()
        );
    }

    #[test]
    fn ch_03_a_turn_has_1_to_20_messages() {
        assert!(check_turn(&[]).is_err());
        assert!(check_turn(&vec![text("x"); 20]).is_ok());
        assert!(check_turn(&vec![text("x"); 21]).is_err());
    }

    #[test]
    fn ch_06_one_id_twice_in_a_turn_is_refused() {
        let id = Some(MessageId(Uuid::from_u128(9)));
        let twice = [
            MessageDraft { id, ..text("a") },
            text("b"),
            MessageDraft { id, ..text("c") },
        ];
        assert_eq!(
            check_turn(&twice).unwrap_err().violations()[0].pointer,
            "/messages/2/id"
        );
    }
}
