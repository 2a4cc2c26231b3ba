-- What users think of replies: beside the message for whoever reads it, and by itself for those who look at all of it.
ALTER TABLE messages ADD COLUMN feedback jsonb;

CREATE TABLE feedback (
  session_id uuid NOT NULL,
  message_id uuid NOT NULL,
  user_id text NOT NULL,
  agent_id text NOT NULL,
  -- Null: the agent does not say.
  model text,
  rating text NOT NULL CHECK (rating IN ('up', 'down')),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (session_id, message_id),
  FOREIGN KEY (session_id, message_id) REFERENCES messages ON DELETE CASCADE
);

CREATE INDEX feedback_by_time ON feedback (created_at, message_id);
CREATE INDEX feedback_by_rating ON feedback (rating, created_at, message_id);
CREATE INDEX feedback_by_agent ON feedback (agent_id, rating, created_at, message_id);
CREATE INDEX feedback_by_user ON feedback (user_id, rating);
