-- Several receivers of events: each has its own row of an event. '' is that of `events.url`, which is all that older
-- nodes know and write.
ALTER TABLE outbox ADD COLUMN receiver text NOT NULL DEFAULT '';

-- What waits for one receiver stands together: one that is away is in nobody's way.
CREATE INDEX outbox_due_by_receiver ON outbox (receiver, due_at, event_id) WHERE dead_at IS NULL;
