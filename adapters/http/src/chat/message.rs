use std::sync::Arc;

use larder_domain::chat::{
    Attachment, AttachmentDraft, AttachmentKind, Location, Message, MessageDraft, MessageFlags, MessageStatus,
    SenderRole, Usage,
};
use larder_domain::{MessageId, SessionId};
use larder_ports::inbound::Done;
use larder_ports::inbound::chat::{ListMessages, MessageUseCases, MessageView, Turn, TurnTaken, TurnTarget};
use larder_ports::outbound::Deleted as Trashed;
use larder_ports::outbound::chat::Order;
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::check_same;
use super::session::{self, SessionBody, SessionFields};
use crate::Tag;
use crate::answer::{Created, Found, Listed};
use crate::body::Payload;
use crate::etag;
use crate::idempotency::{self, Keyed};
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, CONFLICT, NOT_FOUND, Problem};
use crate::values::{JsonObject, JsonObjects, Nullable, Optional, Strict, Timestamp, Vocabulary, Word, vocabulary};

vocabulary! {
    SenderRole, "SenderRole", "Who speaks.";
    MessageStatus, "MessageStatus", "Whether an answer is all there.";
    AttachmentKind, "AttachmentKind", "What an attachment is.";
    Location, "Location", "Where an attachment lies: http and https are remote, all else is local.";
}

impl Vocabulary for Order {
    const NAME: &'static str = "Order";
    const MEANING: &'static str = "From the first position, or from the last.";

    fn all() -> &'static [Self] {
        &[Self::Ascending, Self::Descending]
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

/// Tokens that an answer cost, as the client counted them.
#[derive(Object, Serialize, Deserialize, Default)]
#[oai(rename = "Usage")]
#[serde(deny_unknown_fields)]
struct UsageBody {
    /// Read by the model.
    #[oai(validator(minimum(value = "0")))]
    input_tokens: Optional<i64>,
    /// Written by the model.
    #[oai(validator(minimum(value = "0")))]
    output_tokens: Optional<i64>,
    /// Of the input, those that came from a cache.
    #[oai(validator(minimum(value = "0")))]
    cached_tokens: Optional<i64>,
    /// Of the output, those that were reasoning.
    #[oai(validator(minimum(value = "0")))]
    reasoning_tokens: Optional<i64>,
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens.into(),
            output_tokens: usage.output_tokens.into(),
            cached_tokens: usage.cached_tokens.into(),
            reasoning_tokens: usage.reasoning_tokens.into(),
        }
    }
}

impl From<UsageBody> for Usage {
    fn from(body: UsageBody) -> Self {
        Self {
            input_tokens: body.input_tokens.0,
            output_tokens: body.output_tokens.0,
            cached_tokens: body.cached_tokens.0,
            reasoning_tokens: body.reasoning_tokens.0,
        }
    }
}

/// A reference to an image or a file of a message; the bytes are never stored.
#[derive(Object, Serialize)]
#[oai(rename = "Attachment")]
pub(super) struct AttachmentBody {
    /// Its id.
    id: Uuid,
    /// Image or file.
    kind: Word<AttachmentKind>,
    /// As sent.
    url: String,
    /// As the client says.
    description: Nullable<String>,
    /// As the client says.
    media_type: Nullable<String>,
    /// As the client says.
    size_bytes: Nullable<i64>,
    /// The last path segment of the URL.
    file_name: Nullable<String>,
    /// What follows the last dot of the file name, lower-cased.
    extension: Nullable<String>,
    /// Remote or local.
    location: Word<Location>,
}

impl From<Attachment> for AttachmentBody {
    fn from(attachment: Attachment) -> Self {
        Self {
            id: attachment.id.0,
            kind: Word(attachment.kind),
            url: attachment.url,
            description: attachment.description.into(),
            media_type: attachment.media_type.into(),
            size_bytes: attachment.size_bytes.into(),
            file_name: attachment.file_name.into(),
            extension: attachment.extension.into(),
            location: Word(attachment.location),
        }
    }
}

