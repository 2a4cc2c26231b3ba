-- Sound goes with its session, whoever deletes that. What is there already is looked at by the next migration, in a
-- transaction of its own: this one holds a lock that writers wait for.

ALTER TABLE audio ADD CONSTRAINT audio_session
  FOREIGN KEY (session_id) REFERENCES sessions ON DELETE CASCADE NOT VALID;
