//! Edits of messages: patches, whole messages, chunks, the trash, revisions.

use larder_domain::chat::{
    AttachmentDraft, AttachmentKind, Chunk, Editor, Lengths, Message, MessageDraft, MessagePatch, MessageStatus,
    SenderRole, Session, SessionDraft, Usage, UsagePatch,
};
use larder_domain::{Code, MessageId, OwnerId, Patch, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{
    AppendError, AttachToMessage, ChangeMessage, DeleteMessage, EditMessageError, Grown, ListMessages,
    ListMessagesError, MessageTag, MessageView, NotFoundError, PutCondition, PutMessage,
};
use larder_ports::outbound::chat::{Keeping, Order};
use larder_ports::outbound::{Deleted, StorageError};

use crate::make::{says, says_as};
use crate::schedule::{at_once, overlap};
use crate::{Fixture, Settings};

impl Fixture {
    async fn session_here(&self, owner_id: OwnerId) -> SessionId {
        let made = self.sessions.create(owner_id, SessionDraft::default()).await;
        made.unwrap().id
    }

    /// Appends a message to a session of its own.
    async fn said(&self, owner_id: OwnerId, draft: MessageDraft) -> Message {
        let session_id = self.session_here(owner_id).await;
        self.said_in(owner_id, session_id, draft).await
    }

    async fn said_in(&self, owner_id: OwnerId, session_id: SessionId, draft: MessageDraft) -> Message {
        let appended = self.messages.append(owner_id, session_id, draft, true).await;
        appended.unwrap().message
    }

    async fn edited(&self, message: &Message, patch: MessagePatch) -> MessageView {
        let change = change(message.id, patch);
        self.edits.change(message.owner_id, change).await.unwrap()
    }

    async fn read(&self, message: &Message) -> MessageView {
        self.messages.get(message.owner_id, message.id).await.unwrap()
    }

    async fn session_of_message(&self, message: &Message) -> Session {
        self.sessions.get(message.owner_id, message.session_id).await.unwrap()
    }

    async fn delete_message(&self, message: &Message, purge: bool) -> Result<(), EditMessageError> {
        self.edits.delete(message.owner_id, delete(message.id, purge)).await
    }

    async fn revision_numbers(&self, message: &Message) -> Vec<i64> {
        let page = self
            .edits
            .revisions(message.owner_id, message.id, PageRequest::first())
            .await;
        page.unwrap().data.iter().map(|revision| revision.revision).collect()
    }

    async fn message_ids(&self, owner_id: OwnerId, session_id: SessionId, deleted: Deleted) -> Option<Vec<MessageId>> {
        let request = ListMessages {
            session_id,
            order: Order::Ascending,
            deleted,
            role: None,
            status: None,
            page: PageRequest::first(),
        };
        match self.messages.list(owner_id, request).await {
            Ok(page) => Some(page.data.iter().map(|view| view.message.id).collect()),
            Err(ListMessagesError::NotFound) => None,
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn change(id: MessageId, patch: MessagePatch) -> ChangeMessage {
    ChangeMessage {
        id,
        session_id: None,
        sender_role: None,
        patch,
        touch: true,
        if_match: None,
        by: Editor::Login,
    }
}

fn delete(id: MessageId, purge: bool) -> DeleteMessage {
    DeleteMessage {
        id,
        purge,
        if_match: None,
    }
}

fn put(session_id: SessionId, id: MessageId, draft: MessageDraft, condition: PutCondition) -> PutMessage {
    PutMessage {
        session_id,
        id,
        draft,
        touch: true,
        condition,
        by: Editor::Login,
    }
}

fn attach(id: MessageId, attachments: Vec<AttachmentDraft>) -> AttachToMessage {
    AttachToMessage {
        id,
        attachments,
        touch: true,
        if_match: None,
        by: Editor::Login,
    }
}

fn state(version: i64) -> MessageTag {
    MessageTag {
        version,
        is_lapsed: false,
    }
}

fn text(text: &str) -> MessagePatch {
    MessagePatch {
        text: Patch::Set(text.into()),
        ..MessagePatch::default()
    }
}

fn favourite(favourite: bool) -> MessagePatch {
    MessagePatch {
        favourite: Patch::Set(favourite),
        ..MessagePatch::default()
    }
}

fn ends(status: MessageStatus) -> MessagePatch {
    MessagePatch {
        status: Patch::Set(status),
        ..MessagePatch::default()
    }
}

fn file(kind: AttachmentKind, url: &str) -> AttachmentDraft {
    AttachmentDraft {
        kind,
        url: url.into(),
        description: None,
        media_type: None,
        size_bytes: None,
    }
}

fn growing(text: &str) -> MessageDraft {
    MessageDraft {
        status: Some(MessageStatus::Partial),
        sender_role: SenderRole::Assistant,
        ..says(text)
    }
}

fn piece(offset: i64, text: &str) -> Chunk {
    Chunk {
        offset: Some(offset),
        text: Some(text.into()),
        ..Chunk::default()
    }
}

fn urls(message: &Message) -> Vec<&str> {
    let attachments = message.content.attachments.iter();
    attachments.map(|attachment| attachment.url.as_str()).collect()
}

fn said(view: &MessageView) -> &str {
    view.message.content.text.as_deref().unwrap_or_default()
}

/// What `CH-09` is about: message_count, content_revision, version, and whether last_update moved.
fn moved(before: &Session, after: &Session) -> (i64, i64, i64, bool) {
    (
        after.message_count - before.message_count,
        after.content_revision - before.content_revision,
        after.version - before.version,
        after.last_update != before.last_update,
    )
}

#[track_caller]
fn violation<T: std::fmt::Debug>(refused: Result<T, EditMessageError>) -> (String, Code) {
    let Err(EditMessageError::Invalid(invalid)) = refused else {
        panic!("{refused:?}")
    };
    (invalid.violations()[0].pointer.clone(), invalid.violations()[0].code)
}

/// A message with every kind of content and some metadata.
fn rich() -> MessageDraft {
    MessageDraft {
        sender_role: SenderRole::Assistant,
        reasoning: Some("since".into()),
        attachments: vec![
            file(AttachmentKind::Image, "https://example.com/1.png"),
            AttachmentDraft {
                description: Some("a file".into()),
                ..file(AttachmentKind::File, "https://example.com/a.pdf")
            },
        ],
        chart_data: Some(r#"[{"b":[1,2.50],"a":null}]"#.into()),
        model_settings: Some(r#"{"t":1,"n":{"a":1,"b":2}}"#.into()),
        usage: Usage {
            input_tokens: Some(5),
            ..Usage::default()
        },
        ..says("old")
    }
}

// The store.

pub async fn ch_09_a_message_is_read_after_the_lock_of_its_session(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, rich()).await;
    let keeping = |number: u128| Keeping {
        touch: true,
        revision_id: uuid::Uuid::from_u128(number),
        by: Editor::Login,
        max_revisions: 100,
    };
    let now = fixture.advance(5);
    let edit = async |unit: &mut dyn larder_ports::outbound::chat::ChatUnit, name: &str, number: u128| {
        let locked = unit.message_edits().lock(owner, message.id).await?.unwrap();
        let more = vec![file(AttachmentKind::Image, name)];
        let ids = vec![larder_domain::AttachmentId(uuid::Uuid::from_u128(number))];
        let edit = locked.attach(more, ids, now).unwrap().unwrap();
        unit.message_edits().save(&edit, &keeping(number)).await
    };
    let [first, second] = overlap(
        &*fixture.chat,
        async |unit| edit(unit, "first.png", 1_001).await,
        async |unit| edit(unit, "second.png", 1_002).await,
    )
    .await;
    first.unwrap();
    second.unwrap();
    let after = fixture.read(&message).await.message;
    assert_eq!(
        urls(&after),
        [
            "https://example.com/a.pdf",
            "https://example.com/1.png",
            "first.png",
            "second.png"
        ]
    );
    assert_eq!((after.version, after.revision), (3, 3));
}

pub async fn ch_11_a_save_needs_the_version_before_it(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, says("old")).await;
    let edit = message.change(text("new"), vec![], fixture.now()).unwrap().unwrap();
    fixture.edited(&message, favourite(true)).await;
    let keeping = Keeping {
        touch: true,
        revision_id: fixture.id(),
        by: Editor::Login,
        max_revisions: 100,
    };
    let mut unit = fixture.chat_unit().await;
    let saved = unit.message_edits().save(&edit, &keeping).await;
    assert!(matches!(saved, Err(StorageError::Contended)), "{saved:?}");
    drop(unit);
    assert_eq!(said(&fixture.read(&message).await), "old");
    assert!(fixture.revision_numbers(&message).await.is_empty());
}

// The use cases.

pub async fn t_040_a_patch_of_text_keeps_all_else(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, rich()).await;
    let now = fixture.advance(5);
    let view = fixture.edited(&message, text("new")).await;
    let mut expected = Message {
        revision: 2,
        edited_at: Some(now),
        updated_at: now,
        version: 2,
        ..message.clone()
    };
    expected.content.text = Some("new".into());
    assert_eq!(view.message, expected);
    assert_eq!(fixture.read(&message).await, view);
    assert_eq!(fixture.revision_numbers(&message).await, [1]);
    let original = fixture.edits.revision(owner, message.id, 1).await.unwrap();
    assert_eq!(original.content, message.content);
    assert_eq!(
        (original.message_id, original.replaced_at, original.replaced_by),
        (message.id, now, Editor::Login)
    );
}

pub async fn t_041_own_values_change_nothing(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, rich()).await;
    let session = fixture.session_of_message(&message).await;
    fixture.advance(5);
    let own = MessagePatch {
        text: Patch::Set("old".into()),
        reasoning: Patch::Set("since".into()),
        attachments: Patch::Set(rich().attachments),
        chart_data: Patch::Set(r#"[ {"a":null, "b":[1,2.50]} ]"#.into()),
        status: Patch::Set(MessageStatus::Complete),
        model_settings: Patch::Set(r#"{"t":1,"n":{"b":2}}"#.into()),
        usage: Patch::Set(UsagePatch {
            input_tokens: Patch::Set(5),
            output_tokens: Patch::Clear,
            ..UsagePatch::default()
        }),
        favourite: Patch::Set(false),
        ..MessagePatch::default()
    };
    for patch in [MessagePatch::default(), own] {
        assert_eq!(fixture.edited(&message, patch).await.message, message);
        assert_eq!(fixture.read(&message).await.message, message);
    }
    assert_eq!(fixture.session_of_message(&message).await, session);
    assert!(fixture.revision_numbers(&message).await.is_empty());
}

pub async fn t_042_of_two_writers_with_one_tag_one_wins(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, says("old")).await;
    let outcomes = at_once(8, async |number| {
        let change = ChangeMessage {
            if_match: Some(state(1)),
            ..change(message.id, text(&format!("writer {number}")))
        };
        fixture.edits.change(owner, change).await
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|lost| matches!(lost, Err(EditMessageError::Stale))));
    let winner = won.into_iter().next().unwrap().unwrap();
    assert_eq!(fixture.read(&message).await, winner);
    assert_eq!(winner.message.version, 2);
}

pub async fn t_043_a_put_inserts_at_the_end_or_replaces(fixture: Fixture) {
    let owner = fixture.owner();
    let first = fixture.said(owner, says("first")).await;
    let (session_id, id) = (first.session_id, fixture.message_id());
    let refused = fixture.edits.change(owner, change(id, text("x"))).await;
    assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
    assert_eq!(
        fixture
            .message_ids(owner, session_id, Deleted::With)
            .await
            .unwrap()
            .len(),
        1
    );

    let whole = |text: &str, condition| put(session_id, id, says(text), condition);
    let inserted = fixture
        .edits
        .put(owner, whole("second", PutCondition::Absent))
        .await
        .unwrap();
    assert!(inserted.is_new);
    assert_eq!((inserted.view.message.id, inserted.view.message.position), (id, 2));
    assert_eq!(fixture.messages.get(owner, id).await.unwrap(), inserted.view);

    let refused = fixture.edits.put(owner, whole("third", PutCondition::Absent)).await;
    assert!(matches!(refused, Err(EditMessageError::Stale)), "{refused:?}");
    let elsewhere = fixture.session_here(owner).await;
    let refused = fixture
        .edits
        .put(owner, put(elsewhere, id, says("x"), PutCondition::None))
        .await;
    assert!(matches!(refused, Err(EditMessageError::IdTaken)), "{refused:?}");
    assert_eq!(fixture.messages.get(owner, id).await.unwrap(), inserted.view);
}

pub async fn t_044_a_favourite_moves_its_message_alone(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, says("old")).await;
    let before = fixture.session_of_message(&message).await;
    fixture.advance(5);
    let marked = fixture.edited(&message, favourite(true)).await.message;
    assert_eq!((marked.version, marked.revision), (2, 1));
    assert_eq!(fixture.session_of_message(&message).await, before);
    let quiet = ChangeMessage {
        touch: false,
        ..change(message.id, text("new"))
    };
    fixture.edits.change(owner, quiet).await.unwrap();
    let after = fixture.session_of_message(&message).await;
    assert_eq!(moved(&before, &after), (0, 1, 1, false));
}

pub async fn t_045_a_complete_message_keeps_content_and_role(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, says("old")).await;
    let refused = fixture.edits.change(owner, change(message.id, text(""))).await;
    assert_eq!(violation(refused), (String::new(), Code::EmptyMessage));
    let other_role = ChangeMessage {
        sender_role: Some(SenderRole::System),
        ..change(message.id, text("x"))
    };
    let refused = fixture.edits.change(owner, other_role).await;
    assert_eq!(violation(refused), ("/sender_role".into(), Code::ImmutableField));
    assert_eq!(fixture.read(&message).await.message, message);
}

pub async fn t_046_the_original_and_the_newest_revisions_are_kept(fixture: Fixture) {
    let fixture = fixture.with(Settings {
        max_revisions: 3,
        ..Settings::default()
    });
    let owner = fixture.owner();
    let message = fixture.said(owner, says("revision 1")).await;
    for number in 2..=6 {
        fixture.edited(&message, text(&format!("revision {number}"))).await;
    }
    assert_eq!(fixture.read(&message).await.message.revision, 6);
    assert_eq!(fixture.revision_numbers(&message).await, [5, 4, 1]);
    for (number, is_kept) in [
        (1, true),
        (2, false),
        (3, false),
        (4, true),
        (5, true),
        (6, false),
        (0, false),
    ] {
        match fixture.edits.revision(owner, message.id, number).await {
            Ok(kept) => {
                assert!(is_kept);
                assert_eq!(kept.content.text, Some(format!("revision {number}")));
            }
            Err(error) => assert!(!is_kept && matches!(error, NotFoundError::NotFound), "{error:?}"),
        }
    }
}

pub async fn t_047_attachments_appended_at_once_are_all_there(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = MessageDraft {
        attachments: vec![
            file(AttachmentKind::Image, "1.png"),
            file(AttachmentKind::Image, "2.png"),
        ],
        ..says("x")
    };
    let message = fixture.said(owner, draft).await;
    at_once(20, async |number| {
        let more = vec![file(AttachmentKind::Image, &format!("more {number}.png"))];
        fixture.edits.attach(owner, attach(message.id, more)).await.unwrap()
    })
    .await;
    let after = fixture.read(&message).await.message;
    assert_eq!(after.content.attachments.len(), 22);
    assert_eq!(urls(&after)[..2], ["1.png", "2.png"]);
    assert_eq!(after.content.attachments[..2], message.content.attachments);
    assert_eq!((after.version, after.revision), (21, 21));
}

pub async fn ch_09_what_each_operation_moves(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_here(owner).await;
    let message = fixture.said_in(owner, session_id, says("x")).await;
    let partial = fixture.said_in(owner, session_id, growing("")).await;
    let mut before = fixture.sessions.get(owner, session_id).await.unwrap();
    let mut step = async |what: &str, expected: (i64, i64, i64, bool)| {
        let after = fixture.sessions.get(owner, session_id).await.unwrap();
        assert_eq!(moved(&before, &after), expected, "{what}");
        before = after;
        fixture.advance(5);
    };
    step("nothing", (0, 0, 0, false)).await;
    fixture.edited(&message, text("y")).await;
    step("content", (0, 1, 1, true)).await;
    let model = MessagePatch {
        model_name: Patch::Set("m".into()),
        ..MessagePatch::default()
    };
    fixture.edited(&message, model).await;
    step("metadata", (0, 0, 0, false)).await;
    fixture.edits.grow(owner, partial.id, piece(0, "grown")).await.unwrap();
    step("chunk", (0, 0, 0, false)).await;
    let end = ChangeMessage {
        touch: false,
        ..change(partial.id, ends(MessageStatus::Complete))
    };
    let ended = fixture.edits.change(owner, end).await.unwrap().message;
    step("end", (0, 1, 1, true)).await;
    assert_eq!((ended.version, ended.revision), (3, 1));
    fixture.delete_message(&message, false).await.unwrap();
    step("delete", (-1, 1, 1, false)).await;
    let restored = fixture.edits.restore(owner, message.id).await.unwrap().message;
    step("restore", (1, 1, 1, false)).await;
    assert_eq!((restored.version, restored.revision), (5, 2));
    fixture.edits.restore(owner, message.id).await.unwrap();
    step("restore of a live one", (0, 0, 0, false)).await;
    fixture.delete_message(&message, false).await.unwrap();
    step("delete again", (-1, 1, 1, false)).await;
    fixture.delete_message(&message, true).await.unwrap();
    step("purge from the trash", (0, 1, 1, false)).await;
    fixture.delete_message(&partial, true).await.unwrap();
    step("purge of a live one", (-1, 1, 1, false)).await;
    let id = fixture.message_id();
    for (text, expected) in [
        ("new", (1, 1, 1, true)),
        ("newer", (0, 1, 1, true)),
        ("newer", (0, 0, 0, false)),
    ] {
        fixture
            .edits
            .put(owner, put(session_id, id, says(text), PutCondition::None))
            .await
            .unwrap();
        step("put", expected).await;
    }
    let more = vec![file(AttachmentKind::File, "a.txt")];
    fixture.edits.attach(owner, attach(id, more)).await.unwrap();
    step("attach", (0, 1, 1, true)).await;
}

pub async fn ch_10_what_is_sent_replaces_or_merges(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, rich()).await;
    let patch = MessagePatch {
        attachments: Patch::Set(vec![file(AttachmentKind::Image, "new.png")]),
        chart_data: Patch::Set(r#"[{"c":1}]"#.into()),
        reasoning: Patch::Clear,
        model_settings: Patch::Set(r#"{"n":{"a":null,"c":{"d":1e2}},"t":[1]}"#.into()),
        agent_data: Patch::Set(r#"{"x":{"y":null}}"#.into()),
        sender_name: Patch::Set("Bo".into()),
        usage: Patch::Set(UsagePatch {
            cached_tokens: Patch::Set(1),
            ..UsagePatch::default()
        }),
        ..MessagePatch::default()
    };
    let after = fixture.edited(&message, patch).await.message;
    assert_eq!(fixture.read(&message).await.message, after);
    assert_eq!(urls(&after), ["new.png"]);
    let json = |json: &Option<larder_domain::FreeJson>| json.as_ref().map(|json| json.as_str().to_owned());
    assert_eq!(json(&after.content.chart_data).unwrap(), r#"[{"c":1}]"#);
    assert_eq!(
        json(&after.model_settings).unwrap(),
        r#"{"n":{"b":2,"c":{"d":100}},"t":[1]}"#
    );
    assert_eq!(json(&after.agent_data).unwrap(), r#"{"x":{}}"#);
    assert_eq!(
        (after.content.reasoning, after.sender_name.as_deref()),
        (None, Some("Bo"))
    );
    assert_eq!(
        (after.usage.input_tokens, after.usage.cached_tokens),
        (Some(5), Some(1))
    );

    let cleared = MessagePatch {
        attachments: Patch::Clear,
        chart_data: Patch::Clear,
        model_settings: Patch::Clear,
        usage: Patch::Clear,
        ..MessagePatch::default()
    };
    let after = fixture.edited(&message, cleared).await.message;
    assert_eq!(fixture.read(&message).await.message, after);
    assert_eq!((urls(&after).len(), after.content.chart_data), (0, None));
    assert_eq!((after.model_settings, after.usage), (None, Usage::default()));
}

pub async fn ch_12_content_keeps_revisions_and_metadata_none(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, rich()).await;
    fixture.edited(&message, favourite(true)).await;
    assert!(fixture.revision_numbers(&message).await.is_empty());
    let mut contents = vec![message.content.clone()];
    for (patch, by) in [
        (text("a"), Editor::Login),
        (
            MessagePatch {
                attachments: Patch::Clear,
                ..MessagePatch::default()
            },
            Editor::ApiToken,
        ),
        (
            MessagePatch {
                chart_data: Patch::Clear,
                ..MessagePatch::default()
            },
            Editor::External,
        ),
    ] {
        let edited = ChangeMessage {
            by,
            ..change(message.id, patch)
        };
        let view = fixture.edits.change(owner, edited).await.unwrap();
        contents.push(view.message.content);
        let number = view.message.revision - 1;
        let kept = fixture.edits.revision(owner, message.id, number).await.unwrap();
        assert_eq!(kept.replaced_by, by);
    }
    for (number, content) in (1..).zip(&contents[..3]) {
        let kept = fixture.edits.revision(owner, message.id, number).await.unwrap();
        assert_eq!(kept.content, *content);
    }
    assert_eq!(fixture.read(&message).await.message.content, contents[3]);
}

pub async fn ch_13_a_patch_never_inserts(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let foreign = fixture.said(stranger, says("foreign")).await;
    let trashed = fixture.said(owner, says("trashed")).await;
    fixture.delete_message(&trashed, false).await.unwrap();
    let below = fixture.said(owner, says("below")).await;
    fixture.sessions.delete(owner, below.session_id, None).await.unwrap();
    for id in [fixture.message_id(), foreign.id, trashed.id, below.id] {
        for refused in [
            fixture.edits.change(owner, change(id, text("x"))).await.map(|_| ()),
            fixture
                .edits
                .change(owner, change(id, MessagePatch::default()))
                .await
                .map(|_| ()),
            fixture.edits.attach(owner, attach(id, vec![])).await.map(|_| ()),
            fixture.edits.grow(owner, id, Chunk::default()).await.map(|_| ()),
            fixture.edits.delete(owner, delete(id, false)).await,
        ] {
            assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
        }
    }
    assert_eq!(fixture.read(&foreign).await.message, foreign);
}

pub async fn ch_14_a_put_replaces_the_whole_message(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, rich()).await;
    let now = fixture.advance(5);
    let whole = MessageDraft {
        sender_role: SenderRole::Assistant,
        ..says("whole")
    };
    let stored = fixture
        .edits
        .put(
            owner,
            put(message.session_id, message.id, whole, PutCondition::State(state(1))),
        )
        .await
        .unwrap();
    assert!(!stored.is_new);
    let after = stored.view.message.clone();
    assert_eq!(fixture.read(&message).await, stored.view);
    assert_eq!(
        (after.position, after.created_at),
        (message.position, message.created_at)
    );
    assert_eq!((after.revision, after.version, after.updated_at), (2, 2, now));
    assert_eq!(
        (urls(&after).len(), after.content.chart_data, after.model_settings),
        (0, None, None)
    );
    let original = fixture.edits.revision(owner, message.id, 1).await.unwrap();
    assert_eq!(original.content, message.content);
}

pub async fn ch_14_what_a_put_demands(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, says("old")).await;
    let session_id = message.session_id;
    for (id, condition) in [
        (message.id, PutCondition::State(state(2))),
        (message.id, PutCondition::Absent),
        (fixture.message_id(), PutCondition::Present),
        (fixture.message_id(), PutCondition::State(state(1))),
    ] {
        let refused = fixture
            .edits
            .put(owner, put(session_id, id, says("new"), condition))
            .await;
        assert!(
            matches!(refused, Err(EditMessageError::Stale)),
            "{condition:?}: {refused:?}"
        );
    }
    assert_eq!(
        fixture.message_ids(owner, session_id, Deleted::With).await.unwrap(),
        [message.id]
    );
    assert_eq!(fixture.read(&message).await.message, message);
    let replaced = put(session_id, message.id, says("new"), PutCondition::Present);
    assert!(!fixture.edits.put(owner, replaced).await.unwrap().is_new);

    fixture.delete_message(&message, false).await.unwrap();
    let refused = fixture
        .edits
        .put(owner, put(session_id, message.id, says("x"), PutCondition::None))
        .await;
    assert!(matches!(refused, Err(EditMessageError::IdTaken)), "{refused:?}");
    for gone in [fixture.session_id(), {
        fixture.sessions.delete(owner, session_id, None).await.unwrap();
        session_id
    }] {
        let lost = put(gone, fixture.message_id(), says("x"), PutCondition::None);
        let refused = fixture.edits.put(owner, lost).await;
        assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
    }
}

pub async fn ch_14_of_many_puts_of_one_id_one_inserts(fixture: Fixture) {
    let owner = fixture.owner();
    let (here, there) = (fixture.session_here(owner).await, fixture.session_here(owner).await);
    let id = fixture.message_id();
    let outcomes = at_once(10, async |number| {
        let session_id = if number % 2 == 0 { here } else { there };
        let whole = put(session_id, id, says("same"), PutCondition::None);
        (session_id, fixture.edits.put(owner, whole).await)
    })
    .await;
    let home = fixture.messages.get(owner, id).await.unwrap().message.session_id;
    let inserted = |outcome: &&(SessionId, Result<_, _>)| {
        let (_, outcome): &(
            SessionId,
            Result<larder_ports::inbound::chat::MessageStored, EditMessageError>,
        ) = outcome;
        matches!(outcome, Ok(stored) if stored.is_new)
    };
    assert_eq!(outcomes.iter().filter(inserted).count(), 1);
    for (session_id, outcome) in outcomes {
        match outcome {
            Ok(_) => assert_eq!(session_id, home),
            Err(error) => assert!(
                session_id != home && matches!(error, EditMessageError::IdTaken),
                "{error:?}"
            ),
        }
    }
    let counts = [here, there].map(|id| fixture.sessions.get(owner, id));
    let [a, b] = futures_util::future::join_all(counts).await.try_into().unwrap();
    assert_eq!(a.unwrap().message_count + b.unwrap().message_count, 1);
}

pub async fn ch_15_what_never_changes(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, says("old")).await;
    let moved = ChangeMessage {
        session_id: Some(fixture.session_here(owner).await),
        ..change(message.id, MessagePatch::default())
    };
    let refused = fixture.edits.change(owner, moved).await;
    assert_eq!(violation(refused), ("/session_id".into(), Code::ImmutableField));
    let other = MessageDraft {
        sender_role: SenderRole::Tool,
        ..says("x")
    };
    let refused = fixture
        .edits
        .put(owner, put(message.session_id, message.id, other, PutCondition::None))
        .await;
    assert_eq!(violation(refused), ("/sender_role".into(), Code::ImmutableField));
    let same = ChangeMessage {
        session_id: Some(message.session_id),
        sender_role: Some(message.sender_role),
        ..change(message.id, text("new"))
    };
    assert_eq!(fixture.edits.change(owner, same).await.unwrap().message.revision, 2);
}

pub async fn ch_16_revisions_are_paged_from_the_newest(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let message = fixture.said(owner, says("0")).await;
    for number in 1..=5 {
        fixture.edited(&message, text(&number.to_string())).await;
    }
    let mut page = PageRequest { limit: 2, cursor: None };
    let mut seen = Vec::new();
    loop {
        let listed = fixture.edits.revisions(owner, message.id, page.clone()).await.unwrap();
        seen.extend(listed.data.iter().map(|revision| revision.revision));
        if listed.next_cursor.is_none() {
            break;
        }
        page.cursor = listed.next_cursor;
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    let other = fixture.said(owner, says("other")).await;
    let refused = fixture.edits.revisions(owner, other.id, page.clone()).await;
    assert!(matches!(refused, Err(ListMessagesError::BadCursor(_))), "{refused:?}");
    for (who, id) in [(stranger, message.id), (owner, fixture.message_id())] {
        let refused = fixture.edits.revisions(who, id, PageRequest::first()).await;
        assert!(matches!(refused, Err(ListMessagesError::NotFound)), "{refused:?}");
        let refused = fixture.edits.revision(who, id, 1).await;
        assert!(matches!(refused, Err(NotFoundError::NotFound)), "{refused:?}");
    }
}

pub async fn ch_17_a_stale_tag_is_refused_everywhere(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, says("old")).await;
    let stale = Some(state(2));
    let more = AttachToMessage {
        if_match: stale,
        ..attach(message.id, vec![file(AttachmentKind::File, "a.txt")])
    };
    let refused = fixture.edits.attach(owner, more).await.map(|_| ());
    assert!(matches!(refused, Err(EditMessageError::Stale)), "{refused:?}");
    for purge in [false, true] {
        let gone = DeleteMessage {
            if_match: stale,
            ..delete(message.id, purge)
        };
        let refused = fixture.edits.delete(owner, gone).await;
        assert!(matches!(refused, Err(EditMessageError::Stale)), "{refused:?}");
    }
    assert_eq!(fixture.read(&message).await.message, message);
    let gone = DeleteMessage {
        if_match: Some(state(1)),
        ..delete(message.id, false)
    };
    fixture.edits.delete(owner, gone).await.unwrap();
    let purged = DeleteMessage {
        if_match: Some(state(2)),
        ..delete(message.id, true)
    };
    fixture.edits.delete(owner, purged).await.unwrap();
}

pub async fn ch_45_a_message_goes_to_the_trash_and_comes_back(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, rich()).await;
    fixture.edited(&message, text("edited")).await;
    let before = fixture.read(&message).await.message;
    let now = fixture.advance(5);
    fixture.delete_message(&message, false).await.unwrap();
    let again = fixture.delete_message(&message, false).await;
    assert!(matches!(again, Err(EditMessageError::NotFound)), "{again:?}");
    let gone = fixture.messages.get(owner, message.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    let session_id = message.session_id;
    let ids = Some(vec![message.id]);
    assert_eq!(
        fixture.message_ids(owner, session_id, Deleted::Without).await,
        Some(vec![])
    );
    assert_eq!(fixture.message_ids(owner, session_id, Deleted::Only).await, ids);
    assert_eq!(fixture.message_ids(owner, session_id, Deleted::With).await, ids);

    let restored = fixture.edits.restore(owner, message.id).await.unwrap();
    let expected = Message {
        updated_at: now,
        version: before.version + 2,
        ..before
    };
    assert_eq!(restored.message, expected);
    assert_eq!(fixture.read(&message).await, restored);
    assert_eq!(fixture.edits.restore(owner, message.id).await.unwrap(), restored);
    assert_eq!(fixture.revision_numbers(&message).await, [1]);
    for id in [fixture.message_id(), {
        fixture.sessions.delete(owner, session_id, None).await.unwrap();
        message.id
    }] {
        let refused = fixture.edits.restore(owner, id).await;
        assert!(matches!(refused, Err(NotFoundError::NotFound)), "{refused:?}");
    }
}

pub async fn ch_47_only_the_list_with_trashed_messages_opens_a_trashed_session(fixture: Fixture) {
    let owner = fixture.owner();
    let kept = fixture.said(owner, says("kept")).await;
    let session_id = kept.session_id;
    let trashed = fixture.said_in(owner, session_id, says("trashed")).await;
    fixture.edited(&kept, text("edited")).await;
    fixture.delete_message(&trashed, false).await.unwrap();
    fixture.sessions.delete(owner, session_id, None).await.unwrap();
    assert_eq!(fixture.message_ids(owner, session_id, Deleted::Without).await, None);
    assert_eq!(fixture.message_ids(owner, session_id, Deleted::Only).await, None);
    let both = Some(vec![kept.id, trashed.id]);
    assert_eq!(fixture.message_ids(owner, session_id, Deleted::With).await, both);
    assert_eq!(
        fixture.message_ids(fixture.owner(), session_id, Deleted::With).await,
        None
    );

    let refused = fixture.edits.revision(owner, kept.id, 1).await;
    assert!(matches!(refused, Err(NotFoundError::NotFound)), "{refused:?}");
    for purge in [false, true] {
        let refused = fixture.delete_message(&kept, purge).await;
        assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
    }
    let refused = fixture.edits.delete_batch(owner, session_id, vec![kept.id]).await;
    assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
}

pub async fn ch_48_a_purged_message_is_gone(fixture: Fixture) {
    let owner = fixture.owner();
    for is_trashed in [false, true] {
        let message = fixture.said(owner, rich()).await;
        fixture.edited(&message, text("edited")).await;
        if is_trashed {
            fixture.delete_message(&message, false).await.unwrap();
        }
        fixture.delete_message(&message, true).await.unwrap();
        let refused = fixture.edits.restore(owner, message.id).await;
        assert!(matches!(refused, Err(NotFoundError::NotFound)), "{refused:?}");
        let refused = fixture.delete_message(&message, true).await;
        assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
        assert_eq!(
            fixture.message_ids(owner, message.session_id, Deleted::With).await,
            Some(vec![])
        );
        // Its id is free, and nothing of what it was comes back under it; its position is never given again.
        let again = fixture
            .said_in(owner, message.session_id, says_as(message.id, "again"))
            .await;
        assert_eq!(fixture.read(&again).await.message, again);
        assert_eq!((again.content.attachments.len(), again.position), (0, 2));
        assert!(fixture.revision_numbers(&again).await.is_empty());
    }
}

pub async fn t_070_restoring_a_session_brings_back_what_was_live(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_here(owner).await;
    let mut ids = Vec::new();
    for text in ["a", "b", "c"] {
        ids.push(fixture.said_in(owner, session_id, says(text)).await.id);
    }
    fixture.edits.delete(owner, delete(ids[1], false)).await.unwrap();
    fixture.sessions.delete(owner, session_id, None).await.unwrap();
    fixture.sessions.restore(owner, session_id).await.unwrap();
    let live = Some(vec![ids[0], ids[2]]);
    assert_eq!(fixture.message_ids(owner, session_id, Deleted::Without).await, live);
    fixture.sessions.purge(owner, session_id, None).await.unwrap();
    assert_eq!(fixture.message_ids(owner, session_id, Deleted::With).await, None);
    for id in ids {
        let gone = fixture.messages.get(owner, id).await;
        assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
        // Not even its id is left.
        fixture.said(owner, says_as(id, "again")).await;
    }
}

pub async fn t_071_a_batch_deletes_what_is_of_its_session(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_here(owner).await;
    let mut own = Vec::new();
    for text in ["a", "b", "c", "d"] {
        own.push(fixture.said_in(owner, session_id, says(text)).await.id);
    }
    fixture.edits.delete(owner, delete(own[3], false)).await.unwrap();
    let elsewhere = fixture.said(owner, says("elsewhere")).await;
    let before = fixture.sessions.get(owner, session_id).await.unwrap();
    fixture.advance(5);
    let asked = vec![own[2], elsewhere.id, fixture.message_id(), own[0], own[2], own[3]];
    let deleted = fixture
        .edits
        .delete_batch(owner, session_id, asked.clone())
        .await
        .unwrap();
    assert_eq!(deleted, [own[2], own[0]]);
    let after = fixture.sessions.get(owner, session_id).await.unwrap();
    assert_eq!(moved(&before, &after), (-2, 1, 1, false));
    assert_eq!(
        fixture.message_ids(owner, session_id, Deleted::Without).await,
        Some(vec![own[1]])
    );
    assert_eq!(fixture.read(&elsewhere).await.message, elsewhere);
    // Nothing left to delete moves nothing.
    assert_eq!(fixture.edits.delete_batch(owner, session_id, asked).await.unwrap(), []);
    assert_eq!(fixture.sessions.get(owner, session_id).await.unwrap(), after);
}

pub async fn ch_49_a_batch_has_1_to_200_ids(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_here(owner).await;
    for (count, code) in [(0, Code::Required), (201, Code::TooMany)] {
        let ids = (0..count).map(|_| fixture.message_id()).collect();
        let refused = fixture.edits.delete_batch(owner, session_id, ids).await;
        assert_eq!(violation(refused), ("/ids".into(), code));
    }
    let ids: Vec<MessageId> = (0..200).map(|_| fixture.message_id()).collect();
    assert_eq!(
        fixture
            .edits
            .delete_batch(owner, session_id, ids.clone())
            .await
            .unwrap(),
        []
    );
    for gone in [fixture.session_id(), {
        fixture.sessions.delete(owner, session_id, None).await.unwrap();
        session_id
    }] {
        let refused = fixture.edits.delete_batch(owner, gone, ids.clone()).await;
        assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
    }
}

pub async fn ch_49_batches_at_once_delete_each_message_once(fixture: Fixture) {
    let owner = fixture.owner();
    let session_id = fixture.session_here(owner).await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(fixture.said_in(owner, session_id, says(&number.to_string())).await.id);
    }
    let deleted = at_once(4, async |_| {
        fixture
            .edits
            .delete_batch(owner, session_id, ids.clone())
            .await
            .unwrap()
    })
    .await;
    let mut deleted: Vec<MessageId> = deleted.into_iter().flatten().collect();
    deleted.sort_by_key(|id| id.0);
    ids.sort_by_key(|id| id.0);
    assert_eq!(deleted, ids);
    assert_eq!(fixture.sessions.get(owner, session_id).await.unwrap().message_count, 0);
}

