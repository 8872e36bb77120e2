use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// The answer to one request, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Sends a request that is ready.
pub(crate) trait Answering {
    async fn answer(self) -> Answer;

    /// The answer, which must have this status.
    async fn expect(self, status: u16) -> Answer;
}

impl Answering for RequestBuilder {
    async fn answer(self) -> Answer {
        // A body that is refused before it was read ends the connection, and a client that still sends may notice that before it
        // sees the answer. Nothing was done then, so it sends again.
        let mut request = self;
        let response = loop {
            let again = request.try_clone();
            match (request.send().await, again) {
                (Err(error), Some(again)) if format!("{error:?}").contains("BodyWrite") => request = again,
                (sent, _) => break sent.expect("an answer"),
            }
        };
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a body"),
        }
    }

    async fn expect(self, status: u16) -> Answer {
        let answer = self.answer().await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name}: {self:?}"));
        value.to_str().expect("a readable header")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Asserts a problem document (conventions §5) with this code, and gives it.
    pub(crate) fn problem(&self, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        for field in ["type", "title", "detail", "instance", "code", "request_id"] {
            assert!(problem[field].is_string(), "{field} of {problem}");
        }
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{problem}");
        problem
    }

    /// Asserts a failure in envelope A of the compatibility surface, and gives it.
    pub(crate) fn failure(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        self.header("deprecation");
        let failure = self.json();
        let keys = ["code", "success", "message", "data", "meta"];
        assert_eq!(
            failure.as_object().map(|envelope| envelope.len()),
            Some(keys.len()),
            "{failure}"
        );
        assert_eq!(
            (&failure["code"], &failure["success"]),
            (&self.status.into(), &false.into()),
            "{failure}"
        );
        assert!(failure["message"].is_string() && failure["meta"].is_null(), "{failure}");
        failure
    }
}
