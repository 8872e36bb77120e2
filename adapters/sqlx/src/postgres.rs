use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use larder_sql::target::{Host, PostgresServer, Tls, quoted_list};
use larder_sql::{Dialect, Failure, Value};
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use crate::connection::Driver;
use crate::row::SqlxRow;

/// How a connection is made.
pub(crate) fn options(server: &PostgresServer, search_path: &[String]) -> PgConnectOptions {
    address(server)
        .options(server.timeouts.settings())
        .options([("search_path", quoted_list(search_path))])
}

/// Where a connection goes and how it is protected, without any setting of the server.
pub(crate) fn address(server: &PostgresServer) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .port(server.port)
        .username(&server.user)
        .database(&server.database)
        .application_name(&server.application_name)
        .ssl_mode(match server.tls {
            Tls::Off => PgSslMode::Disable,
            Tls::Verified { host_name: true, .. } => PgSslMode::VerifyFull,
            Tls::Verified { host_name: false, .. } => PgSslMode::VerifyCa,
        })
        .disable_statement_logging();
    let options = match &server.tls {
        Tls::Verified {
            ca_file: Some(file), ..
        } => options.ssl_root_cert(file),
        _ => options,
    };
    let options = match &server.host {
        Host::Tcp(host) => options.host(host),
        Host::Socket(folder) => options.socket(folder),
    };
    match &server.password {
        Some(password) => options.password(password.expose()),
        None => options,
    }
}

#[async_trait]
impl Driver for PgConnection {
    const DIALECT: Dialect = Dialect::Postgres;
    const BEGIN: &'static str = "BEGIN";

    type Answer = SqlxRow<sqlx::postgres::PgRow>;

    async fn fetch(
        &mut self,
        text: AssertSqlSafe<Arc<str>>,
        values: &[Value<'_>],
    ) -> Result<Vec<Self::Answer>, sqlx::Error> {
        let mut query = sqlx::query(text);
        for value in values {
            query = match *value {
                Value::Uuid(id) => query.bind(id),
                Value::Text(text) => query.bind(text),
                Value::Int(number) => query.bind(number),
                Value::Bool(flag) => query.bind(flag),
                Value::Instant(instant) => query.bind(instant.map(DateTime::<Utc>::from)),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        Ok(query.fetch_all(self).await?.into_iter().map(SqlxRow).collect())
    }

    async fn send(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(text).execute(self).await.map(|_| ())
    }

    fn reported(error: sqlx::Error) -> Failure {
        let reported = error
            .as_database_error()
            .and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
        let code = reported.map_or("", PgDatabaseError::code).to_owned();
        let constraint = reported.and_then(PgDatabaseError::constraint).map(str::to_owned);
        Failure::postgres(&code, constraint.as_deref(), error.into())
    }

    /// sqlx does not tell; a unit that saw the connection break never gives it back.
    fn is_broken(&self) -> bool {
        false
    }
}
