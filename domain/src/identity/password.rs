use crate::{Code, Violations, fold};

/// What a new password must be like (`ID-05`).
#[derive(Clone, Copy, Debug)]
pub struct PasswordPolicy {
    /// Fewest characters, 8 to 64.
    pub min_length: usize,
}

/// Most bytes that bcrypt reads. Longer passwords are refused, never cut silently.
const MAX_BYTES: usize = 72;

impl PasswordPolicy {
    /// Checks a new password. Violations are noted at `pointer`; the password never appears in them.
    pub fn check(self, password: &str, username: &str, email: Option<&str>, pointer: &str) -> Result<(), Violations> {
        let mut violations = Violations::new();
        let folded = fold(password);
        if password.contains('\0') {
            violations.add(pointer, Code::PasswordWeak, "must not contain the character U+0000");
        } else if password.chars().count() < self.min_length {
            violations.add(
                pointer,
                Code::PasswordTooShort,
                format!("must have at least {} characters", self.min_length),
            );
        } else if password.len() > MAX_BYTES {
            violations.add(
                pointer,
                Code::PasswordTooLong,
                format!("must have at most {MAX_BYTES} bytes"),
            );
        } else if folded == fold(username) || email.is_some_and(|email| folded == fold(email.trim())) {
            violations.add(pointer, Code::PasswordWeak, "must not be the username or the email");
        }
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// Whether a password can be compared at all; a longer one, or one with NUL, can't be anybody's.
    pub fn is_comparable(password: &str) -> bool {
        password.len() <= MAX_BYTES && !password.contains('\0')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str) -> Option<Code> {
        let checked =
            PasswordPolicy { min_length: 10 }.check(password, "Ann.Example", Some("ann@example.com"), "/password");
        checked
            .err()
            .map(|violations| crate::Invalid::from(violations).violations()[0].code)
    }

    #[test]
    fn id_05_worked_examples() {
        assert_eq!(code("123456789"), Some(Code::PasswordTooShort));
        assert_eq!(code("1234567890"), None);
        assert_eq!(code("ßßßßßßßßßß"), None);
        assert_eq!(code(&"x".repeat(72)), None);
        assert_eq!(code(&"x".repeat(73)), Some(Code::PasswordTooLong));
        assert_eq!(code(&"ß".repeat(37)), Some(Code::PasswordTooLong));
        assert_eq!(code("with\0a nul in it"), Some(Code::PasswordWeak));
        assert_eq!(code("aNN.eXAMPLE"), Some(Code::PasswordWeak));
        assert_eq!(code("Ann@Example.com"), Some(Code::PasswordWeak));
    }

    #[test]
    fn what_bcrypt_could_not_compare_whole() {
        assert!(PasswordPolicy::is_comparable(&"x".repeat(72)));
        assert!(!PasswordPolicy::is_comparable(&"x".repeat(73)));
        assert!(!PasswordPolicy::is_comparable("a\0b"));
    }
}
