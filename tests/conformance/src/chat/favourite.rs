//! Favourites and their export.

use larder_domain::chat::{
    AttachmentDraft, AttachmentKind, MessageDraft, SenderRole, SessionDraft, markdown_head, markdown_of,
};
use larder_domain::{MessageId, OwnerId, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{DeleteMessage, EditMessageError, Export, Favourite, ListError, MessageTag};

use crate::Fixture;
use crate::make::{says, says_as};

impl Fixture {
    async fn session_named(&self, owner_id: OwnerId, name: Option<&str>) -> SessionId {
        let draft = SessionDraft {
            name: name.map(str::to_owned),
            character_name: Some("guide".into()),
            tags: Some(vec!["b".into(), "a".into()]),
            ..SessionDraft::default()
        };
        self.sessions.create(owner_id, draft).await.unwrap().id
    }

    /// Appends a marked message, a second after the one before.
    async fn marked(&self, owner_id: OwnerId, session_id: SessionId, draft: MessageDraft) -> MessageId {
        self.advance(1);
        let appended = self.messages.append(owner_id, session_id, draft, true).await;
        let id = appended.unwrap().message.id;
        self.favourites.mark(owner_id, id, true, None).await.unwrap();
        id
    }

    async fn favourites_of(&self, owner_id: OwnerId) -> Vec<MessageId> {
        let page = self.favourites.list(owner_id, PageRequest::first()).await;
        ids(&page.unwrap().data)
    }

    async fn exported(&self, owner_id: OwnerId, export: Export) -> Vec<Favourite> {
        let mut all: Vec<Favourite> = Vec::new();
        loop {
            let after = all.last().map(Favourite::place);
            let page = self.favourites.export(owner_id, export, after).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }
}

fn ids(favourites: &[Favourite]) -> Vec<MessageId> {
    favourites
        .iter()
        .map(|favourite| favourite.message.message.id)
        .collect()
}

pub async fn ch_30_a_mark_is_set_and_removed_once(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_named(owner, None).await;
    let id = fixture.marked(owner, session_id, says("x")).await;
    let before = fixture.sessions.get(owner, session_id).await.unwrap();
    let marked = fixture.messages.get(owner, id).await.unwrap();
    assert_eq!((marked.message.flags.favourite, marked.message.version), (true, 2));
    fixture.favourites.mark(owner, id, true, None).await.unwrap();
    assert_eq!(fixture.messages.get(owner, id).await.unwrap(), marked);
    let stale = MessageTag {
        version: 1,
        is_lapsed: false,
    };
    let refused = fixture.favourites.mark(owner, id, false, Some(stale)).await;
    assert!(matches!(refused, Err(EditMessageError::Stale)), "{refused:?}");
    for _ in 0..2 {
        fixture.favourites.mark(owner, id, false, None).await.unwrap();
    }
    assert_eq!(fixture.messages.get(owner, id).await.unwrap().message.version, 3);
    assert_eq!(fixture.favourites_of(owner).await, []);
    assert_eq!(fixture.sessions.get(owner, session_id).await.unwrap(), before);
    for (who, gone) in [(owner, fixture.message_id()), (fixture.owner(), id)] {
        let refused = fixture.favourites.mark(who, gone, true, None).await;
        assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
    }
}

pub async fn ch_30_favourites_are_paged_from_the_newest(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let (here, there) = (
        fixture.session_named(owner, Some("here")).await,
        fixture.session_named(owner, None).await,
    );
    let mut expected = Vec::new();
    for number in 0..5 {
        let session_id = if number % 2 == 0 { here } else { there };
        expected.insert(0, fixture.marked(owner, session_id, says("x")).await);
    }
    fixture
        .messages
        .append(owner, here, says("unmarked"), true)
        .await
        .unwrap();
    let mut request = PageRequest { limit: 2, cursor: None };
    let mut seen = Vec::new();
    loop {
        let page = fixture.favourites.list(owner, request.clone()).await.unwrap();
        seen.extend(page.data);
        if page.next_cursor.is_none() {
            break;
        }
        request.cursor = page.next_cursor;
    }
    assert_eq!(ids(&seen), expected);
    for favourite in &seen {
        let session = fixture.sessions.get(owner, favourite.session.id).await.unwrap();
        assert_eq!(favourite.message.message.session_id, session.id);
        assert_eq!(favourite.session.name, session.name);
        assert_eq!(favourite.session.character_name.as_deref(), Some("guide"));
        assert_eq!(favourite.session.tags, session.tags);
        let read = fixture.messages.get(owner, favourite.message.message.id).await;
        assert_eq!(read.unwrap(), favourite.message);
    }
    let refused = fixture.favourites.list(stranger, request).await;
    assert!(matches!(refused, Err(ListError::BadCursor(_))), "{refused:?}");
    assert_eq!(fixture.favourites_of(stranger).await, []);
}

pub async fn ch_30_equal_instants_are_ordered_by_id(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_named(owner, None).await;
    let mut made = Vec::new();
    for _ in 0..4 {
        let draft = MessageDraft {
            flags: larder_domain::chat::MessageFlags {
                favourite: true,
                ..Default::default()
            },
            ..says("x")
        };
        let appended = fixture.messages.append(owner, session_id, draft, true).await;
        made.push(appended.unwrap().message.id);
    }
    made.sort_by_key(|id| id.0);
    let export = fixture.favourites.start_export(owner).await.unwrap();
    assert_eq!(ids(&fixture.exported(owner, export).await), made);
    made.reverse();
    assert_eq!(fixture.favourites_of(owner).await, made);
}

pub async fn t_060_live_favourites_are_listed_and_exported(fixture: Fixture) {
    let owner = fixture.owner();
    let (kept, unnamed, trashed) = (
        fixture.session_named(owner, Some("Lisbon")).await,
        fixture.session_named(owner, None).await,
        fixture.session_named(owner, Some("trashed")).await,
    );
    let rich = MessageDraft {
        sender_role: SenderRole::Assistant,
        attachments: vec![
            AttachmentDraft {
                kind: AttachmentKind::Image,
                url: "https://example.com/a.png".into(),
                description: Some("a map".into()),
                media_type: None,
                size_bytes: None,
            },
            AttachmentDraft {
                kind: AttachmentKind::File,
                url: "b.pdf".into(),
                description: None,
                media_type: None,
                size_bytes: None,
            },
        ],
        ..says_as(fixture.message_id(), "two\nlines, *stars*")
    };
    let first = fixture.marked(owner, kept, rich).await;
    fixture.marked(owner, trashed, says("hidden")).await;
    let gone = fixture.marked(owner, kept, says("gone")).await;
    let second = fixture.marked(owner, unnamed, says("zwölf")).await;
    let delete = DeleteMessage {
        id: gone,
        purge: false,
        if_match: None,
    };
    fixture.edits.delete(owner, delete).await.unwrap();
    fixture.sessions.delete(owner, trashed, None).await.unwrap();
    assert_eq!(fixture.favourites_of(owner).await, [second, first]);

    let export = fixture.favourites.start_export(owner).await.unwrap();
    let all = fixture.exported(owner, export).await;
    assert_eq!(ids(&all), [first, second]);
    let mut markdown = markdown_head(export.exported_at);
    for favourite in &all {
        markdown.push_str(&markdown_of(&favourite.message.message, &favourite.session));
    }
    let expected = format!(
        "# Favourite messages\n\nExported 2026-01-01T00:00:04.000000Z\n\
         \n---\n\n## Lisbon\n\n2026-01-01T00:00:01.000000Z · assistant · </api/v1/chat/messages/{first}>\n\n\
         two\nlines, *stars*\n\n- file: b.pdf\n- image: https://example.com/a.png (a map)\n\
         \n---\n\n## New chat\n\n2026-01-01T00:00:04.000000Z · user · </api/v1/chat/messages/{second}>\n\nzwölf\n"
    );
    assert_eq!(markdown, expected);
    fixture.sessions.restore(owner, trashed).await.unwrap();
    assert_eq!(fixture.favourites_of(owner).await.len(), 3);
}

pub async fn co_45_the_newest_favourites_come_oldest_first(fixture: Fixture) {
    let owner = fixture.owner();
    let (session_id, trashed) = (
        fixture.session_named(owner, Some("x")).await,
        fixture.session_named(owner, None).await,
    );
    let mut marked = Vec::new();
    for number in 0..5 {
        marked.push(fixture.marked(owner, session_id, says(&number.to_string())).await);
    }
    fixture.marked(owner, trashed, says("hidden")).await;
    fixture.sessions.delete(owner, trashed, None).await.unwrap();
    for (most, has_older) in [(1, true), (4, true), (5, false), (9, false)] {
        let newest = fixture.favourites.newest(owner, most).await.unwrap();
        let left_out = 5_usize.saturating_sub(most as usize);
        assert_eq!(
            (ids(&newest.favourites), newest.has_older),
            (marked[left_out..].to_vec(), has_older)
        );
    }
}

pub async fn ch_31_an_export_ends_at_its_start(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_named(owner, None).await;
    let mut before = Vec::new();
    for number in 0..45 {
        before.push(fixture.marked(owner, session_id, says(&number.to_string())).await);
    }
    let export = fixture.favourites.start_export(owner).await.unwrap();
    assert_eq!(export.day.compact(), "20260101");
    let page = fixture.favourites.export(owner, export, None).await.unwrap();
    assert!(page.len() < 45, "one page holds everything");
    fixture.marked(owner, session_id, says("later")).await;
    assert_eq!(ids(&fixture.exported(owner, export).await), before);
    let again = fixture.favourites.start_export(owner).await.unwrap();
    assert_eq!(fixture.exported(owner, again).await.len(), 46);
}
