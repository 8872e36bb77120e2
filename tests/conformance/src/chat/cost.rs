//! What operations cost, counted in statements.

use larder_domain::chat::{
    AttachmentDraft, AttachmentKind, Editor, MessageDraft, MessageFlags, MessagePatch, PromptDraft, SessionDraft,
    SessionPatch, SummaryDraft,
};
use larder_domain::{MessageId, OwnerId, Patch, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{
    AuditFiles, ChangeMessage, ListMessages, PutSummary, SearchRequest, Turn, TurnTarget,
};
use larder_ports::outbound::Deleted;
use larder_ports::outbound::chat::{MessageScope, Order, SessionFilter};

use crate::Fixture;
use crate::make::says;

/// As many rows as there may be.
const WHOLE: PageRequest = PageRequest {
    limit: PageRequest::MAX_LIMIT,
    cursor: None,
};

/// The names of operations with their numbers of statements.
struct Bill<'a> {
    fixture: &'a Fixture,
    items: Vec<(&'static str, u64)>,
}

impl Bill<'_> {
    async fn add<T>(&mut self, name: &'static str, operation: impl Future<Output = T>) -> T {
        let before = self.fixture.statements();
        let answer = operation.await;
        self.items.push((name, self.fixture.statements() - before));
        answer
    }
}

fn message(text: &str) -> MessageDraft {
    let file = |url: &str| AttachmentDraft {
        kind: AttachmentKind::File,
        url: url.into(),
        description: None,
        media_type: None,
        size_bytes: None,
    };
    MessageDraft {
        attachments: vec![file("https://example.com/a.pdf"), file("https://example.com/b.pdf")],
        flags: MessageFlags {
            favourite: true,
            ..MessageFlags::default()
        },
        ..says(text)
    }
}

fn into(id: SessionId, messages: Vec<MessageDraft>) -> Turn {
    Turn {
        target: TurnTarget::Existing(id, SessionPatch::default()),
        messages,
        touch: true,
        newest: None,
    }
}

impl Fixture {
    /// Somebody with a session of so many messages.
    async fn long_session(&self, messages: usize) -> (OwnerId, SessionId) {
        let owner = self.owner();
        let session = self.sessions.create(owner, SessionDraft::default()).await.unwrap();
        let drafts: Vec<MessageDraft> = (0..messages).map(|_| message("an apricot")).collect();
        for part in drafts.chunks(20) {
            self.messages
                .take_turn(owner, into(session.id, part.to_vec()))
                .await
                .unwrap();
        }
        (owner, session.id)
    }

    fn list_of(&self, session_id: SessionId, order: Order, cursor: Option<String>) -> ListMessages {
        ListMessages {
            session_id,
            order,
            deleted: Deleted::Without,
            role: None,
            status: None,
            page: PageRequest { limit: 5, cursor },
        }
    }
}

/// 2000 messages instead of 100000: what counts is that the number of statements does not depend on it. `tests/bench/run history`
/// has the times at up to a million.
pub async fn t_039_appending_and_paging_cost_the_same_in_a_long_session(fixture: Fixture) {
    let mut bills = Vec::new();
    for count in [10, 2000] {
        let (owner, session) = fixture.long_session(count).await;
        let mut bill = Bill {
            fixture: &fixture,
            items: Vec::new(),
        };
        let added = bill
            .add("append", fixture.messages.append(owner, session, message("one"), true))
            .await
            .unwrap();
        let page = fixture.list_of(session, Order::Ascending, None);
        let page = bill
            .add("first page", fixture.messages.list(owner, page))
            .await
            .unwrap();
        assert_eq!(page.data.len(), 5);
        let next = fixture.list_of(session, Order::Ascending, page.next_cursor);
        let page = bill.add("next page", fixture.messages.list(owner, next)).await.unwrap();
        assert_eq!(page.data.len(), 5);
        let last = fixture.list_of(session, Order::Descending, None);
        bill.add("last page", fixture.messages.list(owner, last)).await.unwrap();
        bill.add("read", fixture.messages.get(owner, added.message.id))
            .await
            .unwrap();
        bills.push(bill.items);
    }
    assert_eq!(bills[0], bills[1]);
}

