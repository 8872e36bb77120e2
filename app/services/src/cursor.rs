//! Pages of a list and the cursors between them.

use larder_domain::{Instant, OwnerId};
use larder_ports::inbound::{BadCursor, Page, PageRequest};
use larder_ports::outbound::{Place, Seal};
use uuid::Uuid;

/// The place of a row in its list, as a cursor carries it.
pub(crate) trait Key: Sized {
    /// A form that [`from_bytes`](Self::from_bytes) reads back.
    fn to_bytes(&self) -> Vec<u8>;

    /// `None` when the bytes are none of this kind.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// Lists by an instant, then by id: microseconds and the id.
impl Key for Place {
    fn to_bytes(&self) -> Vec<u8> {
        [self.at.as_micros().to_be_bytes().as_slice(), self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_first_chunk()?;
        Some(Self {
            at: Instant::from_micros(i64::from_be_bytes(*micros)).ok()?,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

/// Lists by position.
impl Key for i64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

/// Lists by id.
impl Key for Uuid {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

/// Lists by a text.
impl Key for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

/// One request for a page of a list.
pub(crate) struct Paging<'a, K> {
    seal: &'a dyn Seal,
    context: Vec<u8>,
    limit: u32,
    after: Option<K>,
}

impl<'a, K: Key> Paging<'a, K> {
    /// Opens the cursor of `request`. It fits only where it was made: in the list of this name, of this owner, with the same
    /// `filter`, an encoding that also tells the order.
    pub(crate) fn new(
        seal: &'a dyn Seal,
        list: &'static str,
        owner_id: OwnerId,
        filter: &[u8],
        request: &PageRequest,
    ) -> Result<Self, BadCursor> {
        let context = [list.as_bytes(), b"\0", owner_id.0.as_bytes(), filter].concat();
        let after = match &request.cursor {
            None => None,
            Some(cursor) => {
                let key = seal.open(&context, cursor).and_then(|key| K::from_bytes(&key));
                Some(key.ok_or(BadCursor)?)
            }
        };
        Ok(Self {
            seal,
            context,
            limit: request.limit.clamp(1, PageRequest::MAX_LIMIT),
            after,
        })
    }

    /// The last row of the page before.
    pub(crate) fn after(&self) -> Option<K>
    where
        K: Clone,
    {
        self.after.clone()
    }

    /// How many rows to ask for: one more than the page holds, to learn whether it is the last.
    pub(crate) fn fetch(&self) -> u32 {
        self.limit + 1
    }

    /// The page, made of the rows that [`fetch`](Self::fetch) asked for.
    pub(crate) fn page<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Page<T> {
        let limit = self.limit as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| has_more)
            .map(|last| self.seal.seal(&self.context, &key(last).to_bytes()));
        Page {
            data: rows,
            next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PlainSeal, owner};

    fn paging<'a>(
        list: &'static str,
        owner_id: OwnerId,
        filter: &[u8],
        cursor: Option<&str>,
    ) -> Result<Paging<'a, i64>, BadCursor> {
        let request = PageRequest {
            limit: 2,
            cursor: cursor.map(str::to_owned),
        };
        Paging::new(&PlainSeal, list, owner_id, filter, &request)
    }

    #[test]
    fn a_page_has_a_next_one_only_if_there_are_more_rows() {
        let first = paging("numbers", owner(1), b"all", None).unwrap();
        assert_eq!((first.fetch(), first.after()), (3, None));
        assert_eq!(first.page(vec![1, 2], |n| *n).next_cursor, None);
        assert_eq!(first.page(Vec::new(), |n| *n).next_cursor, None);
        let page = first.page(vec![1, 2, 3], |n| *n);
        assert_eq!(page.data, [1, 2]);
        let second = paging("numbers", owner(1), b"all", page.next_cursor.as_deref()).unwrap();
        assert_eq!(second.after(), Some(2));
    }

    #[test]
    fn a_cursor_fits_only_where_it_was_made() {
        let page = paging("numbers", owner(1), b"all", None).unwrap();
        let cursor = page.page(vec![1, 2, 3], |n| *n).next_cursor.unwrap();
        let cursor = Some(cursor.as_str());
        assert!(paging("numbers", owner(1), b"all", cursor).is_ok());
        assert!(paging("others", owner(1), b"all", cursor).is_err());
        assert!(paging("numbers", owner(2), b"all", cursor).is_err());
        assert!(paging("numbers", owner(1), b"odd", cursor).is_err());
        assert!(paging("numbers", owner(1), b"all", Some("forged")).is_err());
    }

    #[test]
    fn keys_read_back_and_nothing_else_does() {
        let place = Place {
            at: Instant::from_micros(-5).unwrap(),
            id: Uuid::from_u128(7),
        };
        assert_eq!(Place::from_bytes(&place.to_bytes()), Some(place));
        assert_eq!(i64::from_bytes(&(-9_i64).to_bytes()), Some(-9));
        assert_eq!(Place::from_bytes(&9_i64.to_bytes()), None);
        assert_eq!(i64::from_bytes(&place.to_bytes()), None);
        assert_eq!(Place::from_bytes(&[0x7f; 24]), None);
    }

    #[test]
    fn the_number_of_rows_is_bounded_whatever_was_asked() {
        for (asked, fetched) in [(0, 2), (1, 2), (200, 201), (u32::MAX, 201)] {
            let request = PageRequest {
                limit: asked,
                cursor: None,
            };
            let paging: Paging<'_, i64> = Paging::new(&PlainSeal, "numbers", owner(1), b"", &request).unwrap();
            assert_eq!(paging.fetch(), fetched);
        }
    }
}
