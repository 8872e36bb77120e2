use std::collections::HashSet;
use std::time::Duration;

use super::message::{
    CHARTS, MAX_ATTACHMENTS, OBJECT, check_content, check_texts, check_timers, check_usage, make_attachments,
    refuse_attachments,
};
use super::{Attachment, AttachmentDraft, AttachmentKind, Content, Message, MessageFlags, MessageStatus, Usage, words};
use crate::{AttachmentId, Code, FreeJson, Instant, Invalid, MessageId, Patch, SessionId, Violations};

words! {
    /// By what kind of caller content was replaced.
    Editor {
        /// A person who is signed in.
        Login = "login",
        /// A program with an API token.
        ApiToken = "api_token",
        /// A person whom an external issuer knows.
        External = "external",
    }
}

/// A change of a message: a merge patch of its client fields (`CH-10`). Free JSON is the raw text of the field.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MessagePatch {
    /// See [`Content::text`].
    pub text: Patch<String>,
    /// See [`Content::reasoning`].
    pub reasoning: Patch<String>,
    /// Replaces all of them; `null` removes all.
    pub attachments: Patch<Vec<AttachmentDraft>>,
    /// Changes the images by their URLs alone, after `attachments`.
    pub images: UrlPatch,
    /// Changes the files by their URLs alone, after `attachments`.
    pub files: UrlPatch,
    /// Replaces all of it.
    pub chart_data: Patch<String>,
    /// See [`Message::sender_name`].
    pub sender_name: Patch<String>,
    /// Ends a partial message (`CH-82`). `null` is refused.
    pub status: Patch<MessageStatus>,
    /// See [`Message::character_name`].
    pub character_name: Patch<String>,
    /// See [`Message::responding_agent`].
    pub responding_agent: Patch<String>,
    /// See [`Message::model_name`].
    pub model_name: Patch<String>,
    /// Merges into [`Message::model_settings`].
    pub model_settings: Patch<String>,
    /// See [`Message::tts_model_name`].
    pub tts_model_name: Patch<String>,
    /// Merges into [`Message::image_settings`].
    pub image_settings: Patch<String>,
    /// Merges into [`Message::image_request`].
    pub image_request: Patch<String>,
    /// Merges into [`Message::agent_data`].
    pub agent_data: Patch<String>,
    /// Merges into [`Message::usage`]; `null` clears all four.
    pub usage: Patch<UsagePatch>,
    /// `null` is false.
    pub is_tts: Patch<bool>,
    /// `null` is false.
    pub is_gps_location: Patch<bool>,
    /// `null` is false.
    pub show_transcribe_button: Patch<bool>,
    /// `null` is false.
    pub favourite: Patch<bool>,
    /// `null` is false.
    pub test_mode: Patch<bool>,
    /// See [`Message::started_at`].
    pub started_at: Patch<Instant>,
    /// See [`Message::finished_at`].
    pub finished_at: Patch<Instant>,
    /// Whether a free object that is sent replaces the stored one instead of merging into it.
    pub replaces_objects: bool,
}

impl MessagePatch {
    /// How many attachments it adds at most: so many ids [`Message::change`] needs.
    pub fn new_attachments(&self) -> usize {
        let drafts = self.attachments.value().map_or(0, Vec::len);
        drafts + self.images.urls().len() + self.files.urls().len()
    }
}

/// A change of the attachments of one kind by their URLs, for clients that know nothing else of an attachment (`CO-22`, `CO-24`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum UrlPatch {
    /// They stay as they are.
    #[default]
    Keep,
    /// These and no others, in this order. One that is there already keeps its id, its description and whatever else is known of it.
    Replace(Vec<String>),
    /// These besides, behind those that are there.
    Append(Vec<String>),
}

impl UrlPatch {
    fn urls(&self) -> &[String] {
        match self {
            Self::Keep => &[],
            Self::Replace(urls) | Self::Append(urls) => urls,
        }
    }

    /// The attachments after the change. Pointers of violations start with `pointer`.
    fn apply(
        self,
        stored: Vec<Attachment>,
        kind: AttachmentKind,
        ids: &mut impl Iterator<Item = AttachmentId>,
        pointer: &str,
    ) -> Result<Vec<Attachment>, Violations> {
        let (mut of_kind, mut attachments): (Vec<_>, Vec<_>) =
            stored.into_iter().partition(|attachment| attachment.kind == kind);
        let urls = match self {
            Self::Keep => Vec::new(),
            Self::Append(urls) => {
                attachments.append(&mut of_kind);
                urls
            }
            Self::Replace(urls) => urls,
        };
        let mut violations = Violations::new();
        if attachments.len() + urls.len() > MAX_ATTACHMENTS {
            refuse_attachments(pointer, &mut violations);
            return Err(violations);
        }
        for (index, url) in urls.into_iter().enumerate() {
            if let Some(place) = of_kind.iter().position(|attachment| attachment.url == url) {
                attachments.push(of_kind.remove(place));
                continue;
            }
            let draft = AttachmentDraft {
                kind,
                url,
                description: None,
                media_type: None,
                size_bytes: None,
            };
            let made = ids
                .next()
                .map(|id| Attachment::new(draft, id, &format!("{pointer}/{index}")));
            attachments.extend(made.and_then(|made| violations.keep(made)));
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        attachments.sort_by_key(|attachment| attachment.kind.as_str());
        Ok(attachments)
    }
}

/// A merge patch of [`Usage`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UsagePatch {
    /// See [`Usage::input_tokens`].
    pub input_tokens: Patch<i64>,
    /// See [`Usage::output_tokens`].
    pub output_tokens: Patch<i64>,
    /// See [`Usage::cached_tokens`].
    pub cached_tokens: Patch<i64>,
    /// See [`Usage::reasoning_tokens`].
    pub reasoning_tokens: Patch<i64>,
}

