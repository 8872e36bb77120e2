//! The one tokeniser that feeds every engine (`CH-40`), the query (`CH-41`), and excerpts (`CH-42`).

use std::collections::HashSet;
use std::ops::Range;

use unicode_normalization::char::decompose_compatible;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::{Code, Invalid, case_fold};

/// Most characters of a token; the rest of a longer word is cut.
const MAX_TOKEN: usize = 64;
/// Most bytes of a document's tokens; what follows is not searchable.
const MAX_DOCUMENT: usize = 256 * 1024;
const MAX_WORDS: usize = 16;
const MAX_QUERY: usize = 200;
const MAX_EXCERPT: usize = 240;
const MAX_LEAD: usize = 80;

/// The tokens of a document as every engine stores them: each once, in the order of the text, separated by a space.
///
/// A token consists of letters, numbers and spacing marks only, folded, so no engine has to split or fold anything itself.
pub fn document(text: &str) -> String {
    let mut seen = HashSet::new();
    let mut document = String::new();
    for token in tokens(text) {
        if document.len() + token.text.len() + 1 > MAX_DOCUMENT {
            break;
        }
        if !seen.contains(&token.text) {
            if !document.is_empty() {
                document.push(' ');
            }
            document.push_str(&token.text);
            seen.insert(token.text);
        }
    }
    document
}

/// What somebody searches for: every word must occur, the last one as the beginning of a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    whole: Vec<String>,
    prefix: String,
}

impl Query {
    /// Reads a query. No character has a special meaning: what is no letter, number or mark separates words.
    ///
    /// Refused with `empty_query` when it has no word, and when it has more than 16 words or 200 characters.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.chars().count() > MAX_QUERY {
            return Err(Invalid::one(
                "/query/q",
                Code::TooLong,
                format!("must have at most {MAX_QUERY} characters"),
            ));
        }
        let mut words: Vec<String> = tokens(text).map(|token| token.text).collect();
        if words.len() > MAX_WORDS {
            return Err(Invalid::one(
                "/query/q",
                Code::TooMany,
                format!("must have at most {MAX_WORDS} words"),
            ));
        }
        let Some(prefix) = words.pop() else {
            return Err(Invalid::one(
                "/query/q",
                Code::EmptyQuery,
                "must have at least one letter or number",
            ));
        };
        Ok(Self { whole: words, prefix })
    }

    /// The words that must occur as they are.
    pub fn whole(&self) -> &[String] {
        &self.whole
    }

    /// The beginning with which a word must start.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a text matches. The engines must answer the same from its [`document`].
    pub fn matches(&self, text: &str) -> bool {
        let document = document(text);
        let tokens: HashSet<&str> = document.split(' ').collect();
        self.whole.iter().all(|word| tokens.contains(word.as_str()))
            && tokens.iter().any(|token| token.starts_with(&self.prefix))
    }

    fn hits(&self, token: &str) -> bool {
        token.starts_with(&self.prefix) || self.whole.iter().any(|word| word == token)
    }
}

/// A piece of a text around the first hit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excerpt {
    /// At most 240 characters of the text as it is, from at most 80 before the first hit.
    pub text: String,
    /// Where the hits lie in `text`, counted in characters.
    pub highlights: Vec<Range<usize>>,
}

impl Excerpt {
    /// Cuts the excerpt of a text that matches.
    pub fn of(text: &str, query: &Query) -> Self {
        let hits: Vec<Range<usize>> = tokens(text)
            .filter(|token| query.hits(&token.text))
            .map(|token| token.characters)
            .collect();
        let first = hits.first().map_or(0, |hit| hit.start);
        let start = first.saturating_sub(MAX_LEAD);
        let text: String = text.chars().skip(start).take(MAX_EXCERPT).collect();
        let end = start + text.chars().count();
        let highlights = hits
            .into_iter()
            .filter(|hit| hit.start < end)
            .map(|hit| hit.start - start..hit.end.min(end) - start)
            .collect();
        Self { text, highlights }
    }
}

struct Token {
    text: String,
    /// Which characters of the text it was made of.
    characters: Range<usize>,
}

/// NFKD, without marks that take no space, folded; a token is a longest run of letters, numbers and spacing marks.
fn tokens(text: &str) -> impl Iterator<Item = Token> + '_ {
    let mut characters = text.chars().enumerate().peekable();
    std::iter::from_fn(move || {
        let mut token: Option<Token> = None;
        while let Some((index, character)) = characters.peek().copied() {
            let mut folded = String::new();
            let mut separates = false;
            decompose_compatible(character, |part| match class(part) {
                Class::Word => folded.push(part),
                Class::Mark => {}
                Class::Separator => separates = true,
            });
            if separates && token.is_some() {
                return token;
            }
            characters.next();
            if separates || folded.is_empty() {
                continue;
            }
            let token = token.get_or_insert_with(|| Token {
                text: String::new(),
                characters: index..index,
            });
            let room = MAX_TOKEN.saturating_sub(token.text.chars().count());
            token.text.extend(case_fold(&folded).chars().take(room));
            token.characters.end = index + 1;
        }
        token
    })
}

