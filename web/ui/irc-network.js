// irc-network: one network of the user's as the page knows it: its channels and conversations, who is in
// them, what was said, what of it is read.
//
//     IrcLink ─▶ lines ─▶ talks { lines, members, marker, unread } ─▶ "change" ─▶ the page
//
// History is asked for when somebody looks: the newest, what is before, what is around something found.
// Events: change (what: a talk, or null for all), news (a line that its reader should be told of), read (a talk, here or
// elsewhere).

import { IrcLink } from "./irc-link.js";
import { answerOf, escapeTag, folder, lineOf, names, plain, portions, stampOf, timeOf } from "./irc-wire.js";

const CAPS = ["batch", "cap-notify", "chghost", "echo-message", "extended-join", "invite-notify", "labeled-response", "message-tags",
	"multi-prefix", "server-time", "setname", "account-notify", "away-notify", "standard-replies", "draft/chathistory", "draft/multiline",
	"draft/read-marker", "soju.im/search", "draft/no-implicit-names", "sasl"];
const PAGE = 60;
const GAP = 400; // more than this was missed: the page begins anew at the end
const KEEP = 1500;
export const FOUND = 50; // by one search, and as many more by each further one
export const FOUND_MOST = 1000;
const OF_CHANNELS = new Set(["JOIN", "PART", "KICK", "TOPIC"]);
// Answers that are shown where was asked: of WHOIS, AWAY, MODE, INVITE.
const ASKED = new Set([301, 305, 306, 307, 311, 312, 313, 317, 318, 319, 324, 330, 335, 338, 341, 367, 368, 378, 379, 671]);
const KINDS = { PRIVMSG: "said", NOTICE: "notice" };

export class Talk {
	lines = [];
	joined = false;
	members = null; // Map of folded nick to { nick, prefix }; null: not asked for
	topic = "";
	marker = 0;
	unread = 0;
	called = 0; // of the unread, those that name the user, or all where he is alone with somebody
	newest = 0;
	isLoaded = false;
	isWhole = false; // nothing is before the first line
	isPast = false; // what is seen is not the end
	isBusy = false;
	draft = "";
	sent = []; // what he wrote here, the newest last

	constructor(network, name, kind) {
		this.network = network;
		this.name = name;
		this.kind = kind; // channel, person, server
	}

	get id() {
		return `${this.network.id} ${this.network.fold(this.name)}`;
	}
}

export class IrcNetwork extends EventTarget {
	talks = new Map();
	nick = "";
	fold = folder("rfc1459");
	state = "connecting";
	why = "";
	down = ""; // why this page is not connected
	isAway = false;
	unlooked = 0; // lines that the last search did not look at
	#link;
	#chantypes = "#&";
	#statusmsg = "";
	#prefixes = { o: "@", v: "+" };
	#chanmodes = ["b", "k", "l", ""];
	#asksNames = new Set();
	#spoke = ""; // where he wrote last: a refusal is shown there
	#batches = 0;

	constructor(id, login) {
		super();
		this.id = id;
		this.name = "";
		this.server = this.#make("*", "server");
		this.#link = new IrcLink({ ...login, bind: id, caps: CAPS });
		this.#link.addEventListener("up", ({ detail }) => this.#up(detail.nick));
		this.#link.addEventListener("down", ({ detail }) => this.#down(detail.why));
		this.#link.addEventListener("refused", ({ detail }) => this.#down(detail));
		this.#link.addEventListener("line", ({ detail }) => this.#hear(detail));
		this.#link.addEventListener("batch", ({ detail }) => this.#batch(detail));
	}

	// What BOUNCER NETWORK says.
	describe(attributes) {
		this.name = attributes.get("name") ?? this.name;
		this.state = attributes.get("state") ?? this.state;
		this.why = attributes.get("error") ?? "";
		this.isAway &&= this.state === "connected";
		this.#changed(null);
	}

	end() {
		this.#link.end();
	}

	get isUp() {
		return this.#link.isUp;
	}

	get maySearch() {
		return this.#link.caps.has("soju.im/search");
	}

	// In the order in which they are shown.
	get list() {
		const rank = { channel: 0, person: 1 };

		return [...this.talks.values()].filter((talk) => talk.kind === "person" || talk.joined || talk.isWanted)
			.sort((a, b) => rank[a.kind] - rank[b.kind] || a.name.localeCompare(b.name));
	}

