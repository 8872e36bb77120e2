//! What the cases are written with: an installation on one adapter, its running service, and answers that explain themselves.

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

mod answer;
mod database;
mod installation;
mod metrics;
mod relay;
mod service;
mod token;

use reqwest::RequestBuilder;
use tokio::task::JoinSet;

pub(crate) use answer::{Answer, Answering};
use database::Database;
pub(crate) use installation::{Adapter, Installation, Outcome};
pub(crate) use metrics::Metrics;
pub(crate) use relay::Relay;
pub(crate) use service::{By, Person, Service, each, id_of, password, sign_up, until};
pub(crate) use token::{Key, Publisher, claims, published, token};

/// A new installation on an adapter, its running service, and two people; the first is administrator.
pub(crate) async fn two_people(adapter: Adapter) -> (Installation, Service, Person, Person) {
    let larder = Installation::without_schema(adapter).await;
    let service = larder.start().await;
    let (ann, bob) = (service.sign_up("ann").await, service.sign_up("bob").await);
    (larder, service, ann, bob)
}

/// Sends many requests at once and waits for every answer.
pub(crate) async fn at_once(requests: impl IntoIterator<Item = RequestBuilder>) -> Vec<Answer> {
    let mut sent: JoinSet<Answer> = requests.into_iter().map(Answering::answer).collect();
    let mut answers = Vec::new();
    while let Some(answer) = sent.join_next().await {
        answers.push(answer.expect("no panic"));
    }
    answers
}
