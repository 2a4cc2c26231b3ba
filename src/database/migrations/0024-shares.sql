-- Links under which anybody may read a path of a conversation as it was when the link was made (src/shares). What is
-- shared is named by its numbers, which are never given again: what is deleted is gone from the link too.
CREATE TABLE shares (
  share_id text PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
  title text,
  -- [{first, last}], ascending.
  path jsonb NOT NULL,
  include_files boolean NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);

CREATE INDEX shares_of_session ON shares (session_id);
CREATE INDEX shares_by_end ON shares (expires_at);