pub async fn t_076_chunks_continue_what_is_stored(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, growing("")).await;
    let grow = async |chunk| fixture.edits.grow(owner, message.id, chunk).await;
    let grown = |text, version| Grown {
        lengths: Lengths { text, reasoning: 0 },
        version,
    };
    assert_eq!(grow(piece(0, "héllo")).await.unwrap(), grown(5, 2));
    assert_eq!(grow(piece(0, "héllo")).await.unwrap(), grown(5, 3));
    assert_eq!(grow(piece(2, "llo 😀 you")).await.unwrap(), grown(11, 4));
    for bad in [piece(12, "x"), piece(0, "hello"), piece(10, "xy")] {
        let refused = grow(bad).await;
        let Err(EditMessageError::ChunkMismatch(lengths)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(lengths, Lengths { text: 11, reasoning: 0 });
    }
    let reasoning = Chunk {
        reasoning_offset: Some(0),
        reasoning: Some("since".into()),
        ..Chunk::default()
    };
    assert_eq!(
        grow(reasoning).await.unwrap().lengths,
        Lengths { text: 11, reasoning: 5 }
    );
    let view = fixture.read(&message).await;
    assert_eq!((said(&view), view.message.revision), ("héllo 😀 you", 1));
    assert!(fixture.revision_numbers(&message).await.is_empty());
}

