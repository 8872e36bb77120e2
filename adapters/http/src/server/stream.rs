use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::ServerOptions;

/// What a connection is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The head of a request comes in, or is to come first.
    Head = 0,
    /// A request is worked on. How long that may take, the reading of its body included, is the endpoint's affair.
    Answering = 1,
    /// No request is under way; the last answer may still be written.
    Idle = 2,
}

/// The phase of a connection, which the service tells and the stream acts on.
#[derive(Clone, Default)]
pub(super) struct Phases(Arc<AtomicU8>);

impl Phases {
    fn now(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Answering,
            _ => Phase::Idle,
        }
    }

    fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    /// A request is worked on as long as the answer lives.
    pub(super) fn answering(&self) -> Answering {
        self.set(Phase::Answering);
        Answering(self.clone())
    }
}

/// See [`Phases::answering`].
pub(super) struct Answering(Phases);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Phase::Idle);
    }
}

/// The bytes of a connection. A client that keeps it waiting for too long is taken for one that went away.
pub(super) struct Stream<S> {
    inner: S,
    phases: Phases,
    header_timeout: Duration,
    keep_alive: Duration,
    write_timeout: Duration,
    /// For what the reading timer runs.
    awaited: Option<Phase>,
    reading: Pin<Box<Sleep>>,
    /// Runs while the client takes nothing.
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: S, phases: Phases, options: &ServerOptions) -> Self {
        Self {
            inner,
            phases,
            header_timeout: options.header_timeout,
            keep_alive: options.keep_alive,
            write_timeout: options.write_timeout,
            awaited: Some(Phase::Head),
            reading: Box::pin(sleep(options.header_timeout)),
            writing: None,
        }
    }

    /// Starts the reading timer anew.
    fn await_phase(&mut self, phase: Phase) {
        let patience = match phase {
            Phase::Head => self.header_timeout,
            Phase::Answering | Phase::Idle => self.keep_alive,
        };
        self.awaited = Some(phase);
        self.reading.as_mut().reset(Instant::now() + patience);
    }

    /// Whether the client was waited for long enough, when nothing came.
    fn is_read_in_vain(&mut self, cx: &mut Context<'_>) -> bool {
        let phase = self.phases.now();
        if phase == Phase::Answering {
            self.awaited = None;
            return false;
        }
        if self.awaited != Some(phase) {
            self.await_phase(phase);
        }
        self.reading.as_mut().poll(cx).is_ready()
    }

    /// What becomes of an attempt to write.
    fn written<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.writing = None;
            // The time of an idle connection begins when its answer is out.
            if self.awaited == Some(Phase::Idle) {
                self.await_phase(Phase::Idle);
            }
            return outcome;
        }
        let patience = self.write_timeout;
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buffer) {
            Poll::Pending if this.is_read_in_vain(cx) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            outcome => {
                if buffer.filled().len() > before && this.phases.now() == Phase::Idle {
                    this.phases.set(Phase::Head);
                    this.await_phase(Phase::Head);
                }
                outcome
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_flush(cx);
        this.written(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.written(cx, outcome)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const KEEP_ALIVE: Duration = Duration::from_secs(75);
    const WRITE: Duration = Duration::from_secs(30);

    fn pair(room: usize) -> (DuplexStream, Stream<DuplexStream>, Phases) {
        let (client, server) = duplex(room);
        let phases = Phases::default();
        let options = ServerOptions {
            max_connections: 1,
            header_timeout: HEADER,
            keep_alive: KEEP_ALIVE,
            write_timeout: WRITE,
        };
        (client, Stream::new(server, phases.clone(), &options), phases)
    }

    /// How long until the stream is taken for ended.
    async fn patience(stream: &mut Stream<DuplexStream>) -> Duration {
        let began = Instant::now();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        began.elapsed()
    }

    fn is_about(found: Duration, expected: Duration) -> bool {
        found.abs_diff(expected) < Duration::from_millis(50)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_cut_off() {
        let (_client, mut stream, _) = pair(64);
        let waited = patience(&mut stream).await;
        assert!(is_about(waited, HEADER), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_in_is_cut_off() {
        let (mut client, mut stream, _) = pair(64);
        let began = Instant::now();
        let trickle = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        patience(&mut stream).await;
        drop(stream);
        trickle.await.unwrap();
        assert!(
            began.elapsed() < HEADER + Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_worked_on_is_never_cut_off() {
        let (mut client, mut stream, phases) = pair(64);
        let under_way = phases.answering();
        let long = async {
            sleep(10 * KEEP_ALIVE).await;
            client.write_all(b"body").await.unwrap();
        };
        let mut body = [0; 4];
        let (_, read) = tokio::join!(long, stream.read_exact(&mut body));
        assert_eq!((read.unwrap(), &body), (4, b"body"));
        drop(under_way);
        // And idle afterwards.
        let waited = patience(&mut stream).await;
        assert!(is_about(waited, KEEP_ALIVE), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_the_next_request_has_its_own_time() {
        let (mut client, mut stream, phases) = pair(64);
        drop(phases.answering());
        let late = async {
            sleep(KEEP_ALIVE - Duration::from_secs(1)).await;
            client.write_all(b"GET").await.unwrap();
        };
        let mut start = [0; 3];
        let (_, read) = tokio::join!(late, stream.read_exact(&mut start));
        assert!(read.is_ok());
        let waited = patience(&mut stream).await;
        assert!(is_about(waited, HEADER), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off() {
        let (mut client, mut stream, phases) = pair(4);
        let _under_way = phases.answering();
        // Slow, but taking something now and then.
        let slow = async {
            for _ in 0..3 {
                sleep(WRITE - Duration::from_secs(1)).await;
                client.read_exact(&mut [0; 4]).await.unwrap();
            }
        };
        let (_, written) = tokio::join!(slow, stream.write_all(&[b'x'; 16]));
        assert!(written.is_ok(), "{written:?}");
        let began = Instant::now();
        let refused = stream.write_all(b"more").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        let waited = began.elapsed();
        assert!(is_about(waited, WRITE), "{waited:?}");
    }
}
