CREATE TABLE identity_users (
    id BLOB NOT NULL CONSTRAINT pk_identity_users PRIMARY KEY CHECK (length(id) = 16),
    username TEXT NOT NULL CONSTRAINT ck_identity_users__username CHECK (length(username) BETWEEN 3 AND 50 AND instr(username, '@') = 0),
    username_norm TEXT NOT NULL CONSTRAINT ck_identity_users__username_norm CHECK (length(username_norm) BETWEEN 1 AND 50),
    email TEXT CONSTRAINT ck_identity_users__email CHECK (length(email) BETWEEN 3 AND 254),
    email_norm TEXT CONSTRAINT ck_identity_users__email_norm CHECK (length(email_norm) BETWEEN 3 AND 254),
    email_verified_at INTEGER,
    password_hash TEXT CONSTRAINT ck_identity_users__password_hash CHECK (length(password_hash) BETWEEN 1 AND 100),
    password_changed_at INTEGER,
    roles TEXT NOT NULL,
    disabled_at INTEGER,
    last_login_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_identity_users__version CHECK (version >= 1),
    CONSTRAINT ck_identity_users__email_pair CHECK ((email IS NULL) = (email_norm IS NULL))
) STRICT;
CREATE UNIQUE INDEX uq_identity_users__username_norm ON identity_users (username_norm);
CREATE UNIQUE INDEX uq_identity_users__email_norm ON identity_users (email_norm);
CREATE INDEX ix_identity_users__created_at ON identity_users (created_at, id);

CREATE TABLE identity_logins (
    owner_id BLOB NOT NULL CONSTRAINT fk_identity_logins__user REFERENCES identity_users (id) ON DELETE CASCADE CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    method TEXT NOT NULL CONSTRAINT ck_identity_logins__method CHECK (method IN ('password', 'sign_up', 'compat')),
    user_agent TEXT CONSTRAINT ck_identity_logins__user_agent CHECK (length(user_agent) BETWEEN 1 AND 400),
    ip_address TEXT CONSTRAINT ck_identity_logins__ip_address CHECK (length(ip_address) BETWEEN 1 AND 45),
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoke_reason TEXT CONSTRAINT ck_identity_logins__revoke_reason CHECK (revoke_reason IN ('logout', 'reuse', 'password_change', 'disabled', 'admin', 'evicted')),
    CONSTRAINT pk_identity_logins PRIMARY KEY (owner_id, id),
    CONSTRAINT ck_identity_logins__revoked CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
) STRICT;
CREATE INDEX ix_identity_logins__active ON identity_logins (owner_id, created_at DESC, id DESC) WHERE revoked_at IS NULL;

