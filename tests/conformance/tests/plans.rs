//! Every list of conversations, prompts, tags and summaries is read by an index of its own, on either engine (`CH-20`, `CH-92`).

use larder_migrations::Context;
use larder_sql::Dialect;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use crate::engine::postgres::Database;
use crate::engine::sqlite;
use crate::statements::{prepare, run, texts};

/// Statement, the indexes that lead to its rows, and whether the trash is listed too, which is sorted.
const LISTS: &[(&str, &[&str], bool)] = &[
    ("chat_sessions.list_live_by_time", &["ix_chat_sessions__recent"], false),
    ("chat_sessions.list_all_by_time", &["ix_chat_sessions__recent"], true),
    (
        "chat_sessions.list_live_by_character",
        &["ix_chat_sessions__character"],
        false,
    ),
    (
        "chat_sessions.list_all_by_character",
        &["ix_chat_sessions__character"],
        true,
    ),
    ("chat_sessions.list_live_by_group", &["ix_chat_sessions__group"], false),
    ("chat_sessions.list_all_by_group", &["ix_chat_sessions__group"], true),
    ("chat_sessions.list_live_by_task", &["ix_chat_sessions__task"], false),
    ("chat_sessions.list_all_by_task", &["ix_chat_sessions__task"], true),
    (
        "chat_sessions.list_live_by_any_task",
        &["ix_chat_sessions__task"],
        false,
    ),
    ("chat_sessions.list_all_by_any_task", &["ix_chat_sessions__task"], true),
    ("chat_sessions.list_trash", &[], true),
    ("chat_sessions.list_live_by_tags", &["ix_chat_session_tags__tag"], false),
    ("chat_sessions.list_all_by_tags", &["ix_chat_session_tags__tag"], false),
    (
        "chat_sessions.list_trash_by_tags",
        &["ix_chat_session_tags__tag"],
        false,
    ),
    ("chat_session_tags.list", &["ix_chat_session_tags__tag"], false),
    ("chat_prompts.list_live", &["ix_chat_prompts__list"], false),
    ("chat_prompts.list_all", &["ix_chat_prompts__list"], true),
    ("chat_prompts.list_trash", &[], true),
    (
        "chat_summaries.list_any",
        &["ix_chat_sessions__recent", "uq_chat_summaries__session"],
        false,
    ),
    (
        "chat_summaries.list_fresh",
        &["ix_chat_sessions__recent", "uq_chat_summaries__session"],
        false,
    ),
    (
        "chat_summaries.list_missing",
        &["ix_chat_sessions__unsummarised"],
        false,
    ),
    (
        "chat_summaries.list_content",
        &["ix_chat_sessions__unsummarised"],
        false,
    ),
    ("chat_summaries.list_config", &["ix_chat_summaries__config"], false),
];

fn check(name: &str, indexes: &[&str], with_trash: bool, plan: &str) {
    let table = name.split('.').next().unwrap();
    let trash = format!("ix_{table}__trash");
    let indexes = indexes.iter().copied().chain(with_trash.then_some(trash.as_str()));
    for index in indexes {
        assert!(plan.contains(index), "{name}: no {index} in\n{plan}");
    }
}

