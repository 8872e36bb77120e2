use super::{Tag, words};
use crate::{Code, GroupId, Instant, Invalid, OwnerId, Patch, SessionId, TextRule, Version, Violations, check_text};

words! {
    /// How far a task is. Every status may follow every other (`CH-25`).
    TaskStatus {
        /// Being worked on.
        Active = "active",
        /// Waiting for something.
        Waiting = "waiting",
        /// Finished.
        Done = "done",
    }
}

words! {
    /// How urgent a task is.
    TaskPriority {
        /// Before the others.
        High = "high",
        /// The default.
        Medium = "medium",
        /// After the others.
        Low = "low",
    }
}

/// The task state of a session: a session that has one is used as a task (`CH-25`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// How far it is.
    pub status: TaskStatus,
    /// How urgent it is.
    pub priority: TaskPriority,
    /// What is to be done.
    pub description: Option<String>,
}

/// One conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Whose it is.
    pub owner_id: OwnerId,
    /// Its id, unique for the owner.
    pub id: SessionId,
    /// At most 200 characters.
    pub name: Option<String>,
    /// The persona that answers, at most 100 characters.
    pub character_name: Option<String>,
    /// At most 200 characters.
    pub model_name: Option<String>,
    /// Whether answers are to be read aloud.
    pub auto_trigger_tts: bool,
    /// The id of an agent runtime's own conversation, opaque.
    pub agent_session_id: Option<String>,
    /// In the order of the client, no two of the same folded form.
    pub tags: Vec<Tag>,
    /// Present when the session is used as a task.
    pub task: Option<Task>,
    /// The group of agents that converses here.
    pub group_id: Option<GroupId>,
    /// Messages that are not in the trash.
    pub message_count: i64,
    /// The highest position ever given to a message.
    pub last_position: i64,
    /// Rises with every change of content (`CH-09`).
    pub content_revision: i64,
    /// The content revision that the summary covers, 0 without one.
    pub summarised_revision: i64,
    /// The last conversational activity, which drives the order of lists.
    pub last_update: Instant,
    /// Set only on a session that was made for its character (`CH-22`).
    pub auto_key: Option<String>,
    /// When it was made.
    pub created_at: Instant,
    /// When the row last changed.
    pub updated_at: Instant,
    /// When it went to the trash.
    pub deleted_at: Option<Instant>,
    /// Rises with every change of the row.
    pub version: Version,
}

/// A new session as a client sends it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionDraft {
    /// An id of the client's own making, honoured (`CH-06`).
    pub id: Option<SessionId>,
    /// See [`Session::name`].
    pub name: Option<String>,
    /// See [`Session::character_name`].
    pub character_name: Option<String>,
    /// See [`Session::model_name`].
    pub model_name: Option<String>,
    /// See [`Session::auto_trigger_tts`]; false unless sent.
    pub auto_trigger_tts: Option<bool>,
    /// See [`Session::agent_session_id`].
    pub agent_session_id: Option<String>,
    /// See [`Session::tags`].
    pub tags: Option<Vec<String>>,
    /// Makes the session a task.
    pub task_status: Option<TaskStatus>,
    /// Only beside a status; `medium` unless sent.
    pub task_priority: Option<TaskPriority>,
    /// Only beside a status.
    pub task_description: Option<String>,
}

/// A change of a session: a merge patch of its client fields (`CH-21`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionPatch {
    /// See [`Session::name`].
    pub name: Patch<String>,
    /// See [`Session::character_name`].
    pub character_name: Patch<String>,
    /// See [`Session::model_name`].
    pub model_name: Patch<String>,
    /// See [`Session::auto_trigger_tts`]; `null` is false.
    pub auto_trigger_tts: Patch<bool>,
    /// See [`Session::agent_session_id`].
    pub agent_session_id: Patch<String>,
    /// Replaces the list; `null` empties it (`CH-23`).
    pub tags: Patch<Vec<String>>,
    /// `null` clears all three task fields (`CH-25`).
    pub task_status: Patch<TaskStatus>,
    /// `null` is `medium`.
    pub task_priority: Patch<TaskPriority>,
    /// See [`Task::description`].
    pub task_description: Patch<String>,
    /// Any instant, also backwards; here only (`CH-21`). `null` is refused.
    pub last_update: Patch<Instant>,
}

