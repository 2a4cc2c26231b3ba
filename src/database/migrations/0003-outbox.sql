-- Business events on their way to `events.url`: written in the transaction of what they tell of, deleted once
-- delivered.

CREATE TABLE outbox (
  -- UUIDv7: about the order in which things happened.
  event_id uuid PRIMARY KEY,
  event_type text NOT NULL,
  data jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Deliveries begun; raised by the node that claims the event, which fences out one that was too slow.
  attempts integer NOT NULL DEFAULT 0,
  -- When it is due; for a claimed event, when the claim runs out.
  due_at timestamptz NOT NULL DEFAULT now(),
  -- Set when it was given up; kept for a week for people to look at.
  dead_at timestamptz,
  last_problem text
);

CREATE INDEX outbox_due ON outbox (due_at, event_id) WHERE dead_at IS NULL;
CREATE INDEX outbox_dead ON outbox (dead_at) WHERE dead_at IS NOT NULL;
