use larder_ports::outbound::Rule;

/// Which broken constraint is which rule: its name on PostgreSQL, what SQLite calls it, the rule.
///
/// A constraint that is not listed can only be broken by a bug, and is reported as one, never guessed.
const RULES: &[(&str, &str, Rule)] = &[
    ("pk_identity_users", "identity_users.id", Rule::UserIdTaken),
    (
        "uq_identity_users__username_norm",
        "identity_users.username_norm",
        Rule::UsernameTaken,
    ),
    (
        "uq_identity_users__email_norm",
        "identity_users.email_norm",
        Rule::EmailTaken,
    ),
    (
        "uq_identity_external_identities__subject",
        "identity_external_identities.issuer, identity_external_identities.subject",
        Rule::ExternalIdentityTaken,
    ),
    (
        "pk_identity_api_tokens",
        "identity_api_tokens.owner_id, identity_api_tokens.id",
        Rule::ApiTokenIdTaken,
    ),
    (
        "uq_identity_api_tokens__name",
        "identity_api_tokens.owner_id, identity_api_tokens.name_norm",
        Rule::ApiTokenNameTaken,
    ),
    (
        "pk_chat_sessions",
        "chat_sessions.owner_id, chat_sessions.id",
        Rule::SessionIdTaken,
    ),
    (
        "uq_chat_sessions__auto_key",
        "chat_sessions.owner_id, chat_sessions.auto_key",
        Rule::AutoKeyTaken,
    ),
    (
        "pk_chat_prompts",
        "chat_prompts.owner_id, chat_prompts.id",
        Rule::PromptIdTaken,
    ),
    (
        "pk_chat_messages",
        "chat_messages.owner_id, chat_messages.id",
        Rule::MessageIdTaken,
    ),
    // Written by the same statement as the message, so whichever of the two keys is met first is the one that is named.
    (
        "pk_chat_message_search",
        "chat_message_search.owner_id, chat_message_search.id",
        Rule::MessageIdTaken,
    ),
];

/// The rule that a constraint holds, under the name that either engine gives it.
pub fn rule_of(constraint: &str) -> Option<Rule> {
    RULES
        .iter()
        .find(|(postgres, sqlite, _)| [*postgres, *sqlite].contains(&constraint))
        .map(|(_, _, rule)| *rule)
}
