-- Speech of replies and of users, kept for a time.

CREATE TABLE audio (
  audio_id uuid PRIMARY KEY,
  -- Null for a recording whose session is only being made.
  session_id uuid,
  user_id text NOT NULL,
  message_id uuid,
  format text NOT NULL,
  media_type text NOT NULL,
  duration_ms integer,
  bytes bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Null: as long as the session.
  expires_at timestamptz
);

CREATE INDEX audio_by_session ON audio (session_id);
CREATE INDEX audio_by_expiry ON audio (expires_at);
-- Compressed already.
ALTER TABLE audio ALTER COLUMN bytes SET STORAGE EXTERNAL;