impl Session {
    /// Makes a session of what a client sent (`CH-23`, `CH-25`, `CH-26`). Pointers of violations start with `prefix`.
    pub fn create(
        draft: SessionDraft,
        owner_id: OwnerId,
        id: SessionId,
        now: Instant,
        prefix: &str,
    ) -> Result<Self, Invalid> {
        let mut violations = Violations::under(prefix);
        check_names(
            [
                &draft.name,
                &draft.character_name,
                &draft.model_name,
                &draft.agent_session_id,
                &draft.task_description,
            ],
            &mut violations,
        );
        let tags = violations.keep(Tag::list(&draft.tags.unwrap_or_default(), &format!("{prefix}/tags")));
        let task = match draft.task_status {
            Some(status) => Some(Task {
                status,
                priority: draft.task_priority.unwrap_or(TaskPriority::Medium),
                description: draft.task_description,
            }),
            None => {
                refuse_without_status(
                    draft.task_priority.is_some(),
                    draft.task_description.is_some(),
                    &mut violations,
                );
                None
            }
        };
        let name = draft.name.or_else(|| {
            let description = task.as_ref()?.description.as_deref()?;
            Some(description.chars().take(200).collect())
        });
        violations.finish(Self {
            owner_id,
            id,
            name,
            character_name: draft.character_name,
            model_name: draft.model_name,
            auto_trigger_tts: draft.auto_trigger_tts.unwrap_or(false),
            agent_session_id: draft.agent_session_id,
            tags: tags.unwrap_or_default(),
            task,
            group_id: None,
            message_count: 0,
            last_position: 0,
            content_revision: 0,
            summarised_revision: 0,
            last_update: now,
            auto_key: None,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            version: 1,
        })
    }

    /// The session after a merge patch, with the next version; `None` when the patch changes nothing (`CH-11`, `CH-21`).
    ///
    /// With `touch`, `last_update` becomes `now`, unless the patch sets it. Pointers of violations start with `prefix`.
    pub fn change(
        &self,
        patch: SessionPatch,
        touch: bool,
        now: Instant,
        prefix: &str,
    ) -> Result<Option<Self>, Invalid> {
        let mut violations = Violations::under(prefix);
        check_names(
            [
                &patch.name.value().cloned(),
                &patch.character_name.value().cloned(),
                &patch.model_name.value().cloned(),
                &patch.agent_session_id.value().cloned(),
                &patch.task_description.value().cloned(),
            ],
            &mut violations,
        );
        let tags = match patch.tags {
            Patch::Keep => Some(self.tags.clone()),
            Patch::Clear => Some(Vec::new()),
            Patch::Set(texts) => violations.keep(Tag::list(&texts, &format!("{prefix}/tags"))),
        };
        let task = change_task(
            self.task.clone(),
            patch.task_status,
            patch.task_priority,
            patch.task_description,
            &mut violations,
        );
        if patch.last_update == Patch::Clear {
            violations.add("/last_update", Code::Required, "must not be null");
        }
        let mut changed = Self {
            name: patch.name.apply(self.name.clone()),
            character_name: patch.character_name.apply(self.character_name.clone()),
            model_name: patch.model_name.apply(self.model_name.clone()),
            auto_trigger_tts: patch.auto_trigger_tts.apply_or(self.auto_trigger_tts, false),
            agent_session_id: patch.agent_session_id.apply(self.agent_session_id.clone()),
            tags: tags.unwrap_or_default(),
            task,
            last_update: patch
                .last_update
                .apply_or(if touch { now } else { self.last_update }, self.last_update),
            ..self.clone()
        };
        if changed.character_name != self.character_name {
            changed.auto_key = None;
        }
        let mut changed = violations.finish(changed)?;
        if changed == *self {
            return Ok(None);
        }
        changed.updated_at = now;
        changed.version += 1;
        Ok(Some(changed))
    }
}

