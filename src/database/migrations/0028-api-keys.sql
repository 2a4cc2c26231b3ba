-- Keys that are made and revoked while the service runs (src/api-keys). What is kept of a key is its hash.
CREATE TABLE api_keys (
  key_id uuid PRIMARY KEY,
  name text NOT NULL,
  -- Hex.
  sha256 text NOT NULL UNIQUE,
  -- How it begins, by which people know it again.
  hint text NOT NULL,
  user_id text NOT NULL,
  roles jsonb NOT NULL,
  -- Null: whatever the roles allow.
  scopes jsonb,
  acts_for_users boolean NOT NULL,
  on_disconnect text,
  -- Null: nobody had proven to be anybody.
  created_by text,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

-- A name is part of the ids of users for whom its key acts: one key at a time has it.
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE revoked_at IS NULL;

-- Counts what was made and revoked, in the order of commits: nodes look at it and read the keys again when it has grown.
CREATE TABLE api_key_changes (single boolean PRIMARY KEY DEFAULT true CHECK (single), version bigint NOT NULL);
INSERT INTO api_key_changes (version) VALUES (0);
