//! Pages of lists (conventions §4).

use larder_ports::inbound::{Page, PageRequest};
use poem::http::Uri;
use poem_openapi::Object;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type};
use serde::Serialize;

use crate::values::Nullable;

/// How many rows a page has: 1 to 200.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limit(u32);

impl Default for Limit {
    fn default() -> Self {
        Self(PageRequest::DEFAULT_LIMIT)
    }
}

impl Type for Limit {
    const IS_REQUIRED: bool = false;
    type RawValueType = u32;
    type RawElementValueType = u32;

    fn name() -> std::borrow::Cow<'static, str> {
        "limit".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            minimum: Some(1.0),
            maximum: Some(f64::from(PageRequest::MAX_LIMIT)),
            ..MetaSchema::new_with_format("integer", "uint32")
        }))
    }

    fn as_raw_value(&self) -> Option<&u32> {
        Some(&self.0)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a u32> + 'a> {
        Box::new(std::iter::once(&self.0))
    }
}

impl ParseFromParameter for Limit {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        match text.parse() {
            Ok(limit @ 1..=PageRequest::MAX_LIMIT) => Ok(Self(limit)),
            _ => Err(ParseError::custom("not a limit")),
        }
    }
}

impl ParseFromJSON for Limit {
    fn parse_from_json(value: Option<serde_json::Value>) -> ParseResult<Self> {
        Self::parse_from_parameter(&value.unwrap_or_default().to_string())
    }
}

impl ToJSON for Limit {
    fn to_json(&self) -> Option<serde_json::Value> {
        Some(self.0.into())
    }
}

impl Limit {
    /// The page that a client asked for.
    pub(crate) fn page(self, cursor: Option<String>) -> PageRequest {
        PageRequest { limit: self.0, cursor }
    }
}

/// One page of a list.
#[derive(Object, Serialize)]
#[oai(rename = "Page")]
pub(crate) struct PageBody<T: Type + Send + Sync + ParseFromJSON + ToJSON> {
    /// The rows, in the order of the list.
    data: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one.
    next_cursor: Nullable<String>,
}

impl<T: Type + Send + Sync + ParseFromJSON + ToJSON> PageBody<T> {
    /// Shows a page, and gives the target of its `Link` to the next one.
    pub(crate) fn show<R: Into<T>>(page: Page<R>, uri: &Uri) -> (Self, Option<String>) {
        let link = page.next_cursor.as_deref().map(|cursor| next_link(uri, cursor));
        let body = Self {
            data: page.data.into_iter().map(Into::into).collect(),
            next_cursor: page.next_cursor.into(),
        };
        (body, link)
    }
}

/// The same request with another cursor.
fn next_link(uri: &Uri, cursor: &str) -> String {
    let mut link = format!("<{}?", uri.path());
    let sent = uri.query().into_iter().flat_map(|query| query.split('&'));
    for parameter in sent.filter(|parameter| !parameter.starts_with("cursor=")) {
        link.push_str(parameter);
        link.push('&');
    }
    link.push_str("cursor=");
    link.push_str(cursor);
    link.push_str(">; rel=\"next\"");
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_keeps_the_other_parameters() {
        let link = |uri: &'static str| next_link(&Uri::from_static(uri), "c2");
        assert_eq!(link("/a/b"), "</a/b?cursor=c2>; rel=\"next\"");
        assert_eq!(
            link("/a?limit=2&cursor=c1&order=desc"),
            "</a?limit=2&order=desc&cursor=c2>; rel=\"next\""
        );
    }

    #[test]
    fn a_limit_is_1_to_200() {
        let limit = |text| Limit::parse_from_parameter(text).ok().map(|limit| limit.0);
        assert_eq!((limit("1"), limit("200")), (Some(1), Some(200)));
        for text in ["0", "201", "-1", "", "ten", "1.5", "99999999999"] {
            assert_eq!(limit(text), None, "{text}");
        }
    }
}
