//! `larder serve`.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use larder_http::{CompatOptions, HttpOptions, LinkTrace, Server, ServerOptions};
use larder_ports::inbound::identity::ErasureWork;
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{Access, Observer, StorageError, Store};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cli::say;
use crate::config::{Config, Http, variable_of};
use crate::exit::{Exit, Status, chain};
use crate::gate::{Gate, Stopping};
use crate::schema::{Plan, SchemaError, prepare};
use crate::welcome::Welcome;
use crate::wiring::{self, OpenStore};

/// The first and the longest pause between two attempts to reach a store (`CF-51`).
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a service that was asked to stop still takes connections, so that its readiness can be seen to end (`CF-54`).
const FAREWELL: Duration = Duration::from_millis(200);

/// Most connections of operators.
const MOST_OPERATORS: usize = 32;

/// Signals that come so soon after the first one are the same request to stop.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// Takes requests until the process is asked to stop. `program` is how it was started, for the commands that are shown; `link_trace`
/// is what makes requests part of traces.
pub(crate) async fn run(config: &Config, program: &str, link_trace: Option<LinkTrace>) -> Result<(), Exit> {
    let stopping = Stopping::default();
    let metrics = wiring::metrics();
    let observer: Arc<dyn Observer> = metrics.clone();
    let stores = wiring::open(config, &observer)?;
    let (api, erasures) = wiring::api(config, &stores, stopping.clone(), Arc::clone(&observer))?;
    let listener = listen(config.http.listen, "--listen").await?;
    let address = address_of(&listener)?;
    let admin_listener = listen_for_operators(config).await?;
    let admin_address = admin_listener.as_ref().map(address_of).transpose()?;

    let mut keepers = JoinSet::new();
    let mut told = Vec::with_capacity(stores.len());
    for store in &stores {
        let is_open = open_gate(store, &mut keepers).await?;
        told.push((store.plan.target.to_string(), is_open));
    }
    let has_users = any_users(wiring::identity_store(&stores)).await.ok();
    let welcome = Welcome {
        address,
        admin_address,
        stores: told,
        sign_up: config.identity.sign_up,
        has_users,
        program,
    };
    keepers.spawn(keep_erasing(erasures));
    let (first_signal, second_signal) = signals().map_err(|error| Exit::of(Status::Unexpected, &error))?;
    say(&welcome.text());

    if let Some(listener) = admin_listener {
        let endpoint = larder_http::admin_endpoint(wiring::admin(&api, metrics));
        let options = ServerOptions {
            max_connections: MOST_OPERATORS,
            ..server_options(&config.http)
        };
        let server = Server::new("admin", endpoint, options, Arc::clone(&observer));
        // Until the very end, so that the end can be watched.
        keepers.spawn(async move {
            server.run(listener, pending(), Duration::ZERO).await;
        });
    }
    let endpoint = larder_http::endpoint(api, http_options(config, link_trace));
    let server = Server::new("http", endpoint, server_options(&config.http), observer);
    let asked_to_stop = async {
        let _ = first_signal.await;
        stopping.begin();
        tracing::info!(drain = ?config.http.drain, "stopping");
        sleep(FAREWELL).await;
    };
    let outcome = tokio::select! {
        late = server.run(listener, asked_to_stop, config.http.drain) => {
            if late > 0 {
                tracing::warn!(late, "connections were closed before their requests were answered");
            }
            Ok(())
        }
        Ok(()) = second_signal => Err(Exit::new(Status::Unexpected, "stopped before every request was answered")),
    };
    keepers.shutdown().await;
    for store in &stores {
        store.close().await;
    }
    outcome
}

fn http_options(config: &Config, link_trace: Option<LinkTrace>) -> HttpOptions {
    HttpOptions {
        body_limit: config.http.body_limit,
        request_deadline: config.http.request_deadline,
        trusted_proxies: config.http.trusted_proxies.clone(),
        ip_rate_per_minute: config.identity.ip_rate_per_minute,
        address_rate_per_minute: config.limits.address_per_minute,
        account_rate_per_minute: config.limits.account_per_minute,
        origins: config.http.origins.clone(),
        hsts: config.http.hsts,
        link_trace,
        compat: CompatOptions {
            is_enabled: config.compat.enabled,
            mount: config.compat.mount.clone(),
            sunset: config.compat.sunset,
            max_messages: config.compat.max_messages,
        },
        disabled_contexts: config.disabled_contexts().collect(),
    }
}

fn server_options(http: &Http) -> ServerOptions {
    ServerOptions {
        max_connections: http.max_connections,
        header_timeout: http.header_timeout,
        keep_alive: http.keep_alive,
        write_timeout: http.write_timeout,
    }
}

