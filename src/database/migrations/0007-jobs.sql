-- What has to happen outside the database because of what was committed in it (a deleted session is to be forgotten by
-- its agents, a run nobody will go on with is to be let go of): written in that transaction, deleted once done. The
-- same shape as `outbox`, apart from it because nodes that know only that one deliver whatever they find there.
CREATE TABLE jobs (LIKE outbox INCLUDING ALL);

-- Take-overs of a reply since it was last stored: one that cannot even be taken over is given up.
ALTER TABLE messages ADD COLUMN recoveries integer NOT NULL DEFAULT 0;
