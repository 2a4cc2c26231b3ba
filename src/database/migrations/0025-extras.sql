-- What an agent tells with its text, such as the sources that it rests on (src/replies/extras.ts).
ALTER TABLE messages ADD COLUMN extras jsonb;
