//! The labels on conversations: the store's obligations first, then the use cases over it.

use std::collections::BTreeSet;

use larder_domain::chat::{Session, SessionDraft, SessionPatch, Tag};
use larder_domain::{Code, OwnerId, Patch, SessionId};
use larder_ports::inbound::PageRequest;
use larder_ports::inbound::chat::{ChangeSession, ListError, RenameTag, RenameTagError};
use larder_ports::outbound::Deleted;
use larder_ports::outbound::chat::{SessionFilter, TagMatch};

use crate::Fixture;
use crate::schedule::{at_once, overlap};

fn rename(from: &str, to: &str) -> RenameTag {
    RenameTag {
        from: from.into(),
        to: to.into(),
    }
}

fn texts(session: &Session) -> Vec<&str> {
    session.tags.iter().map(Tag::text).collect()
}

fn stored(texts: &[&str]) -> Vec<Tag> {
    texts.iter().map(|text| Tag::from_stored((*text).into())).collect()
}

impl Fixture {
    async fn tagged(&self, owner_id: OwnerId, tags: &[&str]) -> Session {
        let draft = SessionDraft {
            tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()),
            ..SessionDraft::default()
        };
        self.sessions.create(owner_id, draft).await.unwrap()
    }

    /// All tags, read in pages of two.
    async fn tag_counts(&self, owner_id: OwnerId) -> Vec<(String, i64)> {
        let mut counts = Vec::new();
        let mut request = PageRequest { limit: 2, cursor: None };
        loop {
            let page = self.tags.list(owner_id, request.clone()).await.unwrap();
            counts.extend(
                page.data
                    .into_iter()
                    .map(|count| (count.tag.text().to_owned(), count.session_count)),
            );
            match page.next_cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => return counts,
            }
        }
    }

    async fn having(&self, owner_id: OwnerId, tags: &[&str], tag_match: TagMatch) -> BTreeSet<SessionId> {
        let filter = SessionFilter {
            tags: stored(tags),
            tag_match,
            ..SessionFilter::default()
        };
        let page = self
            .sessions
            .list(owner_id, filter, PageRequest::first())
            .await
            .unwrap();
        page.data.iter().map(|session| session.id).collect()
    }
}

// The store.

pub async fn ch_24_a_renaming_waits_for_a_change_of_tags(fixture: Fixture) {
    let owner = fixture.owner();
    let session = Session {
        tags: stored(&["a"]),
        ..fixture.new_session(owner)
    };
    fixture.store(&session).await.unwrap();
    let without = Session {
        tags: stored(&["c"]),
        version: 2,
        ..session.clone()
    };
    let (from, to) = (Tag::from_stored("a".into()), Tag::from_stored("b".into()));
    let now = fixture.now();
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.sessions().update(&without, 1).await.map(|_| None),
        async |unit| unit.tags().rename(owner, &from, &to, now).await,
    )
    .await;
    assert!(matches!(answers, [Ok(None), Ok(None)]), "{answers:?}");
    assert_eq!(fixture.session(owner, session.id).await, Some(without));
}

pub async fn ch_24_two_renamings_at_once_go_one_after_the_other(fixture: Fixture) {
    let owner = fixture.owner();
    let session = Session {
        tags: stored(&["a"]),
        ..fixture.new_session(owner)
    };
    fixture.store(&session).await.unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|text| Tag::from_stored(text.into()));
    let now = fixture.now();
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.tags().rename(owner, &a, &b, now).await,
        async |unit| unit.tags().rename(owner, &a, &c, now).await,
    )
    .await;
    assert!(matches!(answers, [Ok(Some(1)), Ok(None)]), "{answers:?}");
    let kept = fixture.session(owner, session.id).await.unwrap();
    assert_eq!((texts(&kept), kept.version), (vec!["b"], 2));
}

// The use cases.

