/// Which page of a list is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// 1 to 200 rows.
    pub limit: u32,
    /// The `next_cursor` of the page before; `None` for the first page.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// Rows of a page unless asked otherwise.
    pub const DEFAULT_LIMIT: u32 = 50;
    /// Most rows of a page.
    pub const MAX_LIMIT: u32 = 200;

    /// The first page of the default size.
    pub fn first() -> Self {
        Self {
            limit: Self::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows, in the order of the list.
    pub data: Vec<T>,
    /// Opaque, tied to the owner, the filter and the order; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// The cursor is forged, or of another owner, filter or order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the cursor does not belong to this list")]
pub struct BadCursor;
