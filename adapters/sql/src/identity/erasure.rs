use std::collections::BTreeMap;

use async_trait::async_trait;
use larder_domain::identity::{ContextErasure, ErasedSubject, Erasure, ErasureState};
use larder_domain::{ErasureId, Instant, OwnerId};
use larder_ports::outbound::StorageError;
use larder_ports::outbound::identity::Erasures;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Effect, Statement};
use crate::row::{Reader, Row};
use crate::{Connection, Unit};

pub(crate) const COLUMNS: &str = "e.id, e.user_id, e.state, CAST(e.contexts AS text), e.requested_at, e.finished_at";
const TABLE: &str = "identity_erasures";

static INSERT: Statement = Statement {
    name: "identity_erasures.insert",
    effect: Effect::Writes,
    text: "INSERT INTO {s}identity_erasures (id, user_id, state, contexts, requested_at, finished_at) \
           VALUES ($1, $2, $3, $4{json}, $5, $6)",
    only: None,
};
static FIND: Statement = Statement {
    name: "identity_erasures.find",
    effect: Effect::Reads,
    text: "SELECT {erasure_columns} FROM {s}identity_erasures e WHERE e.id = $1",
    only: None,
};
static FIND_RUNNING_OF: Statement = Statement {
    name: "identity_erasures.find_running_of",
    effect: Effect::Reads,
    text: "SELECT {erasure_columns} FROM {s}identity_erasures e WHERE e.state = 'running' AND e.user_id = $1",
    only: None,
};
static LIST_RUNNING: Statement = Statement {
    name: "identity_erasures.list_running",
    effect: Effect::Reads,
    text: "SELECT {erasure_columns} FROM {s}identity_erasures e WHERE e.state = 'running' \
           ORDER BY e.requested_at, e.id LIMIT $1",
    only: None,
};
static ADVANCE: Statement = Statement {
    name: "identity_erasures.advance",
    effect: Effect::Writes,
    text: "UPDATE {s}identity_erasures SET state = $2, contexts = $3{json}, finished_at = $4 \
           WHERE id = $1 AND state = 'running' AND contexts = $5{json} RETURNING id",
    only: None,
};
static SUBJECTS_OF: Statement = Statement {
    name: "identity_erasures.subjects_of",
    effect: Effect::Reads,
    text: "SELECT i.issuer, i.subject FROM {s}identity_external_identities i WHERE i.user_id = $1",
    only: None,
};
static DELETE_INVITATIONS: Statement = Statement {
    name: "identity_erasures.delete_invitations",
    effect: Effect::Writes,
    text: "DELETE FROM {s}identity_invitations WHERE created_by = $1 OR used_by = $1",
    only: None,
};
static DELETE_KEPT_ANSWERS: Statement = Statement {
    name: "identity_erasures.delete_kept_answers",
    effect: Effect::Writes,
    text: "DELETE FROM {s}identity_idempotency_keys WHERE owner_id = $1",
    only: None,
};
/// What else belongs to the account goes with it, by its foreign keys.
static DELETE_USER: Statement = Statement {
    name: "identity_erasures.delete_user",
    effect: Effect::Writes,
    text: "DELETE FROM {s}identity_users WHERE id = $1",
    only: None,
};
static REMEMBER: Statement = Statement {
    name: "identity_erased_subjects.remember",
    effect: Effect::Writes,
    text: "INSERT INTO {s}identity_erased_subjects (issuer, subject_hash, user_id, erased_at) VALUES ($1, $2, $3, $4) \
           ON CONFLICT (issuer, subject_hash) DO UPDATE SET user_id = excluded.user_id, erased_at = excluded.erased_at",
    only: None,
};
static WAS_ERASED: Statement = Statement {
    name: "identity_erased_subjects.was_erased",
    effect: Effect::Reads,
    text: "SELECT e.user_id FROM {s}identity_erased_subjects e WHERE e.user_id = $1 LIMIT 1",
    only: None,
};

pub(crate) const STATEMENTS: &[&Statement] = &[
    &INSERT,
    &FIND,
    &FIND_RUNNING_OF,
    &LIST_RUNNING,
    &ADVANCE,
    &SUBJECTS_OF,
    &DELETE_INVITATIONS,
    &DELETE_KEPT_ANSWERS,
    &DELETE_USER,
    &REMEMBER,
    &WAS_ERASED,
];

/// One context as it is stored.
#[derive(Serialize, Deserialize)]
struct Progress {
    state: String,
    rows: u64,
    swept_at: Option<String>,
}

