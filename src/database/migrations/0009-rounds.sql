-- What one node does for all of them every few minutes, and when it is due again.

CREATE TABLE rounds (
  name    text        PRIMARY KEY,
  next_at timestamptz NOT NULL
);
