-- Conversations under the names that other programs have for them, and answers that belong to no conversation.

-- What a front end calls a conversation, by the kind of name (a header, a protocol); each user has his own.
CREATE TABLE external_ids (
  user_id text NOT NULL,
  namespace text NOT NULL,
  external_id text NOT NULL,
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  PRIMARY KEY (user_id, namespace, external_id)
);

CREATE INDEX external_ids_by_session ON external_ids (session_id);

-- Holds one request that nobody will come back to: in no list, found by no search, told to no device, soon deleted.
ALTER TABLE sessions ADD COLUMN temporary boolean NOT NULL DEFAULT false;
CREATE INDEX sessions_temporary ON sessions (last_activity) WHERE temporary;

-- How many requests have come for what the key has led to: whoever came last decides what becomes of it.
ALTER TABLE idempotency_keys ADD COLUMN readers integer NOT NULL DEFAULT 1;

CREATE OR REPLACE FUNCTION note_message_for_search() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO search_queue (user_id, session_id, seq)
  SELECT user_id, NEW.session_id, NEW.seq FROM sessions WHERE session_id = NEW.session_id AND NOT temporary;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION note_title_for_search() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF NEW.temporary THEN RETURN NULL; END IF;
  INSERT INTO search_queue (user_id, session_id, seq) VALUES (NEW.user_id, NEW.session_id, NULL);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tell_devices_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed text[];
BEGIN
  IF coalesce(NEW.temporary, OLD.temporary) THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN
    PERFORM tell_devices(NEW.user_id, 'session_created', NEW.session_id, NULL, NULL);
  ELSIF TG_OP = 'DELETE' THEN
    PERFORM tell_devices(OLD.user_id, 'session_deleted', OLD.session_id, NULL, NULL);
  ELSE
    changed := array_remove(ARRAY[
      CASE WHEN OLD.title IS DISTINCT FROM NEW.title THEN 'title' END,
      CASE WHEN OLD.status <> NEW.status THEN 'status' END,
      CASE WHEN OLD.agent_id <> NEW.agent_id THEN 'agent_id' END,
      CASE WHEN OLD.config <> NEW.config THEN 'config' END,
      CASE WHEN OLD.metadata <> NEW.metadata THEN 'metadata' END,
      CASE WHEN OLD.pinned <> NEW.pinned THEN 'pinned' END,
      CASE WHEN OLD.tags <> NEW.tags THEN 'tags' END,
      CASE WHEN OLD.tree IS DISTINCT FROM NEW.tree THEN 'head_message_id' END], NULL);
    PERFORM tell_devices(NEW.user_id, 'session_updated', NEW.session_id, NULL,
      jsonb_build_object('changed', to_jsonb(changed)));
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tell_devices_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owner text := (SELECT user_id FROM sessions WHERE session_id = NEW.session_id AND NOT temporary);
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM tell_devices(owner, 'message_created', NEW.session_id, NEW.message_id, NULL);
    IF NEW.status = 'streaming' THEN
      PERFORM tell_devices(owner, 'reply_started', NEW.session_id, NEW.message_id, NULL);
    END IF;
  ELSIF OLD.status <> NEW.status THEN
    PERFORM tell_devices(owner, CASE NEW.status WHEN 'streaming' THEN 'reply_started' ELSE 'reply_ended' END,
      NEW.session_id, NEW.message_id,
      CASE WHEN NEW.status <> 'streaming' THEN jsonb_build_object('status', NEW.status) END);
  ELSIF OLD.feedback IS DISTINCT FROM NEW.feedback THEN
    PERFORM tell_devices(owner, 'feedback', NEW.session_id, NEW.message_id,
      jsonb_build_object('feedback', NEW.feedback));
  ELSE
    PERFORM tell_devices(owner, 'session_updated', NEW.session_id, NULL, '{"changed": ["messages"]}');
  END IF;
  RETURN NULL;
END $$;
