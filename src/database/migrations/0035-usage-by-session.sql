CREATE INDEX CONCURRENTLY IF NOT EXISTS usage_by_session ON usage (session_id);
