-- A text that cannot be made searchable is tried ever more seldom, and then given up until there is a rule that can, or
-- somebody asks for it.
ALTER TABLE search_queue
  -- How often it was taken.
  ADD COLUMN attempts smallint NOT NULL DEFAULT 0,
  -- The rule that could not; null: not given up. Its `due_at` is infinity, so nodes that do not know this leave it alone.
  ADD COLUMN given_up_rule smallint;
