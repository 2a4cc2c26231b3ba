-- Sound that its session has left behind. From 0006 on none is added; reading and writing go on meanwhile.

DELETE FROM audio a
WHERE session_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.session_id = a.session_id);

ALTER TABLE audio VALIDATE CONSTRAINT audio_session;
