//! Variables by which libpq and drivers that follow it are configured. None of them changes a connection of Larder (`CF-08`).

use std::ffi::OsString;
use std::process::ExitCode;

/// The variables, each with the key that says the same.
pub(crate) const VARIABLES: &[(&str, Option<&str>)] = &[
    ("PGHOST", Some("database.host")),
    ("PGHOSTADDR", Some("database.host")),
    ("PGPORT", Some("database.port")),
    ("PGDATABASE", Some("database.name")),
    ("PGUSER", Some("database.user")),
    ("PGPASSWORD", Some("database.password")),
    ("PGPASSFILE", Some("database.password")),
    ("PGSSLMODE", Some("database.tls.mode")),
    ("PGREQUIRESSL", Some("database.tls.mode")),
    ("PGSSLROOTCERT", Some("database.tls.ca_file")),
    ("PGCONNECT_TIMEOUT", Some("database.pool.connect_timeout")),
    ("PGAPPNAME", Some("database.application_name")),
    ("PGCHANNELBINDING", None),
    ("PGCLIENTENCODING", None),
    ("PGDATESTYLE", None),
    ("PGGEQO", None),
    ("PGGSSENCMODE", None),
    ("PGGSSLIB", None),
    ("PGKRBSRVNAME", None),
    ("PGLOADBALANCEHOSTS", None),
    ("PGMAXPROTOCOLVERSION", None),
    ("PGMINPROTOCOLVERSION", None),
    ("PGOPTIONS", None),
    ("PGREQUIREAUTH", None),
    ("PGREQUIREPEER", None),
    ("PGSERVICE", None),
    ("PGSERVICEFILE", None),
    ("PGSSLCERT", None),
    ("PGSSLCERTMODE", None),
    ("PGSSLCOMPRESSION", None),
    ("PGSSLCRL", None),
    ("PGSSLCRLDIR", None),
    ("PGSSLKEY", None),
    ("PGSSLMAXPROTOCOLVERSION", None),
    ("PGSSLMINPROTOCOLVERSION", None),
    ("PGSSLNEGOTIATION", None),
    ("PGSSLSNI", None),
    ("PGSYSCONFDIR", None),
    ("PGTARGETSESSIONATTRS", None),
    ("PGTZ", None),
];

/// Tells the process which of the variables it was started without.
const IGNORED: &str = "LARDER_IGNORED_LIBPQ";

/// What stands for the value of a variable that was taken away.
const UNKNOWN: &str = "-";

/// The environment of this process, with the names of the variables that it was started without.
pub(crate) fn variables_of_process() -> Vec<(OsString, OsString)> {
    let ignored = std::env::var(IGNORED).unwrap_or_default();
    std::env::vars_os()
        .filter(|(name, _)| name != IGNORED)
        .chain(
            ignored
                .split(',')
                .filter(|name| !name.is_empty())
                .map(|name| (name.into(), UNKNOWN.into())),
        )
        .collect()
}

/// Starts this very command again where such a variable is set, without them all: sqlx reads them, and a process can't safely change
/// its own environment. Answers only if that is not needed (`None`) or not possible.
pub(crate) fn start_without() -> Option<ExitCode> {
    let is_set = |name: &&str| std::env::var_os(name).is_some();
    let set: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).filter(is_set).collect();
    if set.is_empty() {
        return None;
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    let outcome = std::env::current_exe().and_then(|program| {
        let mut command = std::process::Command::new(program);
        command.args(arguments).env(IGNORED, set.join(","));
        for name in &set {
            command.env_remove(name);
        }
        replace(command, name)
    });
    Some(match outcome {
        Ok(code) => code,
        Err(error) => {
            let names = set.join(", ");
            crate::cli::complain(&format!(
                "libpq_ignored: unset {names}, which must not change a connection; the process can't be started again \
                 without: {error}"
            ));
            ExitCode::from(2)
        }
    })
}

/// Puts the command into the place of this process, which keeps its id.
#[cfg(unix)]
fn replace(mut command: std::process::Command, name: Option<OsString>) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;

    if let Some(name) = name {
        command.arg0(name);
    }
    Err(command.exec())
}

/// Runs the command as a child and ends as it does.
#[cfg(not(unix))]
fn replace(mut command: std::process::Command, _: Option<OsString>) -> std::io::Result<ExitCode> {
    let code = command.status()?.code();
    Ok(ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
    ))
}