pub async fn ch_83_two_writers_of_one_stream_end_with_the_exact_text(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, growing("")).await;
    let text: Vec<char> = "The quick brown fox jumps over the lazy dog, äöü.".chars().collect();
    at_once(2, async |writer| {
        // Each cuts the same text differently and goes on from where it is told to.
        let mut at = 0;
        while at < text.len() {
            let end = (at + 3 + 4 * writer).min(text.len());
            let said: String = text[at..end].iter().collect();
            let chunk = piece(i64::try_from(at).unwrap(), &said);
            at = match fixture.edits.grow(owner, message.id, chunk).await {
                Ok(_) => end,
                Err(EditMessageError::ChunkMismatch(lengths)) => usize::try_from(lengths.text).unwrap(),
                Err(error) => panic!("{error:?}"),
            };
        }
    })
    .await;
    let expected: String = text.iter().collect();
    assert_eq!(said(&fixture.read(&message).await), expected);
}

pub async fn t_077_a_lapsed_message_reads_interrupted(fixture: Fixture) {
    let owner = fixture.owner();
    let draft = MessageDraft {
        lease_seconds: Some(10),
        ..growing("so far")
    };
    let message = fixture.said(owner, draft).await;
    fixture.advance(9);
    fixture.edits.grow(owner, message.id, Chunk::default()).await.unwrap();
    fixture.advance(9);
    let running = fixture.read(&message).await;
    assert_eq!((running.status, running.is_lapsed()), (MessageStatus::Partial, false));
    fixture.advance(1);
    let lapsed = fixture.read(&message).await;
    assert_eq!((lapsed.status, lapsed.is_lapsed()), (MessageStatus::Interrupted, true));
    assert_eq!((said(&lapsed), lapsed.message.version), ("so far", 2));

    let late = fixture.edits.grow(owner, message.id, piece(6, "!")).await;
    assert!(matches!(late, Err(EditMessageError::NotPartial)), "{late:?}");
    let complete = fixture
        .edits
        .change(owner, change(message.id, ends(MessageStatus::Complete)))
        .await;
    assert!(matches!(complete, Err(EditMessageError::NotPartial)), "{complete:?}");
    assert_eq!(fixture.read(&message).await, lapsed);
    let edit = |if_match| ChangeMessage {
        if_match: Some(if_match),
        ..change(message.id, text("edited"))
    };
    let refused = fixture.edits.change(owner, edit(state(2))).await;
    assert!(matches!(refused, Err(EditMessageError::Stale)), "{refused:?}");
    let tag = MessageTag {
        version: 2,
        is_lapsed: true,
    };
    let edited = fixture.edits.change(owner, edit(tag)).await.unwrap();
    assert_eq!((edited.status, edited.is_lapsed()), (MessageStatus::Interrupted, false));
    assert_eq!(fixture.read(&message).await, edited);
    let kept = fixture.edits.revision(owner, message.id, 1).await.unwrap();
    assert_eq!(kept.content.text.as_deref(), Some("so far"));
}

