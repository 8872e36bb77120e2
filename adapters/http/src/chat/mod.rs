//! Conversations.

mod favourite;
mod file;
mod message;
mod message_edit;
mod prompt;
mod search;
mod session;
mod summary;
mod tag;

pub(crate) use favourite::FavouriteApi;
pub(crate) use file::FileApi;
pub(crate) use message::MessageApi;
pub(crate) use message_edit::MessageEditApi;
pub(crate) use prompt::PromptApi;
pub(crate) use search::SearchApi;
pub(crate) use session::SessionApi;
pub(crate) use summary::SummaryApi;
pub(crate) use tag::TagApi;

use larder_domain::{Code, SessionId};
use uuid::Uuid;

use crate::problem::Problem;

/// Refuses an id in a body that isn't the one of the resource: ids never change (`CH-15`).
fn check_same(sent: Option<Uuid>, id: Option<SessionId>, pointer: impl FnOnce() -> String) -> Result<(), Problem> {
    match sent {
        Some(sent) if id != Some(SessionId(sent)) => {
            let message = "must be the id of the session that the request is about";
            Err(Problem::violation(pointer(), Code::ImmutableField, message))
        }
        _ => Ok(()),
    }
}

/// The same for the id of the resource itself.
fn check_same_id(sent: Option<Uuid>, id: Uuid) -> Result<(), Problem> {
    match sent {
        Some(sent) if sent != id => Err(Problem::violation(
            "/id",
            Code::ImmutableField,
            "must be the id in the path",
        )),
        _ => Ok(()),
    }
}
