//! The parameter `options` of an address: settings of the server, as `-c name=value` (`CF-22`).

use std::time::Duration;

/// The settings in the order in which they stand. `None` where something else stands there.
pub(super) fn settings(text: &str) -> Option<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut words = words(text)?.into_iter();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(long), _) => long.to_owned(),
            (None, Some("")) => words.next()?,
            (None, Some(setting)) => setting.to_owned(),
            (None, None) => return None,
        };
        let (name, value) = unquoted(&setting, &['"', '\'']).split_once('=')?;
        let name = name.trim().to_ascii_lowercase().replace('-', "_");
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        settings.push((name, unquoted(value.trim(), &['\'']).to_owned()));
    }
    Some(settings)
}

/// Splits at spaces that are neither quoted nor behind a backslash. Quotes stay: those of a name in SQL mean something.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c.is_whitespace() && quote.is_none() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match (c, quote) {
            ('\\', None) => word.push(chars.next()?),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.push(c);
            }
            _ => {
                if quote == Some(c) {
                    quote = None;
                }
                word.push(c);
            }
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Without the quotes around the whole of it.
fn unquoted<'a>(text: &'a str, quotes: &[char]) -> &'a str {
    let inner = quotes
        .iter()
        .find_map(|&quote| Some((quote, text.strip_prefix(quote)?.strip_suffix(quote)?)));
    match inner {
        Some((quote, inner)) if !inner.contains(quote) => inner,
        _ => text,
    }
}

/// The names in a search path, as SQL reads them: unquoted ones in lower case. `None` where it is none.
pub(super) fn search_path(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let (name, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                (name.trim().to_ascii_lowercase(), after)
            }
        };
        // `$user` is another schema for everybody who connects.
        if name.is_empty() || name == "$user" || (!rest.starts_with('"') && name.contains(['"', '\'', ' '])) {
            return None;
        }
        names.push(name);
        match after.trim_start().strip_prefix(',') {
            Some(after) => rest = after.trim(),
            None => return after.trim().is_empty().then_some(names),
        }
    }
}

/// A name up to its closing quote, and what follows.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

/// A duration as PostgreSQL writes it: milliseconds, or with a unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = unquoted(text, &['"']).trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    match unit.trim() {
        "us" => Some(Duration::from_micros(number)),
        "" | "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "min" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(name: &str, value: &str) -> Option<Vec<(String, String)>> {
        Some(vec![(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn cf_22_with_or_without_space_quoted_or_not() {
        for text in [
            "-csearch_path=blood",
            "-c search_path=blood",
            "  -c   search_path=blood ",
            "--search_path=blood",
            "--search-path=blood",
            "-c SEARCH_PATH=blood",
            "-c 'search_path=blood'",
            "-c \"search_path=blood\"",
            "-c search_path='blood'",
        ] {
            assert_eq!(settings(text), one("search_path", "blood"), "{text}");
        }
        for (text, value) in [
            (r#"-c search_path="Mixed-Case",public"#, r#""Mixed-Case",public"#),
            (r#"-c search_path="a b",public"#, r#""a b",public"#),
            (r"-c search_path=a,\ b", "a, b"),
            (r"-c 'search_path=a, b'", "a, b"),
        ] {
            assert_eq!(settings(text), one("search_path", value), "{text}");
        }
        let two = settings("-c search_path=a -cstatement_timeout=5s").unwrap();
        assert_eq!(two[1], ("statement_timeout".to_owned(), "5s".to_owned()));
        assert_eq!(settings(""), Some(vec![]));
        for text in [
            "search_path=a",
            "-c",
            "-c search_path",
            "-c =a",
            "-d 5",
            "-c 'search_path=a",
            "-c a\\",
        ] {
            assert_eq!(settings(text), None, "{text}");
        }
    }

    #[test]
    fn cf_22_search_paths() {
        for (text, expected) in [
            ("blood", Some(vec!["blood"])),
            ("Blood, PUBLIC", Some(vec!["blood", "public"])),
            (r#""Mixed-Case",public"#, Some(vec!["Mixed-Case", "public"])),
            (r#""a ""b"", c" , d"#, Some(vec![r#"a "b", c"#, "d"])),
            ("", None),
            ("a,", None),
            (",a", None),
            ("a b", None),
            (r#""a"b"#, None),
            (r#""a"#, None),
            (r#""$user", public"#, None),
        ] {
            let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!(search_path(text), expected, "{text}");
        }
    }

    #[test]
    fn cf_22_durations_of_the_server() {
        for (text, expected) in [
            ("10000", Some(Duration::from_secs(10))),
            ("0", Some(Duration::ZERO)),
            ("10s", Some(Duration::from_secs(10))),
            ("\"2 min\"", Some(Duration::from_secs(120))),
            ("1h", Some(Duration::from_secs(3600))),
            ("250us", Some(Duration::from_micros(250))),
            ("1d", Some(Duration::from_secs(86_400))),
            ("", None),
            ("-1", None),
            ("1.5s", None),
            ("5m", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn cf_22_every_quoted_name_is_read_back(names in prop::collection::vec("[^\\x00]{1,20}", 1..4)) {
            prop_assume!(names.iter().all(|name| name != "$user"));
            let quoted: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\""))).collect();
            prop_assert_eq!(search_path(&quoted.join(",")), Some(names));
        }

        #[test]
        fn never_panics(text: String) {
            let _ = settings(&text);
            let _ = search_path(&text);
            let _ = duration(&text);
        }
    }
}
