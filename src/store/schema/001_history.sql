-- What was heard, by whom and when. Times are milliseconds since 1970 UTC.
PRAGMA application_id = 0x726e676d; -- "rngm"

CREATE TABLE songs (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	mount TEXT NOT NULL,
	title TEXT NOT NULL,
	began INTEGER NOT NULL,
	ended INTEGER,              -- NULL: still on
	listeners INTEGER NOT NULL, -- when it began
	peak INTEGER NOT NULL
);
CREATE INDEX songs_mount ON songs (mount, id);
CREATE INDEX songs_began ON songs (began);
CREATE INDEX songs_open ON songs (mount) WHERE ended IS NULL;

CREATE TABLE sources (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	number INTEGER NOT NULL,    -- of the server's run; with began it is one source
	mount TEXT NOT NULL,
	address TEXT NOT NULL,
	agent TEXT NOT NULL,
	user TEXT NOT NULL,
	protocol TEXT NOT NULL,
	type TEXT NOT NULL,
	began INTEGER NOT NULL,
	ended INTEGER,
	bytes INTEGER NOT NULL,
	why TEXT NOT NULL
);
CREATE INDEX sources_began ON sources (began);
CREATE INDEX sources_open ON sources (number) WHERE ended IS NULL;

CREATE TABLE listeners (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	mount TEXT NOT NULL,
	address TEXT NOT NULL,
	agent TEXT NOT NULL,
	began INTEGER NOT NULL,
	ended INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	why TEXT NOT NULL
);
CREATE INDEX listeners_ended ON listeners (ended);

-- One row a mount and minute, hour, day (its first millisecond); '' is the server as a whole. A minute
-- grows while it lasts: its rows lie side by side, so that few pages are written over and over.
CREATE TABLE minutes (
	mount TEXT NOT NULL,
	at INTEGER NOT NULL,
	listeners REAL NOT NULL,    -- the mean
	peak INTEGER NOT NULL,
	joins INTEGER NOT NULL,
	bytes_in INTEGER NOT NULL,
	bytes_out INTEGER NOT NULL,
	PRIMARY KEY (at, mount)
) WITHOUT ROWID;
CREATE TABLE hours (
	mount TEXT NOT NULL,
	at INTEGER NOT NULL,
	listeners REAL NOT NULL,
	peak INTEGER NOT NULL,
	joins INTEGER NOT NULL,
	bytes_in INTEGER NOT NULL,
	bytes_out INTEGER NOT NULL,
	PRIMARY KEY (at, mount)
) WITHOUT ROWID;
CREATE TABLE days (
	mount TEXT NOT NULL,
	at INTEGER NOT NULL,
	listeners REAL NOT NULL,
	peak INTEGER NOT NULL,
	joins INTEGER NOT NULL,
	bytes_in INTEGER NOT NULL,
	bytes_out INTEGER NOT NULL,
	PRIMARY KEY (at, mount)
) WITHOUT ROWID;
