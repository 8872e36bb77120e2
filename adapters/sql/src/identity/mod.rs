//! The store of accounts.

mod invitation;
mod login;
mod user;

use larder_ports::outbound::IdempotencyKeys;
use larder_ports::outbound::identity::{IdentityUnit, Invitations, Logins, Users};

use crate::catalogue::Fragment;
use crate::{Connection, Statement, Unit};

impl<C: Connection> IdentityUnit for Unit<C> {
    fn users(&mut self) -> &mut dyn Users {
        self
    }

    fn logins(&mut self) -> &mut dyn Logins {
        self
    }

    fn invitations(&mut self) -> &mut dyn Invitations {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        self
    }
}

/// Every statement of the context, by aggregate.
pub(crate) fn statements() -> &'static [&'static [&'static Statement]] {
    &[user::STATEMENTS, login::STATEMENTS, invitation::STATEMENTS]
}

/// What the dialects spell differently, and column lists.
pub(crate) fn fragments() -> &'static [Fragment] {
    &[
        Fragment {
            mark: "{user_columns}",
            postgres: user::COLUMNS,
            sqlite: user::COLUMNS,
        },
        Fragment {
            mark: "{login_columns}",
            postgres: login::COLUMNS,
            sqlite: login::COLUMNS,
        },
        // A text parameter that goes into a JSON column.
        Fragment {
            mark: "{json}",
            postgres: "::jsonb",
            sqlite: "",
        },
    ]
}
