//! The use cases as the server wires them, with cheap hashes.

use std::sync::Arc;
use std::time::Duration;

use larder_conformance::{Application, Settings, SignUpMode, Stores, UseCases};
use larder_domain::identity::{InvitationSecret, PasswordPolicy};
use larder_ports::outbound::SecretSource;
use larder_ports::testing::{FixedClock, SequentialIds};
use larder_security::{
    BcryptConfig, BcryptHasher, HmacSeal, JwtAlgorithm, JwtConfig, JwtKey, JwtTokens, KeyMaterial, RandomSecrets,
};
use larder_services::chat::{ChatConfig, ChatMessages, ChatSessions};
use larder_services::identity::{AccountPorts, Accounts, AccountsConfig, Authenticator, PrincipalCache};

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
        };
        let config = AccountsConfig {
            sign_up: match settings.sign_up {
                SignUpMode::Open => larder_services::identity::SignUpMode::Open,
                SignUpMode::Invite => larder_services::identity::SignUpMode::Invite,
                SignUpMode::Closed => larder_services::identity::SignUpMode::Closed,
            },
            password_policy: PasswordPolicy { min_length: 10 },
            access_ttl: settings.access_ttl,
            refresh_max_ttl: settings.login_ttl,
            max_logins: settings.max_logins,
            principal_cache_ttl: settings.principal_cache_ttl,
        };
        let chat = ChatConfig {
            partial_lease: settings.partial_lease,
        };
        UseCases {
            accounts: Arc::new(Accounts::new(ports, Arc::clone(&cache), config)),
            authentication: Arc::new(Authenticator::new(
                Arc::clone(&stores.identity),
                clock.clone(),
                tokens,
                cache,
            )),
            sessions: Arc::new(ChatSessions::new(
                Arc::clone(&stores.chat),
                clock.clone(),
                ids.clone(),
                seal.clone(),
            )),
            messages: Arc::new(ChatMessages::new(Arc::clone(&stores.chat), clock, ids, seal, chat)),
        }
    }

    fn digest(&self, secret: &InvitationSecret) -> [u8; 32] {
        RandomSecrets.digest(secret)
    }
}
