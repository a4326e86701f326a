// irc-wire: lines of IRC taken apart and put together, and what is written in them. Pure: no socket and
// no page, so that tests can ask it anything.

const ESCAPES = { ":": ";", s: " ", r: "\r", n: "\n", "\\": "\\" };
const SIGNS = { ";": "\\:", " ": "\\s", "\r": "\\r", "\n": "\\n", "\\": "\\\\" };

export const escapeTag = (value) => value.replace(/[; \r\n\\]/g, (sign) => SIGNS[sign]);
export const unescapeTag = (value) => value.replace(/\\(.?)/gs, (all, sign) => ESCAPES[sign] ?? sign);

// "a=1;b=two\sthree" as a Map.
export function parseTags(text) {
	const tags = new Map();

	for (const tag of text.split(";")) {
		const [key, ...value] = tag.split("=");

		if (key)
			tags.set(key, unescapeTag(value.join("=")));
	}
	return tags;
}

export function parseLine(text) {
	const line = { tags: new Map(), source: "", nick: "", verb: "", params: [] };
	let rest = text.replace(/[\r\n]+$/, "");

	const word = () => {
		const end = rest.indexOf(" "), cut = end < 0 ? rest : rest.slice(0, end);

		rest = end < 0 ? "" : rest.slice(end).replace(/^ +/, "");
		return cut;
	};

	if (rest[0] === "@")
		line.tags = parseTags(word().slice(1));
	if (rest[0] === ":")
		line.source = word().slice(1);
	line.nick = line.source.split("!")[0];
	line.isPerson = line.source.includes("!");
	line.verb = word().toUpperCase();
	while (rest) {
		if (rest[0] === ":") {
			line.params.push(rest.slice(1));
			break;
		}
		line.params.push(word());
	}
	return line;
}

// The last of the parameters may have blanks. A line break in any would be another line: it becomes a blank.
export function lineOf(verb, ...params) {
	const words = params.map((param) => String(param).replace(/[\r\n\0]+/g, " "));
	const last = words.pop();

	return [verb, ...words, ...(last === undefined ? [] : [last === "" || last[0] === ":" || last.includes(" ") ? `:${last}` : last])].join(" ");
}

// Names of channels and people that are the same.
export function folder(casemapping) {
	return (name) => {
		const low = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

		if (casemapping === "ascii")
			return low;
		const more = low.replace(/[[\]\\]/g, (sign) => ({ "[": "{", "]": "}", "\\": "|" })[sign]);

		return casemapping === "rfc1459-strict" ? more : more.replaceAll("~", "^");
	};
}

export const timeOf = (line) => Date.parse(line.tags.get("time")) || Date.now();
export const stampOf = (ms) => `timestamp=${new Date(ms).toISOString()}`;

// SASL PLAIN (RFC 4616), in pieces of 400 letters; one of exactly 400 is followed by "+".
export function saslPlain(user, password) {
	const bytes = new TextEncoder().encode(`\0${user}\0${password}`);
	const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
	const pieces = text.match(/.{1,400}/g);

	return text.length % 400 === 0 ? [...pieces, "+"] : pieces;
}

/* --- what is written --- */

