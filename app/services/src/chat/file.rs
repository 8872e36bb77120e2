use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_domain::chat::{AttachmentKind, Message, file_name_of, norm_of_extension, norm_of_file_name};
use larder_domain::{Instant, Invalid, MessageId, OwnerId, TextRule, Violations, check_text};
use larder_ports::inbound::chat::{AuditError, AuditFiles, AuditMessages, FileUseCases};
use larder_ports::inbound::{Page, PageRequest};
use larder_ports::outbound::chat::{AuditedFile, ChatUnit, FileFilter, FilePlace, MessageAudit};
use larder_ports::outbound::{Access, Place, Seal, Store};

use crate::cursor::{Key, Paging};
use crate::retry::{RetryPolicy, retrying, undo};

/// The use cases of file audits.
pub struct ChatFiles {
    store: Arc<dyn Store<dyn ChatUnit>>,
    seal: Arc<dyn Seal>,
    retry: RetryPolicy,
}

impl ChatFiles {
    /// Over these ports.
    pub fn new(store: Arc<dyn Store<dyn ChatUnit>>, seal: Arc<dyn Seal>) -> Self {
        Self {
            store,
            seal,
            retry: RetryPolicy::default(),
        }
    }
}

#[async_trait]
impl FileUseCases for ChatFiles {
    async fn audit(
        &self,
        owner_id: OwnerId,
        request: AuditFiles,
        page: PageRequest,
    ) -> Result<Page<AuditedFile>, AuditError> {
        let mut violations = Violations::new();
        for (text, max, pointer) in [
            (&request.name, 255, "/query/name"),
            (&request.extension, 17, "/query/extension"),
        ] {
            if let Some(text) = text {
                check_text(text, TextRule::up_to(max), pointer, &mut violations);
            }
        }
        violations.finish(())?;
        let filter = FileFilter {
            from: request.from,
            to: request.to,
            name: request.name.as_deref().map(norm_of_file_name),
            extension: request.extension.as_deref().map(norm_of_extension),
            kind: request.kind,
            ai_only: request.ai_only,
            session_id: request.session_id,
            include_local: request.include_local,
        };
        let paging = Paging::new(self.seal.as_ref(), "chat.files", owner_id, &encode(&filter), &page)?;
        retrying(&self.retry, "audit files", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let rows = unit
                .files()
                .audit(owner_id, &filter, paging.after(), paging.fetch())
                .await?;
            undo(unit).await;
            Ok(paging.page(rows, |file| FilePlace {
                at: file.created_at,
                message_id: file.message_id,
                kind: file.attachment.kind,
                position: file.position,
            }))
        })
        .await
    }

    async fn audit_messages(&self, owner_id: OwnerId, request: AuditMessages) -> Result<Vec<Message>, AuditError> {
        let audit = read(&request)?;
        retrying(&self.retry, "audit messages", || async {
            let mut unit = self.store.begin(Access::Read).await?;
            let messages = unit.files().messages(owner_id, &audit).await?;
            undo(unit).await;
            Ok(messages)
        })
        .await
    }
}

/// Which rows a whole message is audited by.
fn read(request: &AuditMessages) -> Result<MessageAudit, Invalid> {
    let mut violations = Violations::new();
    for (text, max, pointer) in [
        (&request.name_or_url, 2_048, "/name"),
        (&request.extension, 17, "/extension"),
    ] {
        if let Some(text) = text {
            check_text(text, TextRule::up_to(max), pointer, &mut violations);
        }
    }
    violations.finish(())?;
    // A name is the last step of a path, so what has several is a whole URL, of which the name leads to the rows.
    let url = request.name_or_url.clone().filter(|text| text.contains('/'));
    let name = match &url {
        Some(url) => file_name_of(url),
        None => request.name_or_url.clone(),
    };
    Ok(MessageAudit {
        files: FileFilter {
            from: request.from,
            to: request.until.map(|until| until.plus(Duration::from_micros(1))),
            name: name.as_deref().map(norm_of_file_name),
            extension: request.extension.as_deref().map(norm_of_extension),
            kind: match request.with_images {
                true => None,
                false => Some(AttachmentKind::File),
            },
            ai_only: request.ai_only,
            session_id: None,
            include_local: false,
        },
        url,
        offset: request.offset,
        limit: request.limit.clamp(1, PageRequest::MAX_LIMIT + 1),
    })
}

