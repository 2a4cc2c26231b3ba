CREATE INDEX CONCURRENTLY IF NOT EXISTS session_event_counters_by_use ON session_event_counters (followed_at);
