//! `larder migrate`.

use larder_migrations::Context;

use crate::cli::say;
use crate::config::Config;
use crate::exit::Exit;
use crate::schema::{Plan, SchemaError, prepare};
use crate::wiring;

/// Applies every pending migration of every context.
pub(crate) async fn run(config: &Config) -> Result<(), Exit> {
    for plan in wiring::plans(config) {
        let contexts: Vec<Context> = plan.migrate.iter().chain(&plan.check).copied().collect();
        let names: Vec<&str> = contexts.iter().map(|context| context.name()).collect();
        let plan = Plan {
            migrate: contexts,
            check: Vec::new(),
            ..plan
        };
        let text = match prepare(&plan).await.map_err(SchemaError::into_exit)? {
            0 => "nothing to do".to_owned(),
            1 => "1 migration applied".to_owned(),
            count => format!("{count} migrations applied"),
        };
        say(&format!("{}: {text} ({})", names.join(", "), plan.target));
    }
    Ok(())
}
