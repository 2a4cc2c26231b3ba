-- Search over everything that a user has said. What is written is noted down in the transaction that writes it, by
-- whichever version of the service; the terms of it are made behind that, by the nodes that know how.

-- The terms of a message begin with five characters that stand for its owner (src/search/terms.ts), so in the index those
-- of one owner stand together.
CREATE TABLE message_search (
  session_id uuid NOT NULL,
  seq integer NOT NULL,
  user_id text NOT NULL,
  created_at timestamptz NOT NULL,
  -- The note it was made from; a later one wins.
  version bigint NOT NULL,
  terms tsvector NOT NULL,
  PRIMARY KEY (session_id, seq),
  FOREIGN KEY (session_id, seq) REFERENCES messages (session_id, seq) ON DELETE CASCADE
-- Terms are kept apart from the rows, of which a common word brings up very many.
) WITH (toast_tuple_target = 128);

CREATE INDEX message_search_by_time ON message_search (user_id, created_at, session_id, seq);
-- The terms of a message stand together, so there is little to gain by putting them off, and whoever searches would have
-- to read what was put off.
CREATE INDEX message_search_terms ON message_search USING gin (terms) WITH (fastupdate = off);

-- The same of the titles of sessions.
CREATE TABLE session_search (
  session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
  user_id text NOT NULL,
  created_at timestamptz NOT NULL,
  version bigint NOT NULL,
  terms tsvector NOT NULL
) WITH (toast_tuple_target = 128);

CREATE INDEX session_search_by_time ON session_search (user_id, created_at, session_id);
CREATE INDEX session_search_terms ON session_search USING gin (terms) WITH (fastupdate = off);

CREATE TABLE search_queue (
  queue_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  session_id uuid NOT NULL,
  -- Null: the session's title.
  seq integer,
  -- Whoever takes it puts it off by as long as he has for it.
  due_at timestamptz NOT NULL DEFAULT '-infinity'
);

CREATE INDEX search_queue_by_user ON search_queue (user_id, queue_id);

-- How far down what was there before has been noted; no row: all of it.
CREATE TABLE search_backfill (
  kind text PRIMARY KEY CHECK (kind IN ('messages', 'titles')),
  session_id uuid NOT NULL,
  seq integer NOT NULL
);

INSERT INTO search_backfill (kind, session_id, seq) VALUES
  ('messages', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 0),
  ('titles', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 0);

CREATE FUNCTION note_message_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO search_queue (user_id, session_id, seq)
  SELECT user_id, NEW.session_id, NEW.seq FROM sessions WHERE session_id = NEW.session_id;
  RETURN NULL;
END $$;

CREATE FUNCTION note_title_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO search_queue (user_id, session_id, seq) VALUES (NEW.user_id, NEW.session_id, NULL);
  RETURN NULL;
END $$;

-- A reply that is being made is noted when it ends.
CREATE TRIGGER messages_new_for_search AFTER INSERT ON messages FOR EACH ROW
  WHEN (NEW.status NOT IN ('queued', 'streaming') AND NEW.content <> '')
  EXECUTE FUNCTION note_message_for_search();
CREATE TRIGGER messages_changed_for_search AFTER UPDATE OF content, status ON messages FOR EACH ROW
  WHEN (NEW.status NOT IN ('queued', 'streaming')
    AND (OLD.content IS DISTINCT FROM NEW.content OR OLD.status IS DISTINCT FROM NEW.status))
  EXECUTE FUNCTION note_message_for_search();
CREATE TRIGGER sessions_new_for_search AFTER INSERT ON sessions FOR EACH ROW
  WHEN (NEW.title IS NOT NULL)
  EXECUTE FUNCTION note_title_for_search();
CREATE TRIGGER sessions_changed_for_search AFTER UPDATE OF title ON sessions FOR EACH ROW
  WHEN (OLD.title IS DISTINCT FROM NEW.title)
  EXECUTE FUNCTION note_title_for_search();
