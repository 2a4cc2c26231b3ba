-- Sessions, their messages and replies, and idempotency keys.

CREATE TABLE sessions (
  session_id uuid PRIMARY KEY,
  user_id text NOT NULL,
  agent_id text NOT NULL,
  title text,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
  config jsonb NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  -- Number of the newest message; a message's number is taken under this row's lock, so it has no gaps.
  last_seq integer NOT NULL DEFAULT 0,
  message_count integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_activity timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);

CREATE INDEX sessions_by_user ON sessions (user_id, last_activity DESC, session_id DESC);
CREATE INDEX sessions_by_activity ON sessions (last_activity);

-- A reply is the assistant message that it makes: the columns from `attempt` on are its running state.
-- The key begins with session_id so that the table can be partitioned by session.
CREATE TABLE messages (
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  message_id uuid NOT NULL,
  seq integer NOT NULL,
  role text NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
  status text NOT NULL CHECK (status IN
    ('queued', 'streaming', 'paused', 'complete', 'cancelled', 'interrupted', 'failed')),
  agent_id text NOT NULL,
  content text NOT NULL DEFAULT '',
  reply_to uuid,
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  usage jsonb,
  finish_reason text,
  error jsonb,
  reasoning text,
  tool_calls jsonb,
  media jsonb,
  audio jsonb,
  requirements jsonb,
  duration_ms integer,
  time_to_first_token_ms integer,
  -- Which try at this reply may write; a take-over raises it and thereby fences the previous owner.
  attempt integer NOT NULL DEFAULT 0,
  lease_owner text,
  lease_until timestamptz,
  -- Set by whoever wants the reply to stop; its owner sees it at once or with its next lease renewal.
  cancel_reason text,
  -- Number of the last event that `content` covers.
  event_seq integer NOT NULL DEFAULT 0,
  -- What the agent is to be called with, until the reply has ended.
  turn jsonb,
  -- What a paused or resumable run needs to go on.
  backend_state jsonb,
  search tsvector,
  PRIMARY KEY (session_id, message_id),
  UNIQUE (session_id, seq)
) WITH (fillfactor = 80);

CREATE INDEX messages_by_id ON messages (message_id);
-- At most one reply of a session is being made at any time.
CREATE UNIQUE INDEX messages_one_active ON messages (session_id) WHERE status IN ('streaming', 'paused');
CREATE INDEX messages_queued ON messages (session_id, seq) WHERE status = 'queued';
CREATE INDEX messages_search ON messages USING gin (search);

CREATE TABLE idempotency_keys (
  user_id text NOT NULL,
  key text NOT NULL,
  fingerprint text NOT NULL,
  session_id uuid NOT NULL,
  -- The reply that the request started; null for a request that created a session.
  message_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_by_session ON idempotency_keys (session_id);
