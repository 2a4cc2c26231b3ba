-- What administrators did, and what was reached of other users' (src/audit). Never what anybody wrote.
CREATE TABLE audit_log (
  -- Grows with time.
  entry_id uuid PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  -- Null: nobody had proven to be anybody.
  actor text,
  key_name text,
  action text NOT NULL,
  -- On whom; null: on nobody alone.
  subject text,
  -- Ids.
  target jsonb NOT NULL,
  request_id text NOT NULL,
  address text NOT NULL,
  outcome text NOT NULL,
  -- The answer's, where it failed.
  status integer
);

CREATE INDEX audit_log_by_actor ON audit_log (actor, entry_id);
CREATE INDEX audit_log_by_subject ON audit_log (subject, entry_id);
CREATE INDEX audit_log_by_time ON audit_log (at);

-- Nothing is changed, and nothing goes but what is too old (`chat.audit`), or with a copy that is given up (`chat.quiet`).
CREATE FUNCTION keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND (current_setting('chat.audit', true) = 'retention' OR current_setting('chat.quiet', true) = 'on') THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit log is only added to';
END $$;

CREATE TRIGGER audit_log_is_kept BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION keep_audit_log();
