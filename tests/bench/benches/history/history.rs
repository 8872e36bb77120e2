use std::time::Duration;

use larder_domain::chat::{Message, MessageDraft, SenderRole, Session, SessionDraft, Stamp};
use larder_domain::search::Query;
use larder_domain::{Instant, MessageId, OwnerId, SessionId};
use larder_ports::outbound::Access;
use larder_ports::outbound::chat::{MessageFilter, MessageScope, Order, SearchFilter, SessionFilter};
use uuid::Uuid;

use crate::database::ChatStore;
use crate::queries::Samples;
use crate::text::Vocabulary;

/// Every tenth message goes to one session, the others to sessions of so many messages.
const SESSION: usize = 100;
const TURN: usize = 10;
/// A unit of work while history is made up.
const UNIT: usize = 1_000;
/// Others have a tenth of what the owner has, together.
const OTHERS: u128 = 50;
/// The time between two messages.
const PACE: Duration = Duration::from_secs(60);
/// Rows of a page, and one more to learn whether it is the last.
const PAGE: u32 = 51;

/// What an owner wrote so far, and the generator of what follows.
pub(crate) struct History {
    random: fastrand::Rng,
    vocabulary: Vocabulary,
    owner_id: OwnerId,
    longest: Option<SessionId>,
    messages: usize,
    ids: u128,
    now: Instant,
}

impl History {
    pub(crate) fn new() -> Self {
        let mut random = fastrand::Rng::with_seed(7);
        Self {
            vocabulary: Vocabulary::new(&mut random),
            random,
            owner_id: OwnerId(Uuid::from_u128(1)),
            longest: None,
            messages: 0,
            ids: 1 << 64,
            // The years that a million messages take end before today.
            now: Instant::parse("2024-01-01T00:00:00Z").unwrap(),
        }
    }

    /// Makes up messages until the owner has `size`.
    pub(crate) async fn grow(&mut self, store: &ChatStore, size: usize) {
        let owner_id = self.owner_id;
        let longest = match self.longest {
            Some(id) => id,
            None => self.begin(store, owner_id).await,
        };
        self.longest = Some(longest);
        let mut current = self.begin(store, owner_id).await;
        let mut in_current = 0;
        while self.messages < size {
            let mut unit = store.begin(Access::Write).await.unwrap();
            for _ in 0..UNIT / TURN {
                if self.messages >= size {
                    break;
                }
                let others = self.messages / TURN % 10 == 3;
                let session_id = if (self.messages / TURN).is_multiple_of(10) {
                    longest
                } else {
                    current
                };
                let messages = self.turn(owner_id, session_id, TURN);
                let now = self.now;
                let append = unit.messages().append(owner_id, session_id, &messages, true, now).await;
                assert!(append.unwrap().is_some());
                self.messages += TURN;
                if session_id == current {
                    in_current += TURN;
                }
                if in_current >= SESSION {
                    current = SessionId(self.id());
                    let session = self.session(owner_id, current);
                    unit.sessions().insert(&session).await.unwrap();
                    in_current = 0;
                }
                if others {
                    let owner_id = OwnerId(Uuid::from_u128(2 + self.random.u128(..OTHERS)));
                    let session_id = SessionId(self.id());
                    let session = self.session(owner_id, session_id);
                    unit.sessions().insert(&session).await.unwrap();
                    let messages = self.turn(owner_id, session_id, TURN);
                    unit.messages()
                        .append(owner_id, session_id, &messages, true, now)
                        .await
                        .unwrap();
                }
            }
            unit.commit().await.unwrap();
        }
    }

    pub(crate) async fn append_to_longest(&mut self, store: &ChatStore) {
        let (owner_id, session_id) = (self.owner_id, self.longest.unwrap());
        let messages = self.turn(owner_id, session_id, 1);
        let mut unit = store.begin(Access::Write).await.unwrap();
        let append = unit
            .messages()
            .append(owner_id, session_id, &messages, true, self.now)
            .await;
        assert!(append.unwrap().is_some());
        unit.commit().await.unwrap();
    }

    pub(crate) async fn first_page_of_longest(&self, store: &ChatStore) {
        let mut unit = store.begin(Access::Read).await.unwrap();
        let page = unit
            .messages()
            .list(
                self.owner_id,
                self.longest.unwrap(),
                MessageFilter::default(),
                Order::Descending,
                None,
                PAGE,
            )
            .await;
        assert!(page.unwrap().is_some());
        unit.rollback().await.unwrap();
    }

    pub(crate) async fn list_sessions(&self, store: &ChatStore) {
        let mut unit = store.begin(Access::Read).await.unwrap();
        let sessions = unit
            .sessions()
            .list(self.owner_id, &SessionFilter::default(), None, PAGE)
            .await;
        assert!(!sessions.unwrap().is_empty());
        unit.rollback().await.unwrap();
    }

    /// Answers how many were found on the first page.
    pub(crate) async fn search_messages(&self, store: &ChatStore, query: &str) -> usize {
        let query = Query::parse(query).unwrap();
        let (filter, scope) = (SearchFilter::default(), MessageScope::default());
        let mut unit = store.begin(Access::Read).await.unwrap();
        let found = unit
            .search()
            .messages(self.owner_id, &query, &filter, scope, None, PAGE)
            .await;
        unit.rollback().await.unwrap();
        found.unwrap().len()
    }

    /// Answers how many were found on the first page.
    pub(crate) async fn search_sessions(&self, store: &ChatStore, query: &str) -> usize {
        let query = Query::parse(query).unwrap();
        let mut unit = store.begin(Access::Read).await.unwrap();
        let found = unit
            .search()
            .sessions(self.owner_id, &query, &SearchFilter::default(), None, PAGE)
            .await;
        unit.rollback().await.unwrap();
        found.unwrap().len()
    }

    pub(crate) fn samples(&self) -> Samples<'_> {
        Samples {
            vocabulary: &self.vocabulary,
            random: fastrand::Rng::with_seed(8),
        }
    }

    async fn begin(&mut self, store: &ChatStore, owner_id: OwnerId) -> SessionId {
        let id = SessionId(self.id());
        let session = self.session(owner_id, id);
        let mut unit = store.begin(Access::Write).await.unwrap();
        unit.sessions().insert(&session).await.unwrap();
        unit.commit().await.unwrap();
        id
    }

    fn session(&mut self, owner_id: OwnerId, id: SessionId) -> Session {
        let draft = SessionDraft {
            name: Some(format!("About {}", self.vocabulary.word(&mut self.random))),
            ..SessionDraft::default()
        };
        Session::create(draft, owner_id, id, self.now, "").unwrap()
    }

    /// Messages at one instant, some time after the ones before.
    fn turn(&mut self, owner_id: OwnerId, session_id: SessionId, count: usize) -> Vec<Message> {
        let pause = PACE.mul_f64(count as f64 * (0.5 + self.random.f64()));
        self.now = self.now.plus(pause);
        (1..)
            .take(count)
            .map(|ordinal| {
                let role = if ordinal % 2 == 1 {
                    SenderRole::User
                } else {
                    SenderRole::Assistant
                };
                let draft = MessageDraft {
                    text: Some(self.vocabulary.text(&mut self.random)),
                    ..MessageDraft::new(role)
                };
                let stamp = Stamp {
                    owner_id,
                    session_id,
                    id: MessageId(self.id()),
                    attachment_ids: Vec::new(),
                    ordinal,
                    now: self.now,
                    default_lease: Duration::from_secs(120),
                };
                Message::create(draft, stamp, "").unwrap()
            })
            .collect()
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }
}
