use percent_encoding::percent_decode_str;

use super::words;
use crate::{AttachmentId, Code, TextRule, Violations, case_fold, check_text, fold};

words! {
    /// What an attachment is.
    AttachmentKind {
        /// A picture.
        Image = "image",
        /// Any other file.
        File = "file",
    }
}

words! {
    /// Where an attachment lies, as its URL tells (`CH-36`).
    Location {
        /// http or https.
        Remote = "remote",
        /// Anything else: a device path, a bucket address.
        Local = "local",
    }
}

/// A reference to an image or a file of a message. Larder keeps the reference, never the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// Its id, made by Larder.
    pub id: AttachmentId,
    /// Image or file.
    pub kind: AttachmentKind,
    /// The URL as sent.
    pub url: String,
    /// Remote or local.
    pub location: Location,
    /// The last path segment of the URL, percent-decoded where that gives UTF-8.
    pub file_name: Option<String>,
    /// 1 to 16 letters or digits after the last dot of the file name, lower-cased.
    pub extension: Option<String>,
    /// As the client says.
    pub description: Option<String>,
    /// As the client says.
    pub media_type: Option<String>,
    /// As the client says, in bytes.
    pub size_bytes: Option<i64>,
}

/// An attachment as a client sends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttachmentDraft {
    /// Image or file.
    pub kind: AttachmentKind,
    /// 1 to 2048 characters.
    pub url: String,
    /// At most 2000 characters.
    pub description: Option<String>,
    /// At most 127 characters.
    pub media_type: Option<String>,
    /// 0 or more.
    pub size_bytes: Option<i64>,
}

