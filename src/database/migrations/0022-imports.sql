-- When a conversation came from a file: it is kept from then on, however long ago it was talked about. Null: it did not.
ALTER TABLE sessions ADD COLUMN imported_at timestamptz;

-- What a request was answered where there is nothing by itself that tells it again.
ALTER TABLE idempotency_keys ADD COLUMN answer jsonb;
