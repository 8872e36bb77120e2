use chrono::{DateTime, Utc};
use larder_domain::Instant;
use larder_sql::{Row, UnreadableColumn};
use tokio_postgres::types::FromSql;
use uuid::Uuid;

/// A row of an answer.
pub struct PostgresRow(pub(crate) tokio_postgres::Row);

impl PostgresRow {
    fn get<'r, T: FromSql<'r>>(&'r self, column: usize) -> Result<Option<T>, UnreadableColumn> {
        self.0.try_get(column).map_err(|error| UnreadableColumn(error.into()))
    }
}

impl Row for PostgresRow {
    fn uuid(&self, column: usize) -> Result<Option<Uuid>, UnreadableColumn> {
        self.get(column)
    }

    fn text(&self, column: usize) -> Result<Option<String>, UnreadableColumn> {
        self.get(column)
    }

    fn int(&self, column: usize) -> Result<Option<i64>, UnreadableColumn> {
        self.get(column)
    }

    fn bool(&self, column: usize) -> Result<Option<bool>, UnreadableColumn> {
        self.get(column)
    }

    fn instant(&self, column: usize) -> Result<Option<Instant>, UnreadableColumn> {
        Ok(self.get::<DateTime<Utc>>(column)?.map(Instant::from))
    }

    fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>, UnreadableColumn> {
        self.get(column)
    }
}