pub async fn ch_81_any_write_stores_that_a_message_lapsed(fixture: Fixture) {
    let owner = fixture.owner();
    let (trashed, marked) = (
        fixture.said(owner, growing("a")).await,
        fixture.said(owner, growing("b")).await,
    );
    fixture.advance(3_600);
    let mark = fixture.edited(&marked, favourite(true)).await;
    assert_eq!(
        (mark.message.status, mark.message.lease_expires_at),
        (MessageStatus::Interrupted, None)
    );
    assert_eq!(fixture.read(&marked).await, mark);
    fixture.delete_message(&trashed, false).await.unwrap();
    let restored = fixture.edits.restore(owner, trashed.id).await.unwrap();
    assert_eq!(
        (restored.message.status, restored.is_lapsed()),
        (MessageStatus::Interrupted, false)
    );
    // One that lapses in the trash is stored as it comes back.
    let partial = fixture.said(owner, growing("c")).await;
    fixture.delete_message(&partial, false).await.unwrap();
    fixture.advance(3_600);
    let restored = fixture.edits.restore(owner, partial.id).await.unwrap();
    assert_eq!(
        (restored.message.status, restored.is_lapsed()),
        (MessageStatus::Interrupted, false)
    );
    assert_eq!(fixture.read(&partial).await, restored);
}

