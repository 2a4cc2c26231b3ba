-- What is looked for again and again, in tables of which nearly nothing is looked for.

-- What waits; what nothing could be made of stays where it is, in front of it.
CREATE INDEX search_queue_waiting ON search_queue (queue_id) WHERE given_up_rule IS NULL;
CREATE INDEX search_queue_given_up ON search_queue (given_up_rule) WHERE given_up_rule IS NOT NULL;
-- Users of whom something has come or gone since their total was made.
CREATE INDEX stored_bytes_noted ON stored_bytes (user_id) WHERE NOT is_whole;
-- Those of months that are over.
CREATE INDEX usage_totals_by_day ON usage_totals (day);
-- Rows come in the order of time: this costs next to nothing.
CREATE INDEX usage_by_time ON usage USING brin (ended_at);
