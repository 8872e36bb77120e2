CREATE TABLE chat_groups (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    name text CONSTRAINT ck_chat_groups__name CHECK (char_length(name) BETWEEN 1 AND 255),
    mode text NOT NULL CONSTRAINT ck_chat_groups__mode CHECK (mode IN ('sequential', 'leader_listeners', 'explicit')),
    leader_agent text NOT NULL CONSTRAINT ck_chat_groups__leader_agent CHECK (char_length(leader_agent) BETWEEN 1 AND 100),
    context_window bigint NOT NULL DEFAULT 6 CONSTRAINT ck_chat_groups__context_window CHECK (context_window BETWEEN 3 AND 10),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL DEFAULT 1 CONSTRAINT ck_chat_groups__version CHECK (version >= 1),
    CONSTRAINT pk_chat_groups PRIMARY KEY (owner_id, id)
);
CREATE INDEX ix_chat_groups__list ON chat_groups (owner_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX ix_chat_groups__trash ON chat_groups (owner_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;

CREATE TABLE chat_group_members (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    group_id uuid NOT NULL,
    agent_name text COLLATE "C" NOT NULL CONSTRAINT ck_chat_group_members__agent_name CHECK (char_length(agent_name) BETWEEN 1 AND 100),
    position bigint NOT NULL CONSTRAINT ck_chat_group_members__position CHECK (position >= 0),
    last_response_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_chat_group_members PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_group_members__group FOREIGN KEY (owner_id, group_id) REFERENCES chat_groups (owner_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_chat_group_members__agent ON chat_group_members (owner_id, group_id, agent_name);
CREATE UNIQUE INDEX uq_chat_group_members__position ON chat_group_members (owner_id, group_id, position);

CREATE TABLE chat_sessions (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    name text CONSTRAINT ck_chat_sessions__name CHECK (char_length(name) BETWEEN 1 AND 200),
    character_name text COLLATE "C" CONSTRAINT ck_chat_sessions__character_name CHECK (char_length(character_name) BETWEEN 1 AND 100),
    model_name text CONSTRAINT ck_chat_sessions__model_name CHECK (char_length(model_name) BETWEEN 1 AND 200),
    auto_trigger_tts boolean NOT NULL DEFAULT false,
    agent_session_id text CONSTRAINT ck_chat_sessions__agent_session_id CHECK (char_length(agent_session_id) BETWEEN 1 AND 200),
    group_id uuid,
    task_status text COLLATE "C" CONSTRAINT ck_chat_sessions__task_status CHECK (task_status IN ('active', 'waiting', 'done')),
    task_priority text COLLATE "C" CONSTRAINT ck_chat_sessions__task_priority CHECK (task_priority IN ('high', 'medium', 'low')),
    task_description text CONSTRAINT ck_chat_sessions__task_description CHECK (char_length(task_description) BETWEEN 1 AND 500),
    message_count bigint NOT NULL DEFAULT 0,
    last_position bigint NOT NULL DEFAULT 0,
    content_revision bigint NOT NULL DEFAULT 0,
    summarised_revision bigint NOT NULL DEFAULT 0,
    last_update timestamptz NOT NULL,
    auto_key text COLLATE "C" CONSTRAINT ck_chat_sessions__auto_key CHECK (char_length(auto_key) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL DEFAULT 1 CONSTRAINT ck_chat_sessions__version CHECK (version >= 1),
    CONSTRAINT pk_chat_sessions PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_sessions__group FOREIGN KEY (owner_id, group_id) REFERENCES chat_groups (owner_id, id),
    CONSTRAINT ck_chat_sessions__task CHECK (task_status IS NOT NULL OR (task_priority IS NULL AND task_description IS NULL)),
    CONSTRAINT ck_chat_sessions__count CHECK (message_count BETWEEN 0 AND last_position),
    CONSTRAINT ck_chat_sessions__revisions CHECK (content_revision >= 0 AND summarised_revision >= 0)
);
CREATE INDEX ix_chat_sessions__recent ON chat_sessions (owner_id, last_update DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX ix_chat_sessions__character ON chat_sessions (owner_id, character_name, last_update DESC, id DESC) WHERE deleted_at IS NULL AND character_name IS NOT NULL;
CREATE INDEX ix_chat_sessions__task ON chat_sessions (owner_id, task_status, last_update DESC, id DESC) WHERE deleted_at IS NULL AND task_status IS NOT NULL;
CREATE INDEX ix_chat_sessions__group ON chat_sessions (owner_id, group_id, last_update DESC, id DESC) WHERE group_id IS NOT NULL;
CREATE INDEX ix_chat_sessions__unsummarised ON chat_sessions (owner_id, last_update DESC, id DESC) WHERE deleted_at IS NULL AND content_revision > summarised_revision;
CREATE INDEX ix_chat_sessions__trash ON chat_sessions (owner_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;
CREATE UNIQUE INDEX uq_chat_sessions__auto_key ON chat_sessions (owner_id, auto_key) WHERE deleted_at IS NULL AND auto_key IS NOT NULL;

CREATE TABLE chat_session_tags (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    tag text NOT NULL CONSTRAINT ck_chat_session_tags__tag CHECK (char_length(tag) BETWEEN 1 AND 64),
    tag_norm text COLLATE "C" NOT NULL CONSTRAINT ck_chat_session_tags__tag_norm CHECK (char_length(tag_norm) BETWEEN 1 AND 64),
    position bigint NOT NULL CONSTRAINT ck_chat_session_tags__position CHECK (position >= 0),
    CONSTRAINT pk_chat_session_tags PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_session_tags__session FOREIGN KEY (owner_id, session_id) REFERENCES chat_sessions (owner_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_chat_session_tags__tag ON chat_session_tags (owner_id, session_id, tag_norm);
CREATE INDEX ix_chat_session_tags__tag ON chat_session_tags (owner_id, tag_norm, session_id);

CREATE TABLE chat_messages (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    position bigint NOT NULL CONSTRAINT ck_chat_messages__position CHECK (position >= 1),
    sender_role text NOT NULL CONSTRAINT ck_chat_messages__sender_role CHECK (sender_role IN ('user', 'assistant', 'system', 'tool')),
    sender_name text CONSTRAINT ck_chat_messages__sender_name CHECK (char_length(sender_name) BETWEEN 1 AND 255),
    status text NOT NULL DEFAULT 'complete' CONSTRAINT ck_chat_messages__status CHECK (status IN ('complete', 'partial', 'interrupted')),
    lease_expires_at timestamptz,
    text text CONSTRAINT ck_chat_messages__text CHECK (char_length(text) <= 500000),
    reasoning text CONSTRAINT ck_chat_messages__reasoning CHECK (char_length(reasoning) <= 500000),
    chart_data jsonb,
    character_name text CONSTRAINT ck_chat_messages__character_name CHECK (char_length(character_name) BETWEEN 1 AND 100),
    responding_agent text CONSTRAINT ck_chat_messages__responding_agent CHECK (char_length(responding_agent) BETWEEN 1 AND 100),
    model_name text CONSTRAINT ck_chat_messages__model_name CHECK (char_length(model_name) BETWEEN 1 AND 200),
    tts_model_name text CONSTRAINT ck_chat_messages__tts_model_name CHECK (char_length(tts_model_name) BETWEEN 1 AND 200),
    model_settings jsonb,
    image_settings jsonb,
    image_request jsonb,
    agent_data jsonb,
    usage_input_tokens bigint,
    usage_output_tokens bigint,
    usage_cached_tokens bigint,
    usage_reasoning_tokens bigint,
    is_tts boolean NOT NULL DEFAULT false,
    is_gps_location boolean NOT NULL DEFAULT false,
    show_transcribe_button boolean NOT NULL DEFAULT false,
    favourite boolean NOT NULL DEFAULT false,
    test_mode boolean NOT NULL DEFAULT false,
    started_at timestamptz,
    finished_at timestamptz,
    revision bigint NOT NULL DEFAULT 1 CONSTRAINT ck_chat_messages__revision CHECK (revision >= 1),
    edited_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL DEFAULT 1 CONSTRAINT ck_chat_messages__version CHECK (version >= 1),
    CONSTRAINT pk_chat_messages PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_messages__session FOREIGN KEY (owner_id, session_id) REFERENCES chat_sessions (owner_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_chat_messages__lease CHECK ((status = 'partial') = (lease_expires_at IS NOT NULL)),
    CONSTRAINT ck_chat_messages__usage CHECK (usage_input_tokens >= 0 AND usage_output_tokens >= 0 AND usage_cached_tokens >= 0 AND usage_reasoning_tokens >= 0),
    CONSTRAINT ck_chat_messages__timers CHECK (finished_at >= started_at)
);
CREATE UNIQUE INDEX uq_chat_messages__position ON chat_messages (owner_id, session_id, position);
CREATE INDEX ix_chat_messages__favourite ON chat_messages (owner_id, created_at DESC, id DESC) WHERE deleted_at IS NULL AND favourite;
CREATE INDEX ix_chat_messages__trash ON chat_messages (owner_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;

CREATE TABLE chat_attachments (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    message_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL CONSTRAINT ck_chat_attachments__kind CHECK (kind IN ('image', 'file')),
    position bigint NOT NULL CONSTRAINT ck_chat_attachments__position CHECK (position >= 0),
    url text NOT NULL CONSTRAINT ck_chat_attachments__url CHECK (char_length(url) BETWEEN 1 AND 2048),
    location text NOT NULL CONSTRAINT ck_chat_attachments__location CHECK (location IN ('remote', 'local')),
    file_name text CONSTRAINT ck_chat_attachments__file_name CHECK (char_length(file_name) BETWEEN 1 AND 255),
    file_name_norm text COLLATE "C" CONSTRAINT ck_chat_attachments__file_name_norm CHECK (char_length(file_name_norm) BETWEEN 1 AND 255),
    extension text COLLATE "C" CONSTRAINT ck_chat_attachments__extension CHECK (char_length(extension) BETWEEN 1 AND 16),
    description text CONSTRAINT ck_chat_attachments__description CHECK (char_length(description) BETWEEN 1 AND 2000),
    media_type text CONSTRAINT ck_chat_attachments__media_type CHECK (char_length(media_type) BETWEEN 1 AND 127),
    size_bytes bigint CONSTRAINT ck_chat_attachments__size_bytes CHECK (size_bytes >= 0),
    sender_role text NOT NULL CONSTRAINT ck_chat_attachments__sender_role CHECK (sender_role IN ('user', 'assistant', 'system', 'tool')),
    message_created_at timestamptz NOT NULL,
    CONSTRAINT pk_chat_attachments PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_attachments__message FOREIGN KEY (owner_id, message_id) REFERENCES chat_messages (owner_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_chat_attachments__place ON chat_attachments (owner_id, message_id, kind, position);
CREATE INDEX ix_chat_attachments__date ON chat_attachments (owner_id, message_created_at DESC, message_id DESC);
CREATE INDEX ix_chat_attachments__extension ON chat_attachments (owner_id, extension, message_created_at DESC, message_id DESC);
CREATE INDEX ix_chat_attachments__name ON chat_attachments (owner_id, file_name_norm, message_created_at DESC, message_id DESC);

CREATE TABLE chat_message_revisions (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    message_id uuid NOT NULL,
    revision bigint NOT NULL CONSTRAINT ck_chat_message_revisions__revision CHECK (revision >= 1),
    text text CONSTRAINT ck_chat_message_revisions__text CHECK (char_length(text) <= 500000),
    reasoning text CONSTRAINT ck_chat_message_revisions__reasoning CHECK (char_length(reasoning) <= 500000),
    attachments jsonb NOT NULL,
    chart_data jsonb,
    replaced_at timestamptz NOT NULL,
    replaced_by text NOT NULL CONSTRAINT ck_chat_message_revisions__replaced_by CHECK (replaced_by IN ('login', 'api_token', 'external')),
    CONSTRAINT pk_chat_message_revisions PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_message_revisions__message FOREIGN KEY (owner_id, message_id) REFERENCES chat_messages (owner_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_chat_message_revisions__no ON chat_message_revisions (owner_id, message_id, revision);

CREATE TABLE chat_prompts (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    title text NOT NULL CONSTRAINT ck_chat_prompts__title CHECK (char_length(title) BETWEEN 1 AND 200),
    text text NOT NULL CONSTRAINT ck_chat_prompts__text CHECK (char_length(text) BETWEEN 1 AND 100000),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    version bigint NOT NULL DEFAULT 1 CONSTRAINT ck_chat_prompts__version CHECK (version >= 1),
    CONSTRAINT pk_chat_prompts PRIMARY KEY (owner_id, id)
);
CREATE INDEX ix_chat_prompts__list ON chat_prompts (owner_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_chat_prompts__trash ON chat_prompts (owner_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;

CREATE TABLE chat_summaries (
    owner_id uuid NOT NULL,
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    text text NOT NULL CONSTRAINT ck_chat_summaries__text CHECK (char_length(text) BETWEEN 1 AND 50000),
    key_topics jsonb NOT NULL,
    entities jsonb NOT NULL,
    message_count bigint NOT NULL CONSTRAINT ck_chat_summaries__message_count CHECK (message_count >= 0),
    first_message_at timestamptz,
    last_message_at timestamptz,
    model_name text NOT NULL CONSTRAINT ck_chat_summaries__model_name CHECK (char_length(model_name) BETWEEN 1 AND 200),
    config_version bigint NOT NULL CONSTRAINT ck_chat_summaries__config_version CHECK (config_version >= 1),
    source_content_revision bigint NOT NULL CONSTRAINT ck_chat_summaries__source CHECK (source_content_revision >= 1),
    generated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 1 CONSTRAINT ck_chat_summaries__version CHECK (version >= 1),
    CONSTRAINT pk_chat_summaries PRIMARY KEY (owner_id, id),
    CONSTRAINT fk_chat_summaries__session FOREIGN KEY (owner_id, session_id) REFERENCES chat_sessions (owner_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_chat_summaries__session ON chat_summaries (owner_id, session_id);
CREATE INDEX ix_chat_summaries__config ON chat_summaries (owner_id, config_version, session_id);
