-- In batches: up to `position` it is done.
WITH batch AS MATERIALIZED (
  SELECT message_id FROM usage WHERE message_id > coalesce($1, '00000000-0000-0000-0000-000000000000')::uuid
  ORDER BY message_id LIMIT 2000),
found AS MATERIALIZED (
  -- By keys, however small the planner has seen this table.
  SELECT DISTINCT b.message_id, m.session_id
  FROM batch b, LATERAL (SELECT session_id FROM messages m WHERE m.message_id = b.message_id LIMIT 1) AS m),
filled AS (
  UPDATE usage u SET session_id = f.session_id FROM found f WHERE u.message_id = f.message_id AND u.session_id IS NULL)
SELECT message_id::text AS position FROM batch ORDER BY message_id DESC LIMIT 1
