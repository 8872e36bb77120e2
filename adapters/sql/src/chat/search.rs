//! What search keeps beside a document, and how it is asked.
//!
//! The engines get lexemes, never text: `w`, the mark of the owner, and a token. So a search looks through the owner's own documents
//! only, whatever others have. Short beginnings of words are lexemes of their own (`p`), because as prefixes they would stand for a
//! great part of all words; a message also has a lexeme of its session (`s`), and on PostgreSQL of its time (`t`). No lexeme holds anything but letters,
//! numbers and spacing marks, so nothing in a query can be an operator of an engine.

use std::collections::BTreeSet;

use async_trait::async_trait;
use larder_domain::chat::{Message, SenderRole, Session, Tag};
use larder_domain::search::{Query, document};
use larder_domain::{Instant, MessageId, OwnerId, SessionId};
use larder_ports::outbound::chat::{FoundMessage, MessageScope, Search, SearchFilter, TagMatch};
use larder_ports::outbound::{BoxError, Place, StorageError};
use serde::Serialize;
use uuid::Uuid;

use super::session;
use crate::catalogue::{Effect, Fragment, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Dialect, Unit, Value};

/// So many characters of a word's beginning are lexemes. Without one, SQLite collects the messages of all words that begin so, for
/// each session anew where sessions are searched; PostgreSQL does so once.
fn indexed_beginning(dialect: Dialect) -> usize {
    match dialect {
        Dialect::Postgres => 2,
        Dialect::Sqlite => 5,
    }
}

/// Time is cut into slices of 2^n seconds, from 4 minutes to 8 years. On PostgreSQL a message has a lexeme of its slice of each width, so that the
/// index can be asked for the hits of a span of time.
const SLICES: [u32; 6] = [8, 12, 16, 20, 24, 28];

/// A span of time is asked for by at most so many slices.
const MOST_SLICES: i64 = 17;

/// The pace of an owner is judged by so many messages, and the recent span is `SPAN` times as long as they took.
const PACE_SAMPLE: i64 = 500;
const SPAN: i64 = 16;

/// SQLite numbers the messages of a millisecond one after another, from `milliseconds << NUMBER_BITS`.
const NUMBER_BITS: u32 = 20;

/// Up to so many hits, SQLite goes from the hits to their sessions; above, from session to session.
const FEW: i64 = 5_000;

/// Which rows of a message `m` and its session `s` are hits: `$6` from, `$7` character, `$8` tags, `$9` how many of them, `$10` role,
/// `$11` session.
pub(crate) const MESSAGE_FILTER: &str = "m.deleted_at IS NULL AND {session_hit_filter} \
    AND ($10 IS NULL OR m.sender_role = $10) AND ($11 IS NULL OR m.session_id = $11)";

/// Which sessions `s` may be hits, or hold any.
pub(crate) const SESSION_FILTER: Fragment = Fragment {
    mark: "{session_hit_filter}",
    postgres: "s.deleted_at IS NULL AND ($7 IS NULL OR s.character_name = $7) AND ($9 = 0 OR $9 <= ( \
               SELECT count(*) FROM {s}chat_session_tags t WHERE t.owner_id = $1 AND t.session_id = s.id \
               AND t.tag_norm IN (SELECT json_array_elements_text($8::json))))",
    sqlite: "s.deleted_at IS NULL AND ($7 IS NULL OR s.character_name = $7) AND ($9 = 0 OR $9 <= ( \
             SELECT count(*) FROM {s}chat_session_tags t WHERE t.owner_id = $1 AND t.session_id = s.id \
             AND t.tag_norm IN (SELECT x.value FROM json_each($8) x)))",
};

/// The hits of SQLite: `$2` the query, behind the place `$3`, `$4`, numbers below `$12`. One lower bound of the numbers is to be added:
/// of two, the engine would use any.
pub(crate) const SQLITE_HITS: &str = "{s}chat_message_lexemes f \
    CROSS JOIN {s}chat_message_search n ON n.number = f.rowid AND n.owner_id = $1 \
    CROSS JOIN {s}chat_messages m ON m.owner_id = $1 AND m.id = n.id \
    CROSS JOIN {s}chat_sessions s ON s.owner_id = $1 AND s.id = m.session_id \
    WHERE f.chat_message_lexemes MATCH $2 AND f.rowid < $12 \
    AND (m.created_at, m.id) < ($3, $4) AND m.created_at >= $6 AND {message_hit_filter}";

/// How long it took the owner to make the newest messages behind a place: `$5` of them.
static PACE: Statement = Statement {
    name: "chat_search.pace",
    effect: Effect::Reads,
    text: "SELECT count(*), min(p.created_at), max(p.created_at) FROM ( \
             SELECT x.created_at FROM {s}chat_message_search x \
             WHERE x.owner_id = $1 AND (x.created_at, x.id) < ($2, $3) AND x.created_at >= $4 \
             ORDER BY x.created_at DESC, x.id DESC LIMIT $5) p",
    only: Some(Dialect::Postgres),
};