#[async_trait]
impl<C: Connection> Erasures for Unit<C> {
    async fn insert(&mut self, erasure: &Erasure) -> Result<(), StorageError> {
        let contexts = contexts_json(erasure)?;
        let values = [
            erasure.id.into(),
            erasure.user_id.into(),
            erasure.state.as_str().into(),
            (&contexts).into(),
            erasure.requested_at.into(),
            erasure.finished_at.into(),
        ];
        self.fetch(&INSERT, &values).await.map(|_| ())
    }

    async fn find(&mut self, id: ErasureId) -> Result<Option<Erasure>, StorageError> {
        let row = self.fetch_optional(&FIND, &[id.into()]).await?;
        row.map(|row| read(&row)).transpose()
    }

    async fn find_running_of(&mut self, user_id: OwnerId) -> Result<Option<Erasure>, StorageError> {
        let row = self.fetch_optional(&FIND_RUNNING_OF, &[user_id.into()]).await?;
        row.map(|row| read(&row)).transpose()
    }

    async fn list_running(&mut self, limit: u32) -> Result<Vec<Erasure>, StorageError> {
        let rows = self.fetch(&LIST_RUNNING, &[limit.into()]).await?;
        rows.iter().map(read).collect()
    }

    async fn advance(&mut self, erasure: &Erasure, read: &Erasure) -> Result<bool, StorageError> {
        let (contexts, before) = (contexts_json(erasure)?, contexts_json(read)?);
        let values = [
            erasure.id.into(),
            erasure.state.as_str().into(),
            (&contexts).into(),
            erasure.finished_at.into(),
            (&before).into(),
        ];
        self.execute(&ADVANCE, &values).await
    }

    async fn subjects_of(&mut self, user_id: OwnerId) -> Result<Vec<(String, String)>, StorageError> {
        let rows = self.fetch(&SUBJECTS_OF, &[user_id.into()]).await?;
        rows.iter()
            .map(|row| {
                let mut row = Reader::new(row, "identity_external_identities");
                Ok((row.required_text("issuer")?, row.required_text("subject")?))
            })
            .collect()
    }

    async fn delete_account(&mut self, user_id: OwnerId) -> Result<(), StorageError> {
        for statement in [&DELETE_INVITATIONS, &DELETE_KEPT_ANSWERS, &DELETE_USER] {
            self.fetch(statement, &[user_id.into()]).await?;
        }
        Ok(())
    }

    async fn remember(&mut self, subject: &ErasedSubject) -> Result<(), StorageError> {
        let values = [
            (&subject.issuer).into(),
            (&subject.subject_hash).into(),
            subject.user_id.into(),
            subject.erased_at.into(),
        ];
        self.fetch(&REMEMBER, &values).await.map(|_| ())
    }

    async fn was_erased(&mut self, user_id: OwnerId) -> Result<bool, StorageError> {
        self.execute(&WAS_ERASED, &[user_id.into()]).await
    }
}

/// The same text for the same state, so that it can be compared.
fn contexts_json(erasure: &Erasure) -> Result<String, StorageError> {
    let contexts: BTreeMap<&str, Progress> = erasure
        .contexts
        .iter()
        .map(|(name, context)| {
            let progress = Progress {
                state: context.state().as_str().to_owned(),
                rows: context.rows,
                swept_at: context.swept_at.map(|at| at.to_string()),
            };
            (name.as_str(), progress)
        })
        .collect();
    serde_json::to_string(&contexts).map_err(|error| StorageError::Internal(error.into()))
}

fn read<R: Row>(row: &R) -> Result<Erasure, StorageError> {
    let mut row = Reader::new(row, TABLE);
    Ok(Erasure {
        id: ErasureId(row.id()?),
        user_id: OwnerId(row.required_uuid("user_id")?),
        state: row.word("state", ErasureState::from_word)?,
        contexts: read_contexts(&mut row)?,
        requested_at: row.required_instant("requested_at")?,
        finished_at: row.instant("finished_at")?,
    })
}

fn read_contexts<R: Row>(row: &mut Reader<'_, R>) -> Result<BTreeMap<String, ContextErasure>, StorageError> {
    let contexts: BTreeMap<String, Progress> = row.json("contexts")?;
    contexts
        .into_iter()
        .map(|(name, progress)| {
            let state = ErasureState::from_word(&progress.state);
            let swept_at = progress.swept_at.map(|at| Instant::parse(&at)).transpose();
            match (state, swept_at) {
                (Some(state), Ok(swept_at)) => Ok((
                    name,
                    ContextErasure {
                        rows: progress.rows,
                        swept_at,
                        is_done: state == ErasureState::Done,
                    },
                )),
                _ => Err(row.corrupt("contexts")),
            }
        })
        .collect()
}
