//! Audits of attachments.

use larder_domain::chat::{Attachment, AttachmentKind, Location, SenderRole};
use larder_domain::{AttachmentId, Code, Invalid, MessageId, SessionId};
use larder_ports::inbound::chat::{AuditError, AuditFiles};
use larder_ports::inbound::{BadCursor, Page};
use larder_ports::outbound::chat::AuditedFile;
use uuid::Uuid;

use crate::support::{OWNER, Ports, at};

const FILES: &str = "/api/v1/chat/files";

#[tokio::test]
async fn ch_35_a_page_of_files() {
    let mut ports = Ports::new();
    ports.files.expect_audit().once().returning(|owner_id, request, page| {
        let expected = AuditFiles {
            from: Some(at(1)),
            to: Some(at(2)),
            name: Some("Report.PDF".into()),
            extension: Some(".pdf".into()),
            kind: Some(AttachmentKind::File),
            ai_only: true,
            session_id: Some(SessionId(Uuid::from_u128(8))),
            include_local: true,
        };
        assert_eq!((owner_id, request), (OWNER, expected));
        assert_eq!((page.limit, page.cursor.as_deref()), (3, Some("c1")));
        let file = AuditedFile {
            attachment: Attachment {
                id: AttachmentId(Uuid::from_u128(9)),
                kind: AttachmentKind::File,
                url: "https://h.example.com/Report.PDF".into(),
                location: Location::Remote,
                file_name: Some("Report.PDF".into()),
                extension: Some("pdf".into()),
                description: None,
                media_type: None,
                size_bytes: Some(5),
            },
            position: 0,
            message_id: MessageId(Uuid::from_u128(7)),
            sender_role: SenderRole::Assistant,
            created_at: at(1),
            session_id: SessionId(Uuid::from_u128(8)),
            session_name: None,
        };
        Ok(Page {
            data: vec![file],
            next_cursor: Some("c2".into()),
        })
    });
    let query = format!(
        "{FILES}?from={}&to={}&name=Report.PDF&extension=.pdf&kind=file&ai_only=true&session_id={}&include_local=true&limit=3&cursor=c1",
        at(1),
        at(2),
        Uuid::from_u128(8)
    );
    let reply = ports.app().get(&query).send().await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("link").unwrap().contains("cursor=c2"));
    let expected = format!(
        r#"{{"attachment":{{"id":"{}","kind":"file","url":"https://h.example.com/Report.PDF","description":null,"media_type":null,"size_bytes":5,"file_name":"Report.PDF","extension":"pdf","location":"remote"}},"message_id":"{}","sender_role":"assistant","created_at":"{}","session_id":"{}","session_name":null}}"#,
        Uuid::from_u128(9),
        Uuid::from_u128(7),
        at(1),
        Uuid::from_u128(8)
    );
    assert_eq!(reply.body, format!(r#"{{"data":[{expected}],"next_cursor":"c2"}}"#));
}

#[tokio::test]
async fn ch_35_without_parameters_all_remote_files_are_wanted() {
    let mut ports = Ports::new();
    ports.files.expect_audit().once().returning(|_, request, page| {
        assert_eq!((request, page.limit), (AuditFiles::default(), 50));
        Ok(Page {
            data: Vec::new(),
            next_cursor: None,
        })
    });
    let reply = ports.app().get(FILES).send().await;
    assert_eq!(reply.body, r#"{"data":[],"next_cursor":null}"#);
}

#[tokio::test]
async fn ch_35_what_is_refused() {
    let mut ports = Ports::new();
    ports
        .files
        .expect_audit()
        .times(1)
        .returning(|_, _, _| Err(AuditError::Invalid(Invalid::one("/query/name", Code::Nul, "must not"))));
    ports.files.expect_audit().returning(|_, _, _| Err(BadCursor.into()));
    let app = ports.app();
    app.get(&format!("{FILES}?name=%00"))
        .send()
        .await
        .refused("/query/name", "nul_character");
    app.get(&format!("{FILES}?cursor=x"))
        .send()
        .await
        .problem(400, "bad_cursor");
    for (query, pointer) in [
        ("kind=video", "/query/kind"),
        ("from=yesterday", "/query/from"),
        ("to=2026-01-01T00:00:00", "/query/to"),
        ("session_id=7", "/query/session_id"),
        ("ai_only=maybe", "/query/ai_only"),
    ] {
        let reply = app.get(&format!("{FILES}?{query}")).send().await;
        reply.refused(pointer, "bad_format");
    }
}