/// The hits that the index gives for the query `$query`, the newest first, as far as they are live. A gin index can't tell the newest of its hits,
/// so it must not be asked for many: `IS TRUE` keeps the planner from combining it with another index.
macro_rules! hits {
    ($query:literal, $behind:literal) => {
        concat!(
            "SELECT h.id FROM ( \
               SELECT x.id FROM {s}chat_message_search x WHERE x.lexemes @@ ",
            $query,
            " AND (x.owner_id = $1) IS TRUE AND ((x.created_at, x.id) < ($3, $4)) IS TRUE \
               AND (x.created_at >= $6) IS TRUE AND ",
            $behind,
            " ORDER BY x.created_at DESC, x.id DESC \
             ) h CROSS JOIN LATERAL ({live_hit}) l LIMIT $5"
        )
    };
}

/// Asks for the hits of a recent span of time, then of a longer one, then for all others, until there are enough.
///
/// `$5` is how many are wanted, `$12` the query of the recent span and `$13` where it begins, `$14` and `$15` the same of the longer
/// one; `$16` whether the first is to be checked against `$2`. The columns are those that [`read_hit`] reads.
static MESSAGES: Statement = Statement {
    name: "chat_search.messages",
    effect: Effect::Reads,
    text: concat!(
        "WITH near AS MATERIALIZED (",
        hits!(
            "CAST($12 AS tsquery)",
            "CASE WHEN $16 THEN x.lexemes @@ CAST($2 AS tsquery) ELSE true END"
        ),
        "), middle AS MATERIALIZED (",
        hits!(
            "CAST($14 AS tsquery)",
            "(x.created_at < $13) IS TRUE AND (SELECT count(*) FROM near) < $5"
        ),
        "), far AS MATERIALIZED (",
        hits!(
            "CAST($2 AS tsquery)",
            "(x.created_at < $15) IS TRUE \
             AND (SELECT count(*) FROM near) + (SELECT count(*) FROM middle) < $5"
        ),
        ") SELECT m.id, m.position, m.sender_role, m.sender_name, m.text, m.created_at, {session_columns} \
         FROM (SELECT id FROM near UNION ALL SELECT id FROM middle UNION ALL SELECT id FROM far) h \
         JOIN {s}chat_messages m ON m.owner_id = $1 AND m.id = h.id \
         JOIN {s}chat_sessions s ON s.owner_id = $1 AND s.id = m.session_id \
         ORDER BY m.created_at DESC, m.id DESC LIMIT $5"
    ),
    only: Some(Dialect::Postgres),
};

/// One row if the message `h.id` and its session are live and fit the filter.
pub(crate) const LIVE_HIT: &str = "SELECT m.id FROM {s}chat_messages m \
    JOIN {s}chat_sessions s ON s.owner_id = m.owner_id AND s.id = m.session_id \
    WHERE m.owner_id = $1 AND m.id = h.id AND {message_hit_filter} LIMIT 1";

/// The index gives hits by falling number, and only as many as are read. Those of the last one's millisecond are read to their end,
/// since within it numbers don't follow the order of a list.
static SQLITE_MESSAGES: Statement = Statement {
    name: "chat_search.sqlite_messages",
    effect: Effect::Reads,
    text: "WITH edge AS MATERIALIZED ( \
             SELECT (min(h.number) >> 20) << 20 AS number \
             FROM (SELECT f.rowid AS number FROM {sqlite_hits} AND f.rowid >= $13 ORDER BY f.rowid DESC LIMIT $5) h \
           ) \
           SELECT m.id, m.position, m.sender_role, m.sender_name, m.text, m.created_at, {session_columns} \
           FROM {sqlite_hits} AND f.rowid >= (SELECT e.number FROM edge e) \
           ORDER BY m.created_at DESC, m.id DESC LIMIT $5",
    only: Some(Dialect::Sqlite),
};

