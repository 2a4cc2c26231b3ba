-- How much of the conversation a reply's model was sent.
ALTER TABLE messages ADD COLUMN context jsonb;
