//! Audits of attachments.

use std::collections::BTreeSet;

use larder_domain::chat::{AttachmentDraft, AttachmentKind, MessageDraft, SenderRole, SessionDraft};
use larder_domain::{Code, Instant, MessageId, OwnerId, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{AuditError, AuditFiles, AuditMessages, DeleteMessage};
use larder_ports::outbound::chat::AuditedFile;

use crate::Fixture;
use crate::make::says;

fn attached(kind: AttachmentKind, url: &str) -> AttachmentDraft {
    AttachmentDraft {
        kind,
        url: url.into(),
        description: None,
        media_type: None,
        size_bytes: None,
    }
}

fn file(url: &str) -> AttachmentDraft {
    attached(AttachmentKind::File, url)
}

fn image(url: &str) -> AttachmentDraft {
    attached(AttachmentKind::Image, url)
}

fn with(attachments: Vec<AttachmentDraft>) -> MessageDraft {
    MessageDraft {
        attachments,
        ..says("x")
    }
}

fn by(role: SenderRole, attachments: Vec<AttachmentDraft>) -> MessageDraft {
    MessageDraft {
        attachments,
        ..MessageDraft::new(role)
    }
}

fn named(name: &str) -> AuditFiles {
    AuditFiles {
        name: Some(name.into()),
        ..AuditFiles::default()
    }
}

fn extended(extension: &str) -> AuditFiles {
    AuditFiles {
        extension: Some(extension.into()),
        ..AuditFiles::default()
    }
}

fn urls(files: &[AuditedFile]) -> Vec<&str> {
    files.iter().map(|file| file.attachment.url.as_str()).collect()
}

impl Fixture {
    async fn session_for_files(&self, owner_id: OwnerId, name: &str) -> SessionId {
        let draft = SessionDraft {
            name: Some(name.into()),
            ..SessionDraft::default()
        };
        self.sessions.create(owner_id, draft).await.unwrap().id
    }

    async fn appended(&self, owner_id: OwnerId, session_id: SessionId, draft: MessageDraft) -> MessageId {
        let appended = self.messages.append(owner_id, session_id, draft, true).await;
        appended.unwrap().message.id
    }

    async fn audited(&self, owner_id: OwnerId, request: AuditFiles) -> Vec<AuditedFile> {
        let page = self.files.audit(owner_id, request, PageRequest::first()).await;
        page.unwrap().data
    }

    /// All files by pages of `limit`.
    async fn audited_by(&self, owner_id: OwnerId, request: &AuditFiles, limit: u32) -> Vec<AuditedFile> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = PageRequest { limit, cursor };
            let page = self.files.audit(owner_id, request.clone(), page).await.unwrap();
            assert!(page.data.len() <= limit as usize);
            all.extend(page.data);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }
}

pub async fn t_061_names_and_extensions_are_whole_and_without_case(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_for_files(owner, "papers").await;
    let (first, second) = (
        "https://h.example.com/a/Report.PDF?x=1",
        "https://h.example.com/b/report.pdf",
    );
    fixture.appended(owner, session_id, with(vec![file(first)])).await;
    fixture.advance(1);
    let answer = by(
        SenderRole::Assistant,
        vec![file(second), image("https://h.example.com/c.png")],
    );
    fixture.appended(owner, session_id, answer).await;

    for extension in ["pdf", "PDF", ".pdf"] {
        assert_eq!(
            urls(&fixture.audited(owner, extended(extension)).await),
            [second, first],
            "{extension}"
        );
    }
    assert_eq!(
        urls(&fixture.audited(owner, named("report.pdf")).await),
        [second, first]
    );
    for name in ["eport", "report", "report.pd", "%.pdf", "_eport.pdf"] {
        assert_eq!(fixture.audited(owner, named(name)).await, [], "{name}");
    }
    let by_assistant = AuditFiles {
        ai_only: true,
        ..extended("pdf")
    };
    assert_eq!(urls(&fixture.audited(owner, by_assistant).await), [second]);
}