/// Judges the sessions that were active last by their newest messages. A session is a hit, is none, or can't be judged so; what lies
/// before the first of the last kind is certain. Where that is not enough, the index is asked for all hits.
///
/// `$2` the query, behind the place `$3`, `$4`, `$5` how many are wanted, then the filter and `$10`, what they hold.
static SESSIONS: Statement = Statement {
    name: "chat_search.sessions",
    effect: Effect::Reads,
    text: "WITH walked AS MATERIALIZED ( \
             SELECT s.id, s.last_update, s.last_position FROM {s}chat_sessions s \
             WHERE s.owner_id = $1 AND (s.last_update, s.id) < ($3, $4) AND s.last_update >= $6 AND {session_hit_filter} AND {session_content} \
             ORDER BY s.last_update DESC, s.id DESC LIMIT 100 \
           ), judged AS MATERIALIZED ( \
             SELECT w.id, w.last_update, CASE \
               WHEN EXISTS (SELECT 1 FROM {s}chat_session_search d \
                 WHERE d.owner_id = $1 AND d.id = w.id AND d.lexemes @@ CAST($2 AS tsquery)) THEN true \
               WHEN EXISTS (SELECT 1 FROM (SELECT m.id, m.deleted_at FROM {s}chat_messages m \
                   WHERE m.owner_id = $1 AND m.session_id = w.id ORDER BY m.position DESC LIMIT 24) m \
                 CROSS JOIN LATERAL (SELECT x.lexemes FROM {s}chat_message_search x \
                   WHERE x.owner_id = $1 AND x.id = m.id LIMIT 1) x \
                 WHERE m.deleted_at IS NULL AND x.lexemes @@ CAST($2 AS tsquery)) THEN true \
               WHEN w.last_position <= 24 THEN false END AS is_hit \
             FROM walked w \
           ), near AS MATERIALIZED ( \
             SELECT j.id FROM judged j WHERE j.is_hit AND NOT EXISTS (SELECT 1 FROM judged u \
               WHERE u.is_hit IS NULL AND (u.last_update, u.id) > (j.last_update, j.id)) \
           ), indexed AS MATERIALIZED ( \
             SELECT i.session_id, bool_or(i.id IS NULL) AS is_own, array_agg(i.id) AS ids FROM ( \
               SELECT x.session_id, x.id FROM {s}chat_message_search x \
               WHERE (x.owner_id = $1) IS TRUE AND x.lexemes @@ CAST($2 AS tsquery) \
               UNION ALL SELECT d.id, NULL FROM {s}chat_session_search d \
               WHERE (d.owner_id = $1) IS TRUE AND d.lexemes @@ CAST($2 AS tsquery) \
             ) i WHERE (SELECT count(*) FROM near) < $5 AND ((SELECT count(*) FROM walked) >= 100 \
               OR EXISTS (SELECT 1 FROM judged u WHERE u.is_hit IS NULL)) \
             GROUP BY i.session_id \
           ), far AS MATERIALIZED ( \
             SELECT h.id FROM (SELECT s.id, i.is_own, i.ids FROM indexed i \
               JOIN {s}chat_sessions s ON s.owner_id = $1 AND s.id = i.session_id \
               WHERE (s.last_update, s.id) < ($3, $4) AND s.last_update >= $6 AND {session_hit_filter} AND {session_content} \
               ORDER BY s.last_update DESC, s.id DESC) h \
             CROSS JOIN LATERAL (SELECT 1 WHERE h.is_own OR EXISTS (SELECT 1 FROM unnest(h.ids) AS u(id) \
               JOIN {s}chat_messages m ON m.owner_id = $1 AND m.id = u.id WHERE m.deleted_at IS NULL) LIMIT 1) l LIMIT $5 \
           ) \
           SELECT {session_columns} FROM (SELECT n.id FROM near n UNION SELECT f.id FROM far f) h \
           JOIN {s}chat_sessions s ON s.owner_id = $1 AND s.id = h.id \
           ORDER BY s.last_update DESC, s.id DESC LIMIT $5",
    only: Some(Dialect::Postgres),
};

/// From the hits to their sessions where hits are few, `$11` being more than few; otherwise from session to session, in which the
/// index finds a hit at once.
static SQLITE_SESSIONS: Statement = Statement {
    name: "chat_search.sqlite_sessions",
    effect: Effect::Reads,
    text: "WITH extent AS MATERIALIZED ( \
             SELECT count(*) < $11 AS is_few FROM (SELECT f.rowid FROM {s}chat_message_lexemes f \
               WHERE f.chat_message_lexemes MATCH $2 LIMIT $11) \
           ), by_hit AS MATERIALIZED ( \
             SELECT m.session_id AS id FROM extent e CROSS JOIN {s}chat_message_lexemes f \
             CROSS JOIN {s}chat_message_search n ON n.number = f.rowid AND n.owner_id = $1 \
             CROSS JOIN {s}chat_messages m ON m.owner_id = $1 AND m.id = n.id \
             WHERE e.is_few AND f.chat_message_lexemes MATCH $2 AND m.deleted_at IS NULL \
             UNION SELECT n.id FROM extent e CROSS JOIN {s}chat_session_lexemes f \
             CROSS JOIN {s}chat_session_search n ON n.number = f.rowid AND n.owner_id = $1 \
             WHERE e.is_few AND f.chat_session_lexemes MATCH $2 \
           ), by_session AS MATERIALIZED ( \
             SELECT s.id FROM extent e CROSS JOIN {s}chat_sessions s \
             WHERE NOT e.is_few AND s.owner_id = $1 AND (s.last_update, s.id) < ($3, $4) AND s.last_update >= $6 \
             AND {session_hit_filter} AND {session_content} AND ( \
               EXISTS (SELECT 1 FROM {s}chat_session_search n CROSS JOIN {s}chat_session_lexemes f \
                 WHERE n.owner_id = $1 AND n.id = s.id AND f.rowid = n.number AND f.chat_session_lexemes MATCH $2) \
               OR EXISTS (SELECT 1 FROM {s}chat_message_lexemes f \
                 CROSS JOIN {s}chat_message_search n ON n.number = f.rowid AND n.owner_id = $1 \
                 CROSS JOIN {s}chat_messages m ON m.owner_id = $1 AND m.id = n.id \
                 WHERE f.chat_message_lexemes MATCH '\"s' || lower(hex(substr(s.id, 9))) || '\" AND ' || $2 \
                 AND m.deleted_at IS NULL AND m.session_id = s.id) \
             ) ORDER BY s.last_update DESC, s.id DESC LIMIT $5 \
           ) \
           SELECT {session_columns} FROM {s}chat_sessions s \
           WHERE s.owner_id = $1 AND (s.last_update, s.id) < ($3, $4) AND s.last_update >= $6 AND {session_hit_filter} AND {session_content} \
           AND s.id IN (SELECT h.id FROM by_hit h UNION ALL SELECT b.id FROM by_session b) \
           ORDER BY s.last_update DESC, s.id DESC LIMIT $5",
    only: Some(Dialect::Sqlite),
};

