DROP TABLE identity_idempotency_keys;
