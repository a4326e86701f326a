-- Voice rooms: what must outlive a restart, each thing as JSON that the voice family reads.
CREATE TABLE voice (
	kind TEXT NOT NULL,    -- channel, user, bans
	id INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (kind, id)
) WITHOUT ROWID;
