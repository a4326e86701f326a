-- IRC: whose networks there are, their channels and queries, what was said there and who has seen it.
-- Ids are given by the server, so that what is reported needs no answer.
CREATE TABLE irc_users (
	name TEXT PRIMARY KEY,
	settings TEXT NOT NULL      -- JSON
) WITHOUT ROWID;

CREATE TABLE irc_networks (
	id INTEGER PRIMARY KEY,
	user TEXT NOT NULL,
	name TEXT NOT NULL,
	settings TEXT NOT NULL,     -- JSON
	certificate TEXT NOT NULL,  -- PEM, for SASL EXTERNAL
	private_key TEXT NOT NULL
);

CREATE TABLE irc_buffers (
	id INTEGER PRIMARY KEY,
	network INTEGER NOT NULL,
	name TEXT NOT NULL,         -- as its server spells it
	settings TEXT NOT NULL,     -- JSON: joined, key, detached and so on
	marker INTEGER NOT NULL     -- read up to here, milliseconds since 1970
);
CREATE INDEX irc_buffers_network ON irc_buffers (network);

-- A client of a user that keeps its own place in each buffer.
CREATE TABLE irc_devices (
	id INTEGER PRIMARY KEY,
	user TEXT NOT NULL,
	name TEXT NOT NULL,
	seen INTEGER NOT NULL,
	UNIQUE (user, name)
);

CREATE TABLE irc_passwords (
	id INTEGER PRIMARY KEY,
	user TEXT NOT NULL,
	label TEXT NOT NULL,
	kind TEXT NOT NULL,         -- password, certificate
	hash BLOB NOT NULL,         -- of the password, or of the certificate
	created INTEGER NOT NULL,
	used INTEGER NOT NULL,      -- 0: never
	address TEXT NOT NULL
);

-- Lines of a buffer, numbered from 1 on without end, as in its ring.
CREATE TABLE irc_lines (
	buffer INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	at INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	tags TEXT NOT NULL,
	line TEXT NOT NULL,
	PRIMARY KEY (buffer, seq)
) WITHOUT ROWID;
CREATE INDEX irc_lines_at ON irc_lines (buffer, at);
