-- Nothing has been read by it since 0012: every row had an entry, of nothing, to be written three times.
DROP INDEX messages_search;

-- Not looked at by statements that set none of these.
DROP TRIGGER sessions_changed_for_devices ON sessions;
CREATE CONSTRAINT TRIGGER sessions_changed_for_devices
  AFTER UPDATE OF title, status, agent_id, config, metadata, pinned, tags, tree ON sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN ((OLD.title, OLD.status, OLD.agent_id, OLD.config, OLD.metadata, OLD.pinned, OLD.tags, OLD.tree)
    IS DISTINCT FROM (NEW.title, NEW.status, NEW.agent_id, NEW.config, NEW.metadata, NEW.pinned, NEW.tags, NEW.tree))
  EXECUTE FUNCTION tell_devices_of_session();

-- A login that knows these tables is all that writes by now, so these run as whoever writes.
CREATE OR REPLACE FUNCTION note_message_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO search_queue (user_id, session_id, seq)
  SELECT user_id, NEW.session_id, NEW.seq FROM sessions WHERE session_id = NEW.session_id AND NOT temporary;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION note_title_for_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.temporary THEN RETURN NULL; END IF;
  INSERT INTO search_queue (user_id, session_id, seq) VALUES (NEW.user_id, NEW.session_id, NULL);
  RETURN NULL;
END $$;

-- Who writes a note has the session's row or the message's, which must both go before the session is gone: what is
-- deleted behind them misses none.
ALTER TABLE search_queue DROP CONSTRAINT search_queue_session;
CREATE FUNCTION remove_search_notes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM search_queue WHERE session_id = OLD.session_id;
  RETURN NULL;
END $$;
-- By its name it runs behind the foreign keys, which delete the messages.
CREATE TRIGGER sessions_gone_for_search AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION remove_search_notes();
