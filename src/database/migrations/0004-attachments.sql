-- Files that came with users' messages. They go with their session.

CREATE TABLE attachments (
  attachment_id uuid PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  -- The user's message that they came with.
  message_id uuid NOT NULL,
  -- Order within the message.
  position integer NOT NULL,
  name text NOT NULL,
  media_type text NOT NULL,
  size integer NOT NULL,
  bytes bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- What comes is mostly compressed already.
ALTER TABLE attachments ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE INDEX attachments_by_message ON attachments (message_id, position);
CREATE INDEX attachments_by_session ON attachments (session_id);

-- What messages show of them: id, name, media type, size.
ALTER TABLE messages ADD COLUMN attachments jsonb;
