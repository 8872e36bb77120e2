//! Saved templates: the store's obligations first, then the use cases over it.

use std::sync::Arc;

use larder_domain::chat::{MAX_PROMPTS, Prompt, PromptDraft, PromptPatch};
use larder_domain::{Code, OwnerId, Patch, PromptId, Version};
use larder_ports::inbound::chat::{
    ChangePrompt, ChangePromptError, CreatePromptError, ListError, NotFoundError, RestorePromptError,
};
use larder_ports::inbound::{Done, Once, PageRequest};
use larder_ports::outbound::{Deleted, RequestKey, Rule, StorageError, StoredAnswer};

use crate::Fixture;
use crate::schedule::{at_once, overlap};

fn draft(title: &str) -> PromptDraft {
    PromptDraft {
        id: None,
        title: title.into(),
        text: "Say it simply.".into(),
    }
}

fn retitle(id: PromptId, title: &str, if_match: Option<Version>) -> ChangePrompt {
    ChangePrompt {
        id,
        patch: PromptPatch {
            title: Patch::Set(title.into()),
            text: Patch::Keep,
        },
        if_match,
    }
}

impl Fixture {
    fn new_prompt(&self, owner_id: OwnerId) -> Prompt {
        Prompt::create(draft("title"), owner_id, self.prompt_id(), self.now()).unwrap()
    }

    /// The titles of a list, read in pages of two.
    async fn titles(&self, owner_id: OwnerId, deleted: Deleted) -> Vec<String> {
        let mut titles = Vec::new();
        let mut request = PageRequest { limit: 2, cursor: None };
        loop {
            let page = self.prompts.list(owner_id, deleted, request.clone()).await.unwrap();
            titles.extend(page.data.into_iter().map(|prompt| prompt.title));
            match page.next_cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => return titles,
            }
        }
    }
}

// The store.

pub async fn ch_50_those_who_add_a_prompt_wait_for_each_other(fixture: Fixture) {
    let owner = fixture.owner();
    let (one, other) = (fixture.new_prompt(owner), fixture.new_prompt(owner));
    let add = async |unit: &mut dyn larder_ports::outbound::chat::ChatUnit, prompt: &Prompt| {
        let has_room = unit.prompts().has_room(owner, 1).await?;
        if has_room {
            unit.prompts().insert(prompt).await?;
        }
        Ok::<_, StorageError>(has_room)
    };
    let answers = overlap(
        &*fixture.chat,
        async |unit| add(unit, &one).await,
        async |unit| add(unit, &other).await,
    )
    .await;
    assert!(matches!(answers, [Ok(true), Ok(false)]), "{answers:?}");
    assert_eq!(fixture.titles(owner, Deleted::With).await.len(), 1);
}

pub async fn ch_06_a_prompt_id_that_the_owner_has_is_taken(fixture: Fixture) {
    let (owner, other) = (fixture.owner(), fixture.owner());
    let prompt = fixture.new_prompt(owner);
    let theirs = Prompt {
        owner_id: other,
        ..prompt.clone()
    };
    let store = async |prompt: &Prompt| {
        let mut unit = fixture.chat_unit().await;
        unit.prompts().insert(prompt).await?;
        unit.commit().await
    };
    store(&prompt).await.unwrap();
    store(&theirs).await.unwrap();
    for trashed in [false, true] {
        if trashed {
            fixture.prompts.delete(owner, prompt.id, None).await.unwrap();
        }
        let refused = store(&prompt).await;
        assert!(
            matches!(refused, Err(StorageError::Broken(Rule::PromptIdTaken))),
            "{refused:?}"
        );
    }
    assert_eq!(fixture.prompts.get(other, theirs.id).await.unwrap(), theirs);
}

pub async fn ch_51_of_two_updates_of_one_version_one_wins(fixture: Fixture) {
    let owner = fixture.owner();
    let stored = fixture.prompts.create(owner, draft("stored")).await.unwrap();
    let [one, other] = ["one", "other"].map(|title| Prompt {
        title: title.into(),
        version: 2,
        ..stored.clone()
    });
    let answers = overlap(
        &*fixture.chat,
        async |unit| unit.prompts().update(&one, 1).await,
        async |unit| unit.prompts().update(&other, 1).await,
    )
    .await;
    assert!(matches!(answers, [Ok(true), Ok(false)]), "{answers:?}");
    assert_eq!(fixture.prompts.get(owner, stored.id).await.unwrap(), one);
}

// The use cases.

