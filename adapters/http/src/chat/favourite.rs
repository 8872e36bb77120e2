use std::io;
use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt};
use larder_domain::chat::{SessionHeader, markdown_head, markdown_of};
use larder_domain::{MessageId, OwnerId};
use larder_ports::inbound::Failure;
use larder_ports::inbound::chat::{Export, Favourite, FavouriteUseCases};
use larder_ports::outbound::Place;
use poem::http::Uri;
use poem::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use poem::{Body, IntoResponse, Response};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::message::MessageBody;
use crate::Tag;
use crate::answer::{Deleted, Listed};
use crate::etag;
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, NOT_FOUND, PRECONDITION_FAILED, Problem, header_of};
use crate::values::{Nullable, Timestamp, Vocabulary, Word};

/// What is said of a session beside one of its messages.
#[derive(Object, Serialize)]
#[oai(rename = "SessionHeader")]
pub(super) struct SessionHeaderBody {
    /// The session.
    id: Uuid,
    /// What it is called.
    name: Nullable<String>,
    /// The persona that answers.
    character_name: Nullable<String>,
    /// Labels, in the order of the client.
    tags: Vec<String>,
}

impl From<SessionHeader> for SessionHeaderBody {
    fn from(session: SessionHeader) -> Self {
        Self {
            id: session.id.0,
            name: session.name.into(),
            character_name: session.character_name.into(),
            tags: session.tags.iter().map(|tag| tag.text().to_owned()).collect(),
        }
    }
}

/// A marked message and its session.
#[derive(Object, Serialize)]
#[oai(rename = "Favourite")]
struct FavouriteBody {
    /// The message.
    message: MessageBody,
    /// Its session.
    session: SessionHeaderBody,
}

impl From<Favourite> for FavouriteBody {
    fn from(favourite: Favourite) -> Self {
        Self {
            message: favourite.message.into(),
            session: favourite.session.into(),
        }
    }
}

/// All favourites. It is written in pieces, so no value of this type is ever made: it only describes them.
#[derive(Object, Serialize)]
#[oai(rename = "FavouriteExport")]
struct ExportBody {
    /// `larder.favourites`
    format: String,
    /// 1
    version: i64,
    /// When the export started; what was stored later is not in it.
    exported_at: Timestamp,
    /// The favourites, oldest message first.
    data: Vec<FavouriteBody>,
}

/// In which form favourites are exported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Format {
    #[default]
    Json,
    Markdown,
}

impl Vocabulary for Format {
    const NAME: &'static str = "ExportFormat";
    const MEANING: &'static str = "JSON for programs, Markdown for people.";

    fn all() -> &'static [Self] {
        &[Self::Json, Self::Markdown]
    }

    fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "markdown",
        }
    }
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "md",
        }
    }

    fn head(self, export: Export) -> String {
        match self {
            Self::Json => format!(
                r#"{{"format":"larder.favourites","version":1,"exported_at":"{}","data":["#,
                export.exported_at
            ),
            Self::Markdown => markdown_head(export.exported_at),
        }
    }

    fn tail(self) -> &'static str {
        match self {
            Self::Json => "]}",
            Self::Markdown => "",
        }
    }

    fn write(self, favourite: Favourite, is_first: bool, out: &mut String) -> io::Result<()> {
        match self {
            Self::Json => {
                if !is_first {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(&FavouriteBody::from(favourite))?);
            }
            Self::Markdown => out.push_str(&markdown_of(&favourite.message.message, &favourite.session)),
        }
        Ok(())
    }
}

/// 200 with all favourites, written page by page.
struct Exported {
    format: Format,
    file_name: String,
    body: Body,
}

impl IntoResponse for Exported {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.format.media_type()));
        let disposition = format!("attachment; filename=\"{}\"", self.file_name);
        // A file name of letters, digits, a dash and a dot.
        if let Ok(disposition) = HeaderValue::try_from(disposition) {
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
        response
    }
}

impl ApiResponse for Exported {
    fn meta() -> MetaResponses {
        let content = vec![
            MetaMediaType {
                content_type: Format::Json.media_type(),
                schema: ExportBody::schema_ref(),
            },
            MetaMediaType {
                content_type: Format::Markdown.media_type(),
                schema: String::schema_ref(),
            },
        ];
        let disposition = "`attachment`, with a file name that has the day.";
        let response = MetaResponse {
            description: "All favourites, oldest message first.",
            status: Some(200),
            status_range: None,
            content,
            headers: vec![header_of("Content-Disposition", disposition, true)],
        };
        MetaResponses {
            responses: vec![response],
        }
    }