impl UsagePatch {
    fn apply(self, stored: Usage) -> Usage {
        Usage {
            input_tokens: self.input_tokens.apply(stored.input_tokens),
            output_tokens: self.output_tokens.apply(stored.output_tokens),
            cached_tokens: self.cached_tokens.apply(stored.cached_tokens),
            reasoning_tokens: self.reasoning_tokens.apply(stored.reasoning_tokens),
        }
    }
}

/// What a change makes of a message, and what else moves with it (`CH-09`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageEdit {
    /// The message afterwards, with the next version.
    pub message: Message,
    /// What kind of change it is.
    pub kind: EditKind,
    /// Whether its attachments are others than before; those that stay have kept their ids.
    pub changes_attachments: bool,
    /// Whether the content before it is kept as a revision (`CH-12`).
    pub keeps_revision: bool,
}

/// What a change is to the session of its message (`CH-09`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EditKind {
    /// The session does not move.
    Metadata,
    /// A chunk onto a partial message: the session does not move either.
    Chunk,
    /// The session's content revision rises, and its `last_update` moves where touching is asked for.
    Content,
    /// The end of a partial message: the content revision rises and `last_update` moves.
    End,
}

/// Why a message was not changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EditRefused {
    /// What was sent breaks a rule.
    Invalid(Invalid),
    /// The message is no longer partial, and there is no way back (`CH-82`).
    NotPartial,
    /// A chunk that does not continue what is stored (`CH-80`).
    ChunkMismatch(Lengths),
}

impl From<Violations> for EditRefused {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations.into())
    }
}

impl From<Invalid> for EditRefused {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

/// A piece of a growing answer (`CH-80`). Offsets count characters of what is stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chunk {
    /// Where `text` begins; sent together with it or not at all.
    pub offset: Option<i64>,
    /// A piece of the text.
    pub text: Option<String>,
    /// Where `reasoning` begins; sent together with it or not at all.
    pub reasoning_offset: Option<i64>,
    /// A piece of the reasoning.
    pub reasoning: Option<String>,
}

/// How many characters of a partial message are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lengths {
    /// Of its text.
    pub text: i64,
    /// Of its reasoning.
    pub reasoning: i64,
}

impl Message {
    /// The message as readers see it: one whose lease ran out is interrupted, and the next write stores that (`CH-81`).
    fn as_read(&self, now: Instant) -> Self {
        let status = self.status_at(now);
        if status == self.status {
            return self.clone();
        }
        Self {
            status,
            lease_expires_at: None,
            lease_seconds: None,
            ..self.clone()
        }
    }

    /// How many characters are stored.
    pub fn lengths(&self) -> Lengths {
        let count = |text: &Option<String>| characters(text.as_deref().unwrap_or_default());
        Lengths {
            text: count(&self.content.text),
            reasoning: count(&self.content.reasoning),
        }
    }

