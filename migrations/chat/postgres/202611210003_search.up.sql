-- What search reads: the lexemes of a document, made by the application. Each holds a mark of its owner, so that the cost of a
-- search depends on the owner's own documents alone.
CREATE TABLE chat_message_search (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    lexemes tsvector NOT NULL,
    CONSTRAINT pk_chat_message_search PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_message_search__message FOREIGN KEY (owner_id, id) REFERENCES chat_messages (owner_id, id) ON DELETE CASCADE
);
-- A guess is better than statistics here: what is met often in all documents says nothing of one owner's.
ALTER TABLE chat_message_search ALTER COLUMN lexemes SET STATISTICS 0;
CREATE INDEX ix_chat_message_search__recent ON chat_message_search (owner_id, created_at DESC, id DESC);
-- New lexemes wait in a list that searches read too, so it is kept short.
CREATE INDEX ix_chat_message_search__lexemes ON chat_message_search USING gin (lexemes) WITH (gin_pending_list_limit = 256);

CREATE TABLE chat_session_search (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    lexemes tsvector NOT NULL,
    CONSTRAINT pk_chat_session_search PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_session_search__session FOREIGN KEY (owner_id, id) REFERENCES chat_sessions (owner_id, id) ON DELETE CASCADE
);
ALTER TABLE chat_session_search ALTER COLUMN lexemes SET STATISTICS 0;
CREATE INDEX ix_chat_session_search__lexemes ON chat_session_search USING gin (lexemes) WITH (gin_pending_list_limit = 256);
