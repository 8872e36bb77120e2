use std::sync::Arc;

use larder_domain::SessionId;
use larder_domain::chat::{Summary, SummaryDraft, SummaryState};
use larder_ports::inbound::chat::{PutSummary, SummaryEntry, SummaryUseCases, SummaryView};
use poem::http::Uri;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Tag;
use crate::answer::{Deleted, Found, Listed, Stored};
use crate::body::{Body, Payload};
use crate::etag;
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, CONFLICT, NOT_FOUND, PRECONDITION_FAILED};
use crate::values::{Nullable, Optional, Timestamp, Word, vocabulary};

vocabulary! {
    SummaryState, "SummaryState", "Whether the summary of a session still fits.";
}

/// The digest of a session.
#[derive(Object, Serialize)]
#[oai(rename = "Summary")]
struct SummaryBody {
    /// The session.
    session_id: Uuid,
    /// What happened.
    text: String,
    /// What it was about.
    key_topics: Vec<String>,
    /// Who and what was named.
    entities: Vec<String>,
    /// The model that wrote it.
    model_name: String,
    /// The configuration under which it was written.
    config_version: i64,
    /// The content revision of the session that it covers.
    source_content_revision: i64,
    /// Live messages when it was stored.
    message_count: i64,
    /// When the first of them was made.
    first_message_at: Nullable<Timestamp>,
    /// When the last of them was made.
    last_message_at: Nullable<Timestamp>,
    /// When it was stored.
    generated_at: Timestamp,
    /// Whether it no longer fits, computed at every read.
    stale: bool,
    /// Why: `content` changed since, or the `config` did.
    stale_reason: Nullable<String>,
    /// Rises with every replacement.
    version: i64,
}

impl SummaryBody {
    fn of(summary: Summary, state: SummaryState) -> Self {
        let stale_reason = stale_reason(state);
        Self {
            session_id: summary.session_id.0,
            text: summary.text,
            key_topics: summary.key_topics,
            entities: summary.entities,
            model_name: summary.model_name,
            config_version: summary.config_version,
            source_content_revision: summary.source_content_revision,
            message_count: summary.message_count,
            first_message_at: summary.first_message_at.map(Timestamp).into(),
            last_message_at: summary.last_message_at.map(Timestamp).into(),
            generated_at: Timestamp(summary.generated_at),
            stale: stale_reason.is_some(),
            stale_reason: stale_reason.map(str::to_owned).into(),
            version: summary.version,
        }
    }
}

impl From<SummaryView> for SummaryBody {
    fn from(view: SummaryView) -> Self {
        Self::of(view.summary, view.state)
    }
}

fn stale_reason(state: SummaryState) -> Option<&'static str> {
    match state {
        SummaryState::Content | SummaryState::Config => Some(state.as_str()),
        SummaryState::Fresh | SummaryState::Missing => None,
    }
}

/// The tag of a summary: it is another one once the summary became stale, which is no change of its version.
fn tag(view: &SummaryView) -> String {
    match stale_reason(view.state) {
        None => etag::of(view.summary.version),
        Some(reason) => etag::of_marked(view.summary.version, reason),
    }
}

/// A session and its summary.
#[derive(Object, Serialize)]
#[oai(rename = "SummaryEntry")]
struct SummaryEntryBody {
    /// The session.
    session_id: Uuid,
    /// What it is called.
    session_name: Nullable<String>,
    /// Whether its summary still fits, or is missing.
    state: Word<SummaryState>,
    /// Null when it is missing.
    summary: Nullable<SummaryBody>,
}

impl From<SummaryEntry> for SummaryEntryBody {
    fn from(entry: SummaryEntry) -> Self {
        let state = entry.state;
        Self {
            session_id: entry.session_id.0,
            session_name: entry.session_name.into(),
            state: Word(state),
            summary: entry.summary.map(|summary| SummaryBody::of(summary, state)).into(),
        }
    }
}

const READ_ONLY: [&str; 8] = [
    "/session_id",
    "/message_count",
    "/first_message_at",
    "/last_message_at",
    "/generated_at",
    "/stale",
    "/stale_reason",
    "/version",
];

