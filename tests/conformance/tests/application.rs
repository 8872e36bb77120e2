//! The use cases as the server wires them, with cheap hashes.

use std::sync::Arc;
use std::time::Duration;

use larder_conformance::Signature;
use larder_conformance::{Application, Settings, SignUpMode, Stores, UseCases};
use larder_domain::identity::{InvitationSecret, PasswordPolicy};
use larder_ports::outbound::{SecretSource, Unobserved};
use larder_ports::testing::{FixedClock, SequentialIds};
use larder_security::{
    BcryptConfig, BcryptHasher, HmacSeal, JwtAlgorithm, JwtConfig, JwtKey, JwtTokens, KeyMaterial, RandomSecrets,
};
use larder_services::chat::{ChatConfig, ChatMessages, ChatPrompts, ChatSessions, ChatSummaries, ChatTags};
use larder_services::chat::{ChatErasure, ChatExchanges, ChatFavourites, ChatMessageEdits};
use larder_services::chat::{ChatFiles, ChatSearch};
use larder_services::clocks::UtcClocks;
use larder_services::identity::AccountExternalIdentities;
use larder_services::identity::{
    AccountAdministration, AccountApiTokens, AccountErasures, AccountInvitations, AccountLogins, AccountPorts,
    Accounts, AccountsConfig, Authenticator, AuthenticatorPorts, PrincipalCache,
};

use crate::issuer;

pub(crate) struct Larder;

impl Application for Larder {
    fn wire(&self, stores: &Stores, clock: Arc<FixedClock>, ids: Arc<SequentialIds>, settings: &Settings) -> UseCases {
        let seed = || vec![7; 32].into();
        let tokens = Arc::new(
            JwtTokens::new(JwtConfig {
                issuer: "larder".into(),
                audience: "larder".into(),
                algorithm: JwtAlgorithm::Hs256,
                keys: vec![JwtKey {
                    kid: "tests".into(),
                    material: KeyMaterial::Seed(seed()),
                }],
            })
            .expect("a good key"),
        );
        let seal = Arc::new(HmacSeal::new(&seed()));
        let hasher = BcryptHasher::new(BcryptConfig {
            cost: 4,
            workers: 2,
            max_wait: Duration::from_secs(30),
        });
        let cache = Arc::new(PrincipalCache::new(settings.principal_cache_ttl));
        let ports = AccountPorts {
            store: Arc::clone(&stores.identity),
            clock: clock.clone(),
            ids: ids.clone(),
            hasher: Arc::new(hasher),
            issuer: tokens.clone(),
            secrets: Arc::new(RandomSecrets),
            digests: seal.clone(),
            seal: seal.clone(),
            observer: Arc::new(Unobserved),
        };
        let config = AccountsConfig {
            sign_up: match settings.sign_up {
                SignUpMode::Open => larder_services::identity::SignUpMode::Open,
                SignUpMode::Invite => larder_services::identity::SignUpMode::Invite,
                SignUpMode::Closed => larder_services::identity::SignUpMode::Closed,
            },
            password_policy: PasswordPolicy { min_length: 10 },
            access_ttl: settings.access_ttl,
            compat_token_ttl: Duration::from_secs(86_400),
            refresh_idle_ttl: settings.refresh_idle_ttl,
            refresh_max_ttl: settings.login_ttl,
            refresh_grace: settings.refresh_grace,
            max_logins: settings.max_logins,
            principal_cache_ttl: settings.principal_cache_ttl,
        };
        let chat = ChatConfig {
            partial_lease: settings.partial_lease,
            max_revisions: settings.max_revisions,
            summary_config_version: settings.summary_config_version,
        };
        let edits = Arc::new(ChatMessageEdits::new(
            Arc::clone(&stores.chat),
            clock.clone(),
            ids.clone(),
            seal.clone(),
            chat,
        ));
        let erasures = Arc::new(AccountErasures::new(
            ports.clone(),
            Arc::clone(&cache),
            vec![Arc::new(ChatErasure::new(Arc::clone(&stores.chat)))],
            settings.principal_cache_ttl,
        ));
        let external = Arc::new(AccountExternalIdentities::new(
            ports.clone(),
            issuer::issuers(settings),
            Arc::clone(&cache),
        ));
        UseCases {
            external_identities: external.clone(),
            api_tokens: Arc::new(AccountApiTokens::new(
                ports.clone(),
                Arc::clone(&cache),
                settings.max_api_tokens,
            )),
            users: Arc::new(AccountAdministration::new(
                ports.clone(),
                Arc::clone(&cache),
                config.password_policy,
            )),
            invitations: Arc::new(AccountInvitations::new(ports.clone())),
            erasures: erasures.clone(),
            erasure_work: erasures,
            files: Arc::new(ChatFiles::new(Arc::clone(&stores.chat), seal.clone())),
            search: Arc::new(ChatSearch::new(Arc::clone(&stores.chat), seal.clone())),
            favourites: Arc::new(ChatFavourites::new(
                edits.clone(),
                Arc::clone(&stores.chat),
                clock.clone(),
                Arc::new(UtcClocks),
                seal.clone(),
            )),
            edits,
            exchanges: Arc::new(ChatExchanges::new(
                Arc::clone(&stores.chat),
                clock.clone(),
                ids.clone(),
                chat,
            )),
            accounts: Arc::new(Accounts::new(ports.clone(), Arc::clone(&cache), config)),
            logins: Arc::new(AccountLogins::new(ports, Arc::clone(&cache), config)),
            authentication: Arc::new(
                Authenticator::new(
                    AuthenticatorPorts {
                        store: Arc::clone(&stores.identity),
                        clock: clock.clone(),
                        verifier: tokens,
                        secrets: Arc::new(RandomSecrets),
                        observer: Arc::new(Unobserved),
                    },
                    cache,
                )
                .with_external(external),
            ),
            sessions: Arc::new(ChatSessions::new(
                Arc::clone(&stores.chat),
                clock.clone(),
                ids.clone(),
                seal.clone(),
            )),
            tags: Arc::new(ChatTags::new(Arc::clone(&stores.chat), clock.clone(), seal.clone())),
            prompts: Arc::new(ChatPrompts::new(
                Arc::clone(&stores.chat),
                clock.clone(),
                ids.clone(),
                seal.clone(),
            )),
            summaries: Arc::new(ChatSummaries::new(
                Arc::clone(&stores.chat),
                clock.clone(),
                ids.clone(),
                seal.clone(),
                chat,
            )),
            messages: Arc::new(ChatMessages::new(Arc::clone(&stores.chat), clock, ids, seal, chat)),
        }
    }

    fn digest_text(&self, text: &str) -> [u8; 32] {
        RandomSecrets.digest(text.as_bytes())
    }

    fn external_token(&self, header: &str, claims: &str, signature: &Signature) -> String {
        issuer::token(header, claims, signature)
    }

    fn published_key(&self, kid: &str, number: u8) -> String {
        issuer::published_key(kid, number)
    }

    fn digest(&self, secret: &InvitationSecret) -> [u8; 32] {
        RandomSecrets.digest(secret)
    }
}