pub async fn ch_82_the_status_ends_a_partial_message(fixture: Fixture) {
    let owner = fixture.owner();
    for status in [MessageStatus::Complete, MessageStatus::Interrupted] {
        let message = fixture.said(owner, growing("so")).await;
        let edited = fixture.edited(&message, text("so far")).await;
        assert_eq!((edited.status, edited.message.revision), (MessageStatus::Partial, 1));
        let last = MessagePatch {
            usage: Patch::Set(UsagePatch {
                output_tokens: Patch::Set(7),
                ..UsagePatch::default()
            }),
            finished_at: Patch::Set(fixture.now()),
            ..MessagePatch {
                status: Patch::Set(status),
                ..text("so far, so good")
            }
        };
        let ended = fixture.edited(&message, last).await;
        assert_eq!((ended.status, ended.message.lease_expires_at), (status, None));
        assert_eq!(
            (said(&ended), ended.message.usage.output_tokens),
            ("so far, so good", Some(7))
        );
        assert_eq!(fixture.read(&message).await, ended);
        assert!(fixture.revision_numbers(&message).await.is_empty());
        for other in [
            MessageStatus::Partial,
            MessageStatus::Complete,
            MessageStatus::Interrupted,
        ] {
            let again = fixture.edits.change(owner, change(message.id, ends(other))).await;
            match other == status {
                true => assert_eq!(again.unwrap(), ended),
                false => assert!(matches!(again, Err(EditMessageError::NotPartial)), "{again:?}"),
            }
        }
        let late = fixture.edits.grow(owner, message.id, Chunk::default()).await;
        assert!(matches!(late, Err(EditMessageError::NotPartial)), "{late:?}");
    }
    let empty = fixture.said(owner, growing("")).await;
    let refused = fixture
        .edits
        .change(owner, change(empty.id, ends(MessageStatus::Complete)))
        .await;
    assert_eq!(violation(refused).1, Code::EmptyMessage);
}

