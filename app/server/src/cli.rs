//! Commands and flags.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::config::{Config, Flag, Inputs};
use crate::exit::{Exit, Status};
use crate::{log, migrate, serve, user};

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
is the variable LARDER_DATABASE__POOL__SIZE, and a line in the section [database] of the file.

Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 schema newer than the program,
4 another process is migrating, 5 a migration failed, 7 database unreachable, 8 migrations pending.";

#[derive(Debug, Args)]
struct Globals {
    /// Read this file instead of ./larder.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Take requests here [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
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
    /// Print the configuration in effect as TOML, secrets masked
    Print,
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
        let flags = self.globals.listen.map(|value| Flag {
            key: "http.listen",
            name: "--listen",
            value,
        });
        let again = command_again(self.globals.config.as_deref());
        let config = Config::load(&Inputs::of_process(self.globals.config, flags.into_iter().collect()))?;
        if matches!(command, Command::Config(ConfigCommand::Print)) {
            for warning in &config.warnings {
                complain(&format!("warning: {warning}"));
            }
            say(config.to_toml().trim_end());
            return Ok(());
        }
        log::start(&config.log);
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        match command {
            Command::Serve => {
                runtime(Builder::new_multi_thread().max_blocking_threads(config.identity.hash_workers + 4))?
                    .block_on(serve::run(&config, &again))
            }
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
            Command::Openapi | Command::Config(_) => Ok(()),
        }
    }
}

/// How a person starts this very program with this very file again.
fn command_again(file: Option<&Path>) -> String {
    let program = std::env::args()
        .next()
        .filter(|program| !program.contains(char::is_whitespace));
    let program = program.unwrap_or_else(|| "larder".to_owned());
    match file {
        Some(file) => format!("{program} --config {}", file.display()),
        None => program,
    }
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

fn complain(text: &str) {
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
