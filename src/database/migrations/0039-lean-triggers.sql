-- The condition of a trigger is read and made ready anew by every statement, also where it comes to nothing; a function is
-- ready. So functions ask what is asked of every message.
CREATE OR REPLACE FUNCTION note_message_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status IN ('queued', 'streaming') THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.content = '' THEN RETURN NULL; END IF;
  ELSIF OLD.content = NEW.content AND OLD.status = NEW.status THEN
    RETURN NULL;
  END IF;
  INSERT INTO search_queue (user_id, session_id, seq)
  SELECT user_id, NEW.session_id, NEW.seq FROM sessions WHERE session_id = NEW.session_id AND NOT temporary;
  RETURN NULL;
END $$;

DROP TRIGGER messages_new_for_search ON messages;
CREATE TRIGGER messages_new_for_search AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION note_message_for_search();
DROP TRIGGER messages_changed_for_search ON messages;
CREATE TRIGGER messages_changed_for_search AFTER UPDATE OF content, status ON messages FOR EACH ROW
  EXECUTE FUNCTION note_message_for_search();

CREATE OR REPLACE FUNCTION tell_devices_of_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owner text;
  unfollowed text;
BEGIN
  IF TG_OP = 'UPDATE' AND (NEW.role = 'system' OR (OLD.status = NEW.status AND OLD.feedback IS NOT DISTINCT FROM NEW.feedback
    AND (NEW.status = 'streaming' OR OLD.content = NEW.content))) THEN
    RETURN NULL;
  END IF;
  -- The same transaction has found that nobody follows this session.
  IF current_setting('chat.unfollowed', true) = NEW.session_id::text OR current_setting('chat.quiet', true) = 'on' THEN
    RETURN NULL;
  END IF;
  owner := (SELECT user_id FROM sessions WHERE session_id = NEW.session_id AND NOT temporary);
  IF owner IS NULL OR NOT has_followers(owner) THEN
    -- Assigned, it is no statement.
    unfollowed := set_config('chat.unfollowed', NEW.session_id::text, true);
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

DROP TRIGGER messages_changed_for_devices ON messages;
CREATE CONSTRAINT TRIGGER messages_changed_for_devices AFTER UPDATE ON messages
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell_devices_of_message();
