use unicode_normalization::UnicodeNormalization;

/// Full Unicode case folding: `Straße` and `STRASSE` become equal.
pub fn case_fold(text: &str) -> String {
    caseless::default_case_fold_str(text)
}

/// The folded form under which two spellings count as the same: NFKC, then case folding (`CH-23`, `ID-01`).
///
/// Folding can denormalise, so the result is normalised again; folding a folded text changes nothing.
pub fn fold(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    case_fold(&composed).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_that_count_as_the_same() {
        assert_eq!(fold("Straße"), fold("STRASSE"));
        assert_eq!(fold("Cafe\u{301}"), fold("CAFÉ"));
        assert_eq!(fold("ﬁle"), fold("FILE"));
        assert_ne!(fold("work"), fold("work "));
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,20}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
