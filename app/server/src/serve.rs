//! `larder serve`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use larder_http::{CompatOptions, HttpOptions};
use larder_ports::inbound::identity::ErasureWork;
use larder_ports::outbound::identity::IdentityUnit;
use larder_ports::outbound::{Access, StorageError, Store};
use poem::Server;
use poem::listener::TcpAcceptor;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cli::say;
use crate::config::Config;
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

/// Signals that come so soon after the first one are the same request to stop.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// Takes requests until the process is asked to stop. `program` is how it was started, for the commands that are shown.
pub(crate) async fn run(config: &Config, program: &str) -> Result<(), Exit> {
    let stopping = Stopping::default();
    let stores = wiring::open(config)?;
    let (api, erasures) = wiring::api(config, &stores, stopping.clone())?;
    let (acceptor, address) = listen(config).await?;

    let mut keepers = JoinSet::new();
    let mut told = Vec::with_capacity(stores.len());
    for store in &stores {
        let is_open = open_gate(store, &mut keepers).await?;
        told.push((store.plan.target.to_string(), is_open));
    }
    let has_users = any_users(wiring::identity_store(&stores)?).await.ok();
    let welcome = Welcome {
        address,
        stores: told,
        sign_up: config.identity.sign_up,
        has_users,
        program,
    };
    keepers.spawn(keep_erasing(erasures));
    let (first_signal, second_signal) = signals().map_err(|error| Exit::of(Status::Unexpected, &error))?;
    say(&welcome.text());

    let endpoint = larder_http::endpoint(
        api,
        HttpOptions {
            body_limit: config.http.body_limit,
            request_deadline: config.http.request_deadline,
            trusted_proxies: config.http.trusted_proxies.clone(),
            ip_rate_per_minute: config.identity.ip_rate_per_minute,
            compat: CompatOptions {
                is_enabled: config.compat.enabled,
                mount: config.compat.mount.clone(),
                sunset: config.compat.sunset,
                max_messages: config.compat.max_messages,
            },
        },
    );
    let asked_to_stop = async {
        let _ = first_signal.await;
        stopping.begin();
        tracing::info!(drain = ?config.http.drain, "stopping");
        sleep(FAREWELL).await;
    };
    let serving = Server::new_with_acceptor(acceptor).run_with_graceful_shutdown(
        endpoint,
        asked_to_stop,
        Some(config.http.drain),
    );
    let outcome = tokio::select! {
        served = serving => served.map_err(|error| Exit::of(Status::Unexpected, &error)),
        Ok(()) = second_signal => Err(Exit::new(Status::Unexpected, "stopped before every request was answered")),
    };
    keepers.shutdown().await;
    for store in &stores {
        store.close().await;
    }
    outcome
}

async fn listen(config: &Config) -> Result<(TcpAcceptor, std::net::SocketAddr), Exit> {
    let address = config.http.listen;
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((TcpAcceptor::from_tokio(listener)?, address))
    };
    bound.await.map_err(|error: io::Error| {
        let text = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{address} is taken by another program; stop it or choose another address with --listen")
            }
            io::ErrorKind::PermissionDenied => {
                format!("{address} may not be used by this user; choose a port above 1023 with --listen")
            }
            _ => format!("requests can't be taken on {address}: {error}"),
        };
        Exit::new(Status::Unexpected, text)
    })
}

/// Carries the plan of a store out and opens its gate; answers whether it is open. A store that is away is tried again in the
/// background, everything else ends the start (`CF-51`, `CF-53`).
async fn open_gate(store: &OpenStore, keepers: &mut JoinSet<()>) -> Result<bool, Exit> {
    match prepare(&store.plan).await {
        Ok(_) => {
            store.gate.open();
            Ok(true)
        }
        Err(error) if error.is_outage_of(&store.plan.target) => {
            tracing::warn!(error = chain(&error), store = %store.plan.target, "a store is away; trying again");
            keepers.spawn(keep_trying(store.plan.clone(), store.gate.clone()));
            Ok(false)
        }
        Err(error) => Err(error.into_exit()),
    }
}

/// Tries again until the plan is carried out. What would have ended the start doesn't end a service that already takes requests.
async fn keep_trying(plan: Plan, gate: Gate) {
    let mut pause = FIRST_PAUSE;
    loop {
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
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
        pause = (pause * 2).min(LONGEST_PAUSE);
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
