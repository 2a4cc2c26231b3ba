-- What was made searchable by the statement that stores it (src/search/entry.ts) is not noted down. Nodes of older versions
-- make nothing searchable like that, and note all of it.
CREATE OR REPLACE FUNCTION note_message_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status IN ('queued', 'streaming') OR current_setting('chat.searchable', true) = NEW.session_id || ' ' || NEW.seq THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.content = '' THEN RETURN NULL; END IF;
  ELSIF OLD.content = NEW.content AND OLD.status = NEW.status THEN
    RETURN NULL;
  END IF;
  INSERT INTO search_queue (user_id, session_id, seq)
  SELECT user_id, NEW.session_id, NEW.seq FROM sessions WHERE session_id = NEW.session_id AND NOT temporary;
  RETURN NULL;
END $$;