pub async fn t_062_what_lies_on_a_device_is_found_only_when_asked_for(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_for_files(owner, "photos").await;
    let (local, remote) = ("/storage/emulated/0/photo.jpeg", "https://h.example.com/photo.jpeg");
    fixture
        .appended(owner, session_id, with(vec![file(local), file(remote)]))
        .await;
    assert_eq!(urls(&fixture.audited(owner, AuditFiles::default()).await), [remote]);
    for request in [AuditFiles::default(), named("photo.jpeg"), extended("jpeg")] {
        let all = AuditFiles {
            include_local: true,
            ..request
        };
        assert_eq!(urls(&fixture.audited(owner, all).await), [local, remote]);
    }
}

pub async fn ch_35_a_hit_tells_where_the_attachment_stands(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_for_files(owner, "papers").await;
    let draft = AttachmentDraft {
        description: Some("a plan".into()),
        media_type: Some("image/png".into()),
        size_bytes: Some(12),
        ..image("https://h.example.com/plan.png")
    };
    let appended = fixture
        .messages
        .append(owner, session_id, with(vec![draft]), true)
        .await;
    let message = appended.unwrap().message;
    let found = fixture.audited(owner, AuditFiles::default()).await;
    let expected = AuditedFile {
        attachment: message.content.attachments[0].clone(),
        position: 0,
        message_id: message.id,
        sender_role: SenderRole::User,
        created_at: message.created_at,
        session_id,
        session_name: Some("papers".into()),
    };
    assert_eq!(found, [expected]);
}

pub async fn ch_35_newest_message_first_then_files_before_images_then_position(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_for_files(owner, "papers").await;
    let url = |name: String| format!("https://h.example.com/{name}");
    let mut expected: Vec<(Instant, MessageId, Vec<String>)> = Vec::new();
    for round in 0..4 {
        // Two messages of one instant: the higher id comes first.
        for message in 0..2 {
            let names: Vec<String> = ["i0", "f0", "i1", "f1"]
                .map(|name| url(format!("{round}{message}{name}")))
                .into();
            let attachments = vec![image(&names[0]), file(&names[1]), image(&names[2]), file(&names[3])];
            let id = fixture.appended(owner, session_id, with(attachments)).await;
            let order = [1, 3, 0, 2].map(|index| names[index].clone());
            expected.push((fixture.now(), id, order.into()));
        }
        fixture.advance(60);
    }
    expected.sort_by_key(|(at, id, _)| std::cmp::Reverse((*at, *id)));
    let expected: Vec<String> = expected.into_iter().flat_map(|(_, _, names)| names).collect();
    for limit in [1, 3, 8, 200] {
        let found = fixture.audited_by(owner, &AuditFiles::default(), limit).await;
        assert_eq!(urls(&found), expected, "{limit}");
    }
}

pub async fn ch_35_filters_combine(fixture: Fixture) {
    let owner = fixture.owner();
    let (here, there) = (
        fixture.session_for_files(owner, "here").await,
        fixture.session_for_files(owner, "there").await,
    );
    let mut instants = Vec::new();
    for round in 0..3 {
        instants.push(fixture.now());
        for session_id in [here, there] {
            for role in [SenderRole::User, SenderRole::Assistant] {
                let urls = ["a.pdf", "b.png"].map(|name| format!("https://h.example.com/{round}/{name}"));
                fixture
                    .appended(owner, session_id, by(role, vec![file(&urls[0]), image(&urls[1])]))
                    .await;
            }
        }
        fixture.advance(60);
    }
    let all = fixture.audited(owner, AuditFiles::default()).await;
    assert_eq!(all.len(), 24);

    let options = |values: &[&str]| -> Vec<Option<String>> {
        let some = values.iter().map(|value| Some((*value).to_owned()));
        std::iter::once(None).chain(some).collect()
    };
    for name in options(&["A.pdf"]) {
        for extension in options(&["png", "pdf"]) {
            for session_id in [None, Some(here)] {
                for (kind, ai_only) in [(None, false), (Some(AttachmentKind::Image), false), (None, true)] {
                    let (from, to) = (Some(instants[1]), Some(instants[2]));
                    for (from, to) in [(None, None), (from, None), (None, to), (from, to)] {
                        let request = AuditFiles {
                            from,
                            to,
                            name: name.clone(),
                            extension: extension.clone(),
                            kind,
                            ai_only,
                            session_id,
                            include_local: false,
                        };
                        let expected: Vec<AuditedFile> = all
                            .iter()
                            .filter(|file| {
                                from.is_none_or(|from| file.created_at >= from)
                                    && to.is_none_or(|to| file.created_at < to)
                                    && name.is_none() | (file.attachment.file_name.as_deref() == Some("a.pdf"))
                                    && extension.is_none() | (file.attachment.extension == extension)
                                    && kind.is_none_or(|kind| file.attachment.kind == kind)
                                    && (!ai_only || file.sender_role == SenderRole::Assistant)
                                    && session_id.is_none_or(|id| file.session_id == id)
                            })
                            .cloned()
                            .collect();
                        assert_eq!(fixture.audited_by(owner, &request, 5).await, expected, "{request:?}");
                    }
                }
            }
        }
    }
}

