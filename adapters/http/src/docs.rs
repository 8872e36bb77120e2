//! The OpenAPI document, and a page that shows it without fetching anything from elsewhere.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::OnceLock;

use poem::endpoint::{BoxEndpoint, make};
use poem::http::header::{CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use poem::http::{HeaderMap, Method, StatusCode};
use poem::{Body, EndpointExt, IntoResponse, Response, ResponseParts};
use poem_openapi::registry::{MetaApi, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiResponse, LicenseObject, OpenApi, OpenApiService};

use crate::Operations;
use crate::problem::{Code, Problem};

const ABOUT: &str = "One self-hostable data backend for personal-AI products, on the storage you choose.

Send the `access_token` of a sign-up or login as `Authorization: Bearer <token>`. Whoever the token belongs to owns what is read \
and written; somebody else's resource is answered like a missing one.

Every failure is a problem document (RFC 9457); programs should look at its `code`, which is one of a closed list. Every answer \
carries `X-Request-Id`, taken from the request when it is 1 to 128 characters out of letters, digits, `.`, `_` and `-`.

Instants are RFC 3339 with an offset; answers have UTC with six decimals. Unknown fields of a body are refused. A resource's \
`version` is its `ETag`: send it as `If-Match` to change only what you have read, or as `If-None-Match` to be answered 304 while \
nothing changed. Lists have pages: send `next_cursor` as `cursor` for the next one.";

/// Stands for an API where only its description is needed.
struct Described<T>(PhantomData<T>);

impl<T: OpenApi> OpenApi for Described<T> {
    fn meta() -> Vec<MetaApi> {
        let mut apis: Vec<MetaApi> = Vec::new();
        // Two APIs may share a path, but a name that an object has twice hides what stands at its first place.
        for mut api in T::meta() {
            api.paths.retain_mut(|path| {
                let mut earlier = apis.iter_mut().flat_map(|api| &mut api.paths);
                match earlier.find(|earlier| earlier.path == path.path) {
                    Some(earlier) => {
                        earlier.operations.append(&mut path.operations);
                        false
                    }
                    None => true,
                }
            });
            apis.push(api);
        }
        apis
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        registry.schemas.values_mut().for_each(say_once);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

/// An API that may be left out: each of its paths is then 404. The document describes it all the same, since it is that of the product.
pub(crate) struct Enabled<T> {
    pub(crate) api: T,
    pub(crate) is_enabled: bool,
}

impl<T: OpenApi> OpenApi for Enabled<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        if self.is_enabled {
            return self.api.add_routes(routes);
        }
        let mut own = HashMap::new();
        self.api.add_routes(&mut own);
        for (path, methods) in own {
            // Others may serve other methods of the path, so it is not enough to leave these out.
            let missing = methods.into_keys().map(|method| (method, route_not_found()));
            routes.entry(path).or_default().extend(missing);
        }
    }
}

/// What stands where nothing is served.
pub(crate) fn route_not_found() -> BoxEndpoint<'static> {
    make(async |_| Err::<Response, poem::Error>(Problem::new(Code::RouteNotFound).into())).boxed()
}

/// What the framework adds to a reference, such as a description, it says twice: beside `allOf`, and as a second part of it, which
/// generators of clients take for another type.
fn say_once(schema: &mut MetaSchema) {
    if let [MetaSchemaRef::Reference(_), MetaSchemaRef::Inline(_)] = schema.all_of[..] {
        schema.all_of.truncate(1);
    }
    let properties = schema.properties.iter_mut().map(|(_, property)| property);
    let inner = [&mut schema.items, &mut schema.additional_properties];
    let inner = inner.into_iter().flatten().map(Box::as_mut);
    for part in properties.chain(inner) {
        if let MetaSchemaRef::Inline(schema) = part {
            say_once(schema);
        }
    }
}

/// An API with what the document says about it as a whole.
pub(crate) fn service<T: OpenApi>(api: T) -> OpenApiService<T, ()> {
    OpenApiService::new(api, "Larder", env!("CARGO_PKG_VERSION"))
        .description(ABOUT)
        .license(LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"))
        .server("/")
}

fn description() -> OpenApiService<Described<Operations>, ()> {
    service(Described(PhantomData))
}

/// The OpenAPI document of the service: indented JSON, the same for the same build, without a line end.
pub fn openapi_document() -> String {
    description().spec()
}

/// Text that never changes while the process runs.
struct Text {
    content_type: &'static str,
    policy: Option<&'static str>,
    text: &'static str,
}

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.text.len()));
        if let Some(policy) = self.policy {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        let parts = ResponseParts {
            status: StatusCode::OK,
            version: Default::default(),
            headers,
            extensions: Default::default(),
        };
        Response::from_parts(parts, Body::from(self.text))
    }
}

impl ApiResponse for Text {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![] }
    }

    fn register(_: &mut Registry) {}
}

/// Lets the page run its own scripts and ask this service, and fetch nothing from anywhere else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Made when somebody first asks: most processes are never asked, and the page is large.
fn once(cell: &'static OnceLock<String>, make: impl FnOnce() -> String) -> &'static str {
    cell.get_or_init(make)
}

/// The documentation. Not part of the document itself.
pub(crate) struct DocsApi;

#[OpenApi]
impl DocsApi {
    #[oai(path = "/openapi.json", method = "get", hidden)]
    async fn document(&self) -> Text {
        static DOCUMENT: OnceLock<String> = OnceLock::new();
        Text {
            content_type: "application/json",
            policy: None,
            text: once(&DOCUMENT, openapi_document),
        }
    }

    #[oai(path = "/docs", method = "get", hidden)]
    async fn page(&self) -> Text {
        static PAGE: OnceLock<String> = OnceLock::new();
        Text {
            content_type: "text/html; charset=utf-8",
            policy: Some(PAGE_POLICY),
            text: once(&PAGE, || description().swagger_ui_html()),
        }
    }
}