/// Listens at an address, which `setting` chooses.
async fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener, Exit> {
    TcpListener::bind(address).await.map_err(|error| {
        let text = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{address} is taken by another program; stop it or choose another address with {setting}")
            }
            io::ErrorKind::PermissionDenied => {
                format!("{address} may not be used by this user; choose a port above 1023 with {setting}")
            }
            _ => format!("requests can't be taken on {address}: {error}"),
        };
        Exit::new(Status::Unexpected, text)
    })
}

/// Listens for operators, where they are to be served. An address that nobody chose is done without when it is taken, so that a
/// second service on one machine starts by itself.
async fn listen_for_operators(config: &Config) -> Result<Option<TcpListener>, Exit> {
    let Some(address) = config.admin.listen else {
        return Ok(None);
    };
    match listen(address, &variable_of("admin.listen")).await {
        Err(exit) if config.admin.is_default => {
            tracing::warn!("no metrics are served: {exit}");
            Ok(None)
        }
        outcome => outcome.map(Some),
    }
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, Exit> {
    listener
        .local_addr()
        .map_err(|error| Exit::of(Status::Unexpected, &error))
}

/// Carries the plan of a store out and opens its gate; answers whether it is open. A store that is away is tried again: for as long
/// as the start is to wait for it (`CF-52`), else in the background. Everything else ends the start (`CF-51`, `CF-53`).
async fn open_gate(store: &OpenStore, keepers: &mut JoinSet<()>) -> Result<bool, Exit> {
    let latest = store.plan.require_within.map(|wait| Instant::now() + wait);
    let mut pauses = Pauses::default();
    loop {
        let error = match prepare(&store.plan).await {
            Ok(_) => {
                store.gate.open();
                return Ok(true);
            }
            Err(error) if error.is_outage_of(&store.plan.target) => error,
            Err(error) => return Err(error.into_exit()),
        };
        let pause = pauses.next();
        match latest.map(|latest| latest.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => return Err(error.into_exit()),
            Some(rest) => sleep(pause.min(rest)).await,
            None => {
                tracing::warn!(error = chain(&error), store = %store.plan.target, "a store is away; trying again");
                keepers.spawn(keep_trying(store.plan.clone(), store.gate.clone()));
                return Ok(false);
            }
        }
    }
}

/// Tries again until the plan is carried out. What would have ended the start doesn't end a service that already takes requests.
async fn keep_trying(plan: Plan, gate: Gate) {
    let mut pauses = Pauses::default();
    loop {
        sleep(pauses.next()).await;
        match prepare(&plan).await {
            Ok(_) => {
                gate.open();
                tracing::info!(store = %plan.target, "a store is ready");
                return;
            }
            Err(error) if error.is_outage_of(&plan.target) => {
                tracing::debug!(error = chain(&error), "a store is still away")
            }
            Err(error @ SchemaError::Pending(_)) => tracing::error!(store = %plan.target, "{error}"),
            Err(error) => tracing::error!(error = chain(&error), store = %plan.target, "a store can't be used"),
        }
    }
}

/// Pauses between attempts: each twice as long as the one before, up to a limit, and none quite like another.
struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Works erasures off as long as the service runs (`ID-44`). Whatever it was at when the service stopped is gone on with by the next
/// start.
async fn keep_erasing(erasures: Arc<dyn ErasureWork>) {
    loop {
        let rest = erasures.work().await.unwrap_or_else(|error| {
            tracing::debug!(error = chain(&error), "erasures can't be looked for");
            LONGEST_PAUSE
        });
        tokio::select! {
            () = sleep(rest) => {}
            () = erasures.started() => {}
        }
    }
}

async fn any_users(store: Arc<dyn Store<dyn IdentityUnit>>) -> Result<bool, StorageError> {
    let mut unit = store.begin(Access::Read).await?;
    let any = unit.users().any_ever().await?;
    unit.rollback().await?;
    Ok(any)
}

/// The first and the second request of the operating system to stop: SIGTERM or SIGINT. What follows within a second is taken for
/// the same request, since many programs that run others send it to a process and to its group.
fn signals() -> io::Result<(oneshot::Receiver<()>, oneshot::Receiver<()>)> {
    let mut signals = Signals::new()?;
    let (first, first_signal) = oneshot::channel();
    let (second, second_signal) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        let asked_at = Instant::now();
        let _ = first.send(());
        while asked_at.elapsed() < SAME_REQUEST {
            signals.next().await;
        }
        let _ = second.send(());
    });
    Ok((first_signal, second_signal))
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cf_51_pauses_grow_from_200_ms_to_30_s() {
        let mut pauses = Pauses::default();
        for longest in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            let longest = Duration::from_millis(longest);
            let pause = pauses.next();
            assert!(longest / 2 <= pause && pause <= longest, "{longest:?}: {pause:?}");
        }
    }
}