/// What an append adds, `$8` being the documents as a JSON array: a part of the appending statement.
pub(crate) const APPEND: &str = "INSERT INTO {s}chat_message_search (owner_id, id, session_id, created_at, lexemes) \
    SELECT $1, x.id, $2, $5, array_to_tsvector(string_to_array(x.lexemes, ' ')) \
    FROM s CROSS JOIN json_to_recordset($8::json) AS x(id uuid, lexemes text)";

/// Around the statement that inserts a session: on PostgreSQL it writes the document `$22` too.
pub(crate) const INSERTED_BEGIN: Fragment = Fragment {
    mark: "{with_inserted}",
    postgres: "WITH u AS (",
    sqlite: "",
};
pub(crate) const INSERTED_END: Fragment = Fragment {
    mark: "{and_document}",
    postgres: "RETURNING id) INSERT INTO {s}chat_session_search (owner_id, id, lexemes) \
                   SELECT $1, u.id, array_to_tsvector(string_to_array($22, ' ')) FROM u",
    sqlite: "",
};

/// Around the statement that updates a session and answers id and tags: on PostgreSQL it writes the document `$16` too.
pub(crate) const UPDATED_BEGIN: Fragment = Fragment {
    mark: "{with_updated}",
    postgres: "WITH u(id, tags) AS (",
    sqlite: "",
};
pub(crate) const UPDATED_END: Fragment = Fragment {
    mark: "{and_changed_document}",
    postgres: "), d AS (INSERT INTO {s}chat_session_search AS d (owner_id, id, lexemes) \
                   SELECT $1, u.id, array_to_tsvector(string_to_array($16, ' ')) FROM u \
                   ON CONFLICT (owner_id, id) DO UPDATE SET lexemes = excluded.lexemes \
                   WHERE d.lexemes IS DISTINCT FROM excluded.lexemes) SELECT u.id, u.tags FROM u",
    sqlite: "",
};

static INDEX_MESSAGE: Statement = Statement {
    name: "chat_search.index_message",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_message_search AS d (owner_id, id, session_id, created_at, lexemes) \
           VALUES ($1, $2, $3, $4, array_to_tsvector(string_to_array($5, ' '))) \
           ON CONFLICT (owner_id, id) DO UPDATE SET lexemes = excluded.lexemes \
           WHERE d.owner_id = $1 AND d.lexemes IS DISTINCT FROM excluded.lexemes",
    only: Some(Dialect::Postgres),
};
static NUMBER_MESSAGES: Statement = Statement {
    name: "chat_search.number_messages",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_message_search (owner_id, id, number) SELECT $1, unhex(x.value ->> 'id'), \
             1 + x.key + coalesce((SELECT max(n.number) FROM {s}chat_message_search n \
               WHERE n.number >= $3 AND n.number < $3 + (1 << 20)), $3 - 1) \
           FROM json_each($2) x WHERE true ON CONFLICT (owner_id, id) DO NOTHING",
    only: Some(Dialect::Sqlite),
};
static INDEX_MESSAGES: Statement = Statement {
    name: "chat_search.index_messages",
    effect: Effect::Writes,
    text: "REPLACE INTO {s}chat_message_lexemes (rowid, lexemes) SELECT n.number, x.value ->> 'lexemes' \
           FROM json_each($2) x CROSS JOIN {s}chat_message_search n \
           WHERE n.owner_id = $1 AND n.id = unhex(x.value ->> 'id')",
    only: Some(Dialect::Sqlite),
};
static NUMBER_SESSION: Statement = Statement {
    name: "chat_search.number_session",
    effect: Effect::Writes,
    text: "INSERT INTO {s}chat_session_search (owner_id, id) VALUES ($1, $2) ON CONFLICT (owner_id, id) DO NOTHING",
    only: Some(Dialect::Sqlite),
};
static INDEX_SESSION: Statement = Statement {
    name: "chat_search.index_session",
    effect: Effect::Writes,
    text: "REPLACE INTO {s}chat_session_lexemes (rowid, lexemes) SELECT n.number, $3 FROM {s}chat_session_search n \
           WHERE n.owner_id = $1 AND n.id = $2",
    only: Some(Dialect::Sqlite),
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &PACE,
    &MESSAGES,
    &SQLITE_MESSAGES,
    &SESSIONS,
    &SQLITE_SESSIONS,
    &INDEX_MESSAGE,
    &NUMBER_MESSAGES,
    &INDEX_MESSAGES,
    &NUMBER_SESSION,
    &INDEX_SESSION,
];