/// The place of the message, then kind and position.
impl Key for FilePlace {
    fn to_bytes(&self) -> Vec<u8> {
        let message = Place {
            at: self.at,
            id: self.message_id.0,
        };
        let kind = u8::from(self.kind == AttachmentKind::Image);
        [message.to_bytes().as_slice(), &[kind], &self.position.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (rest, position) = bytes.split_last_chunk()?;
        let (kind, message) = rest.split_last()?;
        let message = Place::from_bytes(message)?;
        Some(Self {
            at: message.at,
            message_id: MessageId(message.id),
            kind: match kind {
                0 => AttachmentKind::File,
                1 => AttachmentKind::Image,
                _ => return None,
            },
            position: i64::from_be_bytes(*position),
        })
    }
}

/// The filter as a cursor is bound to it. Taken apart field by field, so that a new one can't be forgotten; what `Debug` writes of
/// a text is quoted, so that no two filters are written alike.
fn encode(filter: &FileFilter) -> Vec<u8> {
    let FileFilter {
        from,
        to,
        name,
        extension,
        kind,
        ai_only,
        session_id,
        include_local,
    } = filter;
    let when: (&Option<Instant>, &Option<Instant>) = (from, to);
    format!("{when:?} {name:?} {extension:?} {kind:?} {ai_only} {session_id:?} {include_local}").into_bytes()
}

#[cfg(test)]
mod tests {
    use larder_domain::chat::{Attachment, Location, SenderRole};
    use larder_domain::{AttachmentId, Code, SessionId};
    use larder_ports::testing::{ChatMocks, Ending, ScriptedStore};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{PlainSeal, chat_unit, owner};

    fn over(store: ScriptedStore<ChatMocks>) -> (ChatFiles, Arc<ScriptedStore<ChatMocks>>) {
        let store = Arc::new(store);
        (ChatFiles::new(store.clone(), Arc::new(PlainSeal)), store)
    }

    fn file(position: i64) -> AuditedFile {
        AuditedFile {
            attachment: Attachment {
                id: AttachmentId(Uuid::from_u128(9)),
                kind: AttachmentKind::Image,
                url: "https://h.example.com/a.png".into(),
                location: Location::Remote,
                file_name: Some("a.png".into()),
                extension: Some("png".into()),
                description: None,
                media_type: None,
                size_bytes: None,
            },
            position,
            message_id: MessageId(Uuid::from_u128(7)),
            sender_role: SenderRole::Assistant,
            created_at: Instant::EPOCH,
            session_id: SessionId(Uuid::from_u128(8)),
            session_name: None,
        }
    }

    #[tokio::test]
    async fn ch_35_the_filter_is_folded_and_the_next_page_starts_behind_the_last_row() {
        let first = chat_unit(|mocks| {
            mocks
                .files
                .expect_audit()
                .withf(|owner_id, filter, after, limit| {
                    *owner_id == owner(1)
                        && filter.name.as_deref() == Some("report.pdf")
                        && filter.extension.as_deref() == Some("pdf")
                        && after.is_none()
                        && *limit == 2
                })
                .returning(|_, _, _, _| Ok(vec![file(3), file(4)]));
        });
        let second = chat_unit(|mocks| {
            mocks
                .files
                .expect_audit()
                .withf(|_, _, after, _| {
                    *after
                        == Some(FilePlace {
                            at: Instant::EPOCH,
                            message_id: MessageId(Uuid::from_u128(7)),
                            kind: AttachmentKind::Image,
                            position: 3,
                        })
                })
                .returning(|_, _, _, _| Ok(Vec::new()));
        });
        let (files, store) = over(ScriptedStore::default().unit(first).unit(second));
        let request = AuditFiles {
            name: Some("Report.PDF".into()),
            extension: Some(".PDF".into()),
            ..AuditFiles::default()
        };
        let page = |cursor| PageRequest { limit: 1, cursor };
        let found = files.audit(owner(1), request.clone(), page(None)).await.unwrap();
        assert_eq!(found.data, [file(3)]);
        let rest = files
            .audit(owner(1), request, page(found.next_cursor.clone()))
            .await
            .unwrap();
        assert_eq!(rest.next_cursor, None);
        assert_eq!(store.endings(), [Ending::RolledBack; 2]);
        let other = files
            .audit(owner(1), AuditFiles::default(), page(found.next_cursor))
            .await;
        assert!(matches!(other, Err(AuditError::BadCursor(_))));
    }

    #[tokio::test]
    async fn ch_91_a_filter_that_no_engine_keeps_is_refused() {
        let (files, store) = over(ScriptedStore::default());
        let request = AuditFiles {
            name: Some("a\0".into()),
            extension: Some("x".repeat(18)),
            ..AuditFiles::default()
        };
        let refused = files.audit(owner(1), request, PageRequest::first()).await;
        let Err(AuditError::Invalid(invalid)) = refused else {
            panic!("{refused:?}");
        };
        let codes: Vec<_> = invalid.violations().iter().map(|violation| violation.code).collect();
        assert_eq!(codes, [Code::Nul, Code::TooLong]);
        assert!(store.opened().is_empty());
    }
}
