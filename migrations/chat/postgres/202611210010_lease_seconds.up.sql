ALTER TABLE chat_messages ADD COLUMN lease_seconds bigint CONSTRAINT ck_chat_messages__lease_seconds CHECK (lease_seconds BETWEEN 10 AND 3600);
