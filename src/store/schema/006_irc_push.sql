-- IRC: browsers and phones that want to be told while they are not connected (WebPush).
CREATE TABLE irc_pushes (
	id INTEGER PRIMARY KEY,
	user TEXT NOT NULL,
	network INTEGER NOT NULL,   -- 0: all
	endpoint TEXT NOT NULL,
	p256dh TEXT NOT NULL,
	auth TEXT NOT NULL,
	created INTEGER NOT NULL
);