const LINK = /\bhttps?:\/\/[^\s<>"\u0000-\u001f]+[^\s<>"\u0000-\u001f.,:;!?'")\]}]/gi;
const LOOKS = { "\x02": "bold", "\x1d": "italic", "\x1f": "under", "\x1e": "strike", "\x11": "mono" };

// Only what a browser would open as a page of the web is a link.
function href(text) {
	try {
		const url = new URL(text);

		return url.protocol === "http:" || url.protocol === "https:" ? url.href : "";
	} catch {
		return "";
	}
}

function* withLinks(text, look) {
	let at = 0;

	for (const match of text.matchAll(LINK)) {
		const link = href(match[0]);

		if (!link)
			continue;
		if (match.index > at)
			yield { text: text.slice(at, match.index), look };
		yield { text: match[0], look, href: link };
		at = match.index + match[0].length;
	}
	if (at < text.length)
		yield { text: text.slice(at), look };
}

// The runs of one look. Colours are left away: nobody can say that they could be read on this paper.
export function runs(text) {
	const out = [];
	let look = [];
	const bare = text.replace(/\x03(\d{1,2}(,\d{1,2})?)?|\x04([0-9a-fA-F]{6}(,[0-9a-fA-F]{6})?)?|\x16/g, "");

	for (const piece of bare.split(/([\x02\x0f\x1d\x1f\x1e\x11])/)) {
		if (piece === "\x0f")
			look = [];
		else if (LOOKS[piece])
			look = look.includes(LOOKS[piece]) ? look.filter((one) => one !== LOOKS[piece]) : [...look, LOOKS[piece]];
		else if (piece)
			// eslint-disable-next-line no-control-regex
			out.push(...withLinks(piece.replace(/[\x00-\x09\x0b-\x1f\x7f]/g, ""), look));
	}
	return out;
}

export const plain = (text) => runs(text).map((run) => run.text).join("");

// Whether somebody is meant: his nick as a word of its own.
export function names(text, nick, fold) {
	if (!nick)
		return false;
	const wanted = fold(nick), words = fold(plain(text));
	const inNick = /[\p{L}\p{N}_[\]{}\\|^`-]/u;

	for (let at = words.indexOf(wanted); at >= 0; at = words.indexOf(wanted, at + 1))
		if (!inNick.test(words[at - 1] ?? " ") && !inNick.test(words[at + wanted.length] ?? " "))
			return true;
	return false;
}

// Pieces of a text that a server takes: up to so many lines and bytes in each.
export function portions(text, maxLines, maxBytes) {
	const encoder = new TextEncoder();
	const out = [[]];
	let size = 0;

	for (const line of text.split("\n")) {
		const bytes = encoder.encode(line).length + 1;

		if (out.at(-1).length && (out.at(-1).length >= maxLines || size + bytes > maxBytes)) {
			out.push([]);
			size = 0;
		}
		out.at(-1).push(line);
		size += bytes;
	}
	return out;
}

/* --- answers of servers, in words --- */

const when = (text) => Number(text) ? new Date(Number(text) * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : text;

function lasted(text) {
	const minutes = Math.floor(Number(text) / 60);

	return Number.isNaN(minutes) ? "a while" : minutes < 1 ? "a moment" : minutes < 120 ? `${minutes} minutes` : minutes < 2880 ? `${Math.floor(minutes / 60)} hours` : `${Math.floor(minutes / 1440)} days`;
}

const ANSWERS = {
	301: ([, nick, why]) => `${nick} is away: ${why}`,
	311: ([, nick, user, host, , name]) => `${nick} is ${user}@${host}, ${name}`,
	312: ([, nick, server, about]) => `${nick} is on ${server} (${about})`,
	317: ([, nick, idle, since]) => `${nick} has said nothing for ${lasted(idle)}${/^\d+$/.test(since ?? "") ? `, and is here since ${when(since)}` : ""}`,
	318: () => "",
	319: ([, nick, channels]) => `${nick} is in ${channels}`,
	322: ([, channel, count, about]) => `${channel} (${count}) ${about}`,
	321: () => "",
	324: ([, channel, ...modes]) => `${channel} is ${modes.join(" ")}`,
	330: ([, nick, account]) => `${nick} is logged in as ${account}`,
	341: ([, nick, channel]) => `${nick} was invited to ${channel}`,
	367: ([, , mask, who, at]) => `${mask} may not come here${who ? ` (${who.split("!")[0]}${at ? `, ${when(at)}` : ""})` : ""}`,
};

// "": nothing worth a line. here: the channel that it is shown in, which need not be named.
export function answerOf(verb, params, here = "") {
	const text = ANSWERS[verb] && params.length > 1 ? ANSWERS[verb](params) : params.slice(1).filter((word) => word !== here).join(" ");

	return plain(text);
}
