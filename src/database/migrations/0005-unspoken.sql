-- Of a spoken reply that was interrupted: what it had written and nobody heard. `content` is what was heard.
ALTER TABLE messages ADD COLUMN unspoken text;
