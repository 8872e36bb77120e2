//! Conventions §2: the same data reads back equal through every adapter.

use std::time::Duration;

use larder_domain::chat::{
    AttachmentDraft, AttachmentKind, Message, MessageDraft, MessageFlags, MessageStatus, SenderRole, Session, Tag,
    Task, TaskPriority, TaskStatus, Usage,
};
use larder_domain::identity::{Invitation, Login, LoginMethod, RevokeReason, Role, User};
use larder_domain::{Instant, OwnerId};
use larder_ports::outbound::Place;
use larder_ports::outbound::chat::{MessageFilter, Order};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::Fixture;
use crate::make::says;

/// The first and the last instant there is.
const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_402_300_799_999_999;

/// Texts that an engine, a driver or a collation may take for something else.
const TEXTS: &[&str] = &[
    " ",
    "  leading and trailing  ",
    "null",
    "''",
    "\"quoted\" 'quoted' `quoted` $1 ? :name @name",
    "back\\slash \\n \\u0041 \\x41 E'\\'",
    "100% _any_ [set] {json}",
    "line\nfeed\r\ncarriage\ttab\u{7}\u{1b}[0m\u{7f}",
    "-- comment /* comment */ ; DROP TABLE chat_messages",
    "\u{1F469}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{1F3FD} \u{1F1E9}\u{1F1EA}",
    "e\u{301} \u{e9} A\u{30a} \u{212b} \u{fb03}",
    "\u{5d0}\u{5d1}\u{5d2} \u{202e}abc\u{202c} \u{feff}bom",
    "\u{ffff}\u{10ffff}\u{e000}\u{85}\u{2028}",
    "0",
    "1e2",
    "true",
];

fn instant(micros: i64) -> Instant {
    Instant::from_micros(micros).unwrap()
}

/// Stores messages of one turn and reads each back, one by one and as a list.
async fn read_back(fixture: &Fixture, owner: OwnerId, drafts: Vec<MessageDraft>) -> (Vec<Message>, Vec<Message>) {
    let session = fixture.new_session(owner);
    let written = fixture.messages_of(owner, session.id, drafts);
    let mut unit = fixture.chat_unit().await;
    unit.sessions().insert(&session).await.unwrap();
    unit.messages()
        .append(owner, session.id, &written, true, fixture.now())
        .await
        .unwrap()
        .unwrap();
    unit.commit().await.unwrap();

    let mut view = fixture.chat_view().await;
    let mut read = Vec::new();
    for message in &written {
        read.push(view.messages().find(owner, message.id).await.unwrap().unwrap());
    }
    let listed = view
        .messages()
        .list(owner, session.id, MessageFilter::default(), Order::Ascending, None, 20)
        .await;
    assert_eq!(
        listed.unwrap().unwrap(),
        read,
        "a list shows other values than a single row"
    );
    (written, read)
}

