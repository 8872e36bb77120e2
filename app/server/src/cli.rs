//! Commands and flags.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::runtime::{Builder, Runtime};

use crate::config::{Config, Flag, Inputs};
use crate::exit::{Exit, Status};
#[cfg(feature = "otlp")]
use crate::traces::{self, Traces};
use crate::{check, log, mask, migrate, serve, user};

/// The command line of `larder`.
#[derive(Debug, Parser)]
#[command(
    name = "larder",
    version,
    about = ABOUT,
    long_about = None,
    after_help = EXAMPLES,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Option<Command>,
}

const ABOUT: &str = "\
The data of your AI products, kept on your own machine.

Without any configuration Larder takes requests on 127.0.0.1:8080 and keeps everything in one SQLite
file in the current folder.";

const EXAMPLES: &str = "\
Examples:
  larder                                     serve with the embedded database
  larder --listen 0.0.0.0:80                 serve on every interface
  larder user create ann                     make an account; the first one becomes administrator
  LARDER_DATABASE__URL=postgres://ann:pw@localhost/app larder
                                             keep the data in PostgreSQL
  larder config print > larder.toml          start a configuration file

Configuration, highest first: flags, variables, the file, defaults. The key `database.pool.size`
is the variable LARDER_DATABASE__POOL__SIZE, --set database.pool.size=10, and a line in the section
[database] of the file. A secret may also lie in a file: LARDER_DATABASE__PASSWORD_FILE=/run/secrets/db.
`larder config check` finds mistakes, `larder config print --origin` tells every key and who set it.

Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 schema newer than the program,
4 another process is migrating, 5 a migration failed, 7 database unreachable, 8 migrations pending.";

#[derive(Debug, Args)]
struct Globals {
    /// Read this file instead of ./larder.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Read variables from this file too, which those of the process override
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,

    /// Take variables of this prefix as well: ACME_DATABASE__HOST with ACME
    #[arg(long, global = true, value_name = "PREFIX")]
    env_prefix: Option<String>,

    /// Set a key, whatever variables and the file say (may be repeated)
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,

    /// Take requests here [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be KEY=VALUE"),
    }
}

