-- Notes for search go with their session. Those whose session went before are taken away by the nodes, so none is looked
-- for here: that would hold up who writes.
CREATE INDEX search_queue_by_session ON search_queue (session_id);
ALTER TABLE search_queue ADD CONSTRAINT search_queue_session
  FOREIGN KEY (session_id) REFERENCES sessions ON DELETE CASCADE NOT VALID;

-- A login that may only use the tables that it knows goes on writing while others are being upgraded.
ALTER FUNCTION note_message_for_search() SECURITY DEFINER SET search_path FROM CURRENT;
ALTER FUNCTION note_title_for_search() SECURITY DEFINER SET search_path FROM CURRENT;