pub async fn t_078_acknowledged_chunks_survive_a_crash(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, growing("")).await;
    fixture.edits.grow(owner, message.id, piece(0, "acknow")).await.unwrap();
    fixture.edits.grow(owner, message.id, piece(6, "ledged")).await.unwrap();
    let fixture = fixture.crash().await;
    // A connection that died in the pool may fail one unit.
    let mut read = fixture.messages.get(owner, message.id).await;
    for _ in 0..fixture.pool_size() {
        if read.is_err() {
            read = fixture.messages.get(owner, message.id).await;
        }
    }
    let view = read.unwrap();
    assert_eq!((said(&view), view.status), ("acknowledged", MessageStatus::Partial));
}

pub async fn ch_90_limits_of_edits_have_pointers(fixture: Fixture) {
    let owner = fixture.owner();
    let message = fixture.said(owner, says("x")).await;
    let named = |name: String| MessagePatch {
        sender_name: Patch::Set(name),
        ..MessagePatch::default()
    };
    for (patch, pointer, code) in [
        (text(&"x".repeat(500_001)), "/text", Code::TooLong),
        (text("a\0b"), "/text", Code::Nul),
        (named(String::new()), "/sender_name", Code::TooShort),
        (named("x".repeat(256)), "/sender_name", Code::TooLong),
        (
            MessagePatch {
                attachments: Patch::Set(vec![file(AttachmentKind::File, "a"); 51]),
                ..MessagePatch::default()
            },
            "/attachments",
            Code::TooMany,
        ),
        (
            MessagePatch {
                attachments: Patch::Set(vec![file(AttachmentKind::File, "javascript:x")]),
                ..MessagePatch::default()
            },
            "/attachments/0/url",
            Code::BadUrl,
        ),
        (
            MessagePatch {
                agent_data: Patch::Set("[]".into()),
                ..MessagePatch::default()
            },
            "/agent_data",
            Code::WrongType,
        ),
        (
            MessagePatch {
                status: Patch::Clear,
                ..MessagePatch::default()
            },
            "/status",
            Code::Required,
        ),
    ] {
        let refused = fixture.edits.change(owner, change(message.id, patch)).await;
        assert_eq!(violation(refused), (pointer.to_owned(), code));
    }
    let many = vec![file(AttachmentKind::File, "a"); 50];
    fixture.edits.attach(owner, attach(message.id, many)).await.unwrap();
    let one = vec![file(AttachmentKind::File, "a")];
    let refused = fixture.edits.attach(owner, attach(message.id, one)).await;
    assert_eq!(violation(refused), ("/attachments".into(), Code::TooMany));
    let refused = fixture.edits.grow(owner, message.id, piece(-1, "x")).await;
    assert_eq!(violation(refused), ("/offset".into(), Code::OutOfRange));
}