enum Class {
    Word,
    Mark,
    Separator,
}

fn class(character: char) -> Class {
    use GeneralCategory as G;
    match character.general_category() {
        G::UppercaseLetter
        | G::LowercaseLetter
        | G::TitlecaseLetter
        | G::ModifierLetter
        | G::OtherLetter
        | G::DecimalNumber
        | G::LetterNumber
        | G::OtherNumber
        | G::SpacingMark => Class::Word,
        G::NonspacingMark => Class::Mark,
        _ => Class::Separator,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(text).unwrap()
    }

    fn refusal(text: &str) -> Code {
        Query::parse(text).unwrap_err().violations()[0].code
    }

    #[test]
    fn ch_40_accents_case_and_compatibility_forms_are_folded() {
        for (text, tokens) in [
            ("Visit London", "visit london"),
            ("Crème brûlée, CRÈME", "creme brulee"),
            ("Straße ﬁle №7", "strasse file no7"),
            ("100%_done", "100 done"),
            ("東京タワー", "東京タワー"),
            ("a\u{1F600}b", "a b"),
            ("हिन्दी", "हिनदी"),
            ("ÅNGSTRÖM I\u{307}stanbul", "angstrom istanbul"),
            ("", ""),
            ("\"*\\_%", ""),
        ] {
            assert_eq!(document(text), tokens, "{text}");
        }
    }

    #[test]
    fn ch_40_long_words_are_cut_and_long_documents_end() {
        assert_eq!(document(&"x".repeat(100)), "x".repeat(64));
        let long: Vec<String> = (0..60_000).map(|n| format!("word{n}")).collect();
        let document = document(&long.join(" "));
        assert!(document.len() <= MAX_DOCUMENT && document.len() > MAX_DOCUMENT - 100);
        assert!(long.join(" ").starts_with(&document));
    }

    #[test]
    fn ch_41_every_word_and_the_last_as_a_prefix() {
        assert!(query("lond").matches("Visit London"));
        assert!(query("CREME").matches("Crème brûlée"));
        assert!(query("100 done").matches("100%_done"));
        assert!(query("london vis").matches("Visit London"));
        assert!(!query("vis london").matches("Visit London"));
        assert!(!query("ondon").matches("Visit London"));
        assert!(query("l").matches("Visit London"));
    }

    #[test]
    fn ch_41_what_is_no_query() {
        for text in ["", " ", "%", "_", "\"*\\", "\0", "\u{1F600}", "\u{301}"] {
            assert_eq!(refusal(text), Code::EmptyQuery, "{text:?}");
        }
        assert_eq!(refusal(&"a ".repeat(17)), Code::TooMany);
        assert_eq!(refusal(&"a".repeat(201)), Code::TooLong);
    }

    #[test]
    fn ch_42_an_excerpt_starts_before_the_first_hit() {
        let text = format!("{}Crème brûlée {}", "x ".repeat(100), "y ".repeat(200));
        let excerpt = Excerpt::of(&text, &query("creme brul"));
        assert_eq!(excerpt.text.chars().count(), 240);
        assert_eq!(excerpt.highlights, [80..85, 86..92]);
        let hit: String = excerpt.text.chars().skip(80).take(5).collect();
        assert_eq!(hit, "Crème");
        let whole = Excerpt::of("London", &query("lon"));
        assert_eq!(whole.text, "London");
        assert!(whole.highlights.iter().eq(std::iter::once(&(0..6))));
    }

    proptest! {
        #[test]
        fn a_document_is_a_fixed_point(text in "\\PC{0,40}") {
            let once = document(&text);
            prop_assert_eq!(document(&once), once);
        }

        #[test]
        fn tokens_hold_nothing_an_engine_could_split(text in "\\PC{0,40}") {
            for token in document(&text).split(' ').filter(|token| !token.is_empty()) {
                prop_assert!(token.chars().count() <= MAX_TOKEN);
                prop_assert!(token.chars().all(|c| !c.is_ascii() || c.is_ascii_lowercase() || c.is_ascii_digit()), "{}", token);
            }
        }

        #[test]
        fn excerpts_stay_within_bounds(text in "\\PC{0,400}", needle in "[a-z]{1,2}") {
            let excerpt = Excerpt::of(&text, &query(&needle));
            let length = excerpt.text.chars().count();
            prop_assert!(length <= MAX_EXCERPT);
            prop_assert!(excerpt.highlights.iter().all(|hit| hit.start < hit.end && hit.end <= length));
        }
    }
}
