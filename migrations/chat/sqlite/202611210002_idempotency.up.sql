CREATE TABLE chat_idempotency_keys (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    key TEXT NOT NULL CONSTRAINT ck_chat_idempotency_keys__key CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint BLOB NOT NULL CONSTRAINT ck_chat_idempotency_keys__fingerprint CHECK (length(fingerprint) = 32),
    status INTEGER CONSTRAINT ck_chat_idempotency_keys__status CHECK (status BETWEEN 200 AND 299),
    location TEXT,
    etag TEXT,
    body TEXT,
    created_at INTEGER NOT NULL,
    CONSTRAINT pk_chat_idempotency_keys PRIMARY KEY (owner_id, key),
    CONSTRAINT ck_chat_idempotency_keys__answer CHECK ((status IS NULL) = (body IS NULL))
) STRICT;
CREATE INDEX ix_chat_idempotency_keys__age ON chat_idempotency_keys (owner_id, created_at);
