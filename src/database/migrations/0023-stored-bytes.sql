-- How much of files and sound is kept for each user, as a running total: what limits.max_stored_bytes_per_user costs does
-- not grow with what there is. Whatever comes or goes is noted down by the transaction that does it, in a row of its own,
-- so that nobody waits; whoever asks makes one row of a user's. What was there before is counted when first asked for.
CREATE TABLE stored_bytes (
  user_id text NOT NULL,
  bytes bigint NOT NULL,
  -- All there was then; else what has come or gone.
  is_whole boolean NOT NULL DEFAULT false
);

CREATE INDEX stored_bytes_by_user ON stored_bytes (user_id);

-- What belongs to no session yet is nobody's; it counts when a session gets it.
CREATE FUNCTION stored_bytes_of_session(id uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(size), 0)::bigint FROM (
    SELECT size FROM attachments WHERE session_id = id
    UNION ALL
    SELECT octet_length(bytes) FROM audio WHERE session_id = id) AS kept (size);
$$;

-- The user's total, of which one row is left, or none where there is nothing. One at a time for each user.
CREATE FUNCTION settle_stored_bytes(owner text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  total bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(4812003, hashtext(owner));
  WITH noted AS (DELETE FROM stored_bytes WHERE user_id = owner RETURNING bytes, is_whole)
  SELECT CASE WHEN bool_or(is_whole) THEN sum(bytes) ELSE (
    SELECT coalesce(sum(stored_bytes_of_session(session_id)), 0) FROM sessions WHERE user_id = owner) END
  INTO total FROM noted;
  IF total <> 0 THEN
    INSERT INTO stored_bytes (user_id, bytes, is_whole) VALUES (owner, total, true);
  END IF;
  RETURN total;
END;
$$;

CREATE FUNCTION note_stored_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO stored_bytes (user_id, bytes)
  SELECT s.user_id, sum(size) FROM changed JOIN sessions s USING (session_id) GROUP BY 1;
  RETURN NULL;
END;
$$;

-- Of a session that is being deleted nothing is found here: it was noted before.
CREATE FUNCTION note_removed_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO stored_bytes (user_id, bytes)
  SELECT s.user_id, -sum(size) FROM changed JOIN sessions s USING (session_id) GROUP BY 1;
  RETURN NULL;
END;
$$;

CREATE FUNCTION note_stored_sound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO stored_bytes (user_id, bytes)
  SELECT s.user_id, sum(octet_length(bytes)) FROM changed JOIN sessions s USING (session_id) GROUP BY 1;
  RETURN NULL;
END;
$$;

CREATE FUNCTION note_removed_sound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO stored_bytes (user_id, bytes)
  SELECT s.user_id, -sum(octet_length(bytes)) FROM changed JOIN sessions s USING (session_id) GROUP BY 1;
  RETURN NULL;
END;
$$;

CREATE FUNCTION note_given_sound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO stored_bytes (user_id, bytes)
  SELECT user_id, octet_length(NEW.bytes) FROM sessions WHERE session_id = NEW.session_id
  UNION ALL
  SELECT user_id, -octet_length(OLD.bytes) FROM sessions WHERE session_id = OLD.session_id;
  RETURN NULL;
END;
$$;

CREATE FUNCTION note_removed_session() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  kept bigint := stored_bytes_of_session(OLD.session_id);
BEGIN
  IF kept > 0 THEN
    INSERT INTO stored_bytes (user_id, bytes) VALUES (OLD.user_id, -kept);
  END IF;
  RETURN OLD;
END;
$$;

CREATE TRIGGER attachments_stored AFTER INSERT ON attachments
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_stored_files();
CREATE TRIGGER attachments_removed AFTER DELETE ON attachments
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_removed_files();
CREATE TRIGGER audio_stored AFTER INSERT ON audio
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_stored_sound();
CREATE TRIGGER audio_removed AFTER DELETE ON audio
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_removed_sound();
CREATE TRIGGER audio_given AFTER UPDATE OF session_id ON audio FOR EACH ROW
  WHEN (OLD.session_id IS DISTINCT FROM NEW.session_id) EXECUTE FUNCTION note_given_sound();
CREATE TRIGGER session_removed BEFORE DELETE ON sessions
  FOR EACH ROW EXECUTE FUNCTION note_removed_session();