#[async_trait]
impl<C: Connection> Search for Unit<C> {
    async fn messages(
        &mut self,
        owner_id: OwnerId,
        query: &Query,
        filter: &SearchFilter,
        scope: MessageScope,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<(FoundMessage, Session)>, StorageError> {
        let terms = terms(owner_id, scope.session_id, query, C::DIALECT);
        let expression = expression(&terms, C::DIALECT);
        let place = start(after, filter.to);
        let from = filter.from.unwrap_or(Instant::MIN);
        let tags = tag_norms(filter)?;
        let mut values: Vec<Value<'_>> = vec![
            owner_id.into(),
            (&expression).into(),
            place.at.into(),
            place.id.into(),
            limit.into(),
            from.into(),
            (&filter.character).into(),
            (&tags).into(),
            demanded(filter).into(),
            scope.role.map(SenderRole::as_str).into(),
            scope.session_id.into(),
        ];
        let rows = match C::DIALECT {
            Dialect::Postgres => {
                let is_long = query.prefix().chars().count() > indexed_beginning(C::DIALECT);
                let spans = match scope.session_id {
                    // Within one session there are few hits.
                    Some(_) => [Span::NONE; 2],
                    None => spans(self, owner_id, place, from, is_long).await?,
                };
                // Of a beginning the index reads every word, so in the newest messages it is looked for one by one.
                let mut near = terms.clone();
                if is_long {
                    near.pop();
                }
                let within = |mut terms: Vec<String>, span: Span| {
                    terms.push(format!("({})", span.slices(owner_id)));
                    terms.join(" & ")
                };
                let (near, middle) = (within(near, spans[0]), within(terms, spans[1]));
                values.extend::<[Value<'_>; 5]>([
                    (&near).into(),
                    spans[0].begin.into(),
                    (&middle).into(),
                    spans[1].begin.into(),
                    is_long.into(),
                ]);
                self.fetch(&MESSAGES, &values).await?
            }
            Dialect::Sqlite => {
                values.push(first_number(place.at).saturating_add(1 << NUMBER_BITS).into());
                values.push(first_number(from).into());
                self.fetch(&SQLITE_MESSAGES, &values).await?
            }
        };
        rows.iter().map(|row| read_hit(row, owner_id)).collect()
    }

    async fn sessions(
        &mut self,
        owner_id: OwnerId,
        query: &Query,
        filter: &SearchFilter,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Session>, StorageError> {
        let query = expression(&terms(owner_id, None, query, C::DIALECT), C::DIALECT);
        let place = start(after, filter.to);
        let tags = tag_norms(filter)?;
        let mut values: Vec<Value<'_>> = vec![
            owner_id.into(),
            (&query).into(),
            place.at.into(),
            place.id.into(),
            limit.into(),
            filter.from.unwrap_or(Instant::MIN).into(),
            (&filter.character).into(),
            (&tags).into(),
            demanded(filter).into(),
            filter.content.map(session::content_word).into(),
        ];
        let rows = match C::DIALECT {
            Dialect::Postgres => self.fetch(&SESSIONS, &values).await?,
            Dialect::Sqlite => {
                values.push((FEW + 1).into());
                self.fetch(&SQLITE_SESSIONS, &values).await?
            }
        };
        rows.iter().map(|row| session::read(row, owner_id)).collect()
    }
}

/// A span of time up to the newest message.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Where it begins: at the beginning of a slice.
    begin: Instant,
    /// The width of its slices, and the first and the last of them; `None` when there are too many.
    slices: Option<(u32, i64, i64)>,
}

impl Span {
    const NONE: Self = Self {
        begin: Instant::MAX,
        slices: None,
    };

