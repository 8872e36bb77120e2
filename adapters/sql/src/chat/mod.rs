//! The store of conversations.

mod erasure;
mod favourite;
mod file;
mod message;
mod message_edit;
mod prompt;
mod revision;
mod search;
mod session;
mod summary;
mod tag;

use larder_ports::outbound::chat::{ChatUnit, Messages, Prompts, Sessions, Summaries, Tags};
use larder_ports::outbound::chat::{Favourites, Files, MessageEdits, Revisions, Search};
use larder_ports::outbound::{IdempotencyKeys, OwnedRows};

use crate::catalogue::Fragment;
use crate::{Connection, Statement, Unit};

impl<C: Connection> ChatUnit for Unit<C> {
    fn sessions(&mut self) -> &mut dyn Sessions {
        self
    }

    fn tags(&mut self) -> &mut dyn Tags {
        self
    }

    fn prompts(&mut self) -> &mut dyn Prompts {
        self
    }

    fn summaries(&mut self) -> &mut dyn Summaries {
        self
    }

    fn messages(&mut self) -> &mut dyn Messages {
        self
    }

    fn message_edits(&mut self) -> &mut dyn MessageEdits {
        self
    }

    fn revisions(&mut self) -> &mut dyn Revisions {
        self
    }

    fn favourites(&mut self) -> &mut dyn Favourites {
        self
    }

    fn files(&mut self) -> &mut dyn Files {
        self
    }

    fn search(&mut self) -> &mut dyn Search {
        self
    }

    fn owned_rows(&mut self) -> &mut dyn OwnedRows {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        self
    }
}

/// Every statement of the context, by aggregate.
pub(crate) fn statements() -> &'static [&'static [&'static Statement]] {
    &[
        erasure::STATEMENTS,
        session::STATEMENTS,
        tag::STATEMENTS,
        prompt::STATEMENTS,
        summary::STATEMENTS,
        message::STATEMENTS,
        message_edit::STATEMENTS,
        revision::STATEMENTS,
        favourite::STATEMENTS,
        file::STATEMENTS,
        search::STATEMENTS,
    ]
}

/// What the dialects spell differently, and column lists.
pub(crate) fn fragments() -> &'static [Fragment] {
    &[
        Fragment {
            mark: "{file_columns}",
            postgres: file::COLUMNS,
            sqlite: file::COLUMNS,
        },
        Fragment {
            mark: "{file_filter}",
            postgres: file::FILTER,
            sqlite: file::FILTER,
        },
        Fragment {
            mark: "{search_append}",
            postgres: search::APPEND,
            sqlite: "",
        },
        Fragment {
            mark: "{live_hit}",
            postgres: search::LIVE_HIT,
            sqlite: "",
        },
        Fragment {
            mark: "{sqlite_hits}",
            postgres: "",
            sqlite: search::SQLITE_HITS,
        },
        Fragment {
            mark: "{message_hit_filter}",
            postgres: search::MESSAGE_FILTER,
            sqlite: search::MESSAGE_FILTER,
        },
        search::SESSION_FILTER,
        search::INSERTED_BEGIN,
        search::INSERTED_END,
        search::UPDATED_BEGIN,
        search::UPDATED_END,
        session::BY_RECENT,
        session::BY_CHARACTER,
        session::BY_GROUP,
        session::BY_TASK,
        session::BY_TRASH,
        session::BY_UNSUMMARISED,
        session::TAGGED,
        tag::SMALLEST,
        summary::ARRAYS,
        Fragment {
            mark: "{session_filter}",
            postgres: session::FILTER,
            sqlite: session::FILTER,
        },
        Fragment {
            mark: "{session_content}",
            postgres: session::CONTENT,
            sqlite: session::CONTENT,
        },
        Fragment {
            mark: "{prompt_columns}",
            postgres: prompt::COLUMNS,
            sqlite: prompt::COLUMNS,
        },
        Fragment {
            mark: "{summary_columns}",
            postgres: summary::COLUMNS,
            sqlite: summary::COLUMNS,
        },
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
        Fragment {
            mark: "{message_in_view}",
            postgres: message::IN_VIEW,
            sqlite: message::IN_VIEW,
        },
        Fragment {
            mark: "{revision_columns}",
            postgres: revision::COLUMNS,
            sqlite: revision::COLUMNS,
        },
        Fragment {
            mark: "{of_live_message}",
            postgres: revision::OF_LIVE,
            sqlite: revision::OF_LIVE,
        },
        Fragment {
            mark: "{session_header}",
            postgres: favourite::HEADER,
            sqlite: favourite::HEADER,
        },
        message_edit::IDS,
        message_edit::KEPT_ATTACHMENTS,
        message_edit::JSON,
        message::ATTACHMENT_ROWS,
        message::LISTED_SESSIONS,
        session::TAGS,
        session::KEPT_TAGS,
        session::TAG_ROWS,
        message::ATTACHMENTS,
    ]
}