pub async fn ch_92_a_turn_costs_the_same_for_1_and_for_20_messages(fixture: Fixture) {
    let mut bills = Vec::new();
    for count in [1, 20] {
        let (owner, session) = fixture.long_session(1).await;
        let mut bill = Bill {
            fixture: &fixture,
            items: Vec::new(),
        };
        let turn = into(session, vec![message("text"); count]);
        bill.add("onto a session", fixture.messages.take_turn(owner, turn))
            .await
            .unwrap();
        let turn = Turn {
            target: TurnTarget::New(SessionDraft::default()),
            ..into(session, vec![message("text"); count])
        };
        bill.add("with a session", fixture.messages.take_turn(owner, turn))
            .await
            .unwrap();
        bills.push(bill.items);
    }
    assert_eq!(bills[0], bills[1]);
}

/// No row of a page costs a statement of its own.
pub async fn ch_92_a_page_costs_the_same_for_2_and_for_100_rows(fixture: Fixture) {
    let mut bills = Vec::new();
    for count in [2, 100] {
        let owner = fixture.owner();
        let mut edited: Option<MessageId> = None;
        for number in 0..count {
            let draft = SessionDraft {
                name: Some(format!("Session {number}")),
                tags: Some(vec!["all".into(), format!("tag {number}")]),
                ..SessionDraft::default()
            };
            let turn = Turn {
                target: TurnTarget::New(draft),
                ..into(fixture.session_id(), vec![message("an apricot")])
            };
            let taken = fixture.messages.take_turn(owner, turn).await.unwrap();
            let summary = PutSummary {
                session_id: taken.session.id,
                draft: summary(),
                if_match: None,
            };
            fixture.summaries.put(owner, summary).await.unwrap();
            let prompt = PromptDraft {
                id: None,
                title: format!("Prompt {number}"),
                text: "Text".into(),
            };
            fixture.prompts.create(owner, prompt).await.unwrap();
            let id = *edited.get_or_insert(taken.messages[0].message.id);
            let patch = MessagePatch {
                text: Patch::Set(format!("another apricot {number}")),
                ..MessagePatch::default()
            };
            let change = ChangeMessage {
                id,
                session_id: None,
                sender_role: None,
                patch,
                touch: true,
                if_match: None,
                by: Editor::Login,
            };
            fixture.edits.change(owner, change).await.unwrap();
        }
        let mut bill = Bill {
            fixture: &fixture,
            items: Vec::new(),
        };
        let query = || SearchRequest {
            query: "apricot".into(),
            ..SearchRequest::default()
        };
        let everywhere = MessageScope {
            role: None,
            session_id: None,
        };
        let sessions = fixture
            .sessions
            .list(owner, SessionFilter::all(Deleted::Without), WHOLE);
        let mut found = vec![bill.add("sessions", sessions).await.unwrap().data.len()];
        found.push(
            bill.add("tags", fixture.tags.list(owner, WHOLE))
                .await
                .unwrap()
                .data
                .len()
                - 1,
        );
        let favourites = fixture.favourites.list(owner, WHOLE);
        found.push(bill.add("favourites", favourites).await.unwrap().data.len());
        let files = fixture.files.audit(owner, AuditFiles::default(), WHOLE);
        found.push(bill.add("files", files).await.unwrap().data.len() / 2);
        let prompts = fixture.prompts.list(owner, Deleted::Without, WHOLE);
        found.push(bill.add("prompts", prompts).await.unwrap().data.len());
        let summaries = fixture.summaries.list(owner, None, WHOLE);
        found.push(bill.add("summaries", summaries).await.unwrap().data.len());
        let revisions = fixture.edits.revisions(owner, edited.unwrap(), WHOLE);
        found.push(bill.add("revisions", revisions).await.unwrap().data.len());
        let hits = fixture.search.messages(owner, query(), everywhere, WHOLE);
        found.push(bill.add("hits in messages", hits).await.unwrap().data.len());
        let hits = fixture.search.sessions(owner, query(), WHOLE);
        found.push(bill.add("hits in sessions", hits).await.unwrap().data.len());
        // The last of a hundred revisions is one too many to be kept.
        assert!(found.iter().all(|rows| (count - 1..=count).contains(rows)), "{found:?}");
        bills.push(bill.items);
    }
    assert_eq!(bills[0], bills[1]);
}

fn summary() -> SummaryDraft {
    SummaryDraft {
        text: "A trip.".into(),
        key_topics: vec!["travel".into()],
        entities: Vec::new(),
        model_name: "large".into(),
        config_version: 1,
        source_content_revision: None,
    }
}