/// Two owners with sessions of every kind: few tasks, few in the trash, some tags, most with a summary that is up to date.
const FILL: [(&str, &str); 3] = [
    (
        "chat_sessions",
        "INSERT INTO chat_sessions (owner_id, id, character_name, task_status, message_count, last_position, \
         content_revision, summarised_revision, last_update, created_at, updated_at, deleted_at) \
         SELECT {owner}, {id}, 'c' || (n % 50), CASE WHEN n % 100 = 1 THEN 'active' END, 1, 1, 2, \
         CASE WHEN n % 40 = 0 THEN 1 WHEN n % 41 = 0 THEN 0 ELSE 2 END, {at}, {at}, {at}, \
         CASE WHEN n % 50 = 7 THEN {at} END FROM n",
    ),
    (
        "chat_session_tags",
        "INSERT INTO chat_session_tags (owner_id, id, session_id, tag, tag_norm, position) \
         SELECT {owner}, {id}, {id}, 't' || (n % 400), 't' || (n % 400), 0 FROM n WHERE n % 4 = 0",
    ),
    (
        "chat_summaries",
        "INSERT INTO chat_summaries (owner_id, id, session_id, text, key_topics, entities, message_count, model_name, \
         config_version, source_content_revision, generated_at, created_at, updated_at) \
         SELECT {owner}, {id}, {id}, 't', '[]', '[]', 1, 'm', CASE WHEN n % 200 = 3 THEN 1 ELSE 2 END, \
         CASE WHEN n % 40 = 0 THEN 1 ELSE 2 END, {at}, {at}, {at} FROM n WHERE n % 41 > 0",
    ),
];
const PROMPTS: &str = "INSERT INTO chat_prompts (owner_id, id, title, text, created_at, updated_at, deleted_at) \
    SELECT {owner}, {id}, 't', 't', {at}, {at}, CASE WHEN n % 50 = 7 THEN {at} END FROM n";

fn fill(numbers: &str, owner: &str, id: &str, at: &str) -> Vec<String> {
    FILL.iter()
        .map(|(_, text)| *text)
        .chain([PROMPTS])
        .map(|text| {
            let text = text.replace("{owner}", owner).replace("{id}", id).replace("{at}", at);
            // The numbers come in front of the whole statement.
            format!("{numbers} {text}")
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ch_20_postgres_reads_every_list_by_its_index() {
    let database = Database::migrated().await;
    let mut connection = database.connect().await;
    let schema = database.target().schema;
    let mut script = format!("SET search_path = \"{schema}\"; SET plan_cache_mode = force_generic_plan; ");
    let statements = fill(
        "WITH n AS (SELECT generate_series(1, 20000) AS n)",
        "CAST(lpad(to_hex(n % 2), 32, '0') AS uuid)",
        "CAST(lpad(to_hex(n), 32, '0') AS uuid)",
        "to_timestamp(1700000000 + n)",
    );
    script.push_str(&statements.join("; "));
    script.push_str("; ANALYZE");
    run(&mut connection, &script).await.unwrap();
    let texts = texts(Dialect::Postgres, &schema);
    for (name, indexes, with_trash) in LISTS {
        let (_, text) = texts.iter().find(|(statement, _)| statement.name == *name).unwrap();
        prepare(&mut connection, text).await.unwrap();
        let count = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 's'";
        let parameters: i32 = run(&mut connection, count).await.unwrap()[0].get(0);
        let nulls = vec!["NULL"; parameters.unsigned_abs() as usize].join(", ");
        let rows = run(&mut connection, &format!("EXPLAIN EXECUTE s({nulls})"))
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        check(name, indexes, *with_trash, &plan.join("\n"));
    }
    connection.close().await.unwrap();
    database.remove().await;
}

/// Without ANALYZE, as a new file is used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ch_20_sqlite_reads_every_list_by_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let target = sqlite::target(folder.path().join("larder.db"));
    larder_sqlx::migrate::sqlite(&target, Context::ALL).await.unwrap();
    let mut connection = SqliteConnection::connect(target.path.to_str().unwrap()).await.unwrap();
    let texts = texts(Dialect::Sqlite, "");
    for (name, indexes, with_trash) in LISTS {
        let (_, text) = texts.iter().find(|(statement, _)| statement.name == *name).unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}")))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let plan = plan.join("\n");
        check(name, indexes, *with_trash, &plan);
        // What is read whole is a page that was read by an index already, or a parameter.
        for line in plan.lines().filter(|line| line.trim_start().starts_with("SCAN ")) {
            let table = line.trim_start().trim_start_matches("SCAN ");
            let is_page = ["c", "h", "l", "p", "s", "t", "x "]
                .iter()
                .any(|page| table.starts_with(page));
            assert!(is_page && !line.contains("USING INDEX"), "{name}: {line} in\n{plan}");
        }
    }
    connection.close().await.unwrap();
}
