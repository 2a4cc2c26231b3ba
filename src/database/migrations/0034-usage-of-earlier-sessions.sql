-- By itself: as long as this takes, it holds the rows alone, which nobody else changes.
UPDATE usage SET session_id = m.session_id FROM messages m
WHERE m.message_id = usage.message_id AND usage.session_id IS NULL;