/// One message of a conversation.
#[derive(Object, Serialize)]
#[oai(rename = "Message")]
pub(super) struct MessageBody {
    /// Its id.
    id: Uuid,
    /// The conversation.
    session_id: Uuid,
    /// Its place in the conversation, from 1; never reused, never changed.
    position: i64,
    /// Who speaks.
    sender_role: Word<SenderRole>,
    /// A free display name.
    sender_name: Nullable<String>,
    /// A partial message whose lease ran out reads `interrupted`.
    status: Word<MessageStatus>,
    /// What it says.
    text: Nullable<String>,
    /// What the model thought before.
    reasoning: Nullable<String>,
    /// Images and files.
    attachments: Vec<AttachmentBody>,
    /// Charts, in the client's own form.
    chart_data: Nullable<JsonObjects>,
    /// The persona that answered.
    character_name: Nullable<String>,
    /// The agent of a group that answered.
    responding_agent: Nullable<String>,
    /// The model that answered.
    model_name: Nullable<String>,
    /// Free JSON.
    model_settings: Nullable<JsonObject>,
    /// The model that reads aloud.
    tts_model_name: Nullable<String>,
    /// Free JSON.
    image_settings: Nullable<JsonObject>,
    /// Free JSON.
    image_request: Nullable<JsonObject>,
    /// Metadata of agent coding: free JSON.
    agent_data: Nullable<JsonObject>,
    /// Tokens.
    usage: UsageBody,
    /// Read aloud.
    is_tts: bool,
    /// Carries a position on earth.
    is_gps_location: bool,
    /// The client shows a button to transcribe.
    show_transcribe_button: bool,
    /// Marked by the person.
    favourite: bool,
    /// Made by a test of the client.
    test_mode: bool,
    /// When the answer began, as the client says.
    started_at: Nullable<Timestamp>,
    /// When the answer ended, as the client says.
    finished_at: Nullable<Timestamp>,
    /// The number of the current content, 1 for the original.
    revision: i64,
    /// When the content last changed.
    edited_at: Nullable<Timestamp>,
    /// When it was stored.
    created_at: Timestamp,
    /// When the row last changed.
    updated_at: Timestamp,
    /// When it went to the trash.
    deleted_at: Nullable<Timestamp>,
    /// Rises with every change of the row.
    version: i64,
}

impl From<MessageView> for MessageBody {
    fn from(MessageView { message, status }: MessageView) -> Self {
        Self {
            id: message.id.0,
            session_id: message.session_id.0,
            position: message.position,
            sender_role: Word(message.sender_role),
            sender_name: message.sender_name.into(),
            status: Word(status),
            text: message.content.text.into(),
            reasoning: message.content.reasoning.into(),
            attachments: message.content.attachments.into_iter().map(Into::into).collect(),
            chart_data: message.content.chart_data.map(Into::into).into(),
            character_name: message.character_name.into(),
            responding_agent: message.responding_agent.into(),
            model_name: message.model_name.into(),
            model_settings: message.model_settings.map(Into::into).into(),
            tts_model_name: message.tts_model_name.into(),
            image_settings: message.image_settings.map(Into::into).into(),
            image_request: message.image_request.map(Into::into).into(),
            agent_data: message.agent_data.map(Into::into).into(),
            usage: message.usage.into(),
            is_tts: message.flags.is_tts,
            is_gps_location: message.flags.is_gps_location,
            show_transcribe_button: message.flags.show_transcribe_button,
            favourite: message.flags.favourite,
            test_mode: message.flags.test_mode,
            started_at: message.started_at.map(Timestamp).into(),
            finished_at: message.finished_at.map(Timestamp).into(),
            revision: message.revision,
            edited_at: message.edited_at.map(Timestamp).into(),
            created_at: Timestamp(message.created_at),
            updated_at: Timestamp(message.updated_at),
            deleted_at: message.deleted_at.map(Timestamp).into(),
            version: message.version,
        }
    }
}

/// An attachment as it is sent.
#[derive(Object, Deserialize)]
#[oai(rename = "NewAttachment")]
#[serde(deny_unknown_fields)]
pub(super) struct NewAttachmentBody {
    /// Image or file.
    kind: Word<AttachmentKind>,
    /// Any address but those of the schemes data, javascript and vbscript.
    #[oai(validator(min_length = 1, max_length = 2048))]
    url: String,
    /// What it shows.
    #[oai(validator(min_length = 1, max_length = 2000))]
    description: Optional<String>,
    /// Such as `image/png`.
    #[oai(validator(min_length = 1, max_length = 127))]
    media_type: Optional<String>,
    /// How large it is.
    #[oai(validator(minimum(value = "0")))]
    size_bytes: Optional<i64>,
}

