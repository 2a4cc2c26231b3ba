-- What models write about conversations (src/writing). The title that a session has got by itself: as long as nobody has
-- set another one, a model may find a better one. Null: there is nothing to be found.
ALTER TABLE sessions ADD COLUMN auto_title text;

-- What was said up to a message, from another one on its path on, in few words. It belongs to the last message that it
-- covers, and goes with it.
CREATE TABLE summaries (
  session_id uuid NOT NULL,
  first_seq integer NOT NULL,
  last_seq integer NOT NULL,
  message_id uuid NOT NULL,
  agent_id text NOT NULL,
  content text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, last_seq),
  FOREIGN KEY (session_id, last_seq) REFERENCES messages (session_id, seq) ON DELETE CASCADE
);

CREATE INDEX summaries_by_id ON summaries (message_id);

-- At most one of a kind waits or is at work for a session.
CREATE UNIQUE INDEX jobs_of_session ON jobs (event_type, (data ->> 'sessionId'))
  WHERE event_type IN ('summary', 'title') AND dead_at IS NULL;
