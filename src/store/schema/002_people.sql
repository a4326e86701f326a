-- Who may do what, and who did what.
CREATE TABLE users (
	name TEXT PRIMARY KEY,
	stored TEXT NOT NULL,       -- argon2id
	rank TEXT NOT NULL,
	mounts TEXT NOT NULL,
	disabled INTEGER NOT NULL,
	created INTEGER NOT NULL,
	seen INTEGER NOT NULL       -- 0: never
) WITHOUT ROWID;

CREATE TABLE tokens (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	hash BLOB NOT NULL UNIQUE,
	prefix TEXT NOT NULL,       -- what its owner knows it by
	name TEXT NOT NULL,
	owner TEXT NOT NULL,
	of_settings INTEGER NOT NULL,
	rank TEXT NOT NULL,
	mounts TEXT NOT NULL,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,   -- 0: never
	used INTEGER NOT NULL,      -- 0: never
	used_address TEXT NOT NULL
);

CREATE TABLE sessions (
	hash BLOB PRIMARY KEY,
	user TEXT NOT NULL,
	of_settings INTEGER NOT NULL,
	bound BLOB NOT NULL,
	address BLOB NOT NULL,
	agent TEXT NOT NULL,
	created INTEGER NOT NULL,
	seen INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	at INTEGER NOT NULL,
	who TEXT NOT NULL,
	how TEXT NOT NULL,
	address TEXT NOT NULL,
	action TEXT NOT NULL,
	target TEXT NOT NULL,
	result TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
