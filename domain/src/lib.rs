//! The pure core of Larder: what a conversation, an account or a label *is*, and which values are allowed.
//!
//! Nothing here is asynchronous, reads a clock, draws a random number or knows a database. Identifiers and instants are
//! handed in by the use cases, so that every rule can be tested with the worked examples of its specification. Rule
//! numbers (`CH-12`, `ID-03`) refer to the product specification of the context.

pub mod chat;
pub mod identity;

mod day;
mod fold;
mod id;
mod instant;
mod json;
mod patch;
pub mod search;
mod text;
mod violation;

pub use day::Day;
pub use fold::{case_fold, fold};
pub use id::{
    ApiTokenId, AttachmentId, ErasureId, ExternalIdentityId, GroupId, InvitationId, LoginId, MessageId, OwnerId,
    PromptId, RefreshTokenId, SessionId, SummaryId,
};
pub use instant::{Instant, InvalidInstant};
pub use json::{FreeJson, JsonRule, JsonShape};
pub use patch::Patch;
pub use text::{TextRule, check_text};
pub use violation::{Code, Invalid, Violation, Violations};

/// The version of a mutable resource: 1 when it is made, one more with every change.
pub type Version = i64;
