-- Devices are told from when the first of a user's begins to follow: of whoever has no row here nothing is written. Since
-- when nobody has followed, a row goes (src/devices/session-event-store.ts); `changed_at` is for older nodes.
ALTER TABLE session_event_counters ADD COLUMN followed_at timestamptz NOT NULL DEFAULT now();

-- Held until the end of the transaction, so whoever begins to follow can wait for all that have not seen it.
CREATE FUNCTION has_followers(owner text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock_shared(4812004, hashtext(owner)) THEN
    PERFORM pg_advisory_xact_lock_shared(4812004, hashtext(owner));
  END IF;
  RETURN EXISTS (SELECT FROM session_event_counters WHERE user_id = owner);
END $$;

-- One event of each kind, in their order.
CREATE FUNCTION tell_followers(owner text, kinds text[], session uuid, message uuid, more jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  many integer := cardinality(kinds);
  given bigint;
BEGIN
  WITH counted AS (
    UPDATE session_event_counters SET last = last + many, changed_at = now() WHERE user_id = owner RETURNING last),
  told AS (
    INSERT INTO session_events (user_id, number, type, session_id, message_id, details)
    SELECT owner, last - many + at, kinds[at], session, message, more FROM counted, generate_series(1, many) AS at)
  SELECT last INTO given FROM counted;
  -- Not each time: a few more do no harm.
  IF given % 50 < many THEN
    DELETE FROM session_events WHERE user_id = owner AND number <= given - 1000;
  END IF;
END $$;

CREATE OR REPLACE FUNCTION tell_devices(owner text, kind text, session uuid, message uuid, more jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF owner IS NULL OR current_setting('chat.quiet', true) = 'on' OR NOT has_followers(owner) THEN RETURN; END IF;
  PERFORM tell_followers(owner, ARRAY[kind], session, message, more);
END $$;

CREATE OR REPLACE FUNCTION tell_devices_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owner text;
BEGIN
  -- The same transaction has found that nobody follows this session.
  IF current_setting('chat.unfollowed', true) = NEW.session_id::text OR current_setting('chat.quiet', true) = 'on' THEN
    RETURN NULL;
  END IF;
  owner := (SELECT user_id FROM sessions WHERE session_id = NEW.session_id AND NOT temporary);
  IF owner IS NULL OR NOT has_followers(owner) THEN
    PERFORM set_config('chat.unfollowed', NEW.session_id::text, true);
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    PERFORM tell_followers(owner,
      CASE NEW.status WHEN 'streaming' THEN ARRAY['message_created', 'reply_started'] ELSE ARRAY['message_created'] END,
      NEW.session_id, NEW.message_id, NULL);
  ELSIF OLD.status <> NEW.status THEN
    PERFORM tell_followers(owner, ARRAY[CASE NEW.status WHEN 'streaming' THEN 'reply_started' ELSE 'reply_ended' END],
      NEW.session_id, NEW.message_id,
      CASE WHEN NEW.status <> 'streaming' THEN jsonb_build_object('status', NEW.status) END);
  ELSIF OLD.feedback IS DISTINCT FROM NEW.feedback THEN
    PERFORM tell_followers(owner, ARRAY['feedback'], NEW.session_id, NEW.message_id,
      jsonb_build_object('feedback', NEW.feedback));
  ELSE
    PERFORM tell_followers(owner, ARRAY['session_updated'], NEW.session_id, NULL, '{"changed": ["messages"]}');
  END IF;
  RETURN NULL;
END $$;