pub async fn ch_13_a_stranger_is_answered_as_if_there_was_nothing(fixture: Fixture) {
    let (owner, stranger) = (fixture.owner(), fixture.owner());
    let message = fixture.said(owner, growing("mine")).await;
    let own = fixture.session_here(stranger).await;
    let id = message.id;
    for refused in [
        fixture.edits.change(stranger, change(id, text("x"))).await.map(|_| ()),
        fixture.edits.attach(stranger, attach(id, vec![])).await.map(|_| ()),
        fixture.edits.grow(stranger, id, piece(4, "!")).await.map(|_| ()),
        fixture.edits.delete(stranger, delete(id, true)).await,
        fixture
            .edits
            .put(stranger, put(message.session_id, id, says("x"), PutCondition::None))
            .await
            .map(|_| ()),
        fixture
            .edits
            .delete_batch(stranger, message.session_id, vec![id])
            .await
            .map(|_| ()),
    ] {
        assert!(matches!(refused, Err(EditMessageError::NotFound)), "{refused:?}");
    }
    assert_eq!(fixture.edits.delete_batch(stranger, own, vec![id]).await.unwrap(), []);
    // The same id of two owners is no conflict (CH-06).
    let put = fixture
        .edits
        .put(stranger, put(own, id, says("theirs"), PutCondition::None))
        .await;
    assert!(put.unwrap().is_new);
    assert_eq!(fixture.read(&message).await.message, message);
    let refused = fixture.messages.append(owner, own, says("x"), true).await;
    assert!(matches!(refused, Err(AppendError::NotFound)), "{refused:?}");
}
