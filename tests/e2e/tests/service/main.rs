//! The whole service: the real binary, started once per case and adapter, spoken to over HTTP by a client that knows nothing of
//! its insides, and configured by environment variables alone. `tests/run` builds the binary and starts PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

/// Expands every case to one test per storage adapter: `ownership::pg_tokio::a_stranger_sees_nothing`.
macro_rules! on_every_adapter {
    ($($case:ident),+ $(,)?) => {
        on_adapter!(sqlite, Sqlite, $($case),+);
        on_postgres!($($case),+);
    };
}

/// For what only a database that is a process of its own can do: be away.
macro_rules! on_postgres {
    ($($case:ident),+ $(,)?) => {
        on_adapter!(pg_sqlx, PgSqlx, $($case),+);
        on_adapter!(pg_tokio, PgTokio, $($case),+);
    };
}

macro_rules! on_adapter {
    ($module:ident, $adapter:ident, $($case:ident),+) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(crate::harness::Adapter::$adapter).await;
                }
            )+
        }
    };
}

mod account;
mod cli;
mod conversation;
mod deny;
mod erasure;
mod harness;
mod http;
mod life;
mod log;
mod login;
mod outage;
mod ownership;
mod repetition;
