use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::http::Connection;
use crate::{MEASURED, WARM_UP};

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// Latencies in microseconds of all requests that were answered within `elapsed`.
pub(crate) struct Load {
    pub(crate) latency: Histogram<u64>,
    pub(crate) elapsed: Duration,
}

/// Repeats each request on a connection and a thread of its own. `on_phase` is called at the beginning and at the end of what is
/// measured.
pub(crate) fn run(address: SocketAddr, requests: &[Vec<u8>], mut on_phase: impl FnMut()) -> Load {
    let phase = AtomicU8::new(WARMING_UP);
    thread::scope(|scope| {
        let clients: Vec<_> = requests
            .iter()
            .map(|request| scope.spawn(|| repeat(address, request, &phase)))
            .collect();
        thread::sleep(WARM_UP);
        on_phase();
        let begin = Instant::now();
        phase.store(MEASURING, Ordering::Relaxed);
        thread::sleep(MEASURED);
        phase.store(OVER, Ordering::Relaxed);
        let elapsed = begin.elapsed();
        on_phase();
        let mut latency = histogram();
        for client in clients {
            latency += client.join().expect("no client gives up");
        }
        Load { latency, elapsed }
    })
}

/// From a microsecond to a minute, three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("good bounds")
}

fn repeat(address: SocketAddr, request: &[u8], phase: &AtomicU8) -> Histogram<u64> {
    let mut connection = Connection::open(address).expect("the service listens");
    let mut latency = histogram();
    loop {
        let begin = Instant::now();
        let (status, body) = connection.exchange(request).expect("an answer");
        assert!(status < 300, "{status}: {}", String::from_utf8_lossy(body));
        match phase.load(Ordering::Relaxed) {
            MEASURING => latency.saturating_record(begin.elapsed().as_micros().try_into().unwrap_or(u64::MAX)),
            OVER => return latency,
            _ => {}
        }
    }
}