CREATE TABLE identity_refresh_tokens (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    login_id BLOB NOT NULL CHECK (length(login_id) = 16),
    secret_hash BLOB NOT NULL CONSTRAINT ck_identity_refresh_tokens__secret_hash CHECK (length(secret_hash) = 32),
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    successor_id BLOB CHECK (length(successor_id) = 16),
    CONSTRAINT pk_identity_refresh_tokens PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_identity_refresh_tokens__login FOREIGN KEY (owner_id, login_id) REFERENCES identity_logins (owner_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_identity_refresh_tokens__successor CHECK (successor_id IS NULL OR used_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX uq_identity_refresh_tokens__live ON identity_refresh_tokens (owner_id, login_id) WHERE used_at IS NULL;
CREATE INDEX ix_identity_refresh_tokens__login ON identity_refresh_tokens (owner_id, login_id, issued_at);

CREATE TABLE identity_api_tokens (
    owner_id BLOB NOT NULL CONSTRAINT fk_identity_api_tokens__user REFERENCES identity_users (id) ON DELETE CASCADE CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT NOT NULL CONSTRAINT ck_identity_api_tokens__name CHECK (length(name) BETWEEN 1 AND 100),
    name_norm TEXT NOT NULL CONSTRAINT ck_identity_api_tokens__name_norm CHECK (length(name_norm) BETWEEN 1 AND 100),
    secret_hash BLOB NOT NULL CONSTRAINT ck_identity_api_tokens__secret_hash CHECK (length(secret_hash) = 32),
    scopes TEXT NOT NULL CONSTRAINT ck_identity_api_tokens__scopes CHECK (json_type(scopes) = 'array' AND json_array_length(scopes) BETWEEN 1 AND 13),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER,
    CONSTRAINT pk_identity_api_tokens PRIMARY KEY (owner_id, id)
) STRICT;
CREATE UNIQUE INDEX uq_identity_api_tokens__name ON identity_api_tokens (owner_id, name_norm) WHERE revoked_at IS NULL;
CREATE INDEX ix_identity_api_tokens__list ON identity_api_tokens (owner_id, created_at DESC, id DESC);

CREATE TABLE identity_external_identities (
    id BLOB NOT NULL CONSTRAINT pk_identity_external_identities PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL CONSTRAINT fk_identity_external_identities__user REFERENCES identity_users (id) ON DELETE CASCADE CHECK (length(user_id) = 16),
    issuer TEXT NOT NULL CONSTRAINT ck_identity_external_identities__issuer CHECK (length(issuer) BETWEEN 1 AND 300),
    subject TEXT NOT NULL CONSTRAINT ck_identity_external_identities__subject CHECK (length(subject) BETWEEN 1 AND 255),
    email TEXT CONSTRAINT ck_identity_external_identities__email CHECK (length(email) BETWEEN 1 AND 254),
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX uq_identity_external_identities__subject ON identity_external_identities (issuer, subject);
CREATE INDEX ix_identity_external_identities__user ON identity_external_identities (user_id, id);

CREATE TABLE identity_invitations (
    id BLOB NOT NULL CONSTRAINT pk_identity_invitations PRIMARY KEY CHECK (length(id) = 16),
    secret_hash BLOB NOT NULL CONSTRAINT ck_identity_invitations__secret_hash CHECK (length(secret_hash) = 32),
    email_norm TEXT CONSTRAINT ck_identity_invitations__email_norm CHECK (length(email_norm) BETWEEN 3 AND 254),
    roles TEXT NOT NULL,
    created_by BLOB NOT NULL CHECK (length(created_by) = 16),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    used_by BLOB CHECK (length(used_by) = 16),
    revoked_at INTEGER,
    CONSTRAINT ck_identity_invitations__used CHECK ((used_at IS NULL) = (used_by IS NULL))
) STRICT;
CREATE INDEX ix_identity_invitations__list ON identity_invitations (created_at DESC, id DESC);

CREATE TABLE identity_login_throttles (
    key_hash BLOB NOT NULL CONSTRAINT pk_identity_login_throttles PRIMARY KEY CONSTRAINT ck_identity_login_throttles__key_hash CHECK (length(key_hash) = 32),
    failures INTEGER NOT NULL CONSTRAINT ck_identity_login_throttles__failures CHECK (failures >= 0),
    last_failed_at INTEGER NOT NULL,
    blocked_until INTEGER
) STRICT;
CREATE INDEX ix_identity_login_throttles__age ON identity_login_throttles (last_failed_at);

CREATE TABLE identity_state (
    id INTEGER NOT NULL CONSTRAINT pk_identity_state PRIMARY KEY CONSTRAINT ck_identity_state__single CHECK (id = 1),
    first_user_id BLOB CHECK (length(first_user_id) = 16)
) STRICT;
INSERT INTO identity_state (id) VALUES (1);

CREATE TABLE identity_erasures (
    id BLOB NOT NULL CONSTRAINT pk_identity_erasures PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    state TEXT NOT NULL CONSTRAINT ck_identity_erasures__state CHECK (state IN ('running', 'done')),
    contexts TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX ix_identity_erasures__state ON identity_erasures (state, requested_at);

CREATE TABLE identity_erased_subjects (
    issuer TEXT NOT NULL CONSTRAINT ck_identity_erased_subjects__issuer CHECK (length(issuer) BETWEEN 1 AND 300),
    subject_hash BLOB NOT NULL CONSTRAINT ck_identity_erased_subjects__subject_hash CHECK (length(subject_hash) = 32),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    erased_at INTEGER NOT NULL,
    CONSTRAINT pk_identity_erased_subjects PRIMARY KEY (issuer, subject_hash)
) STRICT;
CREATE INDEX ix_identity_erased_subjects__user ON identity_erased_subjects (user_id);
