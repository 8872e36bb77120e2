//! Both dialects describe the same schema, and undoing a migration undoes all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use larder_migrations::Context;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::engine::postgres::Database;
use crate::engine::sqlite;

/// What both dialects must agree on.
#[derive(PartialEq, Eq, Debug, Default)]
struct Schema {
    columns: BTreeMap<(String, String), Column>,
    /// By name; primary keys, checks, foreign keys.
    constraints: BTreeSet<(String, String)>,
    indexes: BTreeMap<String, Index>,
    foreign_keys: BTreeSet<ForeignKey>,
}

#[derive(PartialEq, Eq, Debug)]
struct Column {
    /// As SQLite keeps it (conventions §2).
    storage: String,
    is_nullable: bool,
}

#[derive(PartialEq, Eq, Debug)]
struct Index {
    table: String,
    is_unique: bool,
    is_partial: bool,
    /// With whether each falls.
    columns: Vec<(String, bool)>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct ForeignKey {
    table: String,
    columns: Vec<String>,
    parent: String,
    parent_columns: Vec<String>,
    on_delete: String,
}

/// Bookkeeping, and what search keeps beside the rows, which is each dialect's own affair.
fn is_private(table: &str) -> bool {
    Context::ALL.iter().any(|context| context.bookkeeping_table() == table)
        || table.ends_with("_search")
        || table.contains("_lexemes")
}

impl Schema {
    async fn of_postgres(connection: &mut PgConnection) -> Self {
        let mut schema = Self::default();
        let rows = fetch_postgres(
            connection,
            "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES' \
             FROM information_schema.columns WHERE table_schema = 'larder'",
        )
        .await;
        for row in rows {
            let table: String = row.get(0);
            if is_private(&table) {
                continue;
            }
            let storage = match row.get::<String, _>(2).as_str() {
                "uuid" | "bytea" => "BLOB",
                "text" | "jsonb" | "date" | "numeric" => "TEXT",
                "bigint" | "boolean" | "timestamp with time zone" => "INTEGER",
                "double precision" => "REAL",
                other => panic!("conventions §2 has no type {other}"),
            };
            let column = Column {
                storage: storage.to_owned(),
                is_nullable: row.get(3),
            };
            schema.columns.insert((table, row.get(1)), column);
        }
        let rows = fetch_postgres(
            connection,
            "SELECT c.relname::text, k.conname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
             WHERE k.connamespace = 'larder'::regnamespace AND k.contype IN ('p', 'c', 'f', 'u')",
        )
        .await;
        let constraints = rows.iter().map(|row| (row.get(0), row.get(1)));
        schema.constraints = constraints
            .filter(|(table, _): &(String, String)| !is_private(table))
            .collect();
        let rows = fetch_postgres(
            connection,
            "SELECT i.relname::text, t.relname::text, x.indisunique, x.indpred IS NOT NULL, \
               array(SELECT pg_get_indexdef(x.indexrelid, n, true) FROM generate_series(1, x.indnkeyatts) n ORDER BY n), \
               array(SELECT (x.indoption[n - 1] & 1) = 1 FROM generate_series(1, x.indnkeyatts) n ORDER BY n) \
             FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
             WHERE i.relnamespace = 'larder'::regnamespace AND NOT x.indisprimary",
        )
        .await;
        for row in rows {
            let columns: Vec<String> = row.get(4);
            let falls: Vec<bool> = row.get(5);
            let index = Index {
                table: row.get(1),
                is_unique: row.get(2),
                is_partial: row.get(3),
                columns: columns
                    .iter()
                    .map(|name| name.trim_matches('"').to_owned())
                    .zip(falls)
                    .collect(),
            };
            if !is_private(&index.table) {
                schema.indexes.insert(row.get(0), index);
            }
        }
        let rows = fetch_postgres(
            connection,
            "SELECT c.relname::text, p.relname::text, \
               array(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, i) \
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.i), \
               array(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, i) \
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.i), \
               CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'a' THEN 'NO ACTION' ELSE 'other' END \
             FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid \
             WHERE k.connamespace = 'larder'::regnamespace AND k.contype = 'f'",
        )
        .await;
        for row in rows.iter().filter(|row| !is_private(row.get(0))) {
            schema.foreign_keys.insert(ForeignKey {
                table: row.get(0),
                parent: row.get(1),
                columns: row.get(2),
                parent_columns: row.get(3),
                on_delete: row.get(4),
            });
        }
        schema
    }

