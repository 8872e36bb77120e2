use std::sync::Arc;

use larder_ports::inbound::chat::{RenameTag, TagUseCases};
use larder_ports::outbound::chat::TagCount;
use poem::http::Uri;
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use crate::Tag;
use crate::answer::{Listed, Shown};
use crate::body::{Body, Payload};
use crate::identity::{Caller, ChatRead, ChatWrite};
use crate::page::{Limit, PageBody};
use crate::problem::{Answer, NOT_FOUND};

/// A label and how many live sessions have it.
#[derive(Object, Serialize)]
#[oai(rename = "TagCount")]
struct TagCountBody {
    /// In the smallest spelling by code point that a live session has.
    tag: String,
    /// Live sessions with it.
    session_count: i64,
}

impl From<TagCount> for TagCountBody {
    fn from(count: TagCount) -> Self {
        Self {
            tag: count.tag.text().to_owned(),
            session_count: count.session_count,
        }
    }
}

/// Which label gets which name.
#[derive(Object, Deserialize)]
#[oai(rename = "TagRename")]
#[serde(deny_unknown_fields)]
struct TagRenameBody {
    /// The label, in any spelling that differs in case only.
    from: String,
    /// What it is called from now on, 1 to 64 characters.
    to: String,
}

impl Payload for TagRenameBody {
    const EXAMPLE: &'static str = r#"{"from": "travel", "to": "Journeys"}"#;
}

/// What a renaming did.
#[derive(Object, Serialize)]
#[oai(rename = "TagRenamed")]
struct TagRenamedBody {
    /// Sessions that changed, trash included.
    changed: i64,
}

/// Operations on the labels of conversations.
pub(crate) struct TagApi(pub(crate) Arc<dyn TagUseCases>);

#[OpenApi(prefix_path = "/api/v1/chat", tag = "Tag::Tags")]
impl TagApi {
    /// List tags
    ///
    /// Spellings that differ in case only are one tag. Those of live sessions are listed, by their folded form.
    #[oai(path = "/tags", method = "get", operation_id = "list_tags")]
    async fn list(
        &self,
        caller: Caller<ChatRead>,
        /// Most rows of the page.
        #[oai(default)]
        limit: Query<Limit>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        uri: &Uri,
    ) -> Answer<Listed<PageBody<TagCountBody>>> {
        let page = self.0.list(caller.owner_id(), limit.0.page(cursor.0)).await?;
        Ok(Listed::new(PageBody::show(page, uri))?)
    }

    /// Rename a tag
    ///
    /// In every session, trash included. Where a session has the new one already, the two merge at the earlier place.
    #[oai(path = "/tags/rename", method = "post", operation_id = "rename_tag")]
    async fn rename(
        &self,
        caller: Caller<ChatWrite>,
        Body(body): Body<TagRenameBody>,
    ) -> Answer<Shown<TagRenamedBody>, NOT_FOUND> {
        let rename = RenameTag {
            from: body.from,
            to: body.to,
        };
        let changed = self.0.rename(caller.owner_id(), rename).await?;
        Ok(Shown::new(&TagRenamedBody { changed })?)
    }
}