pub async fn ch_50_prompts_are_listed_from_the_oldest(fixture: Fixture) {
    let owner = fixture.owner();
    let mut ids = Vec::new();
    for title in ["a", "b", "c", "d", "e"] {
        ids.push(fixture.prompts.create(owner, draft(title)).await.unwrap().id);
        if title != "b" {
            fixture.advance(1);
        }
    }
    fixture.prompts.create(fixture.owner(), draft("theirs")).await.unwrap();
    fixture.prompts.delete(owner, ids[3], None).await.unwrap();
    assert_eq!(fixture.titles(owner, Deleted::Without).await, ["a", "b", "c", "e"]);
    assert_eq!(fixture.titles(owner, Deleted::With).await, ["a", "b", "c", "d", "e"]);
    assert_eq!(fixture.titles(owner, Deleted::Only).await, ["d"]);

    let all = fixture.prompts.all(owner).await.unwrap();
    assert_eq!(
        all.iter().map(|prompt| prompt.title.as_str()).collect::<Vec<_>>(),
        ["a", "b", "c", "e"]
    );

    let first = PageRequest { limit: 1, cursor: None };
    let cursor = fixture
        .prompts
        .list(owner, Deleted::Without, first)
        .await
        .unwrap()
        .next_cursor;
    let next = PageRequest { limit: 1, cursor };
    for (owner_id, deleted) in [(fixture.owner(), Deleted::Without), (owner, Deleted::With)] {
        let refused = fixture.prompts.list(owner_id, deleted, next.clone()).await;
        assert!(matches!(refused, Err(ListError::BadCursor(_))), "{refused:?}");
    }
}

pub async fn ch_50_an_owner_has_at_most_2000_live_prompts(fixture: Fixture) {
    let owner = fixture.owner();
    let mut unit = fixture.chat_unit().await;
    let mut ids = Vec::new();
    for _ in 0..MAX_PROMPTS - 1 {
        let prompt = fixture.new_prompt(owner);
        unit.prompts().insert(&prompt).await.unwrap();
        ids.push(prompt.id);
    }
    unit.commit().await.unwrap();
    let answers = at_once(4, async |_| fixture.prompts.create(owner, draft("last")).await).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    assert!(
        refused
            .iter()
            .all(|answer| matches!(answer, Err(CreatePromptError::LimitReached))),
        "{refused:?}"
    );
    // CO-40: all of them are read at once.
    assert_eq!(fixture.prompts.all(owner).await.unwrap().len(), MAX_PROMPTS as usize);
    // Somebody else's don't count, nor do those in the trash; but what is restored counts again.
    fixture.prompts.create(fixture.owner(), draft("theirs")).await.unwrap();
    fixture.prompts.delete(owner, ids[0], None).await.unwrap();
    fixture.prompts.create(owner, draft("in its place")).await.unwrap();
    let refused = fixture.prompts.restore(owner, ids[0]).await;
    assert!(matches!(refused, Err(RestorePromptError::LimitReached)), "{refused:?}");
    fixture.prompts.purge(owner, ids[1], None).await.unwrap();
    fixture.prompts.restore(owner, ids[0]).await.unwrap();
}

pub async fn ch_50_a_repeated_request_makes_one_prompt(fixture: Fixture) {
    let owner = fixture.owner();
    let once = |key: &str, body: u8| Once {
        request: RequestKey {
            key: key.into(),
            fingerprint: [body; 32],
        },
        answer: Arc::new(|prompt: &Prompt| StoredAnswer {
            status: 201,
            location: None,
            etag: None,
            body: prompt.id.to_string(),
        }),
    };
    let answers = at_once(6, async |_| {
        let create = fixture.prompts.create_once(owner, draft("once"), once("k", 1));
        match create.await.unwrap() {
            Done::Now(prompt) => prompt.id.to_string(),
            Done::Before(answer) => answer.body,
        }
    })
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(fixture.titles(owner, Deleted::With).await, ["once"]);
    let other = fixture.prompts.create_once(owner, draft("other"), once("k", 2)).await;
    assert!(matches!(other, Err(CreatePromptError::KeyReused(_))), "{other:?}");
}

pub async fn ch_51_a_prompt_changes_only_as_the_version_that_was_read(fixture: Fixture) {
    let owner = fixture.owner();
    let made = fixture.prompts.create(owner, draft("first")).await.unwrap();
    let later = fixture.advance(60);
    let changed = fixture
        .prompts
        .change(owner, retitle(made.id, "second", Some(1)))
        .await
        .unwrap();
    let expected = Prompt {
        title: "second".into(),
        updated_at: later,
        version: 2,
        ..made.clone()
    };
    assert_eq!(changed, expected);
    let stale = fixture.prompts.change(owner, retitle(made.id, "third", Some(1))).await;
    assert!(matches!(stale, Err(ChangePromptError::Stale)), "{stale:?}");
    let same = fixture
        .prompts
        .change(owner, retitle(made.id, "second", Some(2)))
        .await
        .unwrap();
    assert_eq!(same, expected);
    assert_eq!(fixture.prompts.get(owner, made.id).await.unwrap(), expected);
    let stale = fixture.prompts.delete(owner, made.id, Some(1)).await;
    assert!(matches!(stale, Err(ChangePromptError::Stale)), "{stale:?}");
    let stale = fixture.prompts.purge(owner, made.id, Some(1)).await;
    assert!(matches!(stale, Err(ChangePromptError::Stale)), "{stale:?}");
    fixture.prompts.delete(owner, made.id, Some(2)).await.unwrap();
}

