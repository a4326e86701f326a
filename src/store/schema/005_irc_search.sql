-- What was said on IRC, by word. The index has no text of its own (content=''): a row is a line, its number
-- the buffer's id and the line's seq in one. It is made behind what is written (store_index.c), up to
-- irc_buffers.indexed.
ALTER TABLE irc_buffers ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;

CREATE VIRTUAL TABLE irc_words USING fts5(text, content='', columnsize=0,
	tokenize="unicode61 remove_diacritics 2");