fn full_draft() -> MessageDraft {
    let json = r#"{"b":{"deep":[null,{"n":null},[],{}]},"a":12345678901234567890123456789012345678,"":1.50,"é":"\u00e9\n\t\"\\"}"#;
    let attachment = |kind, url: &str| AttachmentDraft {
        kind,
        url: url.into(),
        description: Some("a \u{1F4CE} 'description'".into()),
        media_type: Some("application/pdf".into()),
        size_bytes: Some(i64::MAX),
    };
    MessageDraft {
        id: None,
        sender_role: SenderRole::Assistant,
        sender_name: Some("Ada \u{1F916}".into()),
        status: Some(MessageStatus::Partial),
        lease_seconds: Some(3_600),
        text: Some("text \u{1F9C0}".into()),
        reasoning: Some(String::new()),
        attachments: vec![
            attachment(AttachmentKind::Image, "https://h.example.com/b.PNG?x=1"),
            attachment(AttachmentKind::File, "/local/r%C3%A9sum%C3%A9.docx"),
            attachment(AttachmentKind::Image, "https://h.example.com/b.PNG?x=1"),
            AttachmentDraft {
                description: None,
                media_type: None,
                size_bytes: Some(0),
                ..attachment(AttachmentKind::File, "https://h.example.com/")
            },
        ],
        chart_data: Some(format!("[{json},{{}}]")),
        character_name: Some("Ada".into()),
        responding_agent: Some("agent".into()),
        model_name: Some("some-model".into()),
        model_settings: Some(json.into()),
        tts_model_name: Some("some-voice".into()),
        image_settings: Some("{}".into()),
        image_request: Some(r#"{"k":[1,2.0,-3e-4]}"#.into()),
        agent_data: Some(r#"{"k":"v"}"#.into()),
        usage: Usage {
            input_tokens: Some(i64::MAX),
            output_tokens: Some(0),
            cached_tokens: Some(1 << 53 | 1),
            reasoning_tokens: Some(1),
        },
        flags: MessageFlags {
            is_tts: true,
            is_gps_location: true,
            show_transcribe_button: true,
            favourite: true,
            test_mode: true,
        },
        started_at: Some(instant(FIRST)),
        finished_at: Some(instant(LAST)),
    }
}

/// Attachments are kept in order within their kind, so that is how lists of them are compared.
fn by_kind(message: Message) -> Message {
    let mut message = message;
    message
        .content
        .attachments
        .sort_by_key(|attachment| attachment.kind.as_str());
    message
}

pub async fn parity_a_message_with_every_field_set(fixture: Fixture) {
    let owner = fixture.owner();
    let bare = says("nothing but a text");
    let (written, read) = read_back(&fixture, owner, vec![full_draft(), bare]).await;
    let expected: Vec<Message> = written.into_iter().map(by_kind).collect();
    let read: Vec<Message> = read.into_iter().map(by_kind).collect();
    assert_eq!(read, expected);
}

pub async fn parity_of_each_switch_on_its_own(fixture: Fixture) {
    let none = MessageFlags::default();
    let flags = [
        MessageFlags { is_tts: true, ..none },
        MessageFlags {
            is_gps_location: true,
            ..none
        },
        MessageFlags {
            show_transcribe_button: true,
            ..none
        },
        MessageFlags {
            favourite: true,
            ..none
        },
        MessageFlags {
            test_mode: true,
            ..none
        },
    ];
    let tokens = |tokens| Usage {
        cached_tokens: Some(tokens),
        ..Usage::default()
    };
    let drafts = flags.map(|flags| MessageDraft {
        flags,
        usage: tokens(7),
        ..says("x")
    });
    let (written, read) = read_back(&fixture, fixture.owner(), drafts.to_vec()).await;
    assert_eq!(read, written);
}

pub async fn parity_of_every_role_and_status(fixture: Fixture) {
    let mut drafts = Vec::new();
    for &sender_role in SenderRole::ALL {
        for &status in MessageStatus::ALL {
            drafts.push(MessageDraft {
                sender_role,
                status: Some(status),
                ..says("x")
            });
        }
    }
    let (written, read) = read_back(&fixture, fixture.owner(), drafts).await;
    assert_eq!(read, written);
}

pub async fn parity_of_attachments_keeps_the_order_of_each_kind(fixture: Fixture) {
    let attachments: Vec<AttachmentDraft> = (0..50)
        .map(|number| AttachmentDraft {
            kind: if number % 3 == 0 {
                AttachmentKind::Image
            } else {
                AttachmentKind::File
            },
            url: format!("https://h.example.com/{}.png", 99 - number),
            description: None,
            media_type: None,
            size_bytes: Some(number),
        })
        .collect();
    let draft = MessageDraft {
        attachments,
        ..MessageDraft::new(SenderRole::User)
    };
    let (written, read) = read_back(&fixture, fixture.owner(), vec![draft.clone(), says("none"), draft]).await;
    for (written, read) in written.into_iter().zip(read) {
        assert_eq!(by_kind(read), by_kind(written));
    }
}

pub async fn parity_of_texts(fixture: Fixture) {
    let drafts = TEXTS.iter().map(|text| MessageDraft {
        reasoning: Some((*text).into()),
        sender_name: Some((*text).into()),
        model_name: Some((*text).into()),
        ..says(text)
    });
    let (written, read) = read_back(&fixture, fixture.owner(), drafts.collect()).await;
    assert_eq!(read, written);
}

pub async fn parity_of_half_a_million_characters(fixture: Fixture) {
    // Four bytes each, no two neighbours the same.
    let long: String = (0..500_000_u32)
        .map(|n| char::from_u32(0x1F300 + n % 0x200).unwrap())
        .collect();
    let draft = MessageDraft {
        reasoning: Some("x".repeat(500_000)),
        ..says(&long)
    };
    let (written, read) = read_back(&fixture, fixture.owner(), vec![draft]).await;
    assert!(read == written, "a long text reads back otherwise");
}

pub async fn parity_of_json_numbers_and_keys(fixture: Fixture) {
    let objects = [
        r#"{"n":[0,-0,0.0,-0.0,1e2,1.50,1.50e1,1E-3,-12.5e-2,0.0010e2,123e300,1e-300]}"#,
        r#"{"n":9007199254740993,"m":-9223372036854775809,"l":18446744073709551616}"#,
        r#"{"n":0.1000000000000000055511151231257827021181583404541015625}"#,
        r#"{"bb":1,"a":2,"B":3,"ä":4,"\ud83e\uddc0":5,"":6,"a b":7,"10":8,"9":9}"#,
        r#"{"t":["","\u0001\u001f\u007f","\u2028","\"\\/\b\f\n\r\t","1e2",null,true,false]}"#,
        r#"{"o":{"o":{"o":{"o":[[[[{}]]]]}}}}"#,
        "{}",
    ];
    let drafts = objects.iter().map(|raw| MessageDraft {
        model_settings: Some((*raw).into()),
        image_settings: Some((*raw).into()),
        chart_data: Some(format!("[{raw},{raw}]")),
        ..says("x")
    });
    let (written, read) = read_back(&fixture, fixture.owner(), drafts.collect()).await;
    assert_eq!(read, written);
}

pub async fn parity_of_instants(fixture: Fixture) {
    let owner = fixture.owner();
    let day = 86_400_000_000;
    let instants = [
        FIRST,
        FIRST + 1,
        -day,
        -1,
        0,
        1,
        1_767_225_600_123_456,
        LAST - day,
        LAST - 1,
        LAST,
    ]
    .map(instant);
    let mut sessions = Vec::new();
    for at in instants {
        let session = Session {
            last_update: at,
            created_at: at,
            updated_at: at,
            ..fixture.new_session(owner)
        };
        fixture.store(&session).await.unwrap();
        sessions.push(session);
    }
    // The newest first; and every instant is a place behind which the list goes on.
    sessions.reverse();
    let mut view = fixture.chat_view().await;
    assert_eq!(
        view.sessions()
            .list(owner, &Default::default(), None, 99)
            .await
            .unwrap(),
        sessions
    );
    for (index, session) in sessions.iter().enumerate() {
        let place = Place {
            at: session.last_update,
            id: session.id.0,
        };
        let behind = view
            .sessions()
            .list(owner, &Default::default(), Some(place), 99)
            .await
            .unwrap();
        assert_eq!(behind, sessions[index + 1..]);
    }
    let drafts = instants.map(|at| MessageDraft {
        started_at: Some(at),
        finished_at: Some(at),
        ..says("x")
    });
    drop(view);
    let (written, read) = read_back(&fixture, owner, drafts.to_vec()).await;
    assert_eq!(read, written);
}

pub async fn parity_of_a_session_with_every_field_set(fixture: Fixture) {
    let owner = fixture.owner();
    let mut tags: Vec<Tag> = (0..16)
        .map(|number| Tag::from_stored(format!("tag {}", 99 - number)))
        .collect();
    tags.extend(
        TEXTS[3..9]
            .iter()
            .map(|text| Tag::from_stored(text.chars().take(64).collect())),
    );
    for (text, priority, status) in [
        (TEXTS[4], TaskPriority::High, TaskStatus::Active),
        (TEXTS[9], TaskPriority::Medium, TaskStatus::Waiting),
        (TEXTS[10], TaskPriority::Low, TaskStatus::Done),
    ] {
        let session = Session {
            name: Some(text.into()),
            character_name: Some(text.into()),
            model_name: Some(text.into()),
            auto_trigger_tts: true,
            agent_session_id: Some(text.into()),
            tags: tags.clone(),
            task: Some(Task {
                status,
                priority,
                description: Some(text.into()),
            }),
            auto_key: Some(text.into()),
            ..fixture.new_session(owner)
        };
        fixture.store(&session).await.unwrap();
        assert_eq!(fixture.session(owner, session.id).await.as_ref(), Some(&session));
        let mut view = fixture.chat_view().await;
        let listed = view.sessions().list(owner, &Default::default(), None, 1).await.unwrap();
        assert_eq!(listed, [session]);
    }
}

pub async fn parity_of_texts_at_their_longest(fixture: Fixture) {
    let owner = fixture.owner();
    // Lengths are counted in characters, on every engine, not in bytes and not in UTF-16 units.
    let long = |count: usize| Some("\u{1F9C0}".repeat(count));
    let session = Session {
        name: long(200),
        character_name: long(100),
        model_name: long(200),
        agent_session_id: long(200),
        tags: vec![Tag::from_stored("\u{1F9C0}".repeat(64))],
        task: Some(Task {
            status: TaskStatus::Active,
            priority: TaskPriority::Medium,
            description: long(500),
        }),
        ..fixture.new_session(owner)
    };
    fixture.store(&session).await.unwrap();
    assert_eq!(fixture.session(owner, session.id).await, Some(session));

    let draft = MessageDraft {
        sender_name: long(255),
        character_name: long(100),
        responding_agent: long(100),
        model_name: long(200),
        tts_model_name: long(200),
        attachments: vec![AttachmentDraft {
            kind: AttachmentKind::File,
            url: format!("https://h.example.com/{}", "\u{1F9C0}".repeat(2_026)),
            description: long(2_000),
            media_type: long(127),
            size_bytes: Some(i64::MAX),
        }],
        ..says("x")
    };
    let (written, read) = read_back(&fixture, owner, vec![draft]).await;
    assert_eq!(read, written);
}

pub async fn parity_of_an_account_with_every_field_set(fixture: Fixture) {
    let user = User {
        email_verified_at: Some(instant(FIRST)),
        password_hash: Some("$2b$04$".to_owned() + &"x".repeat(93)),
        password_changed_at: Some(instant(LAST)),
        roles: vec![Role::Admin, Role::Worker],
        disabled_at: Some(instant(-1)),
        last_login_at: Some(instant(1)),
        created_at: instant(1_767_225_600_123_456),
        ..fixture.new_user("Jürgen.Ångström-9_", Some("Jürgen+tag@Example.com"))
    };
    fixture.store_user(&user).await.unwrap();
    assert_eq!(fixture.user(user.id).await.as_ref(), Some(&user));

    let mut logins = Vec::new();
    for (index, &reason) in RevokeReason::ALL.iter().enumerate() {
        logins.push(Login {
            method: LoginMethod::ALL[index % LoginMethod::ALL.len()],
            user_agent: Some("\u{1F9C0}".repeat(400)),
            ip_address: Some("2001:0db8:85a3:0000:0000:8a2e:255.255.255.255".into()),
            revoked: Some((instant(LAST), reason)),
            ..fixture.new_login(user.id)
        });
    }
    let mut unit = fixture.identity_unit().await;
    for login in &logins {
        unit.logins().insert(login).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut view = fixture.identity_view().await;
    for login in logins {
        let found = view.logins().find_with_user(user.id, login.id).await.unwrap();
        assert_eq!(found, Some((login, user.clone())));
    }
}

pub async fn parity_of_an_invitation_with_every_field_set(fixture: Fixture) {
    let now = fixture.now();
    let (by, guest) = (fixture.owner(), fixture.owner());
    let mut made: Vec<Invitation> = Vec::new();
    for secret_hash in [[0; 32], [0xff; 32], std::array::from_fn(|index| index as u8)] {
        let token = fixture
            .invite(|invitation| {
                *invitation = Invitation {
                    secret_hash,
                    email_norm: Some("jürgen@example.com".into()),
                    roles: vec![Role::Admin, Role::Worker],
                    created_by: by,
                    expires_at: now.plus(Duration::from_micros(1)),
                    used: Some((instant(LAST), guest)),
                    revoked_at: Some(instant(FIRST)),
                    ..invitation.clone()
                };
                made.push(invitation.clone());
            })
            .await;
        let mut view = fixture.identity_view().await;
        let found = view.invitations().find(token.id).await.unwrap();
        assert_eq!(found.as_ref(), made.last());
    }
}

// Generated values.

fn any_text(most: usize) -> impl Strategy<Value = String> {
    let characters = prop_oneof![
        4 => any::<char>(),
        2 => prop::sample::select(vec!['\'', '"', '\\', '%', '_', '$', '{', '}', '\n', '\r', '\t', ' ', '\u{301}', '\u{200d}']),
        1 => prop::char::range('\u{1F300}', '\u{1F5FF}'),
        2 => prop::char::range('a', 'z'),
    ];
    prop::collection::vec(characters.prop_filter("no engine keeps NUL", |c| *c != '\0'), 1..=most)
        .prop_map(|characters| characters.into_iter().collect())
}

fn any_json() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?";
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        number.boxed(),
        any_text(12).prop_map(|text| quoted(&text)),
    ];
    let value = scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|entries| format!("[{}]", entries.join(" , "))),
            prop::collection::btree_map(any_text(6), inner, 0..4).prop_map(object),
        ]
    });
    prop::collection::btree_map(any_text(6), value, 0..5).prop_map(object)
}

