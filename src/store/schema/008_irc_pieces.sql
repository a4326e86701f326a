-- What was said on IRC, by pieces of words (store_pieces.h), in place of the index by words: any part of a word or
-- an address is found. The rows of irc_pieces are numbered as those of irc_words were. All lines come into it anew,
-- and irc_words goes, a little at a time when the house is kept (store_index.c).
CREATE VIRTUAL TABLE irc_pieces USING fts5(text, content='', columnsize=0, detail=none, tokenize="pieces");
UPDATE irc_buffers SET indexed = 0;

-- Lines that are gone and still in the index, which must be told their text to forget them.
CREATE TABLE irc_gone (
	id INTEGER NOT NULL,        -- of irc_pieces
	text TEXT NOT NULL
);