	#wasRead(talk) {
		this.dispatchEvent(new CustomEvent("read", { detail: talk }));
	}

	#changed(talk) {
		this.dispatchEvent(new CustomEvent("change", { detail: talk }));
	}

	isChannel(name) {
		return this.#chantypes.includes(name[0]);
	}

	#make(name, kind) {
		return new Talk(this, name, kind);
	}

	find(name) {
		return this.talks.get(this.fold(name));
	}

	open(name) {
		let talk = this.find(name);

		if (!talk) {
			talk = this.#make(name, this.isChannel(name) ? "channel" : "person");
			this.talks.set(this.fold(name), talk);
		}
		return talk;
	}

	same(a, b) {
		return this.fold(a) === this.fold(b);
	}

	/* --- the connection --- */

	#up(nick) {
		this.nick = nick;
		this.down = "";
		for (const talk of this.talks.values()) {
			talk.joined = false;
			talk.members = null;
			talk.isWanted = false;
			// What was said meanwhile is asked for when it is known that we are there.
			if (talk.isLoaded && !talk.isPast)
				this.#catchUp(talk);
		}
		this.#link.send("CHATHISTORY", "TARGETS", stampOf(Date.now() + 60000), stampOf(0), 200);
		this.#changed(null);
	}

	#down(why) {
		this.down = why;
		this.#changed(null);
	}

	/* --- history --- */

	#lineOf(line) {
		const action = /^\x01ACTION (.*?)\x01?$/s.exec(line.params[1] ?? "");
		const text = action ? action[1] : line.params[1] ?? "";
		const self = this.same(line.nick, this.nick);

		return {
			id: line.tags.get("msgid") ?? "", at: timeOf(line), kind: action ? "action" : KINDS[line.verb], nick: line.nick, text, self,
			calls: !self && line.isPerson && (names(text, this.nick, this.fold) || (line.verb === "PRIVMSG" && !this.isChannel(line.params[0]))),
		};
	}

	#linesOf(list) {
		return list.filter((line) => KINDS[line.verb] && (line.params[1]?.[0] !== "\x01" || line.params[1].startsWith("\x01ACTION "))).map((line) => this.#lineOf(line));
	}

	async #history(talk, ...question) {
		talk.isBusy = true;
		this.#changed(talk);
		try {
			return this.#linesOf(await this.#link.ask("CHATHISTORY", ...question));
		} catch (fault) {
			// A conversation that has only begun has no history.
			if (this.isUp && talk.isLoaded)
				this.#inform(talk, `What was said before could not be had: ${fault.message}`);
			return null;
		} finally {
			talk.isBusy = false;
			this.#changed(talk);
		}
	}

	// Puts lines where they belong by their time, each once; of one time, those that are said to be before
	// stand before.
	#merge(talk, lines, areBefore = false) {
		const known = new Set(talk.lines.map((line) => line.id).filter(Boolean));
		const fresh = lines.filter((line) => !line.id || !known.has(line.id));

		talk.lines = (areBefore ? [...fresh, ...talk.lines] : [...talk.lines, ...fresh]).sort((a, b) => a.at - b.at);
		talk.newest = Math.max(talk.newest, talk.lines.at(-1)?.at ?? 0);
		return fresh.length;
	}

	async load(talk) {
		if (talk.kind === "server" || talk.isLoaded || talk.isBusy || !this.isUp)
			return;
		const lines = await this.#history(talk, "LATEST", talk.name, "*", PAGE);

		talk.isLoaded = true;
		if (lines) {
			talk.isWhole = lines.length < PAGE;
			this.#merge(talk, lines);
		}
		this.#count(talk);
		this.#changed(talk);
	}

	async loadBefore(talk) {
		const first = talk.lines.find((line) => line.kind !== "event");

		if (!first || !talk.isLoaded || talk.isWhole || talk.isBusy || !this.isUp)
			return;
		const lines = await this.#history(talk, "BEFORE", talk.name, first.id ? `msgid=${first.id}` : stampOf(first.at), PAGE);

		if (!lines)
			return;
		talk.isWhole = lines.length < PAGE;
		if (this.#merge(talk, lines, true) === 0)
			talk.isWhole = true;
		this.#changed(talk);
	}

	// What is behind the last line of a part of the past, until that is the end.
	async loadAfter(talk) {
		const last = talk.lines.findLast((line) => line.id);

		if (!last || !talk.isPast || talk.isBusy || !this.isUp)
			return;
		const lines = await this.#history(talk, "AFTER", talk.name, `msgid=${last.id}`, PAGE);

		if (!lines || !talk.isPast)
			return;
		this.#merge(talk, lines);
		talk.isPast = lines.length >= PAGE;
		if (!talk.isPast)
			this.#count(talk);
		this.#changed(talk);
	}

	async #catchUp(talk) {
		const last = talk.lines.findLast((line) => line.id);

		if (!last) {
			this.#anew(talk);
			return;
		}
		const lines = await this.#history(talk, "AFTER", talk.name, `msgid=${last.id}`, GAP);

		if (!lines || lines.length >= GAP) {
			this.#anew(talk);
			return;
		}
		this.#merge(talk, lines);
		this.#count(talk);
		this.#changed(talk);
	}

	#anew(talk) {
		Object.assign(talk, { lines: [], isLoaded: false, isWhole: false, isPast: false });
		this.#changed(talk);
	}

	// What is around a line that was found.
	async showAround(talk, line) {
		const lines = await this.#history(talk, "AROUND", talk.name, line.id ? `msgid=${line.id}` : stampOf(line.at), PAGE);

		if (!lines)
			return;
		Object.assign(talk, { lines, isLoaded: true, isWhole: false, isPast: true });
		this.#changed(talk);
	}

	showEnd(talk) {
		this.#anew(talk);
		return this.load(talk);
	}

	async search(text, talk, limit = FOUND) {
		const attributes = [...(talk ? [["in", talk.name]] : []), ["text", text], ["limit", String(limit)]];

		this.unlooked = 0;
		const lines = await this.#link.ask("SEARCH", attributes.map(([key, value]) => `${key}=${escapeTag(value)}`).join(";"));

		return lines.filter((line) => KINDS[line.verb]).map((line) => {
			const target = line.params[0];
			const where = this.isChannel(target) || this.same(line.nick, this.nick) ? target : line.nick;

			return { ...this.#lineOf(line), where, network: this };
		});
	}

	/* --- what is read --- */

	#count(talk) {
		const unread = talk.lines.filter((line) => line.at > talk.marker && !line.self && (line.kind !== "event" && line.kind !== "info"));

		talk.unread = unread.length;
		talk.called = unread.filter((line) => line.calls).length;
	}

	// Who looks has read all of it.
	read(talk) {
		const last = talk.lines.findLast((line) => line.kind !== "event" && line.kind !== "info");

		if (talk.kind === "server") {
			talk.unread = 0;
			return;
		}
		// Where nothing was said yet, all that will be is unread.
		const at = last ? last.at : talk.isWhole ? 1 : 0;

		if (at <= talk.marker || talk.isPast || !this.isUp)
			return;
		talk.marker = at;
		this.#link.send("MARKREAD", talk.name, stampOf(at));
		this.#count(talk);
		this.#wasRead(talk);
		this.#changed(talk);
	}

	// Something was said that is not here yet: how much, and whether he is named.
	async #peek(talk) {
		const lines = await this.#history(talk, "LATEST", talk.name, talk.marker ? stampOf(talk.marker) : "*", PAGE);

		if (!lines || talk.isLoaded)
			return;
		const own = talk.lines;

		talk.lines = lines;
		talk.isPeeked = true;
		this.#count(talk);
		// Somebody new has not read anything: that is no news.
		if (!talk.marker && talk.kind === "channel")
			talk.unread = talk.called = 0;
		talk.lines = own;
		this.#changed(talk);
	}

	// Who has never read anything here begins with what comes now: also where he comes in next.
	#begin(talk, at) {
		talk.marker = at;
		if (talk.kind === "channel" && this.isUp)
			this.#link.send("MARKREAD", talk.name, stampOf(at));
	}

	/* --- lines --- */

	#put(talk, line) {
		const last = talk.lines.at(-1);

		if (line.kind !== "event" && line.kind !== "info") {
			talk.newest = Math.max(talk.newest, line.at);
			if (!line.self && line.at > talk.marker) {
				if (!talk.marker)
					this.#begin(talk, line.at - 1);
				talk.unread++;
				talk.called += line.calls ? 1 : 0;
			}
		}
		// Behind what is not asked for yet nothing is put: it comes with the rest. Only what this page itself says does not.
		if ((talk.isLoaded && !talk.isPast) || talk.kind === "server" || (line.kind === "info" && !talk.isPast)) {
			if (last && line.at < last.at)
				this.#merge(talk, [line]);
			else if (!line.id || !talk.lines.some((one) => one.id === line.id))
				talk.lines.push(line);
			if (talk.lines.length > KEEP) {
				talk.lines.splice(0, talk.lines.length - KEEP + 500);
				talk.isWhole = false;
			}
		}
		if (line.calls)
			this.dispatchEvent(new CustomEvent("news", { detail: { talk, line } }));
		this.#changed(talk);
	}

	#inform(talk, text) {
		this.#put(talk, { id: "", at: Date.now(), kind: "info", nick: "", text, self: false, calls: false });
	}

	// what: came, left or other, which stand together where there are many; "": by itself.
	#event(talk, line, text, what = "") {
		this.#put(talk, { id: "", at: timeOf(line), kind: "event", nick: line.nick, text, what, self: false, calls: false });
	}

	#batch({ type, lines, params }) {
		if (type === "draft/chathistory-targets")
			this.#targets(lines);
		else if (type === "chathistory")
			for (const line of this.#linesOf(lines))
				this.#put(this.open(params[0]), line);
	}

	#targets(lines) {
		for (const { params: [, name, time] } of lines) {
			const at = Date.parse(time);

			if (!name || Number.isNaN(at))
				continue;
			// A channel comes with its JOIN; one that was left is not shown. While the server is away
			// nobody knows which those are.
			const isAway = this.state !== "connected";
			const talk = this.isChannel(name) && !isAway ? this.find(name) : this.open(name);

			if (talk) {
				talk.isWanted = isAway && talk.kind === "channel";
				talk.newest = Math.max(talk.newest, at);
				if (talk.kind === "person")
					this.#link.send("MARKREAD", name);
				else
					this.#look(talk);
			}
		}
		this.#changed(null);
	}

	#look(talk) {
		if (!talk.isLoaded && !talk.isPeeked && talk.newest > talk.marker)
			this.#peek(talk);
	}

	#message(line) {
		const [target, text = ""] = line.params;

		if (!target || (text[0] === "\x01" && !text.startsWith("\x01ACTION ")))
			return;
		const bare = this.#statusmsg.includes(target[0]) && this.isChannel(target.slice(1)) ? target.slice(1) : target;
		const made = this.#lineOf(line);

		if (this.isChannel(bare))
			this.#put(this.open(bare), made);
		else if (!line.isPerson || (line.verb === "NOTICE" && !made.self && !this.find(line.nick)))
			this.#put(this.server, { ...made, kind: "notice" });
		else
			this.#put(this.open(made.self ? bare : line.nick), made);
	}

	#isupport(tokens) {
		for (const token of tokens) {
			const [key, value = ""] = token.split("=");

			if (key === "CASEMAPPING") {
				this.fold = folder(value);
				this.talks = new Map([...this.talks.values()].map((talk) => [this.fold(talk.name), talk]));
			} else if (key === "CHANTYPES") {
				this.#chantypes = value;
			} else if (key === "soju.im/FILEHOST") {
				this.filehost = value.replace(/\\x([0-9A-F]{2})/gi, (all, hex) => String.fromCharCode(parseInt(hex, 16)));
			} else if (key === "STATUSMSG") {
				this.#statusmsg = value;
			} else if (key === "CHANMODES") {
				this.#chanmodes = value.split(",");
			} else if (key === "PREFIX") {
				const [, modes = "", signs = ""] = /^\((.*)\)(.*)$/.exec(value) ?? [];

				this.#prefixes = Object.fromEntries([...modes].map((mode, at) => [mode, signs[at]]));
			}
		}
	}

	/* --- who is there --- */

	#names(talk, list) {
		const signs = Object.values(this.#prefixes).join("");

		talk.gathers ??= new Map();
		for (const word of list.split(" ").filter(Boolean)) {
			let at = 0;

			while (signs.includes(word[at]) && word[at])
				at++;
			const nick = word.slice(at).split("!")[0];

			talk.gathers.set(this.fold(nick), { nick, prefix: word.slice(0, at) });
		}
	}

	rank(member) {
		const at = Object.values(this.#prefixes).indexOf(member.prefix[0]);

		return at < 0 ? 99 : at;
	}

	askNames(talk) {
		if (talk.kind !== "channel" || talk.members || !talk.joined || !this.isUp || this.#asksNames.has(talk.name))
			return;
		this.#asksNames.add(talk.name);
		this.#link.send("NAMES", talk.name);
	}

	#mode(talk, line) {
		const [, modes = "", ...rest] = line.params;
		const [lists = "", always = "", set = ""] = this.#chanmodes;
		let on = true;

		for (const mode of modes) {
			if (mode === "+" || mode === "-") {
				on = mode === "+";
				continue;
			}
			const sign = this.#prefixes[mode];
			const argument = sign || lists.includes(mode) || always.includes(mode) || (on && set.includes(mode)) ? rest.shift() : null;
			const member = sign && argument && talk.members?.get(this.fold(argument));

			if (!member)
				continue;
			const has = new Set(member.prefix);

			if (on)
				has.add(sign);
			else
				has.delete(sign);
			member.prefix = Object.values(this.#prefixes).filter((one) => has.has(one)).join("");
		}
		this.#event(talk, line, `${line.nick} set ${line.params.slice(1).join(" ")}`, "other");
	}

	#everywhere(nick, work) {
		for (const talk of this.talks.values())
			if (talk.members?.has(this.fold(nick)) || (talk.kind === "person" && this.same(talk.name, nick)))
				work(talk);
	}

	#hear(line) {
		const { verb, params, nick } = line;
		const self = this.same(nick, this.nick);
		const talk = params[0] && this.isChannel(params[0]) ? this.open(params[0]) : null;

		if (!talk && OF_CHANNELS.has(verb))
			return;
		switch (verb) {
		case "PRIVMSG": case "NOTICE":
			this.#message(line);
			break;
		case "JOIN":
			if (self) {
				talk.joined = true;
				talk.isWanted = false;
				this.#changed(talk);
			} else {
				talk.members?.set(this.fold(nick), { nick, prefix: "" });
				this.#event(talk, line, `${nick} came`, "came");
			}
			break;
		case "PART":
			if (self) {
				talk.joined = false;
				talk.members = null;
				this.#changed(talk);
			} else {
				talk.members?.delete(this.fold(nick));
				this.#event(talk, line, `${nick} left${params[1] ? ` (${plain(params[1])})` : ""}`, "left");
			}
			break;
		case "KICK":
			if (this.same(params[1] ?? "", this.nick))
				Object.assign(talk, { joined: false, members: null, isWanted: true });
			talk.members?.delete(this.fold(params[1] ?? ""));
			this.#event(talk, line, `${nick} sent ${params[1]} away${params[2] ? ` (${plain(params[2])})` : ""}`);
			break;
		case "QUIT":
			this.#everywhere(nick, (one) => {
				one.members?.delete(this.fold(nick));
				this.#event(one, line, `${nick} went${params[0] ? ` (${plain(params[0])})` : ""}`, "left");
			});
			break;
		case "NICK":
			if (!params[0])
				break;
			if (self) {
				this.nick = params[0];
				this.#changed(null);
			}
			this.#everywhere(nick, (one) => {
				const member = one.members?.get(this.fold(nick));

				if (member) {
					one.members.delete(this.fold(nick));
					one.members.set(this.fold(params[0]), { ...member, nick: params[0] });
				}
				this.#event(one, line, `${nick} is ${params[0]} now`, "other");
			});
			break;
		case "TOPIC":
			talk.topic = params[1] ?? "";
			this.#event(talk, line, `${nick} set the topic: ${plain(talk.topic)}`);
			break;
		case "MODE":
			if (talk)
				this.#mode(talk, line);
			break;
		case "AWAY":
			for (const one of this.talks.values()) {
				const member = one.members?.get(this.fold(nick));

				if (member) {
					member.away = params[0] ? plain(params[0]) : undefined;
					this.#changed(one);
				}
			}
			break;
		case "INVITE":
			this.#inform(this.server, `${nick} invites ${params[0]} to ${params[1]}`);
			break;
		case "MARKREAD":
			this.#marked(params);
			break;
		case "NOTE":
			if (params[0] === "SEARCH" && params[1] === "INCOMPLETE") {
				this.unlooked = Number(params[2]) || 0;
				this.#changed(null);
				break;
			}
			// falls through
		case "FAIL": case "WARN": case "ERROR":
			this.#inform(this.talks.get(this.#spoke) ?? this.server, params.at(-1) ?? "");
			break;
		default:
			if (/^\d{3}$/.test(verb))
				this.#numeric(line);
		}
	}

	#marked([name, stamp = "*"]) {
		const talk = this.find(name);

		if (!talk)
			return;
		talk.marker = Math.max(talk.marker, Date.parse(stamp.replace("timestamp=", "")) || 0);
		if (talk.isLoaded && !talk.isPast)
			this.#count(talk);
		else if (talk.newest <= talk.marker)
			talk.unread = talk.called = 0;
		this.#look(talk);
		this.#wasRead(talk);
		this.#changed(talk);
	}

	#numeric({ verb, params }) {
		const channel = params.slice(1).find((word) => this.isChannel(word)), talk = channel && this.find(channel);

		switch (Number(verb)) {
		case 1: this.nick = params[0]; break;
		case 5: this.#isupport(params.slice(1, -1)); break;
		case 331: case 332:
			if (talk) {
				talk.topic = Number(verb) === 332 ? params[2] ?? "" : "";
				this.#changed(talk);
			}
			break;
		case 353:
			if (talk)
				this.#names(talk, params.at(-1));
			break;
		case 366:
			if (talk) {
				talk.members = talk.gathers ?? new Map();
				talk.gathers = null;
				this.#asksNames.delete(talk.name);
				this.#changed(talk);
			}
			break;
		case 2: case 3: case 4: case 329: case 333: case 422: break;
		case 305: case 306:
			this.isAway = Number(verb) === 306;
			this.#answer(verb, params, null);
			break;
		default:
			this.#answer(verb, params, talk);
		}
	}

	// Answers and faults: where it was asked, or with the network's own words.
	#answer(verb, params, talk) {
		const number = Number(verb), asked = this.talks.get(this.#spoke);
		const where = (number >= 400 && number < 600 && (talk || asked)) || (ASKED.has(number) && asked) || this.server;
		const text = answerOf(verb, params, where.name);

		if (text)
			this.#inform(where, text);
	}

	/* --- what the user does --- */

	say(talk, text) {
		const lines = text.split("\n").map((line) => line.trimEnd()).filter((line, at, all) => line || (at && at < all.length - 1));

		this.#spoke = this.fold(talk.name);
		if (!lines.length)
			return;
		if (lines.length === 1 || !this.#link.caps.has("draft/multiline")) {
			lines.filter(Boolean).forEach((line) => this.#link.send("PRIVMSG", talk.name, line));
			return;
		}
		const limits = new Map(this.#link.caps.get("draft/multiline").split(",").map((one) => one.split("=")));
		const most = Number(limits.get("max-lines") ?? 20), bytes = Number(limits.get("max-bytes") ?? 4000);

		for (const portion of portions(lines.join("\n"), most, bytes)) {
			const reference = `m${++this.#batches}`;

			this.#link.send("BATCH", `+${reference}`, "draft/multiline", talk.name);
			portion.forEach((line) => this.#link.raw(`@batch=${reference} ${lineOf("PRIVMSG", talk.name, line)}`));
			this.#link.send("BATCH", `-${reference}`);
		}
	}

	act(talk, text) {
		this.#spoke = this.fold(talk.name);
		this.#link.send("PRIVMSG", talk.name, `\x01ACTION ${text}\x01`);
	}

	order(talk, verb, ...params) {
		this.#spoke = talk.kind === "server" ? "" : this.fold(talk.name);
		this.#link.send(verb, ...params);
	}

	// What this page itself has to say there.
	hint(talk, text) {
		this.#inform(talk, text);
	}

	raw(talk, line) {
		this.#spoke = talk.kind === "server" ? "" : this.fold(talk.name);
		this.#link.raw(line.replace(/[\r\n]+/g, " "));
	}

	join(name, key) {
		const talk = this.open(name);

		this.#spoke = this.fold(name);
		this.#link.send("JOIN", name, ...(key ? [key] : []));
		return talk;
	}

	leave(talk) {
		if (talk.kind === "channel" && talk.joined)
			this.#link.send("PART", talk.name);
		if (talk.kind !== "server" && !talk.joined)
			this.talks.delete(this.fold(talk.name));
		talk.isWanted = false;
		this.#changed(null);
	}
}