    /// The shortest span that holds the time from `length` microseconds before `end` to `end`.
    fn ending(end: Instant, length: i64) -> Self {
        let fitting = SLICES.into_iter().find_map(|bits| {
            let (first, last) = (
                slice(end.as_micros().saturating_sub(length), bits),
                slice(end.as_micros(), bits),
            );
            (last - first < MOST_SLICES).then_some((bits, first, last))
        });
        let begin = fitting.and_then(|(bits, first, _)| Instant::from_micros(first * (1_000_000 << bits)).ok());
        match begin {
            Some(begin) => Self { begin, slices: fitting },
            None => Self::NONE,
        }
    }

    /// This span, or, where there are too many slices, one that adds nothing to what begins there.
    fn or_nothing_before(self, begin: Instant) -> Self {
        match self.slices {
            Some(_) => self,
            None => Self { begin, slices: None },
        }
    }

    /// What PostgreSQL is asked for; nothing has the lexeme of no slices.
    fn slices(&self, owner_id: OwnerId) -> String {
        let Some((bits, first, last)) = self.slices else {
            return "'t'".to_owned();
        };
        let owner = owner_mark(owner_id);
        let slices: Vec<String> = (first..=last)
            .map(|slice| format!("'{}'", slice_lexeme(&owner, bits, slice)))
            .collect();
        slices.join(" | ")
    }
}

/// The recent span, and one that is [`SPAN`] times as long. A short recent span is the one of the sample.
async fn spans<C: Connection>(
    unit: &mut Unit<C>,
    owner_id: OwnerId,
    place: Place,
    from: Instant,
    is_short: bool,
) -> Result<[Span; 2], StorageError> {
    let values = [
        owner_id.into(),
        place.at.into(),
        place.id.into(),
        from.into(),
        PACE_SAMPLE.into(),
    ];
    let Some(row) = unit.fetch_optional(&PACE, &values).await? else {
        return Ok([Span::NONE; 2]);
    };
    let mut row = Reader::new(&row, "chat_message_search");
    let count = row.required_int("count")?;
    let (oldest, newest) = (row.instant("created_at")?, row.instant("created_at")?);
    Ok(match (oldest, newest) {
        (Some(oldest), Some(newest)) if count == PACE_SAMPLE => {
            let sample = newest.as_micros() - oldest.as_micros();
            let length = if is_short { sample } else { sample.saturating_mul(SPAN) };
            let recent = Span::ending(newest, length);
            let longer = Span::ending(newest, length.saturating_mul(SPAN));
            [recent, longer.or_nothing_before(recent.begin)]
        }
        _ => [Span::NONE; 2],
    })
}

fn slice(micros: i64, bits: u32) -> i64 {
    micros.div_euclid(1_000_000 << bits)
}

fn slice_lexeme(owner: &str, bits: u32, slice: i64) -> String {
    format!("t{owner}{bits:02}{slice:x}")
}

/// The documents of messages that are appended, as a JSON array for [`APPEND`] and [`index_appended`].
pub(super) fn documents(messages: &[Message], now: Instant, dialect: Dialect) -> Result<String, StorageError> {
    let documents: Vec<Document> = messages
        .iter()
        .filter(|message| message.content.text.as_ref().is_some_and(|text| !text.is_empty()))
        .map(|message| document_of(message, now, dialect))
        .collect();
    serde_json::to_string(&documents).map_err(|error| StorageError::Internal(BoxError::from(error)))
}

/// Writes the documents of appended messages to the index of SQLite.
pub(super) async fn index_appended<C: Connection>(
    unit: &mut Unit<C>,
    owner_id: OwnerId,
    now: Instant,
    documents: &str,
) -> Result<(), StorageError> {
    let number = first_number(now).into();
    unit.fetch(&NUMBER_MESSAGES, &[owner_id.into(), documents.into(), number])
        .await?;
    unit.fetch(&INDEX_MESSAGES, &[owner_id.into(), documents.into()])
        .await
        .map(|_| ())
}

/// Brings the document of a stored message up to date; to be called wherever its text is written.
pub(super) async fn index_message<C: Connection>(unit: &mut Unit<C>, message: &Message) -> Result<(), StorageError> {
    let document = document_of(message, message.created_at, C::DIALECT);
    match C::DIALECT {
        Dialect::Postgres => {
            let values = [
                message.owner_id.into(),
                message.id.into(),
                message.session_id.into(),
                message.created_at.into(),
                (&document.lexemes).into(),
            ];
            unit.fetch(&INDEX_MESSAGE, &values).await.map(|_| ())
        }
        Dialect::Sqlite => {
            let documents =
                serde_json::to_string(&[document]).map_err(|error| StorageError::Internal(BoxError::from(error)))?;
            index_appended(unit, message.owner_id, message.created_at, &documents).await
        }
    }
}

