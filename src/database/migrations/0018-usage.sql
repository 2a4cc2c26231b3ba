-- What replies have used, for as long as their user exists: rows outlive sessions and messages.
CREATE TABLE usage (
  message_id uuid NOT NULL,
  -- '': not known.
  model text NOT NULL,
  kind text NOT NULL DEFAULT 'reply',
  user_id text NOT NULL,
  agent_id text NOT NULL,
  ended_at timestamptz NOT NULL DEFAULT now(),
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  -- Of the input, and of the output.
  cached_tokens bigint NOT NULL,
  reasoning_tokens bigint NOT NULL,
  -- Null: the model had no price then.
  cost numeric,
  PRIMARY KEY (message_id, model)
);

CREATE INDEX usage_by_user ON usage (user_id, ended_at);

-- Running totals of a day (UTC), which budgets are compared with: what that costs does not grow with the rows above.
CREATE TABLE usage_totals (
  -- 'user', 'key', or 'all', whose days are spread over several names so that ends do not wait for each other.
  scope text NOT NULL,
  name text NOT NULL,
  day date NOT NULL,
  tokens bigint NOT NULL,
  cost numeric NOT NULL,
  PRIMARY KEY (scope, name, day)
);

-- Budgets of which somebody was told that they are nearly used up, in the period that begins with the day.
CREATE TABLE budget_warnings (
  budget text NOT NULL,
  name text NOT NULL,
  day date NOT NULL,
  PRIMARY KEY (budget, name, day)
);