    async fn of_sqlite(connection: &mut SqliteConnection) -> Self {
        let mut schema = Self::default();
        let tables = fetch_sqlite(
            connection,
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )
        .await;
        for row in tables {
            let table: String = row.get(0);
            if is_private(&table) {
                continue;
            }
            let script: String = row.get(1);
            for constraint in script.split("CONSTRAINT ").skip(1) {
                let name = constraint.split_whitespace().next().unwrap();
                assert!(
                    schema.constraints.insert((table.clone(), name.to_owned())),
                    "{name} twice"
                );
            }
            let columns = format!("SELECT name, type, \"notnull\" FROM pragma_table_info('{table}')");
            for row in fetch_sqlite(connection, &columns).await {
                let column = Column {
                    storage: row.get(1),
                    is_nullable: row.get::<i64, _>(2) == 0,
                };
                schema.columns.insert((table.clone(), row.get(0)), column);
            }
            // `origin` is `c` for what CREATE INDEX made.
            let indexes =
                format!("SELECT name, \"unique\", partial FROM pragma_index_list('{table}') WHERE origin = 'c'");
            for row in fetch_sqlite(connection, &indexes).await {
                let name: String = row.get(0);
                let columns =
                    format!("SELECT name, \"desc\" FROM pragma_index_xinfo('{name}') WHERE key ORDER BY seqno");
                let columns = fetch_sqlite(connection, &columns).await;
                let index = Index {
                    table: table.clone(),
                    is_unique: row.get::<i64, _>(1) == 1,
                    is_partial: row.get::<i64, _>(2) == 1,
                    columns: columns
                        .iter()
                        .map(|row| (row.get(0), row.get::<i64, _>(1) == 1))
                        .collect(),
                };
                schema.indexes.insert(name, index);
            }
            let keys = format!(
                "SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list('{table}') ORDER BY id, seq"
            );
            let mut found: BTreeMap<i64, ForeignKey> = BTreeMap::new();
            for row in fetch_sqlite(connection, &keys).await {
                let key = found.entry(row.get(0)).or_insert_with(|| ForeignKey {
                    table: table.clone(),
                    columns: Vec::new(),
                    parent: row.get(1),
                    parent_columns: Vec::new(),
                    on_delete: row.get(4),
                });
                key.columns.push(row.get(2));
                key.parent_columns.push(row.get(3));
            }
            schema.foreign_keys.extend(found.into_values());
        }
        schema
    }
}

async fn fetch_postgres(connection: &mut PgConnection, query: &'static str) -> Vec<sqlx::postgres::PgRow> {
    sqlx::query(query).fetch_all(connection).await.unwrap()
}

async fn fetch_sqlite(connection: &mut SqliteConnection, query: &str) -> Vec<sqlx::sqlite::SqliteRow> {
    sqlx::raw_sql(AssertSqlSafe(query.to_owned()))
        .fetch_all(connection)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_dialects_describe_the_same_schema_and_undo_it() {
    let database = Database::empty().await;
    let target = database.target();
    let mut connection = database.connect().await;
    larder_sqlx::migrate::postgres(&target, Context::ALL).await.unwrap();
    let postgres = Schema::of_postgres(&mut connection).await;
    larder_sqlx::migrate::undo_postgres(&target, Context::ALL)
        .await
        .unwrap();
    assert_eq!(Schema::of_postgres(&mut connection).await, Schema::default());
    larder_sqlx::migrate::postgres(&target, Context::ALL).await.unwrap();
    assert_eq!(Schema::of_postgres(&mut connection).await, postgres);
    connection.close().await.unwrap();
    database.remove().await;

    let folder = tempfile::tempdir().unwrap();
    let target = sqlite::target(folder.path().join("larder.db"));
    larder_sqlx::migrate::sqlite(&target, Context::ALL).await.unwrap();
    let mut connection = SqliteConnection::connect(target.path.to_str().unwrap()).await.unwrap();
    let sqlite = Schema::of_sqlite(&mut connection).await;
    larder_sqlx::migrate::undo_sqlite(&target, Context::ALL).await.unwrap();
    assert_eq!(Schema::of_sqlite(&mut connection).await, Schema::default());
    larder_sqlx::migrate::sqlite(&target, Context::ALL).await.unwrap();
    assert_eq!(Schema::of_sqlite(&mut connection).await, sqlite);
    connection.close().await.unwrap();

    assert!(
        postgres.columns.len() > 100,
        "the schema is not where this test looks for it"
    );
    assert_same(sqlite.columns, postgres.columns);
    assert_same(sqlite.indexes, postgres.indexes);
    let listed = |names: BTreeSet<_>| names.into_iter().map(|name| (name, ())).collect();
    assert_same(listed(sqlite.constraints), listed(postgres.constraints));
    let listed = |keys: BTreeSet<_>| keys.into_iter().map(|key| (key, ())).collect();
    assert_same(listed(sqlite.foreign_keys), listed(postgres.foreign_keys));
}

/// Names what only one of them has, or has otherwise.
fn assert_same<K: Ord + Debug, V: PartialEq + Debug>(sqlite: BTreeMap<K, V>, postgres: BTreeMap<K, V>) {
    let names: BTreeSet<&K> = sqlite.keys().chain(postgres.keys()).collect();
    let differences: Vec<_> = names
        .into_iter()
        .map(|name| (name, sqlite.get(name), postgres.get(name)))
        .filter(|(_, sqlite, postgres)| sqlite != postgres)
        .collect();
    assert!(differences.is_empty(), "(name, SQLite, PostgreSQL): {differences:#?}");
}