/// Brings the document of a session in the index of SQLite up to date; PostgreSQL does so with [`INSERTED_END`] and [`UPDATED_END`].
pub(super) async fn index_session<C: Connection>(unit: &mut Unit<C>, session: &Session) -> Result<(), StorageError> {
    let lexemes = session_lexemes(session, C::DIALECT);
    let values: [Value<'_>; 3] = [session.owner_id.into(), session.id.into(), (&lexemes).into()];
    unit.fetch(&NUMBER_SESSION, &values[..2]).await?;
    unit.fetch(&INDEX_SESSION, &values).await.map(|_| ())
}

#[derive(Serialize)]
struct Document {
    id: uuid::fmt::Simple,
    lexemes: String,
}

fn document_of(message: &Message, created_at: Instant, dialect: Dialect) -> Document {
    let text = message.content.text.as_deref().unwrap_or_default();
    let mut lexemes = lexemes(message.owner_id, text, dialect);
    push(&mut lexemes, &session_mark(message.session_id));
    // SQLite finds the newest hits by their numbers.
    if dialect == Dialect::Postgres {
        let owner = owner_mark(message.owner_id);
        for bits in SLICES {
            push(
                &mut lexemes,
                &slice_lexeme(&owner, bits, slice(created_at.as_micros(), bits)),
            );
        }
    }
    Document {
        id: message.id.0.simple(),
        lexemes,
    }
}

/// The document of a session: its name, its character and its task.
pub(super) fn session_lexemes(session: &Session, dialect: Dialect) -> String {
    let task = session.task.as_ref().and_then(|task| task.description.as_deref());
    let parts = [session.name.as_deref(), session.character_name.as_deref(), task];
    let text: Vec<&str> = parts.into_iter().flatten().collect();
    lexemes(session.owner_id, &text.join("\n"), dialect)
}

/// The words of a text and their beginnings, separated by spaces.
fn lexemes(owner_id: OwnerId, text: &str, dialect: Dialect) -> String {
    let owner = owner_mark(owner_id);
    let document = document(text);
    let mut lexemes = String::with_capacity(document.len() * 3);
    let mut beginnings = BTreeSet::new();
    for token in document.split_ascii_whitespace() {
        push(&mut lexemes, &format!("w{owner}{token}"));
        // What is no longer than a beginning is found by its word.
        for (at, _) in token.char_indices().skip(1).take(indexed_beginning(dialect)) {
            beginnings.insert(&token[..at]);
        }
    }
    for beginning in beginnings {
        push(&mut lexemes, &format!("p{owner}{beginning}"));
    }
    lexemes
}

fn push(lexemes: &mut String, lexeme: &str) {
    if !lexemes.is_empty() {
        lexemes.push(' ');
    }
    lexemes.push_str(lexeme);
}

/// 25 bits of an owner's id. Owners who share a mark only share a piece of the index, never a hit.
fn owner_mark(owner_id: OwnerId) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = owner_id.0.as_u128();
    (0..5)
        .map(|n| char::from(LETTERS[(bits >> (5 * n)) as usize & 31]))
        .collect()
}

/// 64 bits of a session's id, as SQLite makes them of a row.
fn session_mark(session_id: SessionId) -> String {
    format!("s{:016x}", session_id.0.as_u64_pair().1)
}

/// A query in the language of an engine, made of lexemes alone: what must be met, the beginning last.
fn terms(owner_id: OwnerId, session_id: Option<SessionId>, query: &Query, dialect: Dialect) -> Vec<String> {
    let (quote, or, any) = match dialect {
        Dialect::Postgres => ("'", " | ", ":*"),
        Dialect::Sqlite => ("\"", " OR ", " *"),
    };
    let owner = owner_mark(owner_id);
    let lexeme = |kind: &str, token: &str| format!("{quote}{kind}{owner}{token}{quote}");
    let session = session_id.map(|id| format!("{quote}{}{quote}", session_mark(id)));
    let mut terms: Vec<String> = session.into_iter().collect();
    terms.extend(query.whole().iter().map(|word| lexeme("w", word)));
    let (prefix, word) = (query.prefix(), lexeme("w", query.prefix()));
    terms.push(if prefix.chars().count() <= indexed_beginning(dialect) {
        format!("({word}{or}{})", lexeme("p", prefix))
    } else {
        format!("{word}{any}")
    });
    terms
}

fn expression(terms: &[String], dialect: Dialect) -> String {
    terms.join(match dialect {
        Dialect::Postgres => " & ",
        Dialect::Sqlite => " AND ",
    })
}

/// The place behind which hits are wanted.
fn start(after: Option<Place>, to: Option<Instant>) -> Place {
    // No row can have the one place, and the other lies before all that was made at that instant.
    let (at, id) = to.map_or((Instant::MAX, Uuid::max()), |to| (to, Uuid::nil()));
    match after {
        Some(place) if (place.at, place.id) < (at, id) => place,
        _ => Place { at, id },
    }
}

