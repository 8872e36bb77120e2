//! The behaviour suite on every adapter: one test per case per adapter, none left out.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what can't be set up has failed"
)]

mod application;
mod engine;
mod issuer;
mod plans;
mod schema;
mod statements;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use larder_conformance::Fixture;

use crate::application::Larder;
use crate::engine::Adapter;

/// Longest time for a case. Far more than any needs: what hangs is a finding, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs one case on a fresh database, which is removed afterwards in any case.
async fn run<A: Adapter, F: Future<Output = ()>>(case: impl FnOnce(Fixture) -> F) {
    let adapter = Arc::new(A::set_up().await);
    let fixture = Fixture::new(adapter.clone(), Arc::new(Larder), adapter.stores());
    let outcome = AssertUnwindSafe(tokio::time::timeout(PATIENCE, case(fixture)))
        .catch_unwind()
        .await;
    adapter.tear_down().await;
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(_)) => panic!("the case did not come to an end within {PATIENCE:?}"),
        Err(panic) => resume_unwind(panic),
    }
}

macro_rules! tests {
    ($with:tt $($module:ident $body:tt)*) => {
        $(
            mod $module {
                tests_of! { $with $module $body }
            }
        )*
    };
}

macro_rules! tests_of {
    (($adapter:ident $($path:ident)*) $module:ident { $($inner:tt)* }) => {
        tests! { ($adapter $($path)* $module) $($inner)* }
    };
    (($adapter:ident $($path:ident)*) $module:ident [$($case:ident),* $(,)?]) => {
        use larder_conformance::all::$($path::)*$module as cases;
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::run::<crate::engine::$adapter, _>(cases::$case).await;
            }
        )*
    };
}

mod sqlite {
    larder_conformance::for_every_case! { tests! (Sqlite) }
}

mod pg_sqlx {
    larder_conformance::for_every_case! { tests! (PgSqlx) }
}

mod pg_tokio {
    larder_conformance::for_every_case! { tests! (PgTokio) }
}
