use std::sync::Arc;

use larder_domain::chat::{SenderRole, Session};
use larder_domain::{Code, SessionId};
use larder_ports::inbound::chat::{MessageHit, SearchRequest, SearchUseCases};
use larder_ports::outbound::chat::{MessageScope, TagMatch};
use poem::http::Uri;
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::session::SessionBody;
use crate::Tag;
use crate::answer::Listed;
use crate::identity::{Caller, ChatRead};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, Problem};
use crate::values::{Nullable, Timestamp, Vocabulary, Word};

/// What is searched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Wanted {
    #[default]
    Messages,
    Sessions,
}

impl Vocabulary for Wanted {
    const NAME: &'static str = "SearchType";
    const MEANING: &'static str = "What is searched: messages, or sessions by themselves and their messages.";

    fn all() -> &'static [Self] {
        &[Self::Messages, Self::Sessions]
    }

    fn word(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Sessions => "sessions",
        }
    }
}

/// A piece of an excerpt, counted in characters.
#[derive(Object, Serialize)]
#[oai(rename = "Highlight")]
struct HighlightBody {
    /// The first character of the piece, from 0.
    start: u32,
    /// The first character behind the piece.
    end: u32,
}

/// A message that matches.
#[derive(Object, Serialize)]
#[oai(rename = "FoundMessage")]
struct FoundMessageBody {
    /// Its id.
    id: Uuid,
    /// Its place in the conversation.
    position: i64,
    /// Who speaks.
    sender_role: Word<SenderRole>,
    /// A free display name.
    sender_name: Nullable<String>,
    /// When it was stored.
    created_at: Timestamp,
    /// At most 240 characters of its text, from at most 80 before the first word that matches.
    excerpt: String,
    /// Where words that match lie in the excerpt.
    highlights: Vec<HighlightBody>,
}

/// What a search found.
#[derive(Object, Serialize)]
#[oai(rename = "SearchHit")]
struct HitBody {
    /// The message; null where sessions were searched.
    message: Nullable<FoundMessageBody>,
    /// The session of the message, or the session that was found.
    session: SessionBody,
}

impl From<MessageHit> for HitBody {
    fn from(hit: MessageHit) -> Self {
        // An excerpt has at most 240 characters.
        let place = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let message = FoundMessageBody {
            id: hit.message.id.0,
            position: hit.message.position,
            sender_role: Word(hit.message.sender_role),
            sender_name: hit.message.sender_name.into(),
            created_at: Timestamp(hit.message.created_at),
            excerpt: hit.excerpt.text,
            highlights: hit
                .excerpt
                .highlights
                .into_iter()
                .map(|piece| HighlightBody {
                    start: place(piece.start),
                    end: place(piece.end),
                })
                .collect(),
        };
        Self {
            message: Some(message).into(),
            session: hit.session.into(),
        }
    }
}

impl From<Session> for HitBody {
    fn from(session: Session) -> Self {
        Self {
            message: None.into(),
            session: session.into(),
        }
    }
}

/// Search in conversations.
pub(crate) struct SearchApi(pub(crate) Arc<dyn SearchUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Search")]
impl SearchApi {
    /// Search
    ///
    /// Every word of `q` must occur, the last one as the beginning of a word. Case and accents make no difference, and no character
    /// has a special meaning. Messages come newest first; sessions the last active first, each once, found by name, character, task
    /// description, or one of their messages. The filters combine with AND.
    #[oai(path = "/search", method = "get", operation_id = "search")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn search(
        &self,
        caller: Caller<ChatRead>,
        /// At most 16 words in 200 characters, at least one letter or number.
        q: Query<String>,
        /// What is searched; `messages` unless sent.
        r#type: Query<Option<Word<Wanted>>>,
        /// Only messages stored, or sessions active, at this instant or later.
        from: Query<Option<Timestamp>>,
        /// Only messages stored, or sessions last active, before this instant.
        to: Query<Option<Timestamp>>,
        /// Only in sessions with this tag, in any spelling; may be repeated.
        #[oai(default)]
        tag: Query<Vec<String>>,
        /// Whether a session needs any of the tags, or all of them; `any` unless sent.
        tag_match: Query<Option<Word<TagMatch>>>,
        /// Only in sessions of exactly this character.
        character: Query<Option<String>>,
        /// Only messages by this role. Not for sessions.
        role: Query<Option<Word<SenderRole>>>,
        /// Only messages of this session. Not for sessions.
        session_id: Query<Option<Uuid>>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<HitBody>>> {
        let request = SearchRequest {
            query: q.0,
            from: from.0.map(|instant| instant.0),
            to: to.0.map(|instant| instant.0),
            tags: tag.0,
            tag_match: tag_match.0.map(|word| word.0).unwrap_or_default(),
            character: character.0,
            content: None,
        };
        let (owner_id, page) = (caller.owner_id(), limit.0.page(cursor.0));
        let shown = match r#type.0.map(|word| word.0).unwrap_or_default() {
            Wanted::Messages => {
                let scope = MessageScope {
                    role: role.0.map(|word| word.0),
                    session_id: session_id.0.map(SessionId),
                };
                PageBody::show(self.0.messages(owner_id, request, scope, page).await?, uri)
            }
            Wanted::Sessions => {
                for (name, is_sent) in [("role", role.0.is_some()), ("session_id", session_id.0.is_some())] {
                    if is_sent {
                        Err(Problem::violation(
                            format!("/query/{name}"),
                            Code::UnknownField,
                            "is only for messages",
                        ))?;
                    }
                }
                PageBody::show(self.0.sessions(owner_id, request, page).await?, uri)
            }
        };
        Ok(Listed::new(shown)?)
    }
}
