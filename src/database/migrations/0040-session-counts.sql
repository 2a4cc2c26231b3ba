-- How many sessions there are of a status and an agent, as rows that add up to it: whatever comes, goes or changes is noted
-- by the transaction that does it, in a row of its own, so that nobody waits for anybody; now and then a node makes one row
-- of many. What was there before is added by the next migration: from here on nothing is missed.
CREATE TABLE session_counts (
  count_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  status text NOT NULL,
  agent_id text NOT NULL,
  sessions bigint NOT NULL
);

-- Nodes of older versions note it too, whatever their login may do with this table.
CREATE FUNCTION note_session_count() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND NOT OLD.temporary THEN
    INSERT INTO session_counts (status, agent_id, sessions) VALUES (OLD.status, OLD.agent_id, -1);
  END IF;
  IF TG_OP <> 'DELETE' AND NOT NEW.temporary THEN
    INSERT INTO session_counts (status, agent_id, sessions) VALUES (NEW.status, NEW.agent_id, 1);
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER sessions_counted AFTER INSERT OR DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION note_session_count();
-- Not looked at by the statements of a turn, which set none of these.
CREATE TRIGGER sessions_counted_anew AFTER UPDATE OF status, agent_id, temporary ON sessions FOR EACH ROW
  WHEN ((OLD.status, OLD.agent_id, OLD.temporary) IS DISTINCT FROM (NEW.status, NEW.agent_id, NEW.temporary))
  EXECUTE FUNCTION note_session_count();