pub async fn ch_24_the_list_counts_live_sessions_per_folded_tag(fixture: Fixture) {
    let (owner, other) = (fixture.owner(), fixture.owner());
    fixture.tagged(owner, &["work", "Straße"]).await;
    fixture.tagged(owner, &["Work", "éclair"]).await;
    fixture.tagged(owner, &["WORK", "STRASSE", "a"]).await;
    let trashed = fixture.tagged(owner, &["WORK", "WOrk", "gone"]).await;
    fixture.sessions.delete(owner, trashed.id, None).await.unwrap();
    fixture.tagged(other, &["work", "theirs"]).await;
    // By folded form; the smallest spelling by code point, whatever the collation of the database.
    let expected = [("a", 1), ("STRASSE", 2), ("WORK", 3), ("éclair", 1)];
    let expected: Vec<_> = expected
        .iter()
        .map(|(tag, count)| ((*tag).to_owned(), *count))
        .collect();
    assert_eq!(fixture.tag_counts(owner).await, expected);
    fixture.sessions.restore(owner, trashed.id).await.unwrap();
    assert!(fixture.tag_counts(owner).await.contains(&("gone".to_owned(), 1)));
    assert_eq!(fixture.tag_counts(fixture.owner()).await, []);
}

pub async fn ch_24_a_cursor_of_tags_counts_for_their_owner_only(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    fixture.tagged(a, &["x", "y"]).await;
    fixture.tagged(b, &["x", "y"]).await;
    let request = PageRequest { limit: 1, cursor: None };
    let cursor = fixture.tags.list(a, request).await.unwrap().next_cursor;
    let request = PageRequest { limit: 1, cursor };
    let refused = fixture.tags.list(b, request).await;
    assert!(matches!(refused, Err(ListError::BadCursor(_))), "{refused:?}");
}

pub async fn ch_24_any_or_all_of_several_tags(fixture: Fixture) {
    let owner = fixture.owner();
    let both = fixture.tagged(owner, &["A", "b"]).await.id;
    let one = fixture.tagged(owner, &["a", "c"]).await.id;
    let none = fixture.tagged(owner, &["c"]).await.id;
    let set = |ids: &[SessionId]| ids.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(
        fixture.having(owner, &["a", "B"], TagMatch::Any).await,
        set(&[both, one])
    );
    assert_eq!(fixture.having(owner, &["a", "B"], TagMatch::All).await, set(&[both]));
    assert_eq!(fixture.having(owner, &["C"], TagMatch::All).await, set(&[one, none]));
    assert_eq!(fixture.having(owner, &["d"], TagMatch::Any).await, set(&[]));
    assert_eq!(fixture.having(owner, &["a", "d"], TagMatch::All).await, set(&[]));
}

pub async fn ch_24_a_renaming_merges_at_the_earlier_place(fixture: Fixture) {
    let owner = fixture.owner();
    let alone = fixture.tagged(owner, &["x", "a", "y"]).await;
    let after = fixture.tagged(owner, &["a", "x", "B", "y"]).await;
    let before = fixture.tagged(owner, &["b", "x", "A", "y"]).await;
    let without = fixture.tagged(owner, &["B", "x"]).await;
    let trashed = fixture.tagged(owner, &["a"]).await;
    fixture.sessions.delete(owner, trashed.id, None).await.unwrap();
    let stranger = fixture.owner();
    let theirs = fixture.tagged(stranger, &["a"]).await;
    let later = fixture.advance(60);

    assert_eq!(fixture.tags.rename(owner, rename(" A", "b ")).await.unwrap(), 4);
    let cases: [(&Session, &[&str]); 3] = [
        (&alone, &["x", "b", "y"]),
        (&after, &["b", "x", "y"]),
        (&before, &["b", "x", "y"]),
    ];
    for (session, expected) in cases {
        let changed = fixture.sessions.get(owner, session.id).await.unwrap();
        assert_eq!(texts(&changed), expected);
        // The row changed, the conversation did not.
        assert_eq!(
            (changed.version, changed.updated_at, changed.last_update),
            (2, later, session.last_update)
        );
    }
    assert_eq!(fixture.sessions.get(owner, without.id).await.unwrap(), without);
    assert_eq!(fixture.sessions.get(stranger, theirs.id).await.unwrap(), theirs);
    let restored = fixture.sessions.restore(owner, trashed.id).await.unwrap();
    assert_eq!(texts(&restored), ["b"]);
    // A tag that was renamed away can be given again.
    let patch = SessionPatch {
        tags: Patch::Set(vec!["b".into(), "a".into()]),
        ..SessionPatch::default()
    };
    let change = ChangeSession {
        id: alone.id,
        patch,
        touch: false,
        if_match: None,
    };
    let again = fixture.sessions.change(owner, change).await.unwrap();
    assert_eq!(texts(&again), ["b", "a"]);
}

