use chrono::{DateTime, Utc};
use larder_domain::Instant;
use larder_sql::{Row, UnreadableColumn};
use sqlx::Row as _;
use uuid::Uuid;

/// A row of an answer.
pub struct SqlxRow<R>(pub(crate) R);

macro_rules! rows {
    ($row:ty, |$self:ident, $column:ident| $instant:expr) => {
        impl Row for SqlxRow<$row> {
            fn uuid(&self, column: usize) -> Result<Option<Uuid>, UnreadableColumn> {
                self.0.try_get(column).map_err(unreadable)
            }

            fn text(&self, column: usize) -> Result<Option<String>, UnreadableColumn> {
                self.0.try_get(column).map_err(unreadable)
            }

            fn int(&self, column: usize) -> Result<Option<i64>, UnreadableColumn> {
                self.0.try_get(column).map_err(unreadable)
            }

            fn bool(&self, column: usize) -> Result<Option<bool>, UnreadableColumn> {
                self.0.try_get(column).map_err(unreadable)
            }

            fn instant(&$self, $column: usize) -> Result<Option<Instant>, UnreadableColumn> {
                $instant
            }

            fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>, UnreadableColumn> {
                self.0.try_get(column).map_err(unreadable)
            }
        }
    };
}

rows!(sqlx::postgres::PgRow, |self, column| {
    let time: Option<DateTime<Utc>> = self.0.try_get(column).map_err(unreadable)?;
    Ok(time.map(Instant::from))
});

rows!(sqlx::sqlite::SqliteRow, |self, column| {
    match self.int(column)? {
        None => Ok(None),
        Some(micros) => Instant::from_micros(micros)
            .map(Some)
            .map_err(|error| UnreadableColumn(error.into())),
    }
});

fn unreadable(error: sqlx::Error) -> UnreadableColumn {
    UnreadableColumn(error.into())
}
