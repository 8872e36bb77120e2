use std::collections::BTreeMap;
use std::sync::Arc;

use larder_domain::ErasureId;
use larder_domain::identity::{Erasure, ErasureState};
use larder_ports::inbound::identity::{EraseAccount, ErasureUseCases};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Admin, Caller};
use crate::Tag;
use crate::answer::{Accepted, Shown};
use crate::body::{Body, Payload};
use crate::problem::{Answer, CONFLICT, NOT_FOUND};
use crate::values::{Optional, Word, vocabulary};

vocabulary! {
    ErasureState, "ErasureState", "How far it is.";
}

/// Says that your account is to be erased.
#[derive(Object, Deserialize)]
#[oai(rename = "EraseAccount")]
#[serde(deny_unknown_fields)]
struct EraseAccountBody {
    /// Needed where the account has a password.
    current_password: Optional<String>,
    /// Your username, so that nobody erases an account by mistake.
    confirm: String,
}

impl Payload for EraseAccountBody {
    const EXAMPLE: &'static str = r#"{"current_password": "correct horse battery", "confirm": "ann"}"#;
}

impl From<EraseAccountBody> for EraseAccount {
    fn from(body: EraseAccountBody) -> Self {
        Self {
            current_password: body.current_password.0.map(SecretString::from),
            confirm: body.confirm,
        }
    }
}

/// An erasure that was started.
#[derive(Object, Serialize)]
#[oai(rename = "ErasureStarted")]
struct ErasureStartedBody {
    /// Its id.
    erasure_id: Uuid,
    /// How far it is.
    state: Word<ErasureState>,
}

impl From<Erasure> for ErasureStartedBody {
    fn from(erasure: Erasure) -> Self {
        Self {
            erasure_id: erasure.id.0,
            state: Word(erasure.state),
        }
    }
}

/// How far an erasure is.
#[derive(Object, Serialize)]
#[oai(rename = "Erasure")]
struct ErasureBody {
    /// `done` when nothing is left of the account.
    state: Word<ErasureState>,
    /// Each context that has begun, by its name.
    contexts: BTreeMap<String, ContextErasureBody>,
}

/// How far an erasure is in one context.
#[derive(Object, Serialize)]
#[oai(rename = "ContextErasure")]
struct ContextErasureBody {
    /// `done` when nothing is left there.
    state: Word<ErasureState>,
    /// Rows deleted so far.
    rows: u64,
}

impl From<Erasure> for ErasureBody {
    fn from(erasure: Erasure) -> Self {
        let contexts = erasure.contexts.into_iter().map(|(name, context)| {
            let body = ContextErasureBody {
                state: Word(context.state()),
                rows: context.rows,
            };
            (name, body)
        });
        Self {
            state: Word(erasure.state),
            contexts: contexts.collect(),
        }
    }
}

/// Operations on erasures.
pub(crate) struct ErasureApi(pub(crate) Arc<dyn ErasureUseCases>);

#[OpenApi(prefix_path = "/api/v1/auth")]
impl ErasureApi {
    /// Erase your account
    ///
    /// Your logins and tokens end at once; all that you have is deleted after that, in every context. There is no way back. The
    /// last enabled administrator can't be erased.
    #[oai(
        path = "/account/erasure",
        method = "post",
        operation_id = "erase_account",
        tag = "Tag::Accounts"
    )]
    async fn start(
        &self,
        caller: Caller,
        Body(body): Body<EraseAccountBody>,
    ) -> Answer<Accepted<ErasureStartedBody>, CONFLICT> {
        let erasure = self.0.start(&caller.0, body.into()).await?;
        let location = format!("/api/v1/auth/erasures/{}", erasure.id);
        Ok(Accepted::new(erasure, location)?)
    }

    /// Read an erasure
    #[oai(
        path = "/erasures/:erasure_id",
        method = "get",
        operation_id = "get_erasure",
        tag = "Tag::Administration"
    )]
    async fn get(
        &self,
        _caller: Caller<Admin>,
        /// The erasure.
        erasure_id: Path<Uuid>,
    ) -> Answer<Shown<ErasureBody>, NOT_FOUND> {
        let erasure = self.0.get(ErasureId(erasure_id.0)).await?;
        Ok(Shown::new(&erasure.into())?)
    }
}
