-- A session that turns out to hold what was asked beside a conversation, and not the conversation, is none for its user.
CREATE FUNCTION tell_devices_of_no_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM tell_devices(NEW.user_id, 'session_deleted', NEW.session_id, NULL, NULL);
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER sessions_spent_for_devices AFTER UPDATE OF temporary ON sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.temporary AND NOT OLD.temporary)
  EXECUTE FUNCTION tell_devices_of_no_session();
