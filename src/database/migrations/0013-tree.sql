-- Branches of a conversation (src/tree/tree.ts). Null: there are none, each message follows the one before it. So what
-- is there needs no rewriting, and what a node writes that knows of no branches follows the active path's last message.
ALTER TABLE sessions ADD COLUMN tree jsonb;
