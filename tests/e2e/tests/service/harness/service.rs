use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Answer, Answering, Metrics, Outcome};

/// How long anything may take before a case gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running Larder, killed with this value.
pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    client: Client,
    stdout: Printed,
    stderr: Printed,
}

/// Somebody who signed up.
pub(crate) struct Person {
    pub(crate) user: Value,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

/// Requests with a token. Paths are below `/api/v1`, or whole ones as a `Location` has them.
#[derive(Clone, Copy)]
pub(crate) struct By<'a> {
    service: &'a Service,
    token: &'a str,
}

impl Service {
    pub(super) async fn launch(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).spawn().expect("the binary starts");
        let stdout = Printed::follow(child.stdout.take().expect("piped"));
        let stderr = Printed::follow(child.stderr.take().expect("piped"));
        let (address, admin_address) = until("its addresses are printed", async || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("larder ended at once, {status}: {}{}", stdout.text(), stderr.text());
            }
            printed_addresses(&stdout.text())
        })
        .await;
        Self {
            child,
            address,
            admin_address,
            client: Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()
                .expect("a client"),
            stdout,
            stderr,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks the listener for operators.
    pub(crate) fn admin(&self, path: &str) -> RequestBuilder {
        let address = self.admin_address.expect("operators are served");
        self.client.get(format!("http://{address}{path}"))
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::of(&self.admin("/metrics").expect(200).await)
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id().expect("larder still runs")
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    /// Requests of somebody.
    pub(crate) fn by<'a>(&'a self, person: &'a Person) -> By<'a> {
        self.with_token(&person.token)
    }

    /// Requests of whoever has this token.
    pub(crate) fn with_token<'a>(&'a self, token: &'a str) -> By<'a> {
        By { service: self, token }
    }

    /// Waits until every context can be used.
    pub(crate) async fn until_ready(&self) {
        until("larder is ready", async || {
            (self.get("/readyz").answer().await.status == 200).then_some(())
        })
        .await;
    }

    /// Makes an account, which is signed in by that.
    pub(crate) async fn sign_up(&self, username: &str) -> Person {
        let answer = self.post("/api/v1/auth/sign-up", &sign_up(username)).expect(201).await;
        Person::of(&answer)
    }

    /// Signs an account in that `sign_up` made.
    pub(crate) async fn log_in(&self, username: &str) -> Person {
        let body = json!({"login": username, "password": password(username)});
        Person::of(&self.post("/api/v1/auth/login", &body).expect(200).await)
    }

    /// The text printed so far, standard output and standard error.
    pub(crate) fn printed(&self) -> (String, String) {
        (self.stdout.text(), self.stderr.text())
    }

    /// Sends a signal (`TERM`, `INT`).
    pub(crate) async fn signal(&self, signal: &str) {
        let pid = self.process();
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -s {signal} {pid}")])
            .status()
            .await
            .expect("a shell");
        assert!(sent.success());
    }

    /// Waits for the end of the process.
    pub(crate) async fn end(mut self) -> Outcome {
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("larder does not end: {}", self.stderr.text()))
            .expect("its status can be read");
        Outcome {
            code: status.code(),
            stdout: self.stdout.end().await,
            stderr: self.stderr.end().await,
        }
    }

    /// Stops it as an operator does.
    pub(crate) async fn stop(self) -> Outcome {
        self.signal("TERM").await;
        self.end().await
    }

    /// Pulls the plug: no handler of the process runs.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("larder still ran");
    }
}

impl By<'_> {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = match path.starts_with("/api/") {
            true => self.service.request(method, path),
            false => self.service.request(method, &format!("/api/v1{path}")),
        };
        request.bearer_auth(self.token)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    /// Makes a message a favourite.
    pub(crate) async fn mark(&self, message: &str) {
        let path = format!("/chat/messages/{message}/favourite");
        self.request(Method::PUT, &path).expect(204).await;
    }

    /// Brings back what is in the trash.
    pub(crate) fn restore(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, &format!("{path}/restore"))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::PUT, path).json(body)
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::PATCH, path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// What is at a path.
    pub(crate) async fn read(&self, path: &str) -> Value {
        self.get(path).expect(200).await.json()
    }

    /// The rows of one page of a list.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let Value::Array(rows) = self.read(path).await["data"].take() else {
            panic!("{path} is no list");
        };
        rows
    }

    /// What a POST that must succeed with 201 made.
    pub(crate) async fn make(&self, path: &str, body: &Value) -> Value {
        self.post(path, body).expect(201).await.json()
    }

    /// Makes a session with one message for each text, alternately of the user and the assistant.
    pub(crate) async fn converse(&self, texts: &[&str]) -> (String, Vec<String>) {
        let roles = ["user", "assistant"].iter().cycle();
        let messages: Vec<Value> = texts
            .iter()
            .zip(roles)
            .map(|(text, role)| json!({"sender_role": role, "text": text}))
            .collect();
        let made = self.make("/chat/turns", &json!({"messages": messages})).await;
        let messages = made["messages"].as_array().expect("messages").iter().map(id_of);
        (id_of(&made["session"]), messages.collect())
    }
}

impl Person {
    fn of(answer: &Answer) -> Self {
        let body = answer.json();
        let token = |name: &str| body[name].as_str().expect("a token").to_owned();
        Self {
            user: body["user"].clone(),
            token: token("access_token"),
            refresh_token: token("refresh_token"),
        }
    }

    /// The id of the account.
    pub(crate) fn id(&self) -> String {
        id_of(&self.user)
    }
}

/// The id of what an answer shows.
pub(crate) fn id_of(resource: &Value) -> String {
    resource["id"].as_str().expect("an id").to_owned()
}

/// The values of one field of rows.
pub(crate) fn each(rows: &[Value], field: &str) -> Vec<Value> {
    rows.iter().map(|row| row[field].clone()).collect()
}

/// What `username` sends to sign up.
pub(crate) fn sign_up(username: &str) -> Value {
    json!({"username": username, "password": password(username), "email": format!("{username}@example.com")})
}

/// The password of `username`.
pub(crate) fn password(username: &str) -> String {
    format!("correct horse of {username}")
}

/// Asks again and again until there is something.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    timeout(PATIENCE, async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("Waited {PATIENCE:?} in vain until {what}."))
}

/// The address for everybody and the one for operators, once all of the welcome is printed.
fn printed_addresses(stdout: &str) -> Option<(SocketAddr, Option<SocketAddr>)> {
    let (lines, _) = stdout
        .split_once("  curl ")
        .or_else(|| stdout.split_once(" user create "))?;
    let after = |label: &str| {
        let (_, rest) = lines.split_once(label)?;
        let (_, rest) = rest.split_once("http://")?;
        let address: String = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || ".:[]".contains(*c))
            .collect();
        address.parse().ok()
    };
    Some((after("  Address")?, after("  Metrics")))
}

/// What a process prints, kept while it runs.
struct Printed {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Printed {
    fn follow(mut pipe: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let copy = Arc::clone(&text);
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
                copy.lock().expect("no panic").extend_from_slice(&buffer[..count]);
            }
        });
        Self { text, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("no panic")).into_owned()
    }

    async fn end(self) -> String {
        self.reader.await.expect("no panic");
        String::from_utf8_lossy(&self.text.lock().expect("no panic")).into_owned()
    }
}