    /// The message after a merge patch; `None` when the patch changes nothing (`CH-10` to `CH-12`, `CH-82`).
    ///
    /// `attachment_ids` has one id for each of [`MessagePatch::new_attachments`].
    pub fn change(
        &self,
        patch: MessagePatch,
        attachment_ids: Vec<AttachmentId>,
        now: Instant,
    ) -> Result<Option<MessageEdit>, EditRefused> {
        let current = self.as_read(now);
        let mut violations = Violations::new();
        let text = |field: &Patch<String>| field.value().cloned();
        let texts = [
            text(&patch.text),
            text(&patch.reasoning),
            text(&patch.sender_name),
            text(&patch.character_name),
            text(&patch.responding_agent),
            text(&patch.model_name),
            text(&patch.tts_model_name),
        ];
        check_texts(texts.each_ref().map(Option::as_deref), &mut violations);
        let mut merge = |stored: &Option<FreeJson>, sent: Patch<String>, pointer| match sent {
            Patch::Keep => stored.clone(),
            Patch::Clear => None,
            Patch::Set(raw) if patch.replaces_objects => violations.keep(FreeJson::parse(&raw, OBJECT, pointer)),
            Patch::Set(raw) => violations.keep(FreeJson::merge(stored.as_ref(), &raw, OBJECT, pointer)),
        };
        let model_settings = merge(&current.model_settings, patch.model_settings, "/model_settings");
        let image_settings = merge(&current.image_settings, patch.image_settings, "/image_settings");
        let image_request = merge(&current.image_request, patch.image_request, "/image_request");
        let agent_data = merge(&current.agent_data, patch.agent_data, "/agent_data");
        let chart_data = match patch.chart_data {
            Patch::Keep => current.content.chart_data.clone(),
            Patch::Clear => None,
            Patch::Set(raw) => violations.keep(FreeJson::parse(&raw, CHARTS, "/chart_data")),
        };
        let mut ids = attachment_ids.into_iter();
        let mut attachments = match patch.attachments {
            Patch::Keep => current.content.attachments.clone(),
            Patch::Clear => Vec::new(),
            Patch::Set(drafts) => {
                let ids = ids.by_ref().take(drafts.len()).collect();
                violations.keep(make_attachments(drafts, ids, "")).unwrap_or_default()
            }
        };
        for (kind, urls, pointer) in [
            (AttachmentKind::Image, patch.images, "/images"),
            (AttachmentKind::File, patch.files, "/files"),
        ] {
            if urls != UrlPatch::Keep {
                let changed = urls.apply(attachments, kind, &mut ids, pointer);
                attachments = violations.keep(changed).unwrap_or_default();
            }
        }
        let usage = match patch.usage {
            Patch::Keep => current.usage,
            Patch::Clear => Usage::default(),
            Patch::Set(usage) => usage.apply(current.usage),
        };
        check_usage(usage, &mut violations);
        if patch.status == Patch::Clear {
            violations.add("/status", Code::Required, "must not be null");
        }
        let flags = current.flags;
        let changed = Self {
            status: patch.status.apply_or(current.status, current.status),
            content: Content {
                text: patch.text.apply(current.content.text.clone()),
                reasoning: patch.reasoning.apply(current.content.reasoning.clone()),
                attachments,
                chart_data,
            },
            sender_name: patch.sender_name.apply(current.sender_name.clone()),
            character_name: patch.character_name.apply(current.character_name.clone()),
            responding_agent: patch.responding_agent.apply(current.responding_agent.clone()),
            model_name: patch.model_name.apply(current.model_name.clone()),
            model_settings,
            tts_model_name: patch.tts_model_name.apply(current.tts_model_name.clone()),
            image_settings,
            image_request,
            agent_data,
            usage,
            flags: MessageFlags {
                is_tts: patch.is_tts.apply_or(flags.is_tts, false),
                is_gps_location: patch.is_gps_location.apply_or(flags.is_gps_location, false),
                show_transcribe_button: patch
                    .show_transcribe_button
                    .apply_or(flags.show_transcribe_button, false),
                favourite: patch.favourite.apply_or(flags.favourite, false),
                test_mode: patch.test_mode.apply_or(flags.test_mode, false),
            },
            started_at: patch.started_at.apply(current.started_at),
            finished_at: patch.finished_at.apply(current.finished_at),
            ..current.clone()
        };
        check_timers(changed.started_at, changed.finished_at, &mut violations);
        current.edited(violations.finish(changed)?, now)
    }

    /// This message replaced by a whole one that was made of a draft for its id and session; `None` when nothing differs
    /// (`CH-14`, `CH-15`).
    ///
    /// `wants_status` tells whether the draft had a status: one without completes a partial message and leaves an interrupted one as
    /// it is.
    pub fn replace(&self, whole: Self, wants_status: bool, now: Instant) -> Result<Option<MessageEdit>, EditRefused> {
        let current = self.as_read(now);
        if whole.sender_role != current.sender_role {
            let message = "never changes once the message is stored";
            return Err(Invalid::one("/sender_role", Code::ImmutableField, message).into());
        }
        let status = match current.status {
            MessageStatus::Interrupted if !wants_status => MessageStatus::Interrupted,
            _ => whole.status,
        };
        // A writer that names a lease gets it; otherwise the one that runs goes on.
        let (lease_expires_at, lease_seconds) = match current.status {
            MessageStatus::Partial if whole.lease_seconds.is_none() => {
                (current.lease_expires_at, current.lease_seconds)
            }
            _ => (whole.lease_expires_at, whole.lease_seconds),
        };
        let changed = Self {
            status,
            lease_expires_at,
            lease_seconds,
            position: current.position,
            revision: current.revision,
            edited_at: current.edited_at,
            created_at: current.created_at,
            updated_at: current.updated_at,
            deleted_at: current.deleted_at,
            version: current.version,
            ..whole
        };
        current.edited(changed, now)
    }

    /// The message with further attachments, behind those of their kind (`CH-10`); `None` when there are none to add.
    ///
    /// `ids` has one id for each of them.
    pub fn attach(
        &self,
        drafts: Vec<AttachmentDraft>,
        ids: Vec<AttachmentId>,
        now: Instant,
    ) -> Result<Option<MessageEdit>, EditRefused> {
        let current = self.as_read(now);
        let mut violations = Violations::new();
        if current.content.attachments.len() + drafts.len() > MAX_ATTACHMENTS {
            refuse_attachments("/attachments", &mut violations);
            return Err(violations.into());
        }
        let new = violations.keep(make_attachments(drafts, ids, "")).unwrap_or_default();
        let mut changed = violations.finish(current.clone())?;
        changed.content.attachments.extend(new);
        changed
            .content
            .attachments
            .sort_by_key(|attachment| attachment.kind.as_str());
        current.edited(changed, now)
    }

