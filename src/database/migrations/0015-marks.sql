-- What users mark: sessions that they pin or tag.

ALTER TABLE sessions
  ADD COLUMN pinned boolean NOT NULL DEFAULT false,
  ADD COLUMN tags text[] NOT NULL DEFAULT '{}';

-- Of those that are marked only, so messages of the others cost nothing more.
CREATE INDEX sessions_pinned ON sessions (user_id, last_activity DESC, session_id DESC) WHERE pinned;

-- Tags together with whose they are: however common a tag is, what is read is one user's.
CREATE FUNCTION tag_keys(owner text, tags text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_agg(owner || E'\n' || tag) FROM unnest(tags) AS tag
$$;

CREATE INDEX sessions_tagged ON sessions USING gin (tag_keys(user_id, tags))
  WITH (fastupdate = off) WHERE tags <> '{}';
