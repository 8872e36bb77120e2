//! `larder user`.

use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;

use larder_domain::Invalid;
use larder_domain::identity::Role;
use larder_ports::inbound::identity::{AccountUseCases, SetPasswordError, SignUp, SignUpError, UserUseCases};
use larder_ports::inbound::{Failure, NotFoundError};
use larder_ports::outbound::{Observer, Unobserved};
use secrecy::{ExposeSecret, SecretString};

use crate::cli::say;
use crate::config::Config;
use crate::exit::{Exit, Status, chain};
use crate::schema::{SchemaError, prepare};
use crate::wiring::{self, OpenStore};

/// Makes an account whatever the sign-up mode is. The first one ever becomes administrator (`ID-02`, `ID-03`).
pub(crate) async fn create(config: &Config, username: String, email: Option<String>) -> Result<(), Exit> {
    let stores = ready(config).await?;
    let accounts = wiring::accounts(config, &stores)?;
    let request = SignUp {
        username,
        email,
        password: password()?,
        invitation: None,
    };
    let outcome = accounts.create(request).await;
    close(&stores).await;
    let user = outcome.map_err(refused)?;
    let role = if user.roles.contains(&Role::Admin) {
        ", an administrator"
    } else {
        ""
    };
    say(&format!("{} can log in now{role} (id {}).", user.username, user.id));
    Ok(())
}

/// Gives an account a new password and ends its logins (`ID-02`).
pub(crate) async fn set_password(config: &Config, login: &str) -> Result<(), Exit> {
    let stores = ready(config).await?;
    let users = wiring::users(config, &stores)?;
    let outcome = users.set_password(login, &password()?).await;
    close(&stores).await;
    let user = outcome.map_err(|error| match error {
        SetPasswordError::Invalid(invalid) => Exit::new(
            Status::Configuration,
            format!("nothing was changed: {}", told(&invalid)),
        ),
        SetPasswordError::NotFound => unknown(),
        SetPasswordError::Failure(failure) => failed(&failure),
    })?;
    let name = user.username;
    say(&format!(
        "{name} has a new password. Every login of the account was ended."
    ));
    Ok(())
}

/// Makes an account an administrator (`ID-03`).
pub(crate) async fn promote(config: &Config, login: &str) -> Result<(), Exit> {
    let stores = ready(config).await?;
    let outcome = wiring::users(config, &stores)?.promote(login).await;
    close(&stores).await;
    let user = outcome.map_err(|error| match error {
        NotFoundError::NotFound => unknown(),
        NotFoundError::Failure(failure) => failed(&failure),
    })?;
    say(&format!("{} is an administrator.", user.username));
    Ok(())
}

/// Every store, ready to be used.
async fn ready(config: &Config) -> Result<Vec<OpenStore>, Exit> {
    let observer: Arc<dyn Observer> = Arc::new(Unobserved);
    let stores = wiring::open(config, &observer)?;
    for store in &stores {
        prepare(&store.plan).await.map_err(SchemaError::into_exit)?;
        store.gate.open();
    }
    Ok(stores)
}

async fn close(stores: &[OpenStore]) {
    for store in stores {
        store.close().await;
    }
}

fn password() -> Result<SecretString, Exit> {
    read_password().map_err(|error| Exit::new(Status::Configuration, error.to_string()))
}

fn unknown() -> Exit {
    Exit::new(Status::Configuration, "there is no account with this name or email")
}

fn failed(failure: &Failure) -> Exit {
    let status = match failure {
        Failure::Unavailable(..) => Status::Unreachable,
        _ => Status::Unexpected,
    };
    Exit::new(status, format!("nothing was changed: {}", chain(failure)))
}

fn told(invalid: &Invalid) -> String {
    let told: Vec<String> = invalid
        .violations()
        .iter()
        .map(|violation| format!("{} {}", violation.pointer.trim_start_matches('/'), violation.message))
        .collect();
    told.join("; ")
}

/// Asked for twice on a terminal; otherwise the first line of standard input.
fn read_password() -> io::Result<SecretString> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        return if line.is_empty() {
            Err(io::Error::other(
                "no password was given: write it to standard input as one line",
            ))
        } else {
            Ok(line.into())
        };
    }
    let first: SecretString = rpassword::prompt_password("Password: ")?.into();
    let second: SecretString = rpassword::prompt_password("The same again: ")?.into();
    if first.expose_secret() == second.expose_secret() {
        Ok(first)
    } else {
        Err(io::Error::other("the two passwords differ; nothing was changed"))
    }
}

fn refused(error: SignUpError) -> Exit {
    let status = match &error {
        SignUpError::Invalid(_) => Status::Configuration,
        SignUpError::Failure(Failure::Unavailable(..)) => Status::Unreachable,
        _ => Status::Unexpected,
    };
    let text = match &error {
        SignUpError::Invalid(invalid) => format!("no account was made: {}", told(invalid)),
        other => format!("no account was made: {}", chain(other)),
    };
    Exit::new(status, text)
}
