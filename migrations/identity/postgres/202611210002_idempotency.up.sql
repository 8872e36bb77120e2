CREATE TABLE identity_idempotency_keys (
    owner_id uuid NOT NULL,
    key text COLLATE "C" NOT NULL CONSTRAINT ck_identity_idempotency_keys__key CHECK (char_length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL CONSTRAINT ck_identity_idempotency_keys__fingerprint CHECK (octet_length(fingerprint) = 32),
    status bigint CONSTRAINT ck_identity_idempotency_keys__status CHECK (status BETWEEN 200 AND 299),
    location text,
    etag text,
    body text,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_identity_idempotency_keys PRIMARY KEY (owner_id, key),
    CONSTRAINT ck_identity_idempotency_keys__answer CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX ix_identity_idempotency_keys__age ON identity_idempotency_keys (owner_id, created_at);