impl Attachment {
    /// Checks what a client sent and derives the rest from the URL (`CH-36`).
    pub fn new(draft: AttachmentDraft, id: AttachmentId, pointer: &str) -> Result<Self, Violations> {
        let mut violations = Violations::under(pointer);
        check_url(&draft.url, &mut violations);
        for (text, rule, field) in [
            (&draft.description, TextRule::up_to(2_000), "/description"),
            (&draft.media_type, TextRule::up_to(127), "/media_type"),
        ] {
            if let Some(text) = text {
                check_text(text, rule, field, &mut violations);
            }
        }
        if draft.size_bytes.is_some_and(|size| size < 0) {
            violations.add("/size_bytes", Code::OutOfRange, "must not be negative");
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        let location = match scheme(&draft.url).as_deref() {
            Some("http" | "https") => Location::Remote,
            _ => Location::Local,
        };
        let file_name = file_name_of(&draft.url);
        let extension = file_name.as_deref().and_then(extension);
        Ok(Self {
            id,
            kind: draft.kind,
            url: draft.url,
            location,
            file_name,
            extension,
            description: draft.description,
            media_type: draft.media_type,
            size_bytes: draft.size_bytes,
        })
    }

    /// The file name as audits compare it: folded, cut to 255 characters.
    pub fn file_name_norm(&self) -> Option<String> {
        self.file_name.as_deref().map(norm_of_file_name)
    }
}

/// A whole file name as audits compare it (`CH-35`): folded, cut to 255 characters.
pub fn norm_of_file_name(name: &str) -> String {
    fold(name).chars().take(255).collect()
}

/// An extension as audits compare it (`CH-35`): without a leading dot, folded, cut to 16 characters.
pub fn norm_of_extension(extension: &str) -> String {
    let extension = extension.strip_prefix('.').unwrap_or(extension);
    case_fold(extension).chars().take(16).collect()
}

fn check_url(url: &str, violations: &mut Violations) {
    if url.is_empty() || url.chars().count() > 2_048 {
        violations.add("/url", Code::BadUrl, "must have 1 to 2048 characters");
    } else if url.chars().any(char::is_control) {
        violations.add("/url", Code::BadUrl, "must not contain a control character");
    } else if matches!(
        scheme(url.trim_start()).as_deref(),
        Some("data" | "javascript" | "vbscript")
    ) {
        violations.add(
            "/url",
            Code::BadUrl,
            "must not have the scheme data, javascript or vbscript",
        );
    }
}

/// The scheme in lower case, if the text starts with one.
fn scheme(url: &str) -> Option<String> {
    let (scheme, _) = url.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme.then(|| scheme.to_ascii_lowercase())
}

/// The file that a URL names (`CH-36`): the last step of its path, decoded where that gives UTF-8; none where that is empty.
pub fn file_name_of(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = match path.split_once("://") {
        // The authority is no path segment: `https://example.com` names no file.
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path,
    };
    let segment = path.rsplit('/').next().unwrap_or_default();
    let decoded = match percent_decode_str(segment).decode_utf8() {
        Ok(decoded) if !decoded.chars().any(char::is_control) => decoded.into_owned(),
        _ => segment.to_owned(),
    };
    if decoded.is_empty() {
        None
    } else {
        Some(decoded.chars().take(255).collect())
    }
}

fn extension(file_name: &str) -> Option<String> {
    let (_, extension) = file_name.rsplit_once('.')?;
    let fits = (1..=16).contains(&extension.chars().count()) && extension.chars().all(char::is_alphanumeric);
    fits.then(|| norm_of_extension(extension))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn attach(url: &str) -> Result<Attachment, crate::Invalid> {
        let draft = AttachmentDraft {
            kind: AttachmentKind::File,
            url: url.into(),
            description: None,
            media_type: None,
            size_bytes: None,
        };
        Ok(Attachment::new(draft, AttachmentId(Uuid::nil()), "/attachments/0")?)
    }

    #[test]
    fn ch_36_what_a_url_tells() {
        for (url, name, extension, location) in [
            (
                "https://h.example.com/a/Report.PDF?x=1",
                Some("Report.PDF"),
                Some("pdf"),
                Location::Remote,
            ),
            (
                "http://h.example.com/b/r%C3%A9sum%C3%A9.docx#top",
                Some("résumé.docx"),
                Some("docx"),
                Location::Remote,
            ),
            (
                "http://h.example.com/%ff.bin",
                Some("%ff.bin"),
                Some("bin"),
                Location::Remote,
            ),
            (
                "/storage/emulated/0/photo.jpeg",
                Some("photo.jpeg"),
                Some("jpeg"),
                Location::Local,
            ),
            ("s3://bucket/key/file", Some("file"), None, Location::Local),
            ("https://h.example.com", None, None, Location::Remote),
            ("https://h.example.com/a/", None, None, Location::Remote),
            ("HTTPS://h.example.com/a.", Some("a."), None, Location::Remote),
            ("x.tar.gz", Some("x.tar.gz"), Some("gz"), Location::Local),
        ] {
            let attachment = attach(url).unwrap();
            assert_eq!(attachment.file_name.as_deref(), name, "{url}");
            assert_eq!(attachment.extension.as_deref(), extension, "{url}");
            assert_eq!(attachment.location, location, "{url}");
        }
    }

    #[test]
    fn ch_35_names_and_extensions_compare_without_case() {
        let attachment = attach("https://h.example.com/a/Report.PDF?x=1").unwrap();
        assert_eq!(attachment.file_name_norm(), Some(norm_of_file_name("rePort.pdf")));
        for extension in ["pdf", "PDF", ".pdf"] {
            assert_eq!(attachment.extension, Some(norm_of_extension(extension)), "{extension}");
        }
        assert_ne!(attachment.extension, Some(norm_of_extension("..pdf")));
    }

    #[test]
    fn ch_36_refused_urls() {
        let long = format!("https://h.example.com/{}", "x".repeat(2_048));
        for url in [
            "",
            "data:text/plain,x",
            "JavaScript:alert(1)",
            " javascript:x",
            "vbscript:x",
            "https://h/\n",
            "a\0b",
            &long,
        ] {
            assert_eq!(attach(url).unwrap_err().violations()[0].code, Code::BadUrl, "{url}");
        }
    }

    #[test]
    fn a_size_is_never_negative() {
        let draft = AttachmentDraft {
            kind: AttachmentKind::Image,
            url: "a.png".into(),
            description: None,
            media_type: None,
            size_bytes: Some(-1),
        };
        assert!(Attachment::new(draft, AttachmentId(Uuid::nil()), "").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(url in "\\PC{0,60}") {
            if let Ok(attachment) = attach(&url) {
                prop_assert!(attachment.file_name.is_none_or(|name| (1..=255).contains(&name.chars().count())));
                prop_assert!(attachment.extension.is_none_or(|extension| (1..=16).contains(&extension.chars().count())));
            }
        }
    }
}
