-- Which conversation it was used in: of earlier rows null where the message is gone, or where it was no reply.
ALTER TABLE usage ADD COLUMN session_id uuid;

-- What a node writes that knows nothing of it.
CREATE FUNCTION note_session_of_usage() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  SELECT m.session_id INTO NEW.session_id FROM messages m WHERE m.message_id = NEW.message_id;
  RETURN NEW;
END $$;

CREATE TRIGGER usage_without_session BEFORE INSERT ON usage FOR EACH ROW
  WHEN (NEW.session_id IS NULL AND NEW.kind = 'reply') EXECUTE FUNCTION note_session_of_usage();