fn change_task(
    stored: Option<Task>,
    status: Patch<TaskStatus>,
    priority: Patch<TaskPriority>,
    description: Patch<String>,
    violations: &mut Violations,
) -> Option<Task> {
    let base = match (status, stored) {
        (Patch::Set(status), Some(task)) => Some(Task { status, ..task }),
        (Patch::Set(status), None) => Some(Task {
            status,
            priority: TaskPriority::Medium,
            description: None,
        }),
        (Patch::Keep, stored) => stored,
        (Patch::Clear, _) => None,
    };
    match base {
        Some(task) => Some(Task {
            status: task.status,
            priority: priority.apply_or(task.priority, TaskPriority::Medium),
            description: description.apply(task.description),
        }),
        None => {
            refuse_without_status(priority.value().is_some(), description.value().is_some(), violations);
            None
        }
    }
}

fn refuse_without_status(priority: bool, description: bool, violations: &mut Violations) {
    for (sent, pointer) in [(priority, "/task_priority"), (description, "/task_description")] {
        if sent {
            violations.add(pointer, Code::TaskWithoutStatus, "needs a task_status");
        }
    }
}

fn check_names(texts: [&Option<String>; 5], violations: &mut Violations) {
    const RULES: [(&str, usize); 5] = [
        ("/name", 200),
        ("/character_name", 100),
        ("/model_name", 200),
        ("/agent_session_id", 200),
        ("/task_description", 500),
    ];
    for (text, (pointer, max)) in texts.into_iter().zip(RULES) {
        if let Some(text) = text {
            check_text(text, TextRule::up_to(max), pointer, violations);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_micros(second * 1_000_000).unwrap()
    }

    fn create(draft: SessionDraft) -> Result<Session, Invalid> {
        Session::create(
            draft,
            OwnerId(Uuid::from_u128(1)),
            SessionId(Uuid::from_u128(2)),
            at(1),
            "",
        )
    }

    fn task() -> Session {
        create(SessionDraft {
            task_status: Some(TaskStatus::Active),
            ..SessionDraft::default()
        })
        .unwrap()
    }

    fn first_code<T: std::fmt::Debug>(result: Result<T, Invalid>) -> (String, Code) {
        let violation = result.unwrap_err().violations()[0].clone();
        (violation.pointer, violation.code)
    }

    #[test]
    fn ch_25_a_task_has_priority_medium_unless_sent() {
        assert_eq!(task().task.unwrap().priority, TaskPriority::Medium);
    }

    #[test]
    fn ch_25_priority_without_status_is_refused() {
        let plain = create(SessionDraft::default()).unwrap();
        let patch = SessionPatch {
            task_priority: Patch::Set(TaskPriority::High),
            ..SessionPatch::default()
        };
        let expected = ("/task_priority".to_owned(), Code::TaskWithoutStatus);
        assert_eq!(first_code(plain.change(patch.clone(), false, at(2), "")), expected);
        let both = SessionPatch {
            task_status: Patch::Clear,
            ..patch
        };
        assert_eq!(first_code(task().change(both, false, at(2), "")), expected);
        let draft = SessionDraft {
            task_priority: Some(TaskPriority::Low),
            ..SessionDraft::default()
        };
        assert_eq!(first_code(create(draft)), expected);
    }

    #[test]
    fn ch_25_clearing_the_status_clears_all_three() {
        let patch = SessionPatch {
            task_status: Patch::Clear,
            ..SessionPatch::default()
        };
        let plain = task().change(patch.clone(), false, at(2), "").unwrap().unwrap();
        assert_eq!(plain.task, None);
        assert_eq!(plain.change(patch, false, at(3), "").unwrap(), None);
    }

    #[test]
    fn ch_26_an_unnamed_task_is_named_by_its_description() {
        let draft = SessionDraft {
            task_status: Some(TaskStatus::Active),
            task_description: Some("ä".repeat(300)),
            ..SessionDraft::default()
        };
        assert_eq!(create(draft).unwrap().name.unwrap(), "ä".repeat(200));
        assert_eq!(task().name, None);
    }

    #[test]
    fn ch_11_a_patch_that_changes_nothing_gives_nothing() {
        let session = create(SessionDraft {
            name: Some("a".into()),
            tags: Some(vec!["x".into()]),
            ..SessionDraft::default()
        })
        .unwrap();
        assert_eq!(session.change(SessionPatch::default(), false, at(9), "").unwrap(), None);
        let same = SessionPatch {
            name: Patch::Set("a".into()),
            tags: Patch::Set(vec!["x ".into()]),
            ..SessionPatch::default()
        };
        assert_eq!(session.change(same, false, at(9), "").unwrap(), None);
    }

    #[test]
    fn ch_21_every_client_field_can_be_cleared() {
        let session = create(SessionDraft {
            name: Some("a".into()),
            character_name: Some("b".into()),
            auto_trigger_tts: Some(true),
            tags: Some(vec!["x".into()]),
            ..SessionDraft::default()
        })
        .unwrap();
        let patch = SessionPatch {
            name: Patch::Clear,
            character_name: Patch::Clear,
            auto_trigger_tts: Patch::Clear,
            tags: Patch::Clear,
            ..SessionPatch::default()
        };
        let changed = session.change(patch, false, at(5), "").unwrap().unwrap();
        assert_eq!(
            (changed.name, changed.character_name, changed.auto_trigger_tts),
            (None, None, false)
        );
        assert!(changed.tags.is_empty());
        assert_eq!(
            (changed.version, changed.updated_at, changed.last_update),
            (2, at(5), at(1))
        );
    }

    #[test]
    fn ch_09_last_update_moves_by_touch_or_by_value_only() {
        let session = task();
        let rename = SessionPatch {
            name: Patch::Set("n".into()),
            ..SessionPatch::default()
        };
        assert_eq!(
            session
                .change(rename.clone(), true, at(5), "")
                .unwrap()
                .unwrap()
                .last_update,
            at(5)
        );
        let back = SessionPatch {
            last_update: Patch::Set(at(-5)),
            ..rename
        };
        assert_eq!(
            session.change(back, true, at(5), "").unwrap().unwrap().last_update,
            at(-5)
        );
        let null = SessionPatch {
            last_update: Patch::Clear,
            ..SessionPatch::default()
        };
        assert_eq!(first_code(session.change(null, false, at(5), "")).1, Code::Required);
    }

    #[test]
    fn ch_22_a_new_character_clears_the_auto_key() {
        let session = Session {
            auto_key: Some("k".into()),
            character_name: Some("a".into()),
            ..task()
        };
        let patch = SessionPatch {
            character_name: Patch::Set("b".into()),
            ..SessionPatch::default()
        };
        assert_eq!(session.change(patch, false, at(2), "").unwrap().unwrap().auto_key, None);
    }

    #[test]
    fn pointers_start_with_the_prefix() {
        let draft = SessionDraft {
            name: Some(String::new()),
            tags: Some(vec![String::new()]),
            ..SessionDraft::default()
        };
        let refused =
            Session::create(draft, OwnerId(Uuid::nil()), SessionId(Uuid::nil()), at(1), "/session").unwrap_err();
        let pointers: Vec<&str> = refused
            .violations()
            .iter()
            .map(|violation| violation.pointer.as_str())
            .collect();
        assert_eq!(pointers, ["/session/name", "/session/tags/0"]);
    }
}
