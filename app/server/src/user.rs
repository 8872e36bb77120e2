//! `larder user create`.

use std::io::{self, BufRead, IsTerminal};

use larder_domain::identity::Role;
use larder_ports::inbound::Failure;
use larder_ports::inbound::identity::{AccountUseCases, SignUp, SignUpError};
use secrecy::{ExposeSecret, SecretString};

use crate::cli::say;
use crate::config::Config;
use crate::exit::{Exit, Status, chain};
use crate::schema::{SchemaError, prepare};
use crate::wiring;

/// Makes an account whatever the sign-up mode is. The first one ever becomes administrator (`ID-02`, `ID-03`).
pub(crate) async fn create(config: &Config, username: String, email: Option<String>) -> Result<(), Exit> {
    let stores = wiring::open(config)?;
    for store in &stores {
        prepare(&store.plan).await.map_err(SchemaError::into_exit)?;
        store.gate.open();
    }
    let accounts = wiring::accounts(config, &stores)?;
    let request = SignUp {
        username,
        email,
        password: read_password().map_err(|error| Exit::new(Status::Configuration, error.to_string()))?,
        invitation: None,
    };
    let outcome = accounts.create(request).await;
    for store in &stores {
        store.close().await;
    }
    let user = outcome.map_err(refused)?;
    let role = if user.roles.contains(&Role::Admin) {
        ", an administrator"
    } else {
        ""
    };
    say(&format!("{} can log in now{role} (id {}).", user.username, user.id));
    Ok(())
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
        Err(io::Error::other("the two passwords differ; nothing was made"))
    }
}

fn refused(error: SignUpError) -> Exit {
    let status = match &error {
        SignUpError::Invalid(_) => Status::Configuration,
        SignUpError::Failure(Failure::Unavailable(..)) => Status::Unreachable,
        _ => Status::Unexpected,
    };
    let text = match &error {
        SignUpError::Invalid(invalid) => {
            let told: Vec<String> = invalid
                .violations()
                .iter()
                .map(|violation| format!("{} {}", violation.pointer.trim_start_matches('/'), violation.message))
                .collect();
            format!("no account was made: {}", told.join("; "))
        }
        other => format!("no account was made: {}", chain(other)),
    };
    Exit::new(status, text)
}
