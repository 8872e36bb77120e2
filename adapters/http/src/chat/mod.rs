//! Conversations.

mod message;
mod session;

pub(crate) use message::MessageApi;
pub(crate) use session::SessionApi;

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
