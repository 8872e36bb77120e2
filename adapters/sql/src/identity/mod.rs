//! The store of accounts.

mod api_token;
mod erasure;
mod external_identity;
mod invitation;
mod login;
mod login_throttle;
mod refresh_token;
mod user;

use larder_ports::outbound::IdempotencyKeys;
use larder_ports::outbound::identity::{
    ApiTokens, Erasures, ExternalIdentities, IdentityUnit, Invitations, LoginThrottles, Logins, RefreshTokens, Users,
};

use crate::catalogue::Fragment;
use crate::{Connection, Statement, Unit};

impl<C: Connection> IdentityUnit for Unit<C> {
    fn users(&mut self) -> &mut dyn Users {
        self
    }

    fn logins(&mut self) -> &mut dyn Logins {
        self
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokens {
        self
    }

    fn login_throttles(&mut self) -> &mut dyn LoginThrottles {
        self
    }

    fn external_identities(&mut self) -> &mut dyn ExternalIdentities {
        self
    }

    fn api_tokens(&mut self) -> &mut dyn ApiTokens {
        self
    }

    fn invitations(&mut self) -> &mut dyn Invitations {
        self
    }

    fn erasures(&mut self) -> &mut dyn Erasures {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyKeys {
        self
    }
}

/// Every statement of the context, by aggregate.
pub(crate) fn statements() -> &'static [&'static [&'static Statement]] {
    &[
        user::STATEMENTS,
        login::STATEMENTS,
        login_throttle::STATEMENTS,
        refresh_token::STATEMENTS,
        external_identity::STATEMENTS,
        api_token::STATEMENTS,
        invitation::STATEMENTS,
        erasure::STATEMENTS,
    ]
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
        Fragment {
            mark: "{refresh_token_columns}",
            postgres: refresh_token::COLUMNS,
            sqlite: refresh_token::COLUMNS,
        },
        // Passes over rows that another unit has locked, where units write beside each other.
        Fragment {
            mark: "{unlocked}",
            postgres: "FOR UPDATE SKIP LOCKED",
            sqlite: "",
        },
        Fragment {
            mark: "{external_identity_columns}",
            postgres: external_identity::COLUMNS,
            sqlite: external_identity::COLUMNS,
        },
        Fragment {
            mark: "{api_token_columns}",
            postgres: api_token::COLUMNS,
            sqlite: api_token::COLUMNS,
        },
        Fragment {
            mark: "{erasure_columns}",
            postgres: erasure::COLUMNS,
            sqlite: erasure::COLUMNS,
        },
        Fragment {
            mark: "{invitation_columns}",
            postgres: invitation::COLUMNS,
            sqlite: invitation::COLUMNS,
        },
        // Whether an account has the role that the first parameter names.
        Fragment {
            mark: "{has_role}",
            postgres: "u.roles @> to_jsonb($1::text)",
            sqlite: "EXISTS (SELECT 1 FROM json_each(u.roles) r WHERE r.value = $1)",
        },
        // A text parameter that goes into a JSON column.
        Fragment {
            mark: "{json}",
            postgres: "::jsonb",
            sqlite: "",
        },
    ]
}