pub async fn ch_24_a_new_spelling_changes_the_sessions_that_have_another(fixture: Fixture) {
    let owner = fixture.owner();
    let (same, other) = (
        fixture.tagged(owner, &["Work"]).await,
        fixture.tagged(owner, &["work"]).await,
    );
    assert_eq!(fixture.tags.rename(owner, rename("WORK", "Work")).await.unwrap(), 1);
    assert_eq!(fixture.sessions.get(owner, same.id).await.unwrap(), same);
    let changed = fixture.sessions.get(owner, other.id).await.unwrap();
    assert_eq!((texts(&changed), changed.version), (vec!["Work"], 2));
    assert_eq!(fixture.tags.rename(owner, rename("work", "Work")).await.unwrap(), 0);
}

pub async fn ch_24_an_unknown_tag_is_not_found_and_a_bad_one_refused(fixture: Fixture) {
    let owner = fixture.owner();
    let stranger = fixture.owner();
    fixture.tagged(stranger, &["a"]).await;
    let missing = fixture.tags.rename(owner, rename("a", "b")).await;
    assert!(matches!(missing, Err(RenameTagError::NotFound)), "{missing:?}");
    let refused = fixture.tags.rename(owner, rename("a", "x\0")).await;
    let Err(RenameTagError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (refused.violations()[0].pointer.as_str(), refused.violations()[0].code),
        ("/to", Code::Nul)
    );
}

pub async fn ch_24_renamings_beside_changes_of_tags_lose_nothing(fixture: Fixture) {
    let owner = fixture.owner();
    let sessions = [
        fixture.tagged(owner, &["a"]).await.id,
        fixture.tagged(owner, &["a", "b"]).await.id,
        fixture.tagged(owner, &["b"]).await.id,
    ];
    at_once(12, async |number| {
        if number % 2 == 0 {
            let (from, to) = if number % 4 == 0 { ("a", "b") } else { ("b", "a") };
            let renamed = fixture.tags.rename(owner, rename(from, to)).await;
            assert!(matches!(renamed, Ok(_) | Err(RenameTagError::NotFound)), "{renamed:?}");
        } else {
            let patch = SessionPatch {
                tags: Patch::Set(vec!["b".into(), "a".into()]),
                ..SessionPatch::default()
            };
            let change = ChangeSession {
                id: sessions[number % 3],
                patch,
                touch: false,
                if_match: None,
            };
            fixture.sessions.change(owner, change).await.unwrap();
        }
    })
    .await;
    for id in sessions {
        let session = fixture.sessions.get(owner, id).await.unwrap();
        let norms: BTreeSet<&str> = session.tags.iter().map(Tag::norm).collect();
        assert_eq!(norms.len(), session.tags.len(), "{session:?}");
        assert!(
            !norms.is_empty() && norms.iter().all(|norm| ["a", "b"].contains(norm)),
            "{session:?}"
        );
    }
}

pub async fn t_052_tags_are_compared_folded_and_kept_as_sent(fixture: Fixture) {
    let owner = fixture.owner();
    let session = fixture.tagged(owner, &["Work", "work ", "Straße"]).await;
    let kept = fixture.sessions.get(owner, session.id).await.unwrap();
    assert_eq!(texts(&kept), ["Work", "Straße"]);
    assert_eq!(
        fixture.having(owner, &["STRASSE"], TagMatch::Any).await,
        BTreeSet::from([session.id])
    );
    let many: Vec<String> = (0..33).map(|number| format!("tag {number}")).collect();
    let draft = SessionDraft {
        tags: Some(many),
        ..SessionDraft::default()
    };
    let refused = fixture.sessions.create(owner, draft).await;
    assert!(
        matches!(
            refused,
            Err(larder_ports::inbound::chat::CreateSessionError::Invalid(_))
        ),
        "{refused:?}"
    );
}

pub async fn t_053_after_a_renaming_nobody_has_a_tag_twice(fixture: Fixture) {
    let owner = fixture.owner();
    for tags in [&["a"][..], &["a"], &["a", "b"]] {
        fixture.tagged(owner, tags).await;
    }
    assert_eq!(fixture.tags.rename(owner, rename("a", "b")).await.unwrap(), 3);
    assert_eq!(fixture.tag_counts(owner).await, [("b".to_owned(), 3)]);
    let all = SessionFilter::all(Deleted::With);
    let page = fixture.sessions.list(owner, all, PageRequest::first()).await.unwrap();
    assert!(page.data.iter().all(|session| texts(session) == ["b"]));
}
