DROP TABLE chat_idempotency_keys;
