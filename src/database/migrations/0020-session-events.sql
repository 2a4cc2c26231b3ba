-- What a user's devices are told of his sessions. Triggers write it at the end of the transaction that it tells of,
-- whichever version of the service that is; src/devices/ reads it.

-- A number is taken under the lock of its user's row, at the very end of a transaction: numbers become visible in their
-- order. They begin with the time in milliseconds, so that no number comes again where all of a user was dropped before.
CREATE TABLE session_event_counters (
  user_id text PRIMARY KEY,
  last bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
  changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE session_events (
  user_id text NOT NULL,
  number bigint NOT NULL,
  type text NOT NULL,
  session_id uuid NOT NULL,
  message_id uuid,
  details jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, number)
);

CREATE INDEX session_events_by_age ON session_events (created_at);

-- A thousand of each user are kept. `chat.quiet`: a whole database is being copied, and nobody follows it.
CREATE FUNCTION tell_devices(owner text, kind text, session uuid, message uuid, more jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  given bigint;
BEGIN
  IF owner IS NULL OR current_setting('chat.quiet', true) = 'on' THEN RETURN; END IF;
  INSERT INTO session_event_counters AS c (user_id) VALUES (owner)
  ON CONFLICT (user_id) DO UPDATE SET last = c.last + 1, changed_at = now()
  RETURNING c.last INTO given;
  INSERT INTO session_events (user_id, number, type, session_id, message_id, details)
  VALUES (owner, given, kind, session, message, more);
  -- Not each time: a few more do no harm.
  IF given % 50 = 0 THEN
    DELETE FROM session_events WHERE user_id = owner AND number <= given - 1000;
  END IF;
END $$;

CREATE FUNCTION tell_devices_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed text[];
BEGIN
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

CREATE FUNCTION tell_devices_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owner text := (SELECT user_id FROM sessions WHERE session_id = NEW.session_id);
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

CREATE CONSTRAINT TRIGGER sessions_new_for_devices AFTER INSERT ON sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell_devices_of_session();
CREATE CONSTRAINT TRIGGER sessions_gone_for_devices AFTER DELETE ON sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell_devices_of_session();
CREATE CONSTRAINT TRIGGER sessions_changed_for_devices AFTER UPDATE ON sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN ((OLD.title, OLD.status, OLD.agent_id, OLD.config, OLD.metadata, OLD.pinned, OLD.tags, OLD.tree)
    IS DISTINCT FROM (NEW.title, NEW.status, NEW.agent_id, NEW.config, NEW.metadata, NEW.pinned, NEW.tags, NEW.tree))
  EXECUTE FUNCTION tell_devices_of_session();
-- Copies of messages keep their times, and are told with their session.
CREATE CONSTRAINT TRIGGER messages_new_for_devices AFTER INSERT ON messages
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.created_at = now() AND NEW.role <> 'system') EXECUTE FUNCTION tell_devices_of_message();
CREATE CONSTRAINT TRIGGER messages_changed_for_devices AFTER UPDATE ON messages
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.role <> 'system' AND (OLD.status <> NEW.status OR OLD.feedback IS DISTINCT FROM NEW.feedback
    OR (NEW.status <> 'streaming' AND OLD.content <> NEW.content)))
  EXECUTE FUNCTION tell_devices_of_message();