fn object(members: std::collections::BTreeMap<String, String>) -> String {
    // Written backwards, so that whoever keeps the order of keys is found out.
    let members: Vec<String> = members
        .iter()
        .rev()
        .map(|(key, value)| format!("{}: {value}", quoted(key)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if (c as u32) < 0x20 => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn any_instant() -> impl Strategy<Value = Instant> {
    (FIRST..=LAST).prop_map(instant)
}

fn any_draft() -> impl Strategy<Value = MessageDraft> {
    let texts = (
        any_text(200),
        prop::option::of(any_text(50)),
        prop::option::of(any_text(100)),
    );
    let json = (
        prop::option::of(any_json()),
        prop::option::of(any_json()),
        prop::option::of(any_json()),
    );
    let times = (any_instant(), any_instant());
    let tokens = prop::option::of(0..=i64::MAX);
    let choice = (prop::sample::select(SenderRole::ALL), any::<[bool; 2]>());
    (texts, json, times, tokens, choice).prop_map(
        |((text, reasoning, name), (settings, request, chart), (one, other), tokens, (sender_role, flags))| {
            MessageDraft {
                sender_role,
                reasoning,
                sender_name: name.clone(),
                character_name: name,
                model_settings: settings,
                image_request: request,
                chart_data: chart.map(|chart| format!("[{chart}]")),
                started_at: Some(one.min(other)),
                finished_at: Some(one.max(other)),
                usage: Usage {
                    output_tokens: tokens,
                    ..Usage::default()
                },
                flags: MessageFlags {
                    favourite: flags[0],
                    test_mode: flags[1],
                    ..MessageFlags::default()
                },
                ..says(&text)
            }
        },
    )
}

/// Holds a property for a bounded number of generated values, and shrinks the one that breaks it.
fn hold<S: Strategy>(cases: u32, values: S, property: impl AsyncFn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let held =
        block_in_place(|| TestRunner::new(config).run(&values, |value| Handle::current().block_on(property(value))));
    if let Err(failure) = held {
        panic!("{failure}");
    }
}

pub async fn parity_of_generated_messages(fixture: Fixture) {
    let owner = fixture.owner();
    hold(24, prop::collection::vec(any_draft(), 1..=4), async |drafts| {
        let (written, read) = read_back(&fixture, owner, drafts).await;
        prop_assert_eq!(read, written);
        Ok(())
    });
}

pub async fn parity_of_generated_sessions(fixture: Fixture) {
    let owner = fixture.owner();
    let names = (prop::option::of(any_text(200)), prop::option::of(any_text(100)));
    let tags = prop::collection::vec(any_text(64), 0..6);
    let times = (any_instant(), any_instant());
    hold(24, (names, tags, times), async |((name, character), tags, times)| {
        // What no longer fits once it is trimmed and folded is no tag.
        let fitting: Vec<String> = tags.into_iter().filter(|tag| Tag::new(tag, "").is_ok()).collect();
        let session = Session {
            name,
            character_name: character,
            tags: Tag::list(&fitting, "").map_err(|_| TestCaseError::reject("tags"))?,
            last_update: times.0,
            created_at: times.1,
            ..fixture.new_session(owner)
        };
        fixture.store(&session).await.unwrap();
        prop_assert_eq!(fixture.session(owner, session.id).await, Some(session));
        Ok(())
    });
}
