//! The store of conversations.

mod message;
mod session;

use larder_ports::outbound::IdempotencyKeys;
use larder_ports::outbound::chat::{ChatUnit, Messages, Sessions};

use crate::catalogue::Fragment;
use crate::{Connection, Statement, Unit};

impl<C: Connection> ChatUnit for Unit<C> {
    fn sessions(&mut self) -> &mut dyn Sessions {
        self
    }

    fn messages(&mut self) -> &mut dyn Messages {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        self
    }
}

/// Every statement of the context, by aggregate.
pub(crate) fn statements() -> &'static [&'static [&'static Statement]] {
    &[session::STATEMENTS, message::STATEMENTS]
}

/// What the dialects spell differently, and column lists.
pub(crate) fn fragments() -> &'static [Fragment] {
    &[
        Fragment {
            mark: "{session_row}",
            postgres: session::ROW,
            sqlite: session::ROW,
        },
        Fragment {
            mark: "{session_columns}",
            postgres: session::COLUMNS,
            sqlite: session::COLUMNS,
        },
        Fragment {
            mark: "{session_counts}",
            postgres: session::COUNTS,
            sqlite: session::COUNTS,
        },
        Fragment {
            mark: "{message_columns}",
            postgres: message::COLUMNS,
            sqlite: message::COLUMNS,
        },
        Fragment {
            mark: "{message_fields}",
            postgres: message::FIELDS,
            sqlite: message::FIELDS,
        },
        Fragment {
            mark: "{attachment_fields}",
            postgres: message::ATTACHMENT_FIELDS,
            sqlite: message::ATTACHMENT_FIELDS,
        },
        session::TAGS,
        session::KEPT_TAGS,
        session::TAG_ROWS,
        message::ATTACHMENTS,
    ]
}
