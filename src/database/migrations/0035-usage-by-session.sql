CREATE INDEX usage_by_session ON usage (session_id);