impl From<NewAttachmentBody> for AttachmentDraft {
    fn from(body: NewAttachmentBody) -> Self {
        Self {
            kind: body.kind.0,
            url: body.url,
            description: body.description.0,
            media_type: body.media_type.0,
            size_bytes: body.size_bytes.0,
        }
    }
}

/// A message as it is sent. A complete one needs a text, a reasoning, an attachment, chart data or agent data.
#[derive(Object, Deserialize)]
#[oai(rename = "NewMessage")]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessageBody {
    /// An id of your own making; one is made unless sent.
    id: Optional<Uuid>,
    /// If sent, the id of the session that it joins.
    session_id: Optional<Uuid>,
    /// Who speaks.
    sender_role: Word<SenderRole>,
    /// A free display name.
    #[oai(validator(min_length = 1, max_length = 255))]
    sender_name: Optional<String>,
    /// `complete` unless sent.
    status: Optional<Word<MessageStatus>>,
    /// Only for a partial message: how long its lease runs.
    #[oai(validator(minimum(value = "10"), maximum(value = "3600")))]
    lease_seconds: Optional<i64>,
    /// What it says.
    #[oai(validator(max_length = 500_000))]
    text: Optional<String>,
    /// What the model thought before.
    #[oai(validator(max_length = 500_000))]
    reasoning: Optional<String>,
    /// Images and files, at most 50.
    attachments: Optional<Vec<Strict<NewAttachmentBody>>>,
    /// At most 100 objects in 256 KiB.
    chart_data: Optional<JsonObjects>,
    /// The persona that answered.
    #[oai(validator(min_length = 1, max_length = 100))]
    character_name: Optional<String>,
    /// The agent of a group that answered.
    #[oai(validator(min_length = 1, max_length = 100))]
    responding_agent: Optional<String>,
    /// The model that answered.
    #[oai(validator(min_length = 1, max_length = 200))]
    model_name: Optional<String>,
    /// Free JSON of at most 64 KiB.
    model_settings: Optional<JsonObject>,
    /// The model that reads aloud.
    #[oai(validator(min_length = 1, max_length = 200))]
    tts_model_name: Optional<String>,
    /// Free JSON of at most 64 KiB.
    image_settings: Optional<JsonObject>,
    /// Free JSON of at most 64 KiB.
    image_request: Optional<JsonObject>,
    /// Metadata of agent coding: free JSON of at most 64 KiB.
    agent_data: Optional<JsonObject>,
    /// Tokens.
    usage: Optional<Strict<UsageBody>>,
    /// Read aloud.
    is_tts: Optional<bool>,
    /// Carries a position on earth.
    is_gps_location: Optional<bool>,
    /// The client shows a button to transcribe.
    show_transcribe_button: Optional<bool>,
    /// Marked by the person.
    favourite: Optional<bool>,
    /// Made by a test of the client.
    test_mode: Optional<bool>,
    /// When the answer began.
    started_at: Optional<Timestamp>,
    /// When the answer ended, not before it began.
    finished_at: Optional<Timestamp>,
}

impl Payload for NewMessageBody {
    const EXAMPLE: &'static str = r#"{"sender_role": "user", "text": "What should we see first?"}"#;

    fn is_read_only(pointer: &str) -> bool {
        is_read_only(pointer)
    }
}

/// Whether the field of a message at a pointer is one that only Larder sets.
pub(super) fn is_read_only(pointer: &str) -> bool {
    const READ_ONLY: [&str; 7] = [
        "/position",
        "/revision",
        "/edited_at",
        "/created_at",
        "/updated_at",
        "/deleted_at",
        "/version",
    ];
    const READ_ONLY_OF_ATTACHMENT: [&str; 4] = ["id", "file_name", "extension", "location"];
    let attachment_field = pointer
        .strip_prefix("/attachments/")
        .and_then(|rest| rest.split_once('/'));
    match attachment_field {
        Some((_, field)) => READ_ONLY_OF_ATTACHMENT.contains(&field),
        None => READ_ONLY.contains(&pointer),
    }
}

impl NewMessageBody {
    /// The id that was sent.
    pub(super) fn id(&self) -> Option<Uuid> {
        self.id.0
    }

    /// The session that was sent.
    pub(super) fn session_id(&self) -> Option<Uuid> {
        self.session_id.0
    }
}