pub async fn ch_51_of_many_writers_with_one_version_one_wins(fixture: Fixture) {
    let owner = fixture.owner();
    let made = fixture.prompts.create(owner, draft("first")).await.unwrap();
    let answers = at_once(6, async |number| {
        let change = retitle(made.id, &format!("writer {number}"), Some(1));
        fixture.prompts.change(owner, change).await
    })
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|answer| matches!(answer, Err(ChangePromptError::Stale))),
        "{lost:?}"
    );
    let stored = fixture.prompts.get(owner, made.id).await.unwrap();
    assert_eq!(stored, won.into_iter().next().unwrap().unwrap());
}

pub async fn ch_45_prompts_go_to_the_trash_and_come_back(fixture: Fixture) {
    let owner = fixture.owner();
    let made = fixture.prompts.create(owner, draft("kept")).await.unwrap();
    assert_eq!(fixture.prompts.restore(owner, made.id).await.unwrap(), made);
    fixture.prompts.delete(owner, made.id, None).await.unwrap();
    let again = fixture.prompts.delete(owner, made.id, None).await;
    assert!(matches!(again, Err(ChangePromptError::NotFound)), "{again:?}");
    let gone = fixture.prompts.get(owner, made.id).await;
    assert!(matches!(gone, Err(NotFoundError::NotFound)), "{gone:?}");
    let gone = fixture.prompts.change(owner, retitle(made.id, "x", None)).await;
    assert!(matches!(gone, Err(ChangePromptError::NotFound)), "{gone:?}");
    let restored = fixture.prompts.restore(owner, made.id).await.unwrap();
    assert_eq!(
        restored,
        Prompt {
            version: 3,
            ..made.clone()
        }
    );
    assert_eq!(fixture.prompts.get(owner, made.id).await.unwrap(), restored);

    fixture.prompts.delete(owner, made.id, None).await.unwrap();
    fixture.prompts.purge(owner, made.id, None).await.unwrap();
    let gone = fixture.prompts.restore(owner, made.id).await;
    assert!(matches!(gone, Err(RestorePromptError::NotFound)), "{gone:?}");
    let gone = fixture.prompts.purge(owner, made.id, None).await;
    assert!(matches!(gone, Err(ChangePromptError::NotFound)), "{gone:?}");
    assert_eq!(fixture.titles(owner, Deleted::With).await, Vec::<String>::new());
}

pub async fn ch_90_lengths_of_prompts_are_refused_with_a_pointer(fixture: Fixture) {
    let owner = fixture.owner();
    let long = PromptDraft {
        title: "x".repeat(201),
        text: "y".repeat(100_001),
        id: None,
    };
    let refused = fixture.prompts.create(owner, long).await;
    let Err(CreatePromptError::Invalid(refused)) = refused else {
        panic!("{refused:?}")
    };
    let found: Vec<_> = refused
        .violations()
        .iter()
        .map(|violation| (violation.pointer.as_str(), violation.code))
        .collect();
    assert_eq!(found, [("/title", Code::TooLong), ("/text", Code::TooLong)]);
    let longest = PromptDraft {
        title: "\u{1F9C0}".repeat(200),
        text: "\u{1F9C0}".repeat(100_000),
        id: None,
    };
    let made = fixture.prompts.create(owner, longest).await.unwrap();
    assert_eq!(fixture.prompts.get(owner, made.id).await.unwrap(), made);
}

pub async fn t_072_somebody_elses_prompt_is_not_there(fixture: Fixture) {
    let (a, b) = (fixture.owner(), fixture.owner());
    let of_a = fixture.prompts.create(a, draft("a's")).await.unwrap();
    for (id, if_match) in [(of_a.id, Some(1)), (of_a.id, None), (fixture.prompt_id(), Some(1))] {
        let got = fixture.prompts.get(b, id).await;
        assert!(matches!(got, Err(NotFoundError::NotFound)), "{got:?}");
        let changed = fixture.prompts.change(b, retitle(id, "b's", if_match)).await;
        assert!(matches!(changed, Err(ChangePromptError::NotFound)), "{changed:?}");
        let deleted = fixture.prompts.delete(b, id, if_match).await;
        assert!(matches!(deleted, Err(ChangePromptError::NotFound)), "{deleted:?}");
        let purged = fixture.prompts.purge(b, id, if_match).await;
        assert!(matches!(purged, Err(ChangePromptError::NotFound)), "{purged:?}");
        let restored = fixture.prompts.restore(b, id).await;
        assert!(matches!(restored, Err(RestorePromptError::NotFound)), "{restored:?}");
    }
    assert_eq!(fixture.titles(b, Deleted::With).await, Vec::<String>::new());
    assert_eq!(fixture.prompts.get(a, of_a.id).await.unwrap(), of_a);
}
