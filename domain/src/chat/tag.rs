use crate::{Code, TextRule, Violations, check_text, fold};

/// Most tags of one session (`CH-23`).
pub const MAX_TAGS: usize = 32;
const LENGTH: TextRule = TextRule::up_to(64);

/// A short label on a session: trimmed, 1 to 64 characters, compared by its folded form (`CH-23`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    text: String,
    norm: String,
}

impl Tag {
    /// Checks one tag.
    pub fn new(text: &str, pointer: &str) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let text = text.trim();
        check_text(text, LENGTH, pointer, &mut violations);
        let norm = fold(text);
        // Folding can lengthen a text (one ligature becomes three letters), and the folded form is stored too.
        if violations.is_empty() && norm.chars().count() > LENGTH.max {
            violations.add(
                pointer,
                Code::TooLong,
                format!("must have at most {} characters in its folded form", LENGTH.max),
            );
        }
        if violations.is_empty() {
            Ok(Self {
                text: text.to_owned(),
                norm,
            })
        } else {
            Err(violations)
        }
    }

    /// Checks a list: the order and the first spelling are kept, a duplicate is dropped silently, at most [`MAX_TAGS`] remain.
    pub fn list(texts: &[String], pointer: &str) -> Result<Vec<Self>, Violations> {
        let mut violations = Violations::new();
        let mut tags: Vec<Self> = Vec::with_capacity(texts.len().min(MAX_TAGS + 1));
        for (index, text) in texts.iter().enumerate() {
            if let Some(tag) = violations.keep(Self::new(text, &format!("{pointer}/{index}")))
                && !tags.iter().any(|known| known.norm == tag.norm)
            {
                tags.push(tag);
            }
            if tags.len() > MAX_TAGS {
                violations.add(
                    pointer,
                    Code::TooMany,
                    format!("must have at most {MAX_TAGS} different tags"),
                );
                break;
            }
        }
        if violations.is_empty() {
            Ok(tags)
        } else {
            Err(violations)
        }
    }

    /// What a store kept.
    pub fn from_stored(text: String) -> Self {
        let norm = fold(&text);
        Self { text, norm }
    }

    /// The spelling that is shown.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The form that is compared: NFKC and case-folded.
    pub fn norm(&self) -> &str {
        &self.norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Result<Vec<String>, crate::Invalid> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Ok(Tag::list(&texts, "/tags")?
            .iter()
            .map(|tag| tag.text().to_owned())
            .collect())
    }

    #[test]
    fn ch_23_first_spelling_and_order_are_kept() {
        assert_eq!(
            list(&["Work", "work ", "Straße", "STRASSE"]).unwrap(),
            ["Work", "Straße"]
        );
    }

    #[test]
    fn ch_23_limits() {
        let many: Vec<String> = (0..33).map(|n| format!("t{n}")).collect();
        let refused = Tag::list(&many, "/tags").map_err(crate::Invalid::from).unwrap_err();
        assert_eq!(refused.violations()[0].code, Code::TooMany);
        assert!(Tag::list(&many[..32], "/tags").is_ok());
        let blank = list(&["ok", "  "]).unwrap_err();
        assert_eq!(blank.violations()[0].pointer, "/tags/1");
        assert!(list(&["x".repeat(64).as_str()]).is_ok());
        assert!(list(&["x".repeat(65).as_str()]).is_err());
    }

    #[test]
    fn a_folded_form_that_grows_beyond_the_limit_is_refused() {
        assert!(list(&["\u{FB03}".repeat(30).as_str()]).is_err());
    }
}