/// A summary as you write it.
#[derive(Object, Deserialize)]
#[oai(rename = "SummaryDraft")]
#[serde(deny_unknown_fields)]
struct SummaryDraftBody {
    /// What happened.
    #[oai(validator(min_length = 1, max_length = 50000))]
    text: String,
    /// What it was about, each 1 to 200 characters.
    #[oai(validator(max_items = 100))]
    key_topics: Vec<String>,
    /// Who and what was named, each 1 to 200 characters.
    #[oai(validator(max_items = 100))]
    entities: Vec<String>,
    /// The model that wrote it.
    #[oai(validator(min_length = 1, max_length = 200))]
    model_name: String,
    /// The configuration under which it was written, from 1.
    #[oai(validator(minimum(value = "1")))]
    config_version: i64,
    /// The `content_revision` of the session that you read before summarising; the current one unless sent.
    #[serde(default)]
    source_content_revision: Optional<i64>,
}

impl Payload for SummaryDraftBody {
    const EXAMPLE: &'static str = r#"{"text": "A weekend in Lisbon was planned.", "key_topics": ["travel"], "entities": ["Lisbon"], "model_name": "some-model", "config_version": 1}"#;

    fn is_read_only(pointer: &str) -> bool {
        READ_ONLY.contains(&pointer)
    }
}

impl From<SummaryDraftBody> for SummaryDraft {
    fn from(body: SummaryDraftBody) -> Self {
        Self {
            text: body.text,
            key_topics: body.key_topics,
            entities: body.entities,
            model_name: body.model_name,
            config_version: body.config_version,
            source_content_revision: body.source_content_revision.0,
        }
    }
}

/// The version that `If-Match` demands, whether the summary was stale when it was read or not.
const MARKS: [&str; 2] = ["content", "config"];

/// Operations on the digests of conversations.
pub(crate) struct SummaryApi(pub(crate) Arc<dyn SummaryUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Summaries")]
impl SummaryApi {
    /// List summaries
    ///
    /// Sessions with messages or a summary, newest `last_update` first. Each is in exactly one state.
    #[oai(path = "/summaries", method = "get", operation_id = "list_summaries")]
    async fn list(
        &self,
        caller: Caller<ChatRead>,
        /// Only sessions whose summary is in this state.
        state: Query<Option<Word<SummaryState>>>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<SummaryEntryBody>>> {
        let state = state.0.map(|word| word.0);
        let page = self.0.list(caller.owner_id(), state, limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Read the summary of a session
    #[oai(path = "/sessions/:session_id/summary", method = "get", operation_id = "get_summary")]
    async fn get(
        &self,
        caller: Caller<ChatRead>,
        /// The session.
        session_id: Path<Uuid>,
        /// The tag of the version that you have.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Answer<Found<SummaryBody>, NOT_FOUND> {
        let view = self.0.get(caller.owner_id(), SessionId(session_id.0)).await?;
        let tag = tag(&view);
        Ok(Found::new(view, tag, if_none_match.0.as_deref())?)
    }

    /// Write the summary of a session
    ///
    /// Makes it or replaces it. One that covers less than the stored one is 409 `older_summary`: a slow writer can't undo a newer
    /// summary. Counts and times are computed from the messages.
    #[oai(path = "/sessions/:session_id/summary", method = "put", operation_id = "put_summary")]
    async fn put(
        &self,
        caller: Caller<ChatWrite>,
        /// The session.
        session_id: Path<Uuid>,
        /// Replace only this version; another one, or none, is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        Body(body): Body<SummaryDraftBody>,
    ) -> Answer<Stored<SummaryBody>, { NOT_FOUND | CONFLICT | PRECONDITION_FAILED }> {
        let put = PutSummary {
            session_id: SessionId(session_id.0),
            draft: body.into(),
            if_match: etag::demanded_marked(if_match.0.as_deref(), &MARKS)?,
        };
        let stored = self.0.put(caller.owner_id(), put).await?;
        let tag = tag(&stored.view);
        let location = format!("/api/v1/chat/sessions/{}/summary", session_id.0);
        Ok(Stored::new(stored.view, stored.is_new.then_some(location), tag)?)
    }

    /// Delete the summary of a session
    ///
    /// For good: summaries have no trash.
    #[oai(
        path = "/sessions/:session_id/summary",
        method = "delete",
        operation_id = "delete_summary"
    )]
    async fn delete(
        &self,
        caller: Caller<ChatWrite>,
        /// The session.
        session_id: Path<Uuid>,
        /// Delete only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Answer<Deleted, { NOT_FOUND | PRECONDITION_FAILED }> {
        let if_match = etag::demanded_marked(if_match.0.as_deref(), &MARKS)?;
        self.0
            .delete(caller.owner_id(), SessionId(session_id.0), if_match)
            .await?;
        Ok(Deleted)
    }
}
