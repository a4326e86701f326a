/* irc_kind: what a line in a ring is, as bits. Constant: they are kept in the store. */
#pragma once

enum irc_kind {
	IRC_KIND_MESSAGE = 1,
	IRC_KIND_NOTICE = 2,
	IRC_KIND_TAGMSG = 3,
	IRC_KIND_WORD = 0xff, /* mask of the above and of which event it is */

	IRC_KIND_EVENT = 0x100, /* JOIN, PART …: for those who want them again (event-playback) */
	IRC_KIND_SELF = 0x200,  /* said by the user */
	IRC_KIND_COPY = 0x400,  /* of a line that those who were there got otherwise: QUIT, NICK */
	IRC_KIND_LIVE = 0x800,  /* for those who are there: never again, and not kept */
	IRC_KIND_PRIVATE = 0x1000, /* of a conversation, not of a channel */
	IRC_KIND_LINES = 0x4000,   /* its text has several lines: proto/irc_lines.h */
	IRC_KIND_PAST = 0x2000,    /* of a gap that was filled: not live for anybody */

	IRC_JOIN = 1,
	IRC_PART,
	IRC_QUIT,
	IRC_KICK,
	IRC_NICK,
	IRC_MODE,
	IRC_TOPIC,
	IRC_INVITE,
	IRC_AWAY,
	IRC_ACCOUNT,
	IRC_CHGHOST,
	IRC_SETNAME,
	IRC_REDACT,
	IRC_OTHER,
	IRC_METADATA,
	IRC_REACT, /* TAGMSG that is kept */
};
