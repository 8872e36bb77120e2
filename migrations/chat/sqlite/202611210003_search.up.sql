-- What search reads. The lexemes of a document are made by the application; each holds a mark of its owner, so that the cost of a
-- search depends on the owner's own documents alone. The indexes keep no text: a document's number leads to its row. Numbers of
-- messages rise with the time at which they were made, so that the newest hits are found first.
CREATE TABLE chat_message_search (
    number INTEGER PRIMARY KEY,
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    CONSTRAINT uq_chat_message_search__message UNIQUE (owner_id, id),
    CONSTRAINT fk_chat_message_search__message FOREIGN KEY (owner_id, id) REFERENCES chat_messages (owner_id, id) ON DELETE CASCADE
) STRICT;
CREATE VIRTUAL TABLE chat_message_lexemes USING fts5 (lexemes, content='', contentless_delete=1, detail=none, tokenize='ascii');
CREATE TRIGGER tr_chat_message_search__gone AFTER DELETE ON chat_message_search BEGIN
    DELETE FROM chat_message_lexemes WHERE rowid = OLD.number;
END;

CREATE TABLE chat_session_search (
    number INTEGER PRIMARY KEY,
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    CONSTRAINT uq_chat_session_search__session UNIQUE (owner_id, id),
    CONSTRAINT fk_chat_session_search__session FOREIGN KEY (owner_id, id) REFERENCES chat_sessions (owner_id, id) ON DELETE CASCADE
) STRICT;
CREATE VIRTUAL TABLE chat_session_lexemes USING fts5 (lexemes, content='', contentless_delete=1, detail=none, tokenize='ascii');
CREATE TRIGGER tr_chat_session_search__gone AFTER DELETE ON chat_session_search BEGIN
    DELETE FROM chat_session_lexemes WHERE rowid = OLD.number;
END;