impl Globals {
    fn inputs(self) -> Inputs {
        let listen = self.listen.map(|value| Flag {
            key: "http.listen".to_owned(),
            name: "--listen",
            value,
        });
        let set = self.set.into_iter().map(|(key, value)| Flag {
            key,
            name: "--set",
            value,
        });
        Inputs {
            file: self.config,
            env_file: self.env_file,
            env_prefix: self.env_prefix,
            variables: Vec::new(),
            flags: listen.into_iter().chain(set).collect(),
        }
        .with_environment()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take requests (this is what `larder` alone does)
    Serve,
    /// Bring the schema of every store up to date
    Migrate,
    /// Print the OpenAPI document
    Openapi,
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage accounts
    #[command(subcommand)]
    User(UserCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Tell every mistake, and where each key was set
    Check {
        /// Take warnings for errors
        #[arg(long)]
        strict: bool,
        /// Try to reach every store as well; changes nothing
        #[arg(long)]
        connect: bool,
    },
    /// Print the configuration in effect, secrets masked
    Print {
        /// How
        #[arg(long, value_enum, default_value_t = Format::Toml)]
        format: Format,
        /// With where each value came from
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// A configuration file
    Toml,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Make an account, whatever the sign-up mode is
    ///
    /// The password is asked for on the terminal, or read as one line from standard input.
    Create {
        /// 3 to 50 letters, digits, dots, underscores or hyphens
        #[arg(value_name = "NAME")]
        username: String,
        /// The address with which to log in as well
        #[arg(long)]
        email: Option<String>,
    },
    /// Give an account a new password and end its logins
    ///
    /// The password is asked for on the terminal, or read as one line from standard input.
    SetPassword {
        /// Its name or email
        #[arg(value_name = "NAME")]
        login: String,
    },
    /// Make an account an administrator
    Promote {
        /// Its name or email
        #[arg(value_name = "NAME")]
        login: String,
    },
}

impl Cli {
    pub(crate) fn run(self) -> ExitCode {
        match self.dispatch() {
            Ok(()) => ExitCode::SUCCESS,
            Err(exit) => {
                complain(&exit.to_string());
                exit.code()
            }
        }
    }

    fn dispatch(self) -> Result<(), Exit> {
        let command = self.command.unwrap_or(Command::Serve);
        if matches!(command, Command::Openapi) {
            say(&larder_http::openapi_document());
            return Ok(());
        }
        let again = command_again(&self.globals);
        let loaded = Config::load(&self.globals.inputs());
        mask::in_panics(loaded.as_ref().map(Config::secrets).unwrap_or_default());
        if let Command::Config(ConfigCommand::Check { strict, connect }) = command {
            let runtime = runtime(&mut Builder::new_current_thread())?;
            return runtime.block_on(check::run(loaded, strict, connect));
        }
        let config = loaded?;
        if let Command::Config(ConfigCommand::Print { format, origin }) = command {
            for warning in &config.warnings {
                complain(&format!("warning: {warning}"));
            }
            let text = match format {
                Format::Toml => config.to_toml(origin),
                Format::Json => config.to_json(origin),
            };
            say(text.trim_end());
            return Ok(());
        }
        if let Command::Serve = command {
            let runtime = runtime(Builder::new_multi_thread().max_blocking_threads(config.identity.hash_workers + 4))?;
            return runtime.block_on(served(&config, &again));
        }
        log::start(&config.log);
        warn(&config);
        match command {
            Command::Migrate => runtime(&mut Builder::new_current_thread())?.block_on(migrate::run(&config)),
            Command::User(UserCommand::Create { username, email }) => {
                runtime(&mut Builder::new_current_thread())?.block_on(user::create(&config, username, email))
            }
            Command::User(UserCommand::SetPassword { login }) => {
                runtime(&mut Builder::new_current_thread())?.block_on(user::set_password(&config, &login))
            }
            Command::User(UserCommand::Promote { login }) => {
                runtime(&mut Builder::new_current_thread())?.block_on(user::promote(&config, &login))
            }
            Command::Serve | Command::Openapi | Command::Config(_) => Ok(()),
        }
    }
}

/// Serves, with logs and traces.
async fn served(config: &Config, again: &str) -> Result<(), Exit> {
    #[cfg(feature = "otlp")]
    if let Some(collector) = &config.traces {
        let traces = Traces::start(collector, config.environment)?;
        log::start_with(&config.log, traces.layer());
        warn(config);
        let outcome = serve::run(config, again, Some(traces::link)).await;
        traces.stop().await;
        return outcome;
    }
    log::start(&config.log);
    warn(config);
    serve::run(config, again, None).await
}

fn warn(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// How a person starts this very program with this very configuration again.
fn command_again(globals: &Globals) -> String {
    let program = std::env::args()
        .next()
        .filter(|program| !program.contains(char::is_whitespace));
    let mut command = program.unwrap_or_else(|| "larder".to_owned());
    for (flag, file) in [("--config", &globals.config), ("--env-file", &globals.env_file)] {
        if let Some(file) = file {
            command.push_str(&format!(" {flag} {}", file.display()));
        }
    }
    command
}

fn runtime(builder: &mut Builder) -> Result<Runtime, Exit> {
    builder
        .enable_all()
        .build()
        .map_err(|error| Exit::of(Status::Unexpected, &error))
}

/// Writes a line to standard output. A reader that has gone away is no reason to fail.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "larder: {text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_names_every_command_and_a_variable() {
        let help = Cli::command().render_long_help().to_string();
        for word in [
            "serve",
            "migrate",
            "openapi",
            "config",
            "user",
            "--listen",
            "LARDER_DATABASE__URL",
        ] {
            assert!(help.contains(word), "{word}: {help}");
        }
    }

    #[test]
    fn no_command_is_serve_and_flags_may_stand_anywhere() {
        assert!(Cli::parse_from(["larder"]).command.is_none());
        let cli = Cli::parse_from(["larder", "serve", "--listen", "127.0.0.1:1"]);
        assert_eq!(cli.globals.listen.as_deref(), Some("127.0.0.1:1"));
    }
}