    /// The partial message grown by a chunk, its lease renewed (`CH-80`, `CH-81`).
    pub fn grow(&self, chunk: Chunk, default_lease: Duration, now: Instant) -> Result<MessageEdit, EditRefused> {
        chunk.check()?;
        if self.status_at(now) != MessageStatus::Partial {
            return Err(EditRefused::NotPartial);
        }
        let lengths = self.lengths();
        let mut content = self.content.clone();
        for (stored, length, offset, piece) in [
            (&mut content.text, lengths.text, chunk.offset, chunk.text),
            (
                &mut content.reasoning,
                lengths.reasoning,
                chunk.reasoning_offset,
                chunk.reasoning,
            ),
        ] {
            let (Some(offset), Some(piece)) = (offset, piece) else {
                continue;
            };
            let rest = rest_of(stored.as_deref().unwrap_or_default(), length, offset, &piece);
            let rest = rest.ok_or(EditRefused::ChunkMismatch(lengths))?;
            if !rest.is_empty() {
                stored.get_or_insert_default().push_str(rest);
            }
        }
        let mut violations = Violations::new();
        let texts = [
            content.text.as_deref(),
            content.reasoning.as_deref(),
            None,
            None,
            None,
            None,
            None,
        ];
        check_texts(texts, &mut violations);
        let seconds = self
            .lease_seconds
            .map(|seconds| Duration::from_secs(seconds.unsigned_abs()));
        let message = violations.finish(Self {
            content,
            lease_expires_at: Some(now.plus(seconds.unwrap_or(default_lease))),
            updated_at: now,
            version: self.version + 1,
            ..self.clone()
        })?;
        Ok(MessageEdit {
            message,
            kind: EditKind::Chunk,
            changes_attachments: false,
            keeps_revision: false,
        })
    }

    /// The message back from the trash.
    pub fn restored(&self, now: Instant) -> Self {
        Self {
            deleted_at: None,
            updated_at: now,
            version: self.version + 1,
            ..self.as_read(now)
        }
    }

    /// The edit that leads from this message, as it is read, to `changed`; `None` when they are equal (`CH-11`).
    fn edited(&self, mut changed: Self, now: Instant) -> Result<Option<MessageEdit>, EditRefused> {
        if changed.status != self.status && self.status != MessageStatus::Partial {
            return Err(EditRefused::NotPartial);
        }
        let is_end = changed.status != self.status;
        if changed.status != MessageStatus::Partial {
            changed.lease_expires_at = None;
            changed.lease_seconds = None;
        }
        let changes_attachments = !say_the_same(&self.content.attachments, &changed.content.attachments);
        if !changes_attachments {
            changed.content.attachments.clone_from(&self.content.attachments);
        }
        if changed == *self {
            return Ok(None);
        }
        let mut violations = Violations::new();
        check_content(
            changed.status,
            &changed.content,
            changed.agent_data.as_ref(),
            &mut violations,
        );
        violations.finish(())?;
        let changes_content = changed.content != self.content;
        let keeps_revision = changes_content && self.status != MessageStatus::Partial;
        if keeps_revision {
            changed.revision += 1;
            changed.edited_at = Some(now);
        }
        changed.updated_at = now;
        changed.version += 1;
        Ok(Some(MessageEdit {
            message: changed,
            kind: match (is_end, changes_content) {
                (true, _) => EditKind::End,
                (false, true) => EditKind::Content,
                (false, false) => EditKind::Metadata,
            },
            changes_attachments,
            keeps_revision,
        }))
    }
}

impl Chunk {
    fn check(&self) -> Result<(), Invalid> {
        let mut violations = Violations::new();
        for (offset, piece, offset_pointer, pointer) in [
            (self.offset, &self.text, "/offset", "/text"),
            (
                self.reasoning_offset,
                &self.reasoning,
                "/reasoning_offset",
                "/reasoning",
            ),
        ] {
            if offset.is_some_and(|offset| offset < 0) {
                violations.add(offset_pointer, Code::OutOfRange, "must not be negative");
            }
            match (offset, piece) {
                (Some(_), None) => violations.add(pointer, Code::Required, "is required beside its offset"),
                (None, Some(_)) => violations.add(offset_pointer, Code::Required, "is required beside its text"),
                _ => {}
            }
        }
        let texts = [
            self.text.as_deref(),
            self.reasoning.as_deref(),
            None,
            None,
            None,
            None,
            None,
        ];
        check_texts(texts, &mut violations);
        violations.finish(())
    }
}

fn characters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// What a piece at `offset` adds to the stored text; `None` when it leaves a gap or says something else where they overlap.
fn rest_of<'a>(stored: &str, length: i64, offset: i64, piece: &'a str) -> Option<&'a str> {
    if offset > length {
        return None;
    }
    let start = stored
        .char_indices()
        .nth(usize::try_from(offset).ok()?)
        .map_or(stored.len(), |(at, _)| at);
    let overlap = stored.get(start..)?;
    match piece.strip_prefix(overlap) {
        Some(rest) => Some(rest),
        None if overlap.starts_with(piece) => Some(""),
        None => None,
    }
}

/// Whether attachments agree in what the client said about them, in order (`CH-11`).
fn say_the_same(stored: &[Attachment], sent: &[Attachment]) -> bool {
    let said = |attachments: &[Attachment]| -> Vec<AttachmentDraft> {
        let drafts = attachments.iter().cloned().map(|attachment| AttachmentDraft {
            kind: attachment.kind,
            url: attachment.url,
            description: attachment.description,
            media_type: attachment.media_type,
            size_bytes: attachment.size_bytes,
        });
        drafts.collect()
    };
    said(stored) == said(sent)
}

