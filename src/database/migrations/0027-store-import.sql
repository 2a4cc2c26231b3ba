-- A file with everything of another store that is being read into this one (`chat-service import`); no row: none is.
-- Until all of it is in, no node starts on this database.
CREATE TABLE store_import (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  file_id uuid NOT NULL,
  -- The last of its lines that are stored.
  line bigint NOT NULL
);