impl From<NewMessageBody> for MessageDraft {
    fn from(body: NewMessageBody) -> Self {
        let attachments = body.attachments.0.unwrap_or_default();
        Self {
            id: body.id.0.map(MessageId),
            sender_role: body.sender_role.0,
            sender_name: body.sender_name.0,
            status: body.status.0.map(|word| word.0),
            lease_seconds: body.lease_seconds.0,
            text: body.text.0,
            reasoning: body.reasoning.0,
            attachments: attachments.into_iter().map(|attachment| attachment.0.into()).collect(),
            chart_data: body.chart_data.0.map(|json| json.0),
            character_name: body.character_name.0,
            responding_agent: body.responding_agent.0,
            model_name: body.model_name.0,
            model_settings: body.model_settings.0.map(|json| json.0),
            tts_model_name: body.tts_model_name.0,
            image_settings: body.image_settings.0.map(|json| json.0),
            image_request: body.image_request.0.map(|json| json.0),
            agent_data: body.agent_data.0.map(|json| json.0),
            usage: body.usage.0.map(|usage| usage.0.into()).unwrap_or_default(),
            flags: MessageFlags {
                is_tts: body.is_tts.0.unwrap_or_default(),
                is_gps_location: body.is_gps_location.0.unwrap_or_default(),
                show_transcribe_button: body.show_transcribe_button.0.unwrap_or_default(),
                favourite: body.favourite.0.unwrap_or_default(),
                test_mode: body.test_mode.0.unwrap_or_default(),
            },
            started_at: body.started_at.0.map(|instant| instant.0),
            finished_at: body.finished_at.0.map(|instant| instant.0),
        }
    }
}

/// A turn: normally a question and its answer.
#[derive(Object, Deserialize)]
#[oai(rename = "Turn")]
#[serde(deny_unknown_fields)]
struct TurnBody {
    /// The session to append to; without it a new one is made.
    session_id: Optional<Uuid>,
    /// For a new session its fields; for an existing one a merge patch of them.
    session: Optional<Strict<SessionFields>>,
    /// 1 to 20 messages, appended in this order.
    messages: Vec<Strict<NewMessageBody>>,
    /// Whether the session's `last_update` moves; true unless sent.
    touch: Optional<bool>,
}

impl Payload for TurnBody {
    const EXAMPLE: &'static str = r#"{
        "session": {"name": "A weekend in Lisbon"},
        "messages": [
            {"sender_role": "user", "text": "What should we see first?"},
            {"sender_role": "assistant", "text": "The old town, early in the morning.", "model_name": "example-1"}
        ]
    }"#;

    fn is_read_only(pointer: &str) -> bool {
        if let Some(field) = pointer.strip_prefix("/session/") {
            return SessionFields::is_read_only(&format!("/{field}"));
        }
        match pointer.strip_prefix("/messages/").and_then(|rest| rest.split_once('/')) {
            Some((_, field)) => NewMessageBody::is_read_only(&format!("/{field}")),
            None => false,
        }
    }
}

impl TryFrom<TurnBody> for Turn {
    type Error = Problem;

    fn try_from(body: TurnBody) -> Result<Self, Problem> {
        let fields = body.session.0.map(|fields| fields.0).unwrap_or_default();
        let session_id = body.session_id.0.map(SessionId);
        if session_id.is_some() {
            check_same(fields.id().map(|id| id.0), session_id, || "/session/id".to_owned())?;
        }
        let joined = session_id.or(fields.id());
        for (index, Strict(message)) in body.messages.iter().enumerate() {
            check_same(message.session_id.0, joined, || format!("/messages/{index}/session_id"))?;
        }
        Ok(Self {
            target: match session_id {
                Some(id) => TurnTarget::Existing(id, fields.into_patch()),
                None => TurnTarget::New(fields.into()),
            },
            messages: body.messages.into_iter().map(|message| message.0.into()).collect(),
            touch: body.touch.0.unwrap_or(true),
            newest: None,
        })
    }
}

/// What a turn left behind.
#[derive(Object, Serialize)]
#[oai(rename = "TurnTaken")]
struct TurnTakenBody {
    /// The session as it is now.
    session: SessionBody,
    /// The messages in order.
    messages: Vec<MessageBody>,
}

impl From<TurnTaken> for TurnTakenBody {
    fn from(taken: TurnTaken) -> Self {
        Self {
            session: taken.session.into(),
            messages: taken.messages.into_iter().map(Into::into).collect(),
        }
    }
}

pub(super) fn tag_of(view: &MessageView) -> String {
    let Message { version, .. } = view.message;
    if view.is_lapsed() {
        etag::of_lapsed(version)
    } else {
        etag::of(version)
    }
}