/// Most ids of one batch (`CH-49`).
pub const MAX_BATCH: usize = 200;

/// Checks the ids of a batch, 1 to [`MAX_BATCH`], and answers each once, in the order sent (`CH-49`).
pub fn check_batch(ids: Vec<MessageId>) -> Result<Vec<MessageId>, Invalid> {
    if ids.is_empty() {
        return Err(Invalid::one("/ids", Code::Required, "must have at least one id"));
    }
    if ids.len() > MAX_BATCH {
        let message = format!("must have at most {MAX_BATCH} ids");
        return Err(Invalid::one("/ids", Code::TooMany, message));
    }
    let mut seen = HashSet::new();
    Ok(ids.into_iter().filter(|id| seen.insert(*id)).collect())
}

/// Refuses an id or a session that isn't the message's own (`CH-15`).
pub fn check_same_message(
    sent: (Option<MessageId>, Option<SessionId>),
    own: (MessageId, SessionId),
) -> Result<(), Invalid> {
    let mut violations = Violations::new();
    let message = "never changes once the message is stored";
    if sent.0.is_some_and(|id| id != own.0) {
        violations.add("/id", Code::ImmutableField, message);
    }
    if sent.1.is_some_and(|id| id != own.1) {
        violations.add("/session_id", Code::ImmutableField, message);
    }
    violations.finish(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::OwnerId;
    use crate::chat::{AttachmentKind, MessageDraft, SenderRole, Stamp};

    const LEASE: Duration = Duration::from_secs(120);

    fn at(second: i64) -> Instant {
        Instant::from_micros(second * 1_000_000).unwrap()
    }

    fn message(draft: MessageDraft) -> Message {
        let stamp = Stamp {
            owner_id: OwnerId(Uuid::from_u128(1)),
            session_id: SessionId(Uuid::from_u128(2)),
            id: MessageId(Uuid::from_u128(3)),
            attachment_ids: ids(0, draft.attachments.len()),
            ordinal: 7,
            now: at(100),
            default_lease: LEASE,
        };
        Message::create(draft, stamp, "").unwrap()
    }

    fn ids(first: usize, count: usize) -> Vec<AttachmentId> {
        (first..first + count)
            .map(|number| AttachmentId(Uuid::from_u128(number as u128)))
            .collect()
    }

    fn says(text: &str) -> MessageDraft {
        MessageDraft {
            text: Some(text.into()),
            ..MessageDraft::new(SenderRole::Assistant)
        }
    }

    fn growing(text: &str) -> Message {
        message(MessageDraft {
            status: Some(MessageStatus::Partial),
            ..says(text)
        })
    }

    fn image(url: &str) -> AttachmentDraft {
        AttachmentDraft {
            kind: AttachmentKind::Image,
            url: url.into(),
            description: None,
            media_type: None,
            size_bytes: None,
        }
    }

    fn text(text: &str) -> MessagePatch {
        MessagePatch {
            text: Patch::Set(text.into()),
            ..MessagePatch::default()
        }
    }

    fn ends(status: MessageStatus) -> MessagePatch {
        MessagePatch {
            status: Patch::Set(status),
            ..MessagePatch::default()
        }
    }

    fn code(refused: EditRefused) -> (String, Code) {
        let EditRefused::Invalid(invalid) = refused else {
            panic!("{refused:?}")
        };
        (invalid.violations()[0].pointer.clone(), invalid.violations()[0].code)
    }

    #[test]
    fn ch_10_what_was_not_sent_stays() {
        let stored = message(MessageDraft {
            attachments: vec![image("a.png")],
            chart_data: Some(r#"[{"a":1}]"#.into()),
            model_settings: Some(r#"{"t":1,"u":2}"#.into()),
            usage: Usage {
                input_tokens: Some(5),
                ..Usage::default()
            },
            ..says("old")
        });
        let patch = MessagePatch {
            model_settings: Patch::Set(r#"{"u":null,"v":3}"#.into()),
            usage: Patch::Set(UsagePatch {
                output_tokens: Patch::Set(9),
                ..UsagePatch::default()
            }),
            ..text("new")
        };
        let edit = stored.change(patch, vec![], at(200)).unwrap().unwrap();
        assert!(edit.keeps_revision && !edit.changes_attachments);
        assert_eq!(edit.kind, EditKind::Content);
        let expected = Message {
            content: Content {
                text: Some("new".into()),
                ..stored.content.clone()
            },
            model_settings: FreeJson::from_stored(r#"{"t":1,"v":3}"#),
            usage: Usage {
                input_tokens: Some(5),
                output_tokens: Some(9),
                ..Usage::default()
            },
            revision: 2,
            edited_at: Some(at(200)),
            updated_at: at(200),
            version: 2,
            ..stored
        };
        assert_eq!(edit.message, expected);
    }

    #[test]
    fn ch_10_further_attachments_stand_behind_those_of_their_kind() {
        let stored = message(MessageDraft {
            attachments: vec![image("1.png"), image("2.png")],
            ..says("x")
        });
        let file = AttachmentDraft {
            kind: AttachmentKind::File,
            ..image("a.pdf")
        };
        let edit = stored
            .attach(vec![image("3.png"), file], ids(10, 2), at(200))
            .unwrap()
            .unwrap();
        let urls: Vec<_> = edit
            .message
            .content
            .attachments
            .iter()
            .map(|new| new.url.as_str())
            .collect();
        assert_eq!(urls, ["a.pdf", "1.png", "2.png", "3.png"]);
        assert!(edit.keeps_revision && edit.changes_attachments);
        for old in &stored.content.attachments {
            assert!(edit.message.content.attachments.contains(old));
        }
        assert_eq!(stored.attach(vec![], vec![], at(200)), Ok(None));
        let many = vec![image("x.png"); 49];
        let refused = stored.attach(many, ids(10, 49), at(200)).unwrap_err();
        assert_eq!(code(refused), ("/attachments".into(), Code::TooMany));
    }

    fn images(urls: UrlPatch) -> MessagePatch {
        MessagePatch {
            images: urls,
            ..MessagePatch::default()
        }
    }

    fn described(url: &str) -> AttachmentDraft {
        AttachmentDraft {
            description: Some("a map".into()),
            ..image(url)
        }
    }

    fn urls(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn co_22_urls_replace_those_of_their_kind_and_keep_what_is_known_of_them() {
        let file = AttachmentDraft {
            kind: AttachmentKind::File,
            ..image("a.pdf")
        };
        let stored = message(MessageDraft {
            attachments: vec![file, described("1.png"), image("2.png")],
            ..says("x")
        });
        let replace = |texts: &[&str]| images(UrlPatch::Replace(urls(texts)));
        assert_eq!(
            stored.change(replace(&["1.png", "2.png"]), ids(10, 2), at(200)),
            Ok(None)
        );
        let patch = replace(&["3.png", "1.png", "1.png"]);
        assert_eq!(patch.new_attachments(), 3);
        let edit = stored.change(patch, ids(10, 3), at(200)).unwrap().unwrap();
        let seen: Vec<_> = edit
            .message
            .content
            .attachments
            .iter()
            .map(|now| (now.url.as_str(), now.description.is_some(), now.id))
            .collect();
        let (old, new) = (ids(0, 3), ids(10, 3));
        let expected = [
            ("a.pdf", false, old[0]),
            ("3.png", false, new[0]),
            ("1.png", true, old[1]),
            ("1.png", false, new[1]),
        ];
        assert_eq!(seen, expected);
        let cleared = stored.change(replace(&[]), vec![], at(200)).unwrap().unwrap();
        assert_eq!(cleared.message.content.attachments, stored.content.attachments[..1]);
        let bad = stored.change(replace(&["1.png", "javascript:x"]), ids(10, 2), at(200));
        assert_eq!(code(bad.unwrap_err()), ("/images/1/url".into(), Code::BadUrl));
        let many = images(UrlPatch::Replace(vec!["x".into(); 50]));
        let refused = stored.change(many, ids(10, 50), at(200)).unwrap_err();
        assert_eq!(code(refused), ("/images".into(), Code::TooMany));
    }

    #[test]
    fn co_24_urls_are_appended_behind_those_that_are_there() {
        let stored = message(MessageDraft {
            attachments: vec![described("1.png")],
            ..says("x")
        });
        let patch = images(UrlPatch::Append(urls(&["1.png"])));
        let edit = stored.change(patch, ids(10, 1), at(200)).unwrap().unwrap();
        let attachments = edit.message.content.attachments;
        assert_eq!(attachments[0], stored.content.attachments[0]);
        assert_eq!(
            (attachments[1].id, attachments[1].description.as_deref()),
            (ids(10, 1)[0], None)
        );
        assert_eq!(
            stored.change(images(UrlPatch::Append(vec![])), vec![], at(200)),
            Ok(None)
        );
    }

    #[test]
    fn co_24_objects_are_replaced_where_the_patch_says_so() {
        let stored = message(MessageDraft {
            model_settings: Some(r#"{"a":1}"#.into()),
            ..says("x")
        });
        let patch = MessagePatch {
            model_settings: Patch::Set(r#"{"b":2}"#.into()),
            replaces_objects: true,
            ..MessagePatch::default()
        };
        let edit = stored.change(patch, vec![], at(200)).unwrap().unwrap();
        assert_eq!(edit.message.model_settings, FreeJson::from_stored(r#"{"b":2}"#));
    }

    #[test]
    fn ch_11_the_same_values_change_nothing() {
        let stored = message(MessageDraft {
            attachments: vec![image("1.png")],
            model_settings: Some(r#"{"a":{"b":1}}"#.into()),
            ..says("x")
        });
        let same = MessagePatch {
            attachments: Patch::Set(vec![image("1.png")]),
            model_settings: Patch::Set(r#"{"a":{"b":1.}}"#.replace("1.", "1")),
            status: Patch::Set(MessageStatus::Complete),
            favourite: Patch::Clear,
            reasoning: Patch::Clear,
            ..text("x")
        };
        assert_eq!(stored.change(same, ids(10, 1), at(200)), Ok(None));
        assert_eq!(stored.change(MessagePatch::default(), vec![], at(200)), Ok(None));
        let described = AttachmentDraft {
            description: Some("d".into()),
            ..image("1.png")
        };
        let other = MessagePatch {
            attachments: Patch::Set(vec![described]),
            ..MessagePatch::default()
        };
        let edit = stored.change(other, ids(10, 1), at(200)).unwrap().unwrap();
        assert!(edit.changes_attachments);
    }

    #[test]
    fn ch_12_metadata_makes_no_revision() {
        let patch = MessagePatch {
            favourite: Patch::Set(true),
            model_name: Patch::Set("m".into()),
            ..MessagePatch::default()
        };
        let edit = message(says("x")).change(patch, vec![], at(200)).unwrap().unwrap();
        assert_eq!((edit.kind, edit.keeps_revision), (EditKind::Metadata, false));
        assert_eq!(
            (edit.message.revision, edit.message.version, edit.message.edited_at),
            (1, 2, None)
        );
    }

    #[test]
    fn ch_12_a_complete_message_keeps_content() {
        let stored = message(says("x"));
        for patch in [
            text(""),
            MessagePatch {
                text: Patch::Clear,
                ..MessagePatch::default()
            },
        ] {
            let refused = stored.change(patch, vec![], at(200)).unwrap_err();
            assert_eq!(code(refused), (String::new(), Code::EmptyMessage));
        }
        assert!(growing("x").change(text(""), vec![], at(101)).unwrap().is_some());
        let refused = growing("")
            .change(ends(MessageStatus::Complete), vec![], at(101))
            .unwrap_err();
        assert_eq!(code(refused).1, Code::EmptyMessage);
        assert!(
            growing("")
                .change(ends(MessageStatus::Interrupted), vec![], at(101))
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn ch_14_a_whole_message_replaces_everything_but_its_place() {
        let stored = Message {
            version: 4,
            revision: 3,
            ..message(MessageDraft {
                model_name: Some("m".into()),
                ..says("old")
            })
        };
        let whole = Message {
            position: 1,
            created_at: at(200),
            ..message(says("new"))
        };
        let edit = stored.replace(whole, false, at(200)).unwrap().unwrap();
        assert!(edit.keeps_revision);
        let (new, old) = (&edit.message, &stored);
        assert_eq!((new.position, new.created_at), (old.position, old.created_at));
        assert_eq!((new.revision, new.version, new.updated_at), (4, 5, at(200)));
        assert_eq!(
            (new.content.text.as_deref(), new.model_name.as_deref()),
            (Some("new"), None)
        );
        assert_eq!(stored.replace(stored.clone(), false, at(200)), Ok(None));
    }

    #[test]
    fn ch_15_the_role_never_changes() {
        let whole = Message {
            sender_role: SenderRole::User,
            ..message(says("x"))
        };
        let refused = message(says("x")).replace(whole, false, at(200)).unwrap_err();
        assert_eq!(code(refused), ("/sender_role".into(), Code::ImmutableField));
    }

    #[test]
    fn ch_82_there_is_no_way_back_from_an_end() {
        let complete = message(says("x"));
        let interrupted = message(MessageDraft {
            status: Some(MessageStatus::Interrupted),
            ..says("x")
        });
        for (stored, status) in [
            (&complete, MessageStatus::Partial),
            (&complete, MessageStatus::Interrupted),
            (&interrupted, MessageStatus::Complete),
            (&interrupted, MessageStatus::Partial),
        ] {
            assert_eq!(
                stored.change(ends(status), vec![], at(101)),
                Err(EditRefused::NotPartial)
            );
            assert_eq!(
                stored.grow(Chunk::default(), LEASE, at(101)),
                Err(EditRefused::NotPartial)
            );
        }
        // A whole message that says nothing of a status leaves an interrupted one interrupted.
        let edit = interrupted
            .replace(message(says("y")), false, at(200))
            .unwrap()
            .unwrap();
        assert_eq!(edit.message.status, MessageStatus::Interrupted);
        assert_eq!(
            interrupted.replace(message(says("y")), true, at(200)),
            Err(EditRefused::NotPartial)
        );
    }

    #[test]
    fn ch_82_the_end_keeps_no_revision() {
        let patch = MessagePatch {
            status: Patch::Set(MessageStatus::Complete),
            ..text("the whole answer")
        };
        let edit = growing("the").change(patch, vec![], at(101)).unwrap().unwrap();
        assert_eq!((edit.kind, edit.keeps_revision), (EditKind::End, false));
        assert_eq!((edit.message.revision, edit.message.lease_expires_at), (1, None));
        let edit = growing("the")
            .change(text("another"), vec![], at(101))
            .unwrap()
            .unwrap();
        assert_eq!((edit.kind, edit.keeps_revision), (EditKind::Content, false));
        assert_eq!(edit.message.lease_expires_at, Some(at(220)));
    }

    #[test]
    fn ch_81_a_lapsed_message_is_interrupted_and_its_next_write_stores_that() {
        let stored = growing("so far");
        assert_eq!(
            stored.grow(Chunk::default(), LEASE, at(220)),
            Err(EditRefused::NotPartial)
        );
        assert_eq!(stored.change(MessagePatch::default(), vec![], at(220)), Ok(None));
        assert_eq!(
            stored.change(ends(MessageStatus::Interrupted), vec![], at(220)),
            Ok(None)
        );
        assert_eq!(
            stored.change(ends(MessageStatus::Complete), vec![], at(220)),
            Err(EditRefused::NotPartial)
        );
        let edit = stored.change(text("edited"), vec![], at(220)).unwrap().unwrap();
        assert_eq!((edit.kind, edit.keeps_revision), (EditKind::Content, true));
        assert_eq!(
            (edit.message.status, edit.message.lease_expires_at),
            (MessageStatus::Interrupted, None)
        );
    }

    #[test]
    fn ch_81_every_chunk_renews_the_lease() {
        let asked = message(MessageDraft {
            status: Some(MessageStatus::Partial),
            lease_seconds: Some(10),
            ..says("x")
        });
        for (stored, expiry) in [(asked, at(115)), (growing("x"), at(225))] {
            let edit = stored.grow(Chunk::default(), LEASE, at(105)).unwrap();
            assert_eq!(
                (edit.kind, edit.message.lease_expires_at),
                (EditKind::Chunk, Some(expiry))
            );
            assert_eq!((edit.message.version, edit.message.revision), (2, 1));
        }
    }

    fn piece(offset: i64, text: &str) -> Chunk {
        Chunk {
            offset: Some(offset),
            text: Some(text.into()),
            ..Chunk::default()
        }
    }

    #[test]
    fn ch_80_chunks_continue_what_is_stored() {
        let mismatch = EditRefused::ChunkMismatch(Lengths { text: 4, reasoning: 0 });
        for (offset, text, result) in [
            (4, " eins", Ok("éin2 eins")),
            (0, "éin2", Ok("éin2")),
            (1, "in", Ok("éin2")),
            (2, "n2!", Ok("éin2!")),
            (4, "", Ok("éin2")),
            (5, "x", Err(mismatch.clone())),
            (1, "ix", Err(mismatch.clone())),
            (0, "eins", Err(mismatch.clone())),
            (i64::MAX, "x", Err(mismatch)),
        ] {
            let grown = growing("éin2").grow(piece(offset, text), LEASE, at(101));
            let grown = grown.map(|edit| edit.message.content.text.unwrap());
            assert_eq!(grown, result.map(str::to_owned), "{offset} {text}");
        }
        let both = Chunk {
            reasoning_offset: Some(0),
            reasoning: Some("since".into()),
            ..piece(4, "3")
        };
        let grown = growing("éin2").grow(both, LEASE, at(101)).unwrap().message;
        assert_eq!(grown.lengths(), Lengths { text: 5, reasoning: 5 });
    }

    #[test]
    fn ch_80_an_offset_and_its_text_come_together() {
        for (chunk, pointer, expected) in [
            (
                Chunk {
                    offset: Some(0),
                    ..Chunk::default()
                },
                "/text",
                Code::Required,
            ),
            (
                Chunk {
                    reasoning: Some("x".into()),
                    ..Chunk::default()
                },
                "/reasoning_offset",
                Code::Required,
            ),
            (piece(-1, "x"), "/offset", Code::OutOfRange),
            (piece(0, "a\0b"), "/text", Code::Nul),
        ] {
            let refused = growing("").grow(chunk, LEASE, at(101)).unwrap_err();
            assert_eq!(code(refused), (pointer.to_owned(), expected));
        }
        let full = growing(&"x".repeat(500_000));
        let refused = full.grow(piece(500_000, "y"), LEASE, at(101)).unwrap_err();
        assert_eq!(code(refused), ("/text".into(), Code::TooLong));
    }

    #[test]
    fn ch_49_a_batch_names_each_id_once() {
        let id = |number| MessageId(Uuid::from_u128(number));
        assert_eq!(check_batch(vec![id(2), id(1), id(2)]), Ok(vec![id(2), id(1)]));
        assert!(check_batch(vec![]).is_err());
        assert!(check_batch(vec![id(1); 200]).is_ok());
        assert!(check_batch(vec![id(1); 201]).is_err());
    }

    proptest! {
        /// Two writers of one stream, each cut differently and repeating itself, end with the exact text (`CH-83`).
        #[test]
        fn ch_83_no_character_is_lost_or_doubled(
            text in "\\PC{0,40}",
            cuts in proptest::collection::vec((0_usize..40, 0_usize..40), 0..20),
        ) {
            let letters: Vec<char> = text.chars().collect();
            let mut stored = growing("");
            let whole = (0..=letters.len()).map(|end| (0, end));
            for (a, b) in cuts.into_iter().chain(whole) {
                let (start, end) = (a.min(b).min(letters.len()), a.max(b).min(letters.len()));
                let said: String = letters[start..end].iter().collect();
                let before = stored.content.text.clone().unwrap_or_default();
                match stored.grow(piece(start as i64, &said), LEASE, at(101)) {
                    Ok(edit) => stored = edit.message,
                    Err(refused) => {
                        prop_assert!(start > before.chars().count(), "{refused:?}");
                    }
                }
                prop_assert!(text.starts_with(stored.content.text.as_deref().unwrap_or_default()));
            }
            prop_assert_eq!(stored.content.text.unwrap_or_default(), text);
        }
    }
}
