//! Conversations: sessions, their messages, and the labels on them.

mod attachment;
mod favourite;
mod message;
mod message_edit;
mod prompt;
mod revision;
mod session;
mod summary;
mod tag;

pub use attachment::{
    Attachment, AttachmentDraft, AttachmentKind, Location, file_name_of, norm_of_extension, norm_of_file_name,
};
pub use favourite::{SessionHeader, markdown_head, markdown_of};
pub use message::{
    Content, MAX_TURN, Message, MessageDraft, MessageFlags, MessageStatus, SenderRole, Stamp, Usage, check_turn,
};
pub use message_edit::{
    Chunk, EditKind, EditRefused, Editor, Lengths, MAX_BATCH, MessageEdit, MessagePatch, UrlPatch, UsagePatch,
    check_batch, check_same_message,
};
pub use prompt::{MAX_PROMPTS, Prompt, PromptDraft, PromptPatch};
pub use revision::Revision;
pub use session::{Session, SessionDraft, SessionPatch, Task, TaskPriority, TaskStatus};
pub use summary::{MAX_SUMMARY_ENTRIES, Summary, SummaryDraft, SummaryState};
pub use tag::{MAX_TAGS, Tag};

/// An enumeration that is stored and sent as a short lower-case word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// Every value, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that is stored and sent.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The value of a stored or sent word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use words;
