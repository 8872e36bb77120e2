//! The life of the process: start, stop, kill.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Adapter, Answering, Installation, Service, until};

on_every_adapter!(
    the_start_tells_a_newcomer_what_to_do,
    a_restart_keeps_everything,
    an_acknowledged_message_survives_a_kill,
    sigterm_lets_a_running_request_finish,
    sigint_lets_a_running_request_finish,
    cf_54_operators_see_the_end_coming,
);

const SESSIONS: &str = "/api/v1/chat/sessions";

async fn the_start_tells_a_newcomer_what_to_do(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let (text, _) = service.printed();
    let address = format!("http://{}", service.address());
    for expected in [address.as_str(), &format!("{address}/docs"), "larder user create"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let data = larder.data_folder();
    match adapter {
        Adapter::Sqlite => assert!(text.contains(data.to_str().unwrap()), "{text}"),
        Adapter::PgSqlx | Adapter::PgTokio => {
            assert!(
                text.contains("127.0.0.1") && !text.contains(&larder.database().password()),
                "{text}"
            );
        }
    }
}

async fn a_restart_keeps_everything(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let turn = json!({"session": {"name": "Kept"}, "messages": [{"sender_role": "user", "text": "Remember me"}]});
    let made = service
        .post("/api/v1/chat/turns", &turn)
        .bearer_auth(&ann.token)
        .expect(201)
        .await
        .json();
    assert_eq!(service.stop().await.code, Some(0));

    let service = larder.start().await;
    let path = format!("{SESSIONS}/{}", made["session"]["id"].as_str().unwrap());
    // The token of before still counts: its key and its login are kept too.
    let session = service.get(&path).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!(session, made["session"]);
    let again = service.log_in("ann").await;
    let messages = service
        .get(&format!("{path}/messages"))
        .bearer_auth(&again.token)
        .expect(200)
        .await
        .json();
    assert_eq!(messages["data"], made["messages"]);
}

async fn an_acknowledged_message_survives_a_kill(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let made = service
        .post(SESSIONS, &json!({}))
        .bearer_auth(&ann.token)
        .expect(201)
        .await;
    let messages = format!("{}/messages", made.header("location"));
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        let message = json!({"sender_role": "user", "text": format!("Message {n}")});
        acknowledged.push(
            service
                .post(&messages, &message)
                .bearer_auth(&ann.token)
                .expect(201)
                .await
                .json(),
        );
    }
    service.kill().await;

    let service = larder.start().await;
    let read = service.get(&messages).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!(read["data"], Value::Array(acknowledged));
}

async fn sigterm_lets_a_running_request_finish(adapter: Adapter) {
    a_signal_lets_a_running_request_finish(adapter, "TERM").await;
}

async fn sigint_lets_a_running_request_finish(adapter: Adapter) {
    a_signal_lets_a_running_request_finish(adapter, "INT").await;
}

async fn a_signal_lets_a_running_request_finish(adapter: Adapter, signal: &str) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let body = json!({"name": "Just in time"}).to_string();
    let mut running = half_sent(&service, &ann.token, &body).await;

    service.signal(signal).await;
    let address = service.address();
    until("the service takes no more requests", async || {
        is_refused(address).await.then_some(())
    })
    .await;
    running.write_all(body.as_bytes()).await.unwrap();
    let answer = read_until(&mut running, "\"version\"").await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let ended = service.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let service = larder.start().await;
    let sessions = service.get(SESSIONS).bearer_auth(&ann.token).expect(200).await.json();
    assert_eq!(sessions["data"][0]["name"], "Just in time");
}

/// A request that waits for its body.
async fn half_sent(service: &Service, token: &str, body: &str) -> TcpStream {
    let mut connection = TcpStream::connect(service.address()).await.unwrap();
    let head = format!(
        "POST {SESSIONS} HTTP/1.1\r\nHost: larder\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // The service asks for the body, so it is at work on the request.
    assert!(
        read_until(&mut connection, "\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 100")
    );
    connection
}

async fn cf_54_operators_see_the_end_coming(adapter: Adapter) {
    let larder = Installation::new(adapter).await;
    let service = larder.start().await;
    let ann = service.sign_up("ann").await;
    let body = json!({"name": "Just in time"}).to_string();
    let mut running = half_sent(&service, &ann.token, &body).await;
    service.admin("/readyz").expect(200).await;
    service.signal("TERM").await;
    until("readiness has ended", async || {
        (service.admin("/readyz").answer().await.status == 503).then_some(())
    })
    .await;
    // As long as requests are answered.
    service.admin("/livez").expect(200).await;
    assert_eq!(service.metrics().await.get("larder_http_requests_in_flight"), 1.0);
    running.write_all(body.as_bytes()).await.unwrap();
    let answer = read_until(&mut running, "\"version\"").await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let ended = service.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Whether the service turns new requests away: it no longer listens, leaves them waiting, or says that it is not ready.
async fn is_refused(address: SocketAddr) -> bool {
    let ask = async {
        let mut connection = TcpStream::connect(address).await?;
        connection
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: larder\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    !matches!(timeout(Duration::from_secs(1), ask).await, Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200"))
}

async fn read_until(connection: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let count = connection.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the connection ended after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    text
}
