CREATE TABLE identity_users (
    id uuid NOT NULL CONSTRAINT pk_identity_users PRIMARY KEY,
    username text NOT NULL CONSTRAINT ck_identity_users__username CHECK (char_length(username) BETWEEN 3 AND 50 AND strpos(username, '@') = 0),
    username_norm text COLLATE "C" NOT NULL CONSTRAINT ck_identity_users__username_norm CHECK (char_length(username_norm) BETWEEN 1 AND 50),
    email text CONSTRAINT ck_identity_users__email CHECK (char_length(email) BETWEEN 3 AND 254),
    email_norm text COLLATE "C" CONSTRAINT ck_identity_users__email_norm CHECK (char_length(email_norm) BETWEEN 3 AND 254),
    email_verified_at timestamptz,
    password_hash text CONSTRAINT ck_identity_users__password_hash CHECK (char_length(password_hash) BETWEEN 1 AND 100),
    password_changed_at timestamptz,
    roles jsonb NOT NULL,
    disabled_at timestamptz,
    last_login_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 1 CONSTRAINT ck_identity_users__version CHECK (version >= 1),
    CONSTRAINT ck_identity_users__email_pair CHECK ((email IS NULL) = (email_norm IS NULL))
);
CREATE UNIQUE INDEX uq_identity_users__username_norm ON identity_users (username_norm);
CREATE UNIQUE INDEX uq_identity_users__email_norm ON identity_users (email_norm);
CREATE INDEX ix_identity_users__created_at ON identity_users (created_at, id);

