use crate::{Code, Violations};

/// How long a text may be, in characters.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
}

impl TextRule {
    /// `text(n)`: 1 to `max` characters.
    pub const fn up_to(max: usize) -> Self {
        Self { min: 1, max }
    }

    /// `text(0..n)`: may be empty.
    pub const fn maybe_empty(max: usize) -> Self {
        Self { min: 0, max }
    }
}

/// Notes a violation at `pointer` when `text` holds a NUL or has a length that the rule doesn't allow.
pub fn check_text(text: &str, rule: TextRule, pointer: &str, violations: &mut Violations) {
    if text.contains('\0') {
        violations.add(pointer, Code::Nul, "must not contain the character U+0000");
        return;
    }
    // Characters are never more than bytes, so most texts need no counting.
    if text.len() > rule.max && text.chars().count() > rule.max {
        violations.add(
            pointer,
            Code::TooLong,
            format!("must have at most {} characters", rule.max),
        );
    } else if rule.min == 1 && text.is_empty() {
        violations.add(pointer, Code::TooShort, "must not be empty");
    } else if text.len() < rule.min * 4 && text.chars().count() < rule.min {
        violations.add(
            pointer,
            Code::TooShort,
            format!("must have at least {} characters", rule.min),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str, rule: TextRule) -> Option<Code> {
        let mut violations = Violations::new();
        check_text(text, rule, "/x", &mut violations);
        violations.finish(()).err().map(|invalid| invalid.violations()[0].code)
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(code("ßßß", TextRule::up_to(3)), None);
        assert_eq!(code("ßßßß", TextRule::up_to(3)), Some(Code::TooLong));
        assert_eq!(code("", TextRule::up_to(3)), Some(Code::TooShort));
        assert_eq!(code("", TextRule::maybe_empty(3)), None);
        assert_eq!(code("ab", TextRule { min: 3, max: 9 }), Some(Code::TooShort));
        assert_eq!(
            code("\u{1F600}\u{1F600}", TextRule { min: 3, max: 9 }),
            Some(Code::TooShort)
        );
    }

    #[test]
    fn nul_is_refused_everywhere() {
        assert_eq!(code("a\0b", TextRule::maybe_empty(3)), Some(Code::Nul));
    }
}
