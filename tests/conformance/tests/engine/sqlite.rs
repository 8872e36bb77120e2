use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use larder_conformance::{Engine, Stores};
use larder_migrations::Context;
use larder_sql::SqlStore;
use larder_sql::target::SqliteTarget;
use larder_sqlx::SqlitePool;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Adapter, Counted, POOL};

type SqliteStore = SqlStore<Counted<SqlitePool>>;

/// A SQLite file.
pub(crate) struct Sqlite {
    folder: TempDir,
    pool: Counted<SqlitePool>,
    store: SqliteStore,
    /// The stores that were opened on what crashes left behind.
    afterwards: Mutex<Vec<SqliteStore>>,
}

pub(crate) fn target(path: PathBuf) -> SqliteTarget {
    SqliteTarget {
        path,
        pool: POOL,
        busy_timeout: Duration::from_secs(5),
        log_sql: false,
    }
}

/// The content of a migrated file, made once per process and copied for every case.
async fn template() -> &'static [u8] {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let made = TEMPLATE.get_or_init(|| async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("template.db");
        larder_sqlx::migrate::sqlite(&target(path.clone()), Context::ALL)
            .await
            .unwrap();
        assert!(
            !wal(&path).exists(),
            "the migrator left its work in the write-ahead log"
        );
        std::fs::read(path).unwrap()
    });
    made.await
}

fn wal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn open(path: PathBuf) -> Counted<SqlitePool> {
    Counted::new(SqlitePool::open(&target(path)).unwrap())
}

fn stores(store: &SqliteStore) -> Stores {
    Stores {
        identity: Arc::new(store.clone()),
        chat: Arc::new(store.clone()),
    }
}

#[async_trait]
impl Adapter for Sqlite {
    async fn set_up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("larder.db");
        std::fs::write(&path, template().await).unwrap();
        let pool = open(path);
        Self {
            store: SqliteStore::new(pool.clone(), ""),
            pool,
            folder,
            afterwards: Mutex::default(),
        }
    }

    fn stores(&self) -> Stores {
        stores(&self.store)
    }

    async fn tear_down(&self) {
        self.store.close().await;
        let afterwards = std::mem::take(&mut *self.afterwards.lock().unwrap());
        for store in afterwards {
            store.close().await;
        }
    }
}

#[async_trait]
impl Engine for Sqlite {
    /// What a process that dies now leaves behind: the file and its write-ahead log, without the index that only lived in its
    /// memory.
    async fn crash(&self) -> Stores {
        let mut afterwards = self.afterwards.lock().unwrap();
        let alive = self.folder.path().join("larder.db");
        let left = self.folder.path().join(format!("crash-{}.db", afterwards.len()));
        std::fs::copy(&alive, &left).unwrap();
        if wal(&alive).exists() {
            std::fs::copy(wal(&alive), wal(&left)).unwrap();
        }
        let store = SqliteStore::new(open(left), "");
        afterwards.push(store.clone());
        stores(&store)
    }

    fn pool_size(&self) -> usize {
        POOL.size
    }

    fn statements(&self) -> u64 {
        self.pool.statements()
    }
}