    fn register(registry: &mut Registry) {
        ExportBody::register(registry);
    }
}

/// How far an export has come.
struct Progress {
    favourites: Arc<dyn FavouriteUseCases>,
    owner_id: OwnerId,
    export: Export,
    format: Format,
    /// The page that is written next; empty at the end.
    page: Vec<Favourite>,
    is_first: bool,
}

impl Progress {
    /// Writes the page at hand and fetches the next one, so that no more than one is in memory.
    async fn step(mut self) -> io::Result<Option<(String, Self)>> {
        let Some(last) = self.page.last().map(Favourite::place) else {
            return Ok(None);
        };
        let mut text = String::new();
        for favourite in std::mem::take(&mut self.page) {
            self.format.write(favourite, self.is_first, &mut text)?;
            self.is_first = false;
        }
        self.page = self.fetch(Some(last)).await.map_err(|failure| {
            // The status is sent already: the body ends before its end, which the client sees.
            tracing::error!(target: "larder::problem", %failure, "an export broke off");
            io::Error::other(failure)
        })?;
        Ok(Some((text, self)))
    }

    async fn fetch(&self, after: Option<Place>) -> Result<Vec<Favourite>, Failure> {
        self.favourites.export(self.owner_id, self.export, after).await
    }

    fn into_stream(self) -> impl Stream<Item = io::Result<String>> + Send + 'static {
        let (head, tail) = (self.format.head(self.export), self.format.tail().to_owned());
        let ready = |text| stream::once(std::future::ready(Ok(text)));
        let pages = stream::try_unfold(self, Self::step);
        ready(head).chain(pages).chain(ready(tail))
    }
}

/// Operations on favourites.
pub(crate) struct FavouriteApi(pub(crate) Arc<dyn FavouriteUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Messages")]
impl FavouriteApi {
    /// Mark a message as a favourite
    #[oai(
        path = "/messages/:message_id/favourite",
        method = "put",
        operation_id = "mark_favourite"
    )]
    async fn mark(
        &self,
        caller: Caller<ChatWrite>,
        /// The message.
        message_id: Path<Uuid>,
        /// Mark only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Answer<Deleted, { NOT_FOUND | PRECONDITION_FAILED }> {
        self.set(caller.owner_id(), message_id.0, true, if_match.0).await?;
        Ok(Deleted)
    }

    /// Remove the mark of a favourite
    #[oai(
        path = "/messages/:message_id/favourite",
        method = "delete",
        operation_id = "unmark_favourite"
    )]
    async fn unmark(
        &self,
        caller: Caller<ChatWrite>,
        /// The message.
        message_id: Path<Uuid>,
        /// Change only this version; another one is 412.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Answer<Deleted, { NOT_FOUND | PRECONDITION_FAILED }> {
        self.set(caller.owner_id(), message_id.0, false, if_match.0).await?;
        Ok(Deleted)
    }

    /// List favourites
    ///
    /// Newest message first.
    #[oai(path = "/favourites", method = "get", operation_id = "list_favourites")]
    async fn list(
        &self,
        caller: Caller<ChatRead>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<FavouriteBody>>> {
        let page = self.0.list(caller.owner_id(), limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Export favourites
    ///
    /// All that were stored when the export started, oldest message first, as one file.
    #[oai(path = "/favourites/export", method = "get", operation_id = "export_favourites")]
    async fn export(
        &self,
        caller: Caller<ChatRead>,
        /// `json` unless sent.
        format: Query<Option<Word<Format>>>,
    ) -> Answer<Exported> {
        let format = format.0.map(|word| word.0).unwrap_or_default();
        let export = self.0.start_export(caller.owner_id()).await?;
        let mut progress = Progress {
            favourites: Arc::clone(&self.0),
            owner_id: caller.owner_id(),
            export,
            format,
            page: Vec::new(),
            is_first: true,
        };
        // The first page comes before the answer, so that a store that is away is still told by a status.
        progress.page = progress.fetch(None).await?;
        Ok(Exported {
            format,
            file_name: format!("favourites-{}.{}", export.day.compact(), format.extension()),
            body: Body::from_bytes_stream(progress.into_stream()),
        })
    }
}

impl FavouriteApi {
    async fn set(&self, owner_id: OwnerId, id: Uuid, favourite: bool, if_match: Option<String>) -> Result<(), Problem> {
        let if_match = etag::demanded_message(if_match.as_deref())?;
        self.0.mark(owner_id, MessageId(id), favourite, if_match).await?;
        Ok(())
    }
}