/// The first number of a millisecond. What lies before 1970 or after 2109 counts as one millisecond, whose order is read from the rows.
fn first_number(at: Instant) -> i64 {
    at.as_micros().div_euclid(1_000).clamp(0, (1 << 42) - 1) << NUMBER_BITS
}

fn tag_norms(filter: &SearchFilter) -> Result<String, StorageError> {
    let norms: Vec<&str> = filter.tags.iter().map(Tag::norm).collect();
    serde_json::to_string(&norms).map_err(|error| StorageError::Internal(BoxError::from(error)))
}

/// How many of the tags a session must have; 0 where it doesn't matter.
fn demanded(filter: &SearchFilter) -> i64 {
    match filter.tag_match {
        TagMatch::Any => i64::from(!filter.tags.is_empty()),
        TagMatch::All => i64::try_from(filter.tags.len()).unwrap_or(i64::MAX),
    }
}

fn read_hit<R: Row>(row: &R, owner_id: OwnerId) -> Result<(FoundMessage, Session), StorageError> {
    let mut row = Reader::new(row, "chat_messages");
    let message = FoundMessage {
        id: MessageId(row.id()?),
        position: row.required_int("position")?,
        sender_role: row.word("sender_role", SenderRole::from_word)?,
        sender_name: row.text("sender_name")?,
        text: row.text("text")?.unwrap_or_default(),
        created_at: row.required_instant("created_at")?,
    };
    row.switch_to("chat_sessions");
    Ok((message, session::read_from(&mut row, owner_id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> OwnerId {
        OwnerId(Uuid::from_u128(33))
    }

    fn expressed(text: &str, dialect: Dialect) -> String {
        expression(&terms(owner(), None, &Query::parse(text).unwrap(), dialect), dialect)
    }

    #[test]
    fn a_document_holds_words_and_short_beginnings() {
        assert_eq!(
            lexemes(owner(), "Ab c, abc!", Dialect::Postgres),
            "wbbaaaab wbbaaac wbbaaaabc pbbaaaa pbbaaaab"
        );
        assert_eq!(lexemes(owner(), "?!", Dialect::Postgres), "");
        assert_eq!(
            lexemes(owner(), "letters", Dialect::Sqlite),
            "wbbaaaletters pbbaaal pbbaaale pbbaaalet pbbaaalett pbbaaalette"
        );
        assert_eq!(
            session_mark(SessionId(Uuid::from_u128(0x0123_4567_89ab_cdef))),
            "s0123456789abcdef"
        );
    }

    #[test]
    fn a_span_is_covered_by_few_slices() {
        let end = Instant::from_micros(1_700_000_000_000_000).unwrap();
        for length in [0, 1, 1_000_000, 3_600_000_000, 86_400_000_000, 1_000_000_000_000_000] {
            let span = Span::ending(end, length);
            let (bits, first, last) = span.slices.unwrap();
            assert!(span.begin.as_micros() <= end.as_micros() - length);
            assert_eq!(slice(span.begin.as_micros(), bits), first);
            assert_eq!(slice(end.as_micros(), bits), last);
            assert_eq!(span.slices(owner()).matches("tbbaaa").count() as i64, last - first + 1);
        }
        assert!(Span::ending(end, i64::MAX).slices.is_none());
        assert_eq!(Span::NONE.slices(owner()), "'t'");
    }

    #[test]
    fn a_query_is_made_of_lexemes() {
        assert_eq!(
            expressed("Visit lond", Dialect::Postgres),
            "'wbbaaavisit' & 'wbbaaalond':*"
        );
        assert_eq!(
            expressed("Visit london", Dialect::Sqlite),
            "\"wbbaaavisit\" AND \"wbbaaalondon\" *"
        );
        assert_eq!(expressed("\"l'*", Dialect::Postgres), "('wbbaaal' | 'pbbaaal')");
        assert_eq!(
            expressed("l' OR", Dialect::Sqlite),
            "\"wbbaaal\" AND (\"wbbaaaor\" OR \"pbbaaaor\")"
        );
    }

    /// PostgreSQL keeps at most 1 MiB of lexemes.
    #[test]
    fn the_longest_documents_fit() {
        let letters: Vec<char> = ('\u{4e00}'..='\u{9fff}').collect();
        let mut longest = 0;
        for length in 1..=4 {
            let words: Vec<String> = (0..130_000_usize)
                .map(|n| {
                    let rest = (1..length).map(|place| letters[(n * 7 + n / letters.len() + place) % letters.len()]);
                    std::iter::once(letters[n % letters.len()]).chain(rest).collect()
                })
                .collect();
            longest = longest.max(lexemes(owner(), &words.join(" "), Dialect::Postgres).len());
        }
        assert!((900_000..(1 << 20) - 1_000).contains(&longest), "{longest}");
    }
}