pub async fn co_46_whole_messages_each_once_newest_first(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_for_files(owner, "papers").await;
    let url = |name: &str| format!("https://h.example.com/{name}");
    let mut ids = Vec::new();
    let mut instants = Vec::new();
    for attachments in [
        vec![image(&url("a.png")), file(&url("a.pdf")), file(&url("b.pdf"))],
        vec![image(&url("c.png"))],
        vec![file("/storage/d.pdf"), file(&url("d/A.PDF?x=1"))],
        vec![file("/storage/e.pdf")],
    ] {
        instants.push(fixture.now());
        ids.push(fixture.appended(owner, session_id, with(attachments)).await);
        fixture.advance(60);
    }
    let answer = by(SenderRole::Assistant, vec![file(&url("z.txt"))]);
    ids.push(fixture.appended(owner, session_id, answer).await);
    fixture.appended(owner, session_id, says("nothing attached")).await;

    let all = AuditMessages {
        limit: 200,
        ..AuditMessages::default()
    };
    let named = |name: &str| AuditMessages {
        name_or_url: Some(name.into()),
        ..all.clone()
    };
    let (first, last) = (Some(instants[0]), Some(instants[2]));
    for (request, expected) in [
        (all.clone(), vec![4, 2, 0]),
        (
            AuditMessages {
                with_images: true,
                ..all.clone()
            },
            vec![4, 2, 1, 0],
        ),
        (
            AuditMessages {
                ai_only: true,
                ..all.clone()
            },
            vec![4],
        ),
        (
            AuditMessages {
                extension: Some(".PDF".into()),
                ..all.clone()
            },
            vec![2, 0],
        ),
        // Both ends count.
        (
            AuditMessages {
                from: first,
                until: first,
                ..all.clone()
            },
            vec![0],
        ),
        (
            AuditMessages {
                from: first,
                until: last,
                ..all.clone()
            },
            vec![2, 0],
        ),
        (named("a.pdf"), vec![2, 0]),
        (named(&url("a.pdf")), vec![0]),
        (named(&url("d/A.PDF?x=1")), vec![2]),
        (named(&url("d/a.pdf?x=1")), vec![]),
        (named("h.example.com"), vec![]),
        (named("/storage/e.pdf"), vec![]),
        (named(&url("a.png")), vec![]),
        (
            AuditMessages {
                with_images: true,
                ..named(&url("a.png"))
            },
            vec![0],
        ),
        (
            AuditMessages {
                offset: 1,
                limit: 1,
                ..all.clone()
            },
            vec![2],
        ),
        (
            AuditMessages {
                offset: 3,
                ..all.clone()
            },
            vec![],
        ),
    ] {
        let found = fixture.files.audit_messages(owner, request.clone()).await.unwrap();
        let expected: Vec<MessageId> = expected.iter().map(|index: &usize| ids[*index]).collect();
        let found_ids: Vec<MessageId> = found.iter().map(|message| message.id).collect();
        assert_eq!(found_ids, expected, "{request:?}");
        for message in found {
            let read = fixture.messages.get(owner, message.id).await.unwrap();
            assert_eq!(message, read.message);
        }
    }
    let theirs = fixture
        .files
        .audit_messages(fixture.owner(), all.clone())
        .await
        .unwrap();
    assert_eq!(theirs, []);
    fixture.sessions.delete(owner, session_id, None).await.unwrap();
    assert_eq!(fixture.files.audit_messages(owner, all.clone()).await.unwrap(), []);
    for (request, pointer) in [(named("a\0"), "/name"), (named(""), "/name")] {
        let Err(AuditError::Invalid(invalid)) = fixture.files.audit_messages(owner, request).await else {
            panic!("{pointer} is taken");
        };
        assert_eq!(invalid.violations()[0].pointer, pointer);
    }
}