CREATE TABLE identity_logins (
    owner_id uuid NOT NULL CONSTRAINT fk_identity_logins__user REFERENCES identity_users (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    method text NOT NULL CONSTRAINT ck_identity_logins__method CHECK (method IN ('password', 'sign_up', 'compat')),
    user_agent text CONSTRAINT ck_identity_logins__user_agent CHECK (char_length(user_agent) BETWEEN 1 AND 400),
    ip_address text CONSTRAINT ck_identity_logins__ip_address CHECK (char_length(ip_address) BETWEEN 1 AND 45),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoke_reason text CONSTRAINT ck_identity_logins__revoke_reason CHECK (revoke_reason IN ('logout', 'reuse', 'password_change', 'disabled', 'admin', 'evicted')),
    CONSTRAINT pk_identity_logins PRIMARY KEY (owner_id, id),
    CONSTRAINT ck_identity_logins__revoked CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
CREATE INDEX ix_identity_logins__active ON identity_logins (owner_id, created_at DESC, id DESC) WHERE revoked_at IS NULL;

CREATE TABLE identity_refresh_tokens (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    login_id uuid NOT NULL,
    secret_hash bytea NOT NULL CONSTRAINT ck_identity_refresh_tokens__secret_hash CHECK (octet_length(secret_hash) = 32),
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    successor_id uuid,
    CONSTRAINT pk_identity_refresh_tokens PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_identity_refresh_tokens__login FOREIGN KEY (owner_id, login_id) REFERENCES identity_logins (owner_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_identity_refresh_tokens__successor CHECK (successor_id IS NULL OR used_at IS NOT NULL)
);
CREATE UNIQUE INDEX uq_identity_refresh_tokens__live ON identity_refresh_tokens (owner_id, login_id) WHERE used_at IS NULL;
CREATE INDEX ix_identity_refresh_tokens__login ON identity_refresh_tokens (owner_id, login_id, issued_at);

CREATE TABLE identity_api_tokens (
    owner_id uuid NOT NULL CONSTRAINT fk_identity_api_tokens__user REFERENCES identity_users (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL CONSTRAINT ck_identity_api_tokens__name CHECK (char_length(name) BETWEEN 1 AND 100),
    name_norm text COLLATE "C" NOT NULL CONSTRAINT ck_identity_api_tokens__name_norm CHECK (char_length(name_norm) BETWEEN 1 AND 100),
    secret_hash bytea NOT NULL CONSTRAINT ck_identity_api_tokens__secret_hash CHECK (octet_length(secret_hash) = 32),
    scopes jsonb NOT NULL CONSTRAINT ck_identity_api_tokens__scopes CHECK (jsonb_typeof(scopes) = 'array' AND jsonb_array_length(scopes) BETWEEN 1 AND 13),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT pk_identity_api_tokens PRIMARY KEY (owner_id, id)
);
CREATE UNIQUE INDEX uq_identity_api_tokens__name ON identity_api_tokens (owner_id, name_norm) WHERE revoked_at IS NULL;
CREATE INDEX ix_identity_api_tokens__list ON identity_api_tokens (owner_id, created_at DESC, id DESC);

CREATE TABLE identity_external_identities (
    id uuid NOT NULL CONSTRAINT pk_identity_external_identities PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT fk_identity_external_identities__user REFERENCES identity_users (id) ON DELETE CASCADE,
    issuer text COLLATE "C" NOT NULL CONSTRAINT ck_identity_external_identities__issuer CHECK (char_length(issuer) BETWEEN 1 AND 300),
    subject text COLLATE "C" NOT NULL CONSTRAINT ck_identity_external_identities__subject CHECK (char_length(subject) BETWEEN 1 AND 255),
    email text CONSTRAINT ck_identity_external_identities__email CHECK (char_length(email) BETWEEN 1 AND 254),
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX uq_identity_external_identities__subject ON identity_external_identities (issuer, subject);
CREATE INDEX ix_identity_external_identities__user ON identity_external_identities (user_id, id);

CREATE TABLE identity_invitations (
    id uuid NOT NULL CONSTRAINT pk_identity_invitations PRIMARY KEY,
    secret_hash bytea NOT NULL CONSTRAINT ck_identity_invitations__secret_hash CHECK (octet_length(secret_hash) = 32),
    email_norm text COLLATE "C" CONSTRAINT ck_identity_invitations__email_norm CHECK (char_length(email_norm) BETWEEN 3 AND 254),
    roles jsonb NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    used_by uuid,
    revoked_at timestamptz,
    CONSTRAINT ck_identity_invitations__used CHECK ((used_at IS NULL) = (used_by IS NULL))
);
CREATE INDEX ix_identity_invitations__list ON identity_invitations (created_at DESC, id DESC);

CREATE TABLE identity_login_throttles (
    key_hash bytea NOT NULL CONSTRAINT pk_identity_login_throttles PRIMARY KEY CONSTRAINT ck_identity_login_throttles__key_hash CHECK (octet_length(key_hash) = 32),
    failures bigint NOT NULL CONSTRAINT ck_identity_login_throttles__failures CHECK (failures >= 0),
    last_failed_at timestamptz NOT NULL,
    blocked_until timestamptz
);
CREATE INDEX ix_identity_login_throttles__age ON identity_login_throttles (last_failed_at);

CREATE TABLE identity_state (
    id bigint NOT NULL CONSTRAINT pk_identity_state PRIMARY KEY CONSTRAINT ck_identity_state__single CHECK (id = 1),
    first_user_id uuid
);
INSERT INTO identity_state (id) VALUES (1);

CREATE TABLE identity_erasures (
    id uuid NOT NULL CONSTRAINT pk_identity_erasures PRIMARY KEY,
    user_id uuid NOT NULL,
    state text COLLATE "C" NOT NULL CONSTRAINT ck_identity_erasures__state CHECK (state IN ('running', 'done')),
    contexts jsonb NOT NULL,
    requested_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX ix_identity_erasures__state ON identity_erasures (state, requested_at);

CREATE TABLE identity_erased_subjects (
    issuer text COLLATE "C" NOT NULL CONSTRAINT ck_identity_erased_subjects__issuer CHECK (char_length(issuer) BETWEEN 1 AND 300),
    subject_hash bytea NOT NULL CONSTRAINT ck_identity_erased_subjects__subject_hash CHECK (octet_length(subject_hash) = 32),
    user_id uuid NOT NULL,
    erased_at timestamptz NOT NULL,
    CONSTRAINT pk_identity_erased_subjects PRIMARY KEY (issuer, subject_hash)
);
CREATE INDEX ix_identity_erased_subjects__user ON identity_erased_subjects (user_id);
