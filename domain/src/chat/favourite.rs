use std::fmt::Write;

use super::{Message, Tag};
use crate::{Instant, SessionId};

/// What is said of the session beside one of its messages (`CH-30`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionHeader {
    /// The session.
    pub id: SessionId,
    /// What it is called.
    pub name: Option<String>,
    /// The persona that answers.
    pub character_name: Option<String>,
    /// Labels, in the order of the client.
    pub tags: Vec<Tag>,
}

/// The beginning of an export of favourites as Markdown (`CH-32`).
pub fn markdown_head(exported_at: Instant) -> String {
    format!("# Favourite messages\n\nExported {exported_at}\n")
}

/// One favourite of an export as Markdown (`CH-32`).
pub fn markdown_of(message: &Message, session: &SessionHeader) -> String {
    let name = session.name.as_deref().unwrap_or("New chat");
    let (at, role, id) = (message.created_at, message.sender_role.as_str(), message.id);
    let mut text = format!("\n---\n\n## {name}\n\n{at} · {role} · </api/v1/chat/messages/{id}>\n");
    if let Some(said) = &message.content.text {
        text.push('\n');
        text.push_str(said);
        text.push('\n');
    }
    for (index, attachment) in message.content.attachments.iter().enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        // Writing to a String can't fail.
        let _ = write!(text, "{gap}- {}: {}", attachment.kind.as_str(), attachment.url);
        if let Some(description) = &attachment.description {
            let _ = write!(text, " ({description})");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::chat::{AttachmentDraft, AttachmentKind, MessageDraft, SenderRole, Stamp};
    use crate::{AttachmentId, MessageId, OwnerId};

    #[test]
    fn ch_32_a_favourite_as_markdown() {
        let now = Instant::parse("2026-04-11T09:00:01.5Z").unwrap();
        let attach = |kind, url: &str, description: Option<&str>| AttachmentDraft {
            kind,
            url: url.into(),
            description: description.map(str::to_owned),
            media_type: None,
            size_bytes: None,
        };
        let draft = MessageDraft {
            text: Some("two\nlines".into()),
            attachments: vec![
                attach(AttachmentKind::Image, "https://example.com/a.png", Some("a map")),
                attach(AttachmentKind::File, "b.pdf", None),
            ],
            ..MessageDraft::new(SenderRole::Assistant)
        };
        let stamp = Stamp {
            owner_id: OwnerId(Uuid::nil()),
            session_id: SessionId(Uuid::nil()),
            id: MessageId(Uuid::from_u128(9)),
            attachment_ids: vec![AttachmentId(Uuid::nil()); 2],
            ordinal: 1,
            now,
            default_lease: Duration::ZERO,
        };
        let message = Message::create(draft, stamp, "").unwrap();
        let mut session = SessionHeader {
            id: message.session_id,
            name: Some("Lisbon".into()),
            character_name: None,
            tags: vec![],
        };
        let whole = "\n---\n\n## Lisbon\n\n2026-04-11T09:00:01.500000Z · assistant · \
            </api/v1/chat/messages/00000000-0000-0000-0000-000000000009>\n\ntwo\nlines\n\n\
            - file: b.pdf\n- image: https://example.com/a.png (a map)\n";
        assert_eq!(markdown_of(&message, &session), whole);
        session.name = None;
        assert_eq!(markdown_of(&message, &session), whole.replace("Lisbon", "New chat"));
        assert_eq!(
            markdown_head(now),
            "# Favourite messages\n\nExported 2026-04-11T09:00:01.500000Z\n"
        );
    }
}
