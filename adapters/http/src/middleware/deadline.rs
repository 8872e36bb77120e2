use std::time::Duration;

use poem::{Endpoint, Request, Response, Result};

use crate::problem::{Code, Problem};

/// Ends a request that takes too long. What it was doing is cancelled; a unit of work rolls back.
pub(super) struct Deadline<E> {
    pub(super) inner: E,
    pub(super) deadline: Duration,
}

impl<E: Endpoint<Output = Response>> Endpoint for Deadline<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match tokio::time::timeout(self.deadline, self.inner.call(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Problem::new(Code::DeadlineExceeded).into()),
        }
    }
}
