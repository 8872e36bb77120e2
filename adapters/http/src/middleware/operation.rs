use poem::Response;
use poem::http::Method;
use poem_openapi::{OpenApi, OperationId};

/// What is no operation of the contract.
const NONE: &str = "none";

/// The name of a method, of which there are few; anybody can send another one.
pub(super) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The operation that answered.
pub(super) fn of_response(response: &Response) -> Option<&'static str> {
    response.data::<OperationId>().map(|id| id.0)
}

/// The operations of the contract, to name one that didn't come to its answer.
pub(super) struct Operations {
    all: Vec<Operation>,
    /// Where the compatibility surface is served once more.
    mount: String,
}

struct Operation {
    id: &'static str,
    method: Method,
    /// `None` stands for whatever is there.
    segments: Vec<Option<String>>,
}

impl Operations {
    /// Those of an API.
    pub(super) fn of<T: OpenApi>(mount: String) -> Self {
        let mut all = Vec::new();
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            for operation in path.operations {
                if let Some(id) = operation.operation_id {
                    all.push(Operation {
                        id,
                        method: operation.method,
                        segments: path.path.split('/').map(segment).collect(),
                    });
                }
            }
        }
        Self { all, mount }
    }

    /// The operation at a path, looked for one by one: most requests never ask.
    pub(super) fn find(&self, method: &Method, path: &str) -> &'static str {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let path = path.strip_prefix(self.mount.as_str()).unwrap_or(path);
        let mut found = self.all.iter().filter(|operation| operation.method == *method);
        let found = found.find(|operation| operation.is_at(path));
        found.map_or(NONE, |operation| operation.id)
    }
}

impl Operation {
    fn is_at(&self, path: &str) -> bool {
        let mut sent = path.split('/');
        let all_fit = self.segments.iter().all(|segment| match (segment, sent.next()) {
            (Some(fixed), Some(sent)) => fixed == sent,
            (None, Some(sent)) => !sent.is_empty(),
            (_, None) => false,
        });
        all_fit && sent.next().is_none()
    }
}

fn segment(text: &str) -> Option<String> {
    (!text.starts_with('{')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_known_by_method_and_path() {
        let operations = Operations::of::<(crate::NativeOperations, crate::compat::Operations)>("/compat".into());
        for (method, path, expected) in [
            (Method::GET, "/api/v1/chat/sessions", "list_sessions"),
            (Method::HEAD, "/api/v1/chat/sessions", "list_sessions"),
            (Method::POST, "/api/v1/chat/sessions", "create_session"),
            (Method::GET, "/api/v1/chat/sessions/x", "get_session"),
            (Method::PUT, "/api/v1/chat/sessions", NONE),
            (Method::GET, "/api/v1/chat/sessions/", NONE),
            (Method::GET, "/api/v1/chat", NONE),
            (Method::GET, "/nowhere", NONE),
            (Method::GET, "/livez", "livez"),
            (
                Method::POST,
                "/compat/api/v1/chat/sessions/create-task",
                "compat_create_task",
            ),
        ] {
            assert_eq!(operations.find(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn no_method_of_a_clients_making_is_a_name() {
        let made_up = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(method_name(&made_up), "other");
        assert_eq!(method_name(&Method::PATCH), "PATCH");
    }
}
