CREATE TABLE chat_groups (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT CONSTRAINT ck_chat_groups__name CHECK (length(name) BETWEEN 1 AND 255),
    mode TEXT NOT NULL CONSTRAINT ck_chat_groups__mode CHECK (mode IN ('sequential', 'leader_listeners', 'explicit')),
    leader_agent TEXT NOT NULL CONSTRAINT ck_chat_groups__leader_agent CHECK (length(leader_agent) BETWEEN 1 AND 100),
    context_window INTEGER NOT NULL DEFAULT 6 CONSTRAINT ck_chat_groups__context_window CHECK (context_window BETWEEN 3 AND 10),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_chat_groups__version CHECK (version >= 1),
    CONSTRAINT pk_chat_groups PRIMARY KEY (owner_id, id)
) STRICT;
CREATE INDEX ix_chat_groups__list ON chat_groups (owner_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX ix_chat_groups__trash ON chat_groups (owner_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;

CREATE TABLE chat_group_members (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    group_id BLOB NOT NULL CHECK (length(group_id) = 16),
    agent_name TEXT NOT NULL CONSTRAINT ck_chat_group_members__agent_name CHECK (length(agent_name) BETWEEN 1 AND 100),
    position INTEGER NOT NULL CONSTRAINT ck_chat_group_members__position CHECK (position >= 0),
    last_response_at INTEGER,
    created_at INTEGER NOT NULL,
    CONSTRAINT pk_chat_group_members PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_group_members__group FOREIGN KEY (owner_id, group_id) REFERENCES chat_groups (owner_id, id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX uq_chat_group_members__agent ON chat_group_members (owner_id, group_id, agent_name);
CREATE UNIQUE INDEX uq_chat_group_members__position ON chat_group_members (owner_id, group_id, position);

CREATE TABLE chat_sessions (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT CONSTRAINT ck_chat_sessions__name CHECK (length(name) BETWEEN 1 AND 200),
    character_name TEXT CONSTRAINT ck_chat_sessions__character_name CHECK (length(character_name) BETWEEN 1 AND 100),
    model_name TEXT CONSTRAINT ck_chat_sessions__model_name CHECK (length(model_name) BETWEEN 1 AND 200),
    auto_trigger_tts INTEGER NOT NULL DEFAULT 0 CHECK (auto_trigger_tts IN (0, 1)),
    agent_session_id TEXT CONSTRAINT ck_chat_sessions__agent_session_id CHECK (length(agent_session_id) BETWEEN 1 AND 200),
    group_id BLOB CHECK (length(group_id) = 16),
    task_status TEXT CONSTRAINT ck_chat_sessions__task_status CHECK (task_status IN ('active', 'waiting', 'done')),
    task_priority TEXT CONSTRAINT ck_chat_sessions__task_priority CHECK (task_priority IN ('high', 'medium', 'low')),
    task_description TEXT CONSTRAINT ck_chat_sessions__task_description CHECK (length(task_description) BETWEEN 1 AND 500),
    message_count INTEGER NOT NULL DEFAULT 0,
    last_position INTEGER NOT NULL DEFAULT 0,
    content_revision INTEGER NOT NULL DEFAULT 0,
    summarised_revision INTEGER NOT NULL DEFAULT 0,
    last_update INTEGER NOT NULL,
    auto_key TEXT CONSTRAINT ck_chat_sessions__auto_key CHECK (length(auto_key) BETWEEN 1 AND 100),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_chat_sessions__version CHECK (version >= 1),
    CONSTRAINT pk_chat_sessions PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_sessions__group FOREIGN KEY (owner_id, group_id) REFERENCES chat_groups (owner_id, id),
    CONSTRAINT ck_chat_sessions__task CHECK (task_status IS NOT NULL OR (task_priority IS NULL AND task_description IS NULL)),
    CONSTRAINT ck_chat_sessions__count CHECK (message_count BETWEEN 0 AND last_position),
    CONSTRAINT ck_chat_sessions__revisions CHECK (content_revision >= 0 AND summarised_revision >= 0)
) STRICT;
CREATE INDEX ix_chat_sessions__recent ON chat_sessions (owner_id, last_update DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX ix_chat_sessions__character ON chat_sessions (owner_id, character_name, last_update DESC, id DESC) WHERE deleted_at IS NULL AND character_name IS NOT NULL;
CREATE INDEX ix_chat_sessions__task ON chat_sessions (owner_id, task_status, last_update DESC, id DESC) WHERE deleted_at IS NULL AND task_status IS NOT NULL;
CREATE INDEX ix_chat_sessions__group ON chat_sessions (owner_id, group_id, last_update DESC, id DESC) WHERE group_id IS NOT NULL;
CREATE INDEX ix_chat_sessions__unsummarised ON chat_sessions (owner_id, last_update DESC, id DESC) WHERE deleted_at IS NULL AND content_revision > summarised_revision;
CREATE INDEX ix_chat_sessions__trash ON chat_sessions (owner_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;
CREATE UNIQUE INDEX uq_chat_sessions__auto_key ON chat_sessions (owner_id, auto_key) WHERE deleted_at IS NULL AND auto_key IS NOT NULL;

CREATE TABLE chat_session_tags (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    tag TEXT NOT NULL CONSTRAINT ck_chat_session_tags__tag CHECK (length(tag) BETWEEN 1 AND 64),
    tag_norm TEXT NOT NULL CONSTRAINT ck_chat_session_tags__tag_norm CHECK (length(tag_norm) BETWEEN 1 AND 64),
    position INTEGER NOT NULL CONSTRAINT ck_chat_session_tags__position CHECK (position >= 0),
    CONSTRAINT pk_chat_session_tags PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_session_tags__session FOREIGN KEY (owner_id, session_id) REFERENCES chat_sessions (owner_id, id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX uq_chat_session_tags__tag ON chat_session_tags (owner_id, session_id, tag_norm);
CREATE INDEX ix_chat_session_tags__tag ON chat_session_tags (owner_id, tag_norm, session_id);

CREATE TABLE chat_messages (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    position INTEGER NOT NULL CONSTRAINT ck_chat_messages__position CHECK (position >= 1),
    sender_role TEXT NOT NULL CONSTRAINT ck_chat_messages__sender_role CHECK (sender_role IN ('user', 'assistant', 'system', 'tool')),
    sender_name TEXT CONSTRAINT ck_chat_messages__sender_name CHECK (length(sender_name) BETWEEN 1 AND 255),
    status TEXT NOT NULL DEFAULT 'complete' CONSTRAINT ck_chat_messages__status CHECK (status IN ('complete', 'partial', 'interrupted')),
    lease_expires_at INTEGER,
    text TEXT CONSTRAINT ck_chat_messages__text CHECK (length(text) <= 500000),
    reasoning TEXT CONSTRAINT ck_chat_messages__reasoning CHECK (length(reasoning) <= 500000),
    chart_data TEXT,
    character_name TEXT CONSTRAINT ck_chat_messages__character_name CHECK (length(character_name) BETWEEN 1 AND 100),
    responding_agent TEXT CONSTRAINT ck_chat_messages__responding_agent CHECK (length(responding_agent) BETWEEN 1 AND 100),
    model_name TEXT CONSTRAINT ck_chat_messages__model_name CHECK (length(model_name) BETWEEN 1 AND 200),
    tts_model_name TEXT CONSTRAINT ck_chat_messages__tts_model_name CHECK (length(tts_model_name) BETWEEN 1 AND 200),
    model_settings TEXT,
    image_settings TEXT,
    image_request TEXT,
    agent_data TEXT,
    usage_input_tokens INTEGER,
    usage_output_tokens INTEGER,
    usage_cached_tokens INTEGER,
    usage_reasoning_tokens INTEGER,
    is_tts INTEGER NOT NULL DEFAULT 0 CHECK (is_tts IN (0, 1)),
    is_gps_location INTEGER NOT NULL DEFAULT 0 CHECK (is_gps_location IN (0, 1)),
    show_transcribe_button INTEGER NOT NULL DEFAULT 0 CHECK (show_transcribe_button IN (0, 1)),
    favourite INTEGER NOT NULL DEFAULT 0 CHECK (favourite IN (0, 1)),
    test_mode INTEGER NOT NULL DEFAULT 0 CHECK (test_mode IN (0, 1)),
    started_at INTEGER,
    finished_at INTEGER,
    revision INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_chat_messages__revision CHECK (revision >= 1),
    edited_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_chat_messages__version CHECK (version >= 1),
    CONSTRAINT pk_chat_messages PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_messages__session FOREIGN KEY (owner_id, session_id) REFERENCES chat_sessions (owner_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_chat_messages__lease CHECK ((status = 'partial') = (lease_expires_at IS NOT NULL)),
    CONSTRAINT ck_chat_messages__usage CHECK (usage_input_tokens >= 0 AND usage_output_tokens >= 0 AND usage_cached_tokens >= 0 AND usage_reasoning_tokens >= 0),
    CONSTRAINT ck_chat_messages__timers CHECK (finished_at >= started_at)
) STRICT;
CREATE UNIQUE INDEX uq_chat_messages__position ON chat_messages (owner_id, session_id, position);
CREATE INDEX ix_chat_messages__favourite ON chat_messages (owner_id, created_at DESC, id DESC) WHERE deleted_at IS NULL AND favourite;
CREATE INDEX ix_chat_messages__trash ON chat_messages (owner_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;

CREATE TABLE chat_attachments (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    kind TEXT NOT NULL CONSTRAINT ck_chat_attachments__kind CHECK (kind IN ('image', 'file')),
    position INTEGER NOT NULL CONSTRAINT ck_chat_attachments__position CHECK (position >= 0),
    url TEXT NOT NULL CONSTRAINT ck_chat_attachments__url CHECK (length(url) BETWEEN 1 AND 2048),
    location TEXT NOT NULL CONSTRAINT ck_chat_attachments__location CHECK (location IN ('remote', 'local')),
    file_name TEXT CONSTRAINT ck_chat_attachments__file_name CHECK (length(file_name) BETWEEN 1 AND 255),
    file_name_norm TEXT CONSTRAINT ck_chat_attachments__file_name_norm CHECK (length(file_name_norm) BETWEEN 1 AND 255),
    extension TEXT CONSTRAINT ck_chat_attachments__extension CHECK (length(extension) BETWEEN 1 AND 16),
    description TEXT CONSTRAINT ck_chat_attachments__description CHECK (length(description) BETWEEN 1 AND 2000),
    media_type TEXT CONSTRAINT ck_chat_attachments__media_type CHECK (length(media_type) BETWEEN 1 AND 127),
    size_bytes INTEGER CONSTRAINT ck_chat_attachments__size_bytes CHECK (size_bytes >= 0),
    sender_role TEXT NOT NULL CONSTRAINT ck_chat_attachments__sender_role CHECK (sender_role IN ('user', 'assistant', 'system', 'tool')),
    message_created_at INTEGER NOT NULL,
    CONSTRAINT pk_chat_attachments PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_attachments__message FOREIGN KEY (owner_id, message_id) REFERENCES chat_messages (owner_id, id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX uq_chat_attachments__place ON chat_attachments (owner_id, message_id, kind, position);
CREATE INDEX ix_chat_attachments__date ON chat_attachments (owner_id, message_created_at DESC, message_id DESC);
CREATE INDEX ix_chat_attachments__extension ON chat_attachments (owner_id, extension, message_created_at DESC, message_id DESC);
CREATE INDEX ix_chat_attachments__name ON chat_attachments (owner_id, file_name_norm, message_created_at DESC, message_id DESC);

CREATE TABLE chat_message_revisions (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    revision INTEGER NOT NULL CONSTRAINT ck_chat_message_revisions__revision CHECK (revision >= 1),
    text TEXT CONSTRAINT ck_chat_message_revisions__text CHECK (length(text) <= 500000),
    reasoning TEXT CONSTRAINT ck_chat_message_revisions__reasoning CHECK (length(reasoning) <= 500000),
    attachments TEXT NOT NULL,
    chart_data TEXT,
    replaced_at INTEGER NOT NULL,
    replaced_by TEXT NOT NULL CONSTRAINT ck_chat_message_revisions__replaced_by CHECK (replaced_by IN ('login', 'api_token', 'external')),
    CONSTRAINT pk_chat_message_revisions PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_message_revisions__message FOREIGN KEY (owner_id, message_id) REFERENCES chat_messages (owner_id, id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX uq_chat_message_revisions__no ON chat_message_revisions (owner_id, message_id, revision);

CREATE TABLE chat_prompts (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    title TEXT NOT NULL CONSTRAINT ck_chat_prompts__title CHECK (length(title) BETWEEN 1 AND 200),
    text TEXT NOT NULL CONSTRAINT ck_chat_prompts__text CHECK (length(text) BETWEEN 1 AND 100000),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_chat_prompts__version CHECK (version >= 1),
    CONSTRAINT pk_chat_prompts PRIMARY KEY (owner_id, id)
) STRICT;
CREATE INDEX ix_chat_prompts__list ON chat_prompts (owner_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_chat_prompts__trash ON chat_prompts (owner_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;

CREATE TABLE chat_summaries (
    owner_id BLOB NOT NULL CHECK (length(owner_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    text TEXT NOT NULL CONSTRAINT ck_chat_summaries__text CHECK (length(text) BETWEEN 1 AND 50000),
    key_topics TEXT NOT NULL,
    entities TEXT NOT NULL,
    message_count INTEGER NOT NULL CONSTRAINT ck_chat_summaries__message_count CHECK (message_count >= 0),
    first_message_at INTEGER,
    last_message_at INTEGER,
    model_name TEXT NOT NULL CONSTRAINT ck_chat_summaries__model_name CHECK (length(model_name) BETWEEN 1 AND 200),
    config_version INTEGER NOT NULL CONSTRAINT ck_chat_summaries__config_version CHECK (config_version >= 1),
    source_content_revision INTEGER NOT NULL CONSTRAINT ck_chat_summaries__source CHECK (source_content_revision >= 1),
    generated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1 CONSTRAINT ck_chat_summaries__version CHECK (version >= 1),
    CONSTRAINT pk_chat_summaries PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_summaries__session FOREIGN KEY (owner_id, session_id) REFERENCES chat_sessions (owner_id, id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX uq_chat_summaries__session ON chat_summaries (owner_id, session_id);
CREATE INDEX ix_chat_summaries__config ON chat_summaries (owner_id, config_version, session_id);
