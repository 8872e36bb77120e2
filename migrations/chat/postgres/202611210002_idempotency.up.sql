CREATE TABLE chat_idempotency_keys (
    owner_id uuid NOT NULL,
    key text COLLATE "C" NOT NULL CONSTRAINT ck_chat_idempotency_keys__key CHECK (char_length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL CONSTRAINT ck_chat_idempotency_keys__fingerprint CHECK (octet_length(fingerprint) = 32),
    status bigint CONSTRAINT ck_chat_idempotency_keys__status CHECK (status BETWEEN 200 AND 299),
    location text,
    etag text,
    body text,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_chat_idempotency_keys PRIMARY KEY (owner_id, key),
    CONSTRAINT ck_chat_idempotency_keys__answer CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX ix_chat_idempotency_keys__age ON chat_idempotency_keys (owner_id, created_at);
