-- All there is at this moment, less what has been noted by then: one statement sees one moment, so sessions may come and go
-- meanwhile. It reads, and nobody waits for it.
INSERT INTO session_counts (status, agent_id, sessions)
SELECT status, agent_id, sum(sessions)
FROM (
  SELECT status, agent_id, count(*) AS sessions FROM sessions WHERE NOT temporary GROUP BY status, agent_id
  UNION ALL
  SELECT status, agent_id, -sessions FROM session_counts) AS counted
GROUP BY status, agent_id HAVING sum(sessions) <> 0;
