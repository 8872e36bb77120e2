//! Every statement of the catalogue is understood by the engines it is for, on the migrated schema, and writes only where it says
//! so.

use larder_migrations::Context;
use larder_sql::{Catalogue, Dialect, Effect, Statement, statements};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::engine::postgres::Database;
use crate::engine::sqlite;

/// The statements of a dialect with their texts.
pub(crate) fn texts(dialect: Dialect, schema: &str) -> Vec<(&'static Statement, String)> {
    let catalogue = Catalogue::new(dialect, schema);
    let texts: Vec<_> = statements()
        .filter_map(|statement| Some((statement, catalogue.text(statement)?.to_string())))
        .collect();
    assert!(!texts.is_empty());
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_understands_every_statement() {
    let database = Database::migrated().await;
    let mut connection = database.connect().await;
    // A plan that doesn't depend on the parameters, so that no part of it is left out.
    run(&mut connection, "SET plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    for (statement, text) in texts(Dialect::Postgres, &database.target().schema) {
        let name = statement.name;
        prepare(&mut connection, &text)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let count = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 's'";
        let parameters: i32 = run(&mut connection, count).await.unwrap()[0].get(0);
        let nulls = match parameters {
            0 => String::new(),
            count => format!("({})", vec!["NULL"; count.unsigned_abs() as usize].join(", ")),
        };
        let plan = run(&mut connection, &format!("EXPLAIN EXECUTE s{nulls}")).await;
        let plan = plan.unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let writes = lines.iter().any(|line| {
            let node = line.trim_start_matches([' ', '-', '>']);
            let writing = ["Insert on", "Update on", "Delete on", "Merge on", "LockRows"];
            writing.iter().any(|writing| node.starts_with(writing))
        });
        assert_eq!(writes, statement.effect == Effect::Writes, "{name}: {lines:#?}");
    }
    connection.close().await.unwrap();
    database.remove().await;
}

/// Prepares a statement as `s`. The adapters tell the server the type of every parameter, the catalogue doesn't; so where the
/// server can't find one out by itself, any type that fits is good enough.
pub(crate) async fn prepare(connection: &mut PgConnection, text: &str) -> Result<(), sqlx::Error> {
    const TYPES: [&str; 7] = ["unknown", "uuid", "text", "bigint", "boolean", "timestamptz", "bytea"];
    let mut types: Vec<usize> = Vec::new();
    loop {
        run(connection, "DEALLOCATE ALL").await?;
        let names: Vec<&str> = types.iter().map(|index| TYPES[*index]).collect();
        let declared = if names.is_empty() {
            String::new()
        } else {
            format!("({})", names.join(", "))
        };
        let Err(error) = run(connection, &format!("PREPARE s{declared} AS {text}")).await else {
            return Ok(());
        };
        let unknown = error.to_string();
        let unknown = unknown.split("could not determine data type of parameter $").nth(1);
        match unknown.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>()) {
            Some(number) => {
                let number: usize = number.parse().unwrap();
                types.resize(types.len().max(number), 0);
                types[number - 1] = 1;
            }
            // The type that was tried last doesn't fit; the next one may.
            None => match types.iter_mut().rev().find(|index| **index > 0) {
                Some(index) if *index + 1 < TYPES.len() => *index += 1,
                _ => return Err(error),
            },
        }
    }
}

pub(crate) async fn run(connection: &mut PgConnection, text: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
        .fetch_all(connection)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_understands_every_statement() {
    let folder = tempfile::tempdir().unwrap();
    let target = sqlite::target(folder.path().join("larder.db"));
    larder_sqlx::migrate::sqlite(&target, Context::ALL).await.unwrap();
    let mut connection = SqliteConnection::connect(target.path.to_str().unwrap()).await.unwrap();
    for (statement, text) in texts(Dialect::Sqlite, "") {
        let name = statement.name;
        let program = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {text}")))
            .fetch_all(&mut connection)
            .await;
        let program = program.unwrap_or_else(|error| panic!("{name}: {error}"));
        // The second operand of the opcode Transaction tells a writing program.
        let writes = program
            .iter()
            .any(|row| row.get::<String, _>("opcode") == "Transaction" && row.get::<i64, _>("p2") != 0);
        assert_eq!(writes, statement.effect == Effect::Writes, "{name}");
    }
    connection.close().await.unwrap();
}

/// Every table with rows of an owner is emptied when the owner is erased: by a statement of its own, or with the row that its rows
/// belong to.
#[test]
fn id_44_no_table_with_an_owner_is_forgotten() {
    let is_emptied = |table: &str| {
        statements().any(|statement| {
            let deletes = statement.text.contains(&format!("DELETE FROM {{s}}{table} WHERE"));
            deletes && (statement.name.ends_with(".erase") || statement.name.starts_with("identity_erasures.delete_"))
        })
    };
    let (mut met, mut tables) = (0, Vec::new());
    for context in Context::ALL {
        for migration in context.migrations() {
            let script = migration.up(Dialect::Postgres);
            for (_, rest) in script
                .match_indices("CREATE TABLE ")
                .map(|(at, what)| script.split_at(at + what.len()))
            {
                let end = rest.find("\n)").unwrap_or(rest.len());
                let (name, body) = rest[..end].split_once(' ').unwrap();
                // These are what an erasure leaves behind.
                let is_trace = ["identity_erasures", "identity_erased_subjects"].contains(&name);
                let has_owner = ["owner_id uuid", "user_id uuid", "created_by uuid"]
                    .iter()
                    .any(|column| body.contains(column));
                if has_owner && !is_trace && name != "identity_state" {
                    met += 1;
                    if !is_emptied(name) && !body.contains("ON DELETE CASCADE") {
                        tables.push(name);
                    }
                }
            }
        }
    }
    assert!(met >= 15, "{met}");
    assert_eq!(tables, Vec::<&str>::new());
}
