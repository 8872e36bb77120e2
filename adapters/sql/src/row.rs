use larder_domain::{FreeJson, Instant};
use larder_ports::outbound::{BoxError, StorageError};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// One row of an answer, read by position. A driver answers [`UnreadableColumn`] for a value of another type.
pub trait Row: Send + Sync {
    /// An id.
    fn uuid(&self, column: usize) -> Result<Option<Uuid>, UnreadableColumn>;
    /// A text.
    fn text(&self, column: usize) -> Result<Option<String>, UnreadableColumn>;
    /// A whole number.
    fn int(&self, column: usize) -> Result<Option<i64>, UnreadableColumn>;
    /// Yes or no.
    fn bool(&self, column: usize) -> Result<Option<bool>, UnreadableColumn>;
    /// An instant.
    fn instant(&self, column: usize) -> Result<Option<Instant>, UnreadableColumn>;
    /// Bytes.
    fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>, UnreadableColumn>;
}

/// A stored value that is not of the type its column should have.
#[derive(Debug)]
pub struct UnreadableColumn(pub BoxError);

/// Reads the columns of a row one after another, in the order of the statement's column list.
///
/// A value that can't be read becomes [`StorageError::Corrupt`] with the table, the column and the row's id, which is the first
/// id that was read.
pub(crate) struct Reader<'r, R> {
    row: &'r R,
    table: &'static str,
    next: usize,
    id: Option<Uuid>,
}

macro_rules! read {
    ($($(#[$doc:meta])* $name:ident / $required:ident -> $type:ty),+ $(,)?) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&mut self, column: &'static str) -> Result<Option<$type>, StorageError> {
            let position = self.next;
            self.next += 1;
            self.row.$name(position).map_err(|UnreadableColumn(error)| {
                tracing::error!(table = self.table, column, %error, "stored value of a wrong type");
                self.corrupt(column)
            })
        }

        $(#[$doc])*
        pub(crate) fn $required(&mut self, column: &'static str) -> Result<$type, StorageError> {
            self.$name(column)?.ok_or_else(|| self.corrupt(column))
        }
    )+};
}

impl<'r, R: Row> Reader<'r, R> {
    /// Starts at the first column.
    pub(crate) fn new(row: &'r R, table: &'static str) -> Self {
        Self {
            row,
            table,
            next: 0,
            id: None,
        }
    }

    /// Goes on with columns of a joined table.
    pub(crate) fn switch_to(&mut self, table: &'static str) {
        self.table = table;
        self.id = None;
    }

    read! {
        text / required_text -> String,
        int / required_int -> i64,
        bool / required_bool -> bool,
        instant / required_instant -> Instant,
        uuid / required_uuid -> Uuid,
        bytes / required_bytes -> Vec<u8>,
    }

    /// The id of the row; what is unreadable later is reported under it.
    pub(crate) fn id(&mut self) -> Result<Uuid, StorageError> {
        let id = self.required_uuid("id")?;
        self.id = Some(id);
        Ok(id)
    }

    /// A stored word of a closed list.
    pub(crate) fn word<T>(&mut self, column: &'static str, parse: fn(&str) -> Option<T>) -> Result<T, StorageError> {
        self.optional_word(column, parse)?.ok_or_else(|| self.corrupt(column))
    }

    /// A stored word of a closed list, or none.
    pub(crate) fn optional_word<T>(
        &mut self,
        column: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StorageError> {
        match self.text(column)? {
            None => Ok(None),
            Some(word) => parse(&word).map(Some).ok_or_else(|| self.corrupt(column)),
        }
    }

    /// A SHA-256.
    pub(crate) fn digest(&mut self, column: &'static str) -> Result<[u8; 32], StorageError> {
        self.required_bytes(column)?
            .try_into()
            .map_err(|_| self.corrupt(column))
    }

    /// Free JSON, in its canonical form.
    pub(crate) fn free_json(&mut self, column: &'static str) -> Result<Option<FreeJson>, StorageError> {
        match self.text(column)? {
            None => Ok(None),
            Some(text) => FreeJson::from_stored(&text)
                .map(Some)
                .ok_or_else(|| self.corrupt(column)),
        }
    }

    /// JSON of Larder's own making, such as the aggregated rows of a child table.
    pub(crate) fn json<T: DeserializeOwned>(&mut self, column: &'static str) -> Result<T, StorageError> {
        self.optional_json(column)?.ok_or_else(|| self.corrupt(column))
    }

    /// JSON of Larder's own making, or none.
    pub(crate) fn optional_json<T: DeserializeOwned>(
        &mut self,
        column: &'static str,
    ) -> Result<Option<T>, StorageError> {
        let Some(text) = self.text(column)? else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            tracing::error!(table = self.table, column, %error, "stored JSON of a wrong shape");
            self.corrupt(column)
        })
    }

    /// The error for a value that is there but makes no sense.
    pub(crate) fn corrupt(&self, column: &'static str) -> StorageError {
        let id = self.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        StorageError::Corrupt {
            table: self.table,
            column,
            id,
        }
    }
}
