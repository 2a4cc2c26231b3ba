-- Pages of conversations are kept under the version of their session's row, its xmin (src/chat/kept-pages.ts): whatever
-- changes a message that had come to its end, or what stands beside it, writes that row too, whichever version of the
-- service that is. What adds messages or takes them away numbers or counts them there by itself.
CREATE FUNCTION renew_session_version() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  -- Once in a transaction.
  UPDATE sessions SET last_seq = last_seq
  WHERE session_id = NEW.session_id
    AND xmin::text::bigint <> pg_current_xact_id()::text::bigint % 4294967296;
  RETURN NULL;
END $$;

CREATE TRIGGER messages_changed_for_pages AFTER UPDATE ON messages FOR EACH ROW
  WHEN (OLD.status NOT IN ('queued', 'streaming', 'paused')) EXECUTE FUNCTION renew_session_version();
CREATE TRIGGER summaries_new_for_pages AFTER INSERT ON summaries FOR EACH ROW
  EXECUTE FUNCTION renew_session_version();