pub(super) fn yes() -> bool {
    true
}

fn appended(view: &MessageView) -> Result<Created<MessageBody>, Problem> {
    let location = format!("/api/v1/chat/messages/{}", view.message.id);
    Created::new(view.clone(), location, Some(tag_of(view)))
}

fn taken(taken: &TurnTaken) -> Result<Created<TurnTakenBody>, Problem> {
    Created::new(taken.clone(), session::location(taken.session.id), None)
}

/// Operations on messages.
pub(crate) struct MessageApi(pub(crate) Arc<dyn MessageUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Messages")]
impl MessageApi {
    /// List the messages of a session
    #[oai(
        path = "/sessions/:session_id/messages",
        method = "get",
        operation_id = "list_messages"
    )]
    #[allow(clippy::too_many_arguments, reason = "one per parameter of the operation")]
    async fn list(
        &self,
        caller: Caller<ChatRead>,
        /// The session.
        session_id: Path<Uuid>,
        /// From the first position, or from the last; `asc` unless sent.
        order: Query<Option<Word<Order>>>,
        /// Live messages, those in the trash, or both; `without` unless sent. Only `with` opens a session in the trash.
        deleted: Query<Option<Word<Trashed>>>,
        /// Only messages of this role.
        role: Query<Option<Word<SenderRole>>>,
        /// Only messages that read so now.
        status: Query<Option<Word<MessageStatus>>>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<MessageBody>>, NOT_FOUND> {
        let request = ListMessages {
            session_id: SessionId(session_id.0),
            order: order.0.map(|word| word.0).unwrap_or_default(),
            deleted: deleted.0.map(|word| word.0).unwrap_or_default(),
            role: role.0.map(|word| word.0),
            status: status.0.map(|word| word.0),
            page: limit.0.page(cursor.0),
        };
        let page = self.0.list(caller.owner_id(), request).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Append a message to a session
    #[oai(
        path = "/sessions/:session_id/messages",
        method = "post",
        operation_id = "append_message"
    )]
    async fn append(
        &self,
        caller: Caller<ChatWrite>,
        /// The session.
        session_id: Path<Uuid>,
        /// Whether the session's `last_update` moves.
        #[oai(default = "yes")]
        touch: Query<bool>,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<NewMessageBody>,
    ) -> Answer<Created<MessageBody>, { NOT_FOUND | CONFLICT }> {
        let session_id = SessionId(session_id.0);
        let (body, once) = keyed.once(appended);
        check_same(body.session_id.0, Some(session_id), || "/session_id".to_owned())?;
        let (owner_id, draft) = (caller.owner_id(), body.into());
        let done = match once {
            None => Done::Now(self.0.append(owner_id, session_id, draft, touch.0).await?),
            Some(once) => self.0.append_once(owner_id, session_id, draft, touch.0, once).await?,
        };
        Ok(idempotency::answer(done, appended)?)
    }

    /// Take a turn
    ///
    /// Appends 1 to 20 messages in one commit, normally a question and its answer, and makes the session where none is named. If
    /// any part is refused, nothing exists afterwards.
    #[oai(path = "/turns", method = "post", operation_id = "take_turn")]
    async fn take_turn(
        &self,
        caller: Caller<ChatWrite>,
        /// Makes the request safe to repeat for 24 hours.
        #[oai(name = "Idempotency-Key")]
        _key: Header<Option<String>>,
        keyed: Keyed<TurnBody>,
    ) -> Answer<Created<TurnTakenBody>, { NOT_FOUND | CONFLICT }> {
        let (body, once) = keyed.once(taken);
        let (owner_id, turn) = (caller.owner_id(), body.try_into()?);
        let done = match once {
            None => Done::Now(self.0.take_turn(owner_id, turn).await?),
            Some(once) => self.0.take_turn_once(owner_id, turn, once).await?,
        };
        Ok(idempotency::answer(done, taken)?)
    }

    /// Read a message
    #[oai(path = "/messages/:message_id", method = "get", operation_id = "get_message")]
    async fn get(
        &self,
        caller: Caller<ChatRead>,
        /// The message.
        message_id: Path<Uuid>,
        /// The tag of the version that you have.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Answer<Found<MessageBody>, NOT_FOUND> {
        let view = self.0.get(caller.owner_id(), MessageId(message_id.0)).await?;
        let tag = tag_of(&view);
        Ok(Found::new(view, tag, if_none_match.0.as_deref())?)
    }
}
