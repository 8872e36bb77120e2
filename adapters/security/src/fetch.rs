//! Reads one small document over HTTP: the keys of an external issuer (`ID-52`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use larder_ports::outbound::BoxError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Longest time for the whole exchange.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of a document.
const MOST_BYTES: usize = 64 * 1024;

/// Where an issuer publishes its keys: `https`, or `http` on this very machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JwksAddress {
    is_encrypted: bool,
    authority: Authority,
    path: PathAndQuery,
}

/// The text is not such an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("must be an https address, or an http address on this machine, without name and password")]
pub struct InvalidAddress;

impl JwksAddress {
    fn host(&self) -> &str {
        bare(self.authority.host())
    }

    fn port(&self) -> u16 {
        let usual = if self.is_encrypted { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }
}

impl FromStr for JwksAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let uri: Uri = text.parse().map_err(|_| InvalidAddress)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority), Some(path)) = (parts.scheme, parts.authority, parts.path_and_query) else {
            return Err(InvalidAddress);
        };
        let is_encrypted = scheme == Scheme::HTTPS;
        let host = bare(authority.host());
        // Neither a name and password in front of the host, nor a port that is none behind it.
        let spelled = match authority.port_u16() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        let is_plain = authority.as_str() == spelled && !text.contains('#');
        let is_allowed = is_encrypted || (scheme == Scheme::HTTP && is_this_machine(host));
        if host.is_empty() || !is_plain || !is_allowed {
            return Err(InvalidAddress);
        }
        Ok(Self {
            is_encrypted,
            authority,
            path,
        })
    }
}

impl fmt::Display for JwksAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Fetches documents. Follows no redirect and keeps no connection.
pub(crate) struct Fetcher {
    tls: Option<TlsConnector>,
    patience: Duration,
}

impl Fetcher {
    /// With TLS, if any address needs it: it trusts what the system trusts and checks the host's name.
    pub(crate) fn new(is_encrypted: bool) -> Result<Self, BoxError> {
        let tls = is_encrypted.then(connector).transpose()?;
        Ok(Self {
            tls,
            patience: PATIENCE,
        })
    }

    /// The document at an address.
    pub(crate) async fn fetch(&self, address: &JwksAddress) -> Result<Bytes, BoxError> {
        timeout(self.patience, self.exchange(address))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {:?}", self.patience).into()))
    }

    async fn exchange(&self, address: &JwksAddress) -> Result<Bytes, BoxError> {
        let found = lookup_host((address.host(), address.port())).await?;
        // A name that should be this machine's but leads elsewhere is not followed there in clear.
        let found: Vec<SocketAddr> = found
            .filter(|found| address.is_encrypted || found.ip().is_loopback())
            .collect();
        let stream = TcpStream::connect(found.as_slice()).await?;
        if !address.is_encrypted {
            return get(stream, address).await;
        }
        let tls = self.tls.as_ref().ok_or("TLS was not set up")?;
        let name = ServerName::try_from(address.host().to_owned())?;
        get(tls.connect(name, stream).await?, address).await
    }
}

async fn get<S>(stream: S, address: &JwksAddress) -> Result<Bytes, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends the connection when the exchange is over, or given up.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = Request::get(address.path.as_str())
        .header(HOST, address.authority.as_str())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "larder")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("answered {}", response.status()).into());
    }
    Ok(Limited::new(response.into_body(), MOST_BYTES)
        .collect()
        .await?
        .to_bytes())
}

fn connector() -> Result<TlsConnector, BoxError> {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "a certificate of the system could not be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err("the system has no trusted certificates, so no https address can be verified".into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn id_52_only_https_or_this_machine() {
        for (text, is_allowed) in [
            ("https://issuer.example.com/.well-known/jwks.json", true),
            ("https://issuer.example.com:8443/keys?v=1", true),
            ("https://192.0.2.1/keys", true),
            ("http://localhost:9999/keys", true),
            ("http://LOCALHOST/keys", true),
            ("http://127.0.0.1:9999/keys", true),
            ("http://127.9.9.9/keys", true),
            ("http://[::1]:9999/keys", true),
            ("http://issuer.example.com/keys", false),
            ("http://192.0.2.1/keys", false),
            ("http://0.0.0.0/keys", false),
            ("http://localhost.example.com/keys", false),
            ("https://ann:secret@issuer.example.com/keys", false),
            ("http://localhost@issuer.example.com/keys", false),
            ("http://127.0.0.1:99999/keys", false),
            ("https://issuer.example.com/keys#part", false),
            ("ftp://localhost/keys", false),
            ("file:///etc/passwd", false),
            ("/keys", false),
            ("issuer.example.com", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<JwksAddress>().is_ok(), is_allowed, "{text}");
        }
        let address: JwksAddress = "http://[::1]:9999/keys".parse().unwrap();
        assert_eq!((address.host(), address.port()), ("::1", 9999));
        assert_eq!(address.to_string(), "http://[::1]:9999/keys");
        let address: JwksAddress = "https://issuer.example.com".parse().unwrap();
        assert_eq!((address.port(), address.path.as_str()), (443, "/"));
    }

    /// Answers one request with these bytes and closes; `None` never answers. Tells what was asked.
    async fn served(answer: Option<Vec<u8>>) -> (Result<Bytes, BoxError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let read = stream.read(&mut asked).await.unwrap();
            asked.truncate(read);
            match answer {
                // The reader may have seen enough before all is written.
                Some(answer) => drop(stream.write_all(&answer).await),
                None => tokio::time::sleep(Duration::from_secs(60)).await,
            }
            asked
        });
        let fetcher = Fetcher {
            tls: None,
            patience: Duration::from_millis(300),
        };
        let address = format!("http://127.0.0.1:{port}/keys?a=b").parse().unwrap();
        let fetched = fetcher.fetch(&address).await;
        if fetched.is_err() {
            server.abort();
        }
        let asked = server.await.unwrap_or_default();
        (fetched, String::from_utf8(asked).unwrap())
    }

    fn answer(status: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    #[tokio::test]
    async fn reads_a_document() {
        let (fetched, asked) = served(Some(answer("200 OK", b"{}"))).await;
        assert_eq!(&fetched.unwrap()[..], b"{}");
        assert!(
            asked.starts_with("GET /keys?a=b HTTP/1.1\r\nhost: 127.0.0.1:"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn id_52_not_more_than_64_kib() {
        let most = vec![b' '; MOST_BYTES];
        assert_eq!(served(Some(answer("200 OK", &most))).await.0.unwrap().len(), MOST_BYTES);
        let more = vec![b' '; MOST_BYTES + 1];
        assert!(served(Some(answer("200 OK", &more))).await.0.is_err());
        // Neither when the length is not told.
        let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &more].concat();
        assert!(served(Some(endless)).await.0.is_err());
    }

    #[tokio::test]
    async fn id_52_no_redirect_is_followed() {
        let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n".to_vec();
        let (fetched, _) = served(Some(redirect)).await;
        assert!(fetched.unwrap_err().to_string().contains("302"));
        for status in ["201 Created", "404 Not Found", "500 Internal Server Error"] {
            assert!(served(Some(answer(status, b"{}"))).await.0.is_err(), "{status}");
        }
    }

    #[tokio::test]
    async fn id_52_patience_ends() {
        assert_eq!(PATIENCE, Duration::from_secs(5));
        let (fetched, _) = served(None).await;
        assert!(fetched.unwrap_err().to_string().contains("no answer"));
    }
}