pub async fn ch_47_what_is_in_the_trash_has_no_files(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_for_files(owner, "papers").await;
    let url = "https://h.example.com/a.pdf";
    let id = fixture.appended(owner, session_id, with(vec![file(url)])).await;
    let requests = [
        AuditFiles::default(),
        named("a.pdf"),
        extended("pdf"),
        AuditFiles {
            session_id: Some(session_id),
            ..AuditFiles::default()
        },
    ];
    let found = async |expected: usize| {
        for request in &requests {
            let found = fixture.audited(owner, request.clone()).await;
            assert_eq!(found.len(), expected, "{request:?}");
        }
    };
    let delete = DeleteMessage {
        id,
        purge: false,
        if_match: None,
    };
    found(1).await;
    fixture.edits.delete(owner, delete).await.unwrap();
    found(0).await;
    fixture.edits.restore(owner, id).await.unwrap();
    found(1).await;
    fixture.sessions.delete(owner, session_id, None).await.unwrap();
    found(0).await;
    fixture.sessions.restore(owner, session_id).await.unwrap();
    found(1).await;
    fixture.sessions.purge(owner, session_id, None).await.unwrap();
    found(0).await;
}

pub async fn ch_35_a_cursor_counts_for_its_own_audit_only(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_for_files(owner, "papers").await;
    let attachments = vec![file("https://h.example.com/a.pdf"), file("https://h.example.com/b.pdf")];
    fixture.appended(owner, session_id, with(attachments)).await;
    let page = |cursor| PageRequest { limit: 1, cursor };
    let first = fixture.files.audit(owner, extended("pdf"), page(None)).await.unwrap();
    let cursor = first.next_cursor;
    assert!(cursor.is_some());
    for (owner, request) in [
        (owner, AuditFiles::default()),
        (owner, extended("png")),
        (fixture.owner(), extended("pdf")),
    ] {
        let refused = fixture.files.audit(owner, request, page(cursor.clone())).await;
        assert!(matches!(refused, Err(AuditError::BadCursor(_))), "{refused:?}");
    }
}

pub async fn ch_91_a_filter_that_no_engine_keeps_is_refused(fixture: Fixture) {
    let owner = fixture.owner();
    for (request, pointer, code) in [
        (named("a\0"), "/query/name", Code::Nul),
        (named(""), "/query/name", Code::TooShort),
        (extended("\0"), "/query/extension", Code::Nul),
        (extended(&"x".repeat(18)), "/query/extension", Code::TooLong),
    ] {
        let refused = fixture.files.audit(owner, request, PageRequest::first()).await;
        let Err(AuditError::Invalid(invalid)) = refused else {
            panic!("{refused:?}");
        };
        let violation = &invalid.violations()[0];
        assert_eq!((violation.pointer.as_str(), violation.code), (pointer, code));
    }
}

pub async fn a_stranger_finds_no_files(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let session_id = fixture.session_for_files(owner, "papers").await;
    fixture
        .appended(owner, session_id, with(vec![file("https://h.example.com/a.pdf")]))
        .await;
    let of_session = AuditFiles {
        session_id: Some(session_id),
        ..AuditFiles::default()
    };
    let mut seen = BTreeSet::new();
    for request in [AuditFiles::default(), named("a.pdf"), extended("pdf"), of_session] {
        seen.insert(fixture.audited(owner, request.clone()).await.len());
        assert_eq!(fixture.audited(stranger, request).await, []);
    }
    assert_eq!(seen, BTreeSet::from([1]));
}
