// irc-orders: what is written after a "/": a table of words, what each does, and how it is said.

const modes = (sign) => (talk, text) => {
	const nicks = text.split(/\s+/).filter(Boolean);

	talk.network.order(talk, "MODE", talk.name, sign[0] + sign[1].repeat(nicks.length), ...nicks);
};
// Everybody of that nick, where it is no mask yet.
const maskOf = (word) => /[!@*?]/.test(word) ? word : `${word}!*@*`;
const first = (text) => text.split(/\s+/)[0];
const rest = (text) => text.replace(/^\S+\s*/, "");

// show(talk), people(), find(text): what the page can do. The result: name → { how, what, needs, isOfChannel, run }.
export function makeOrders({ show, people, find }) {
	const msg = (talk, text) => {
		const other = talk.network.open(first(text));

		show(other);
		if (rest(text))
			other.network.say(other, rest(text));
	};

	// Several at once, each with its key.
	function join(talk, text) {
		const [names = "", keys = ""] = text.split(/\s+/), list = names.split(",").filter(Boolean);
		const strange = list.find((name) => !talk.network.isChannel(name));

		if (!list.length || strange)
			talk.network.hint(talk, strange ? `${strange} is not the name of a channel: did you mean /join #${strange}? To talk to somebody: /msg ${strange}` : "Which channel? /join #name");
		else
			list.map((name, i) => talk.network.join(name, keys.split(",")[i])).slice(-1).forEach(show);
	}

	function part(talk, text) {
		const other = text ? talk.network.find(first(text)) : talk;

		if (other && other.kind !== "server")
			talk.network.leave(other);
		else
			talk.network.hint(talk, text ? `You are not in ${first(text)}.` : "Which channel? /part #name");
	}

	function help(talk, text) {
		const word = first(text).replace(/^\//, "").toLowerCase();
		const lineOf = ([name, { how, what }]) => `/${name}${how ? ` ${how}` : ""}: ${what}`;

		talk.network.hint(talk, orders[word] ? lineOf([word, orders[word]]) :
			[...Object.entries(orders).map(lineOf), "Tab: the rest of a name. Arrows: what you wrote before. Alt and an arrow: the next channel, with Shift the next that has something new.",
				"The bouncer itself: /msg BouncerServ help"].join("\n"));
	}

	const orders = {
		__proto__: null, // "constructor" is none
		me: { how: "TEXT", what: "you do something", needs: true, run: (talk, text) => talk.network.act(talk, text) },
		msg: { how: "NICK [TEXT]", what: "talk to somebody", needs: true, run: msg },
		query: { how: "NICK", what: "the same", needs: true, run: msg },
		notice: { how: "NICK TEXT", what: "a notice, which nobody's program answers", needs: true, run: (talk, text) => talk.network.order(talk, "NOTICE", first(text), rest(text)) },
		join: { how: "#CHANNEL [KEY]", what: "go there", run: join },
		part: { how: "[#CHANNEL]", what: "leave it", run: part },
		topic: { how: "[TEXT]", what: "what the channel is about", isOfChannel: true, run: (talk, text) => talk.network.order(talk, "TOPIC", talk.name, ...(text ? [text] : [])) },
		names: { how: "", what: "who is here", isOfChannel: true, run: () => people() },
		list: { how: "[MASK]", what: "the channels of the network", run: (talk, text) => {
			talk.network.order(talk, "LIST", ...(text ? [text] : []));
			show(talk.network.server);
		} },
		whois: { how: "NICK", what: "who somebody is", needs: true, run: (talk, text) => talk.network.order(talk, "WHOIS", first(text)) },
		search: { how: "TEXT", what: "look for what was said", needs: true, run: (talk, text) => find(text) },
		nick: { how: "NAME", what: "your name on this network", needs: true, run: (talk, text) => talk.network.order(talk, "NICK", first(text)) },
		away: { how: "[WHY]", what: "say that you are away", run: (talk, text) => talk.network.order(talk, "AWAY", text || "away") },
		back: { how: "", what: "say that you are here again", run: (talk) => talk.network.order(talk, "AWAY") },
		invite: { how: "NICK", what: "ask somebody here", needs: true, isOfChannel: true, run: (talk, text) => talk.network.order(talk, "INVITE", first(text), talk.name) },
		kick: { how: "NICK [WHY]", what: "send somebody away", needs: true, isOfChannel: true, run: (talk, text) => talk.network.order(talk, "KICK", talk.name, first(text), rest(text) || "bye") },
		ban: { how: "NICK or MASK", what: "not to come again", needs: true, isOfChannel: true, run: (talk, text) => talk.network.order(talk, "MODE", talk.name, "+b", maskOf(first(text))) },
		unban: { how: "NICK or MASK", what: "may come again", needs: true, isOfChannel: true, run: (talk, text) => talk.network.order(talk, "MODE", talk.name, "-b", maskOf(first(text))) },
		op: { how: "NICK...", what: "make operator", needs: true, isOfChannel: true, run: modes("+o") },
		deop: { how: "NICK...", what: "no operator any more", needs: true, isOfChannel: true, run: modes("-o") },
		voice: { how: "NICK...", what: "may speak", needs: true, isOfChannel: true, run: modes("+v") },
		devoice: { how: "NICK...", what: "may not", needs: true, isOfChannel: true, run: modes("-v") },
		mode: { how: "[MODES]", what: "other modes of the channel", isOfChannel: true, run: (talk, text) => talk.network.order(talk, "MODE", talk.name, ...text.split(/\s+/).filter(Boolean)) },
		raw: { how: "LINE", what: "as it is, to the server", needs: true, run: (talk, text) => talk.network.raw(talk, text) },
		quote: { how: "LINE", what: "the same", needs: true, run: (talk, text) => talk.network.raw(talk, text) },
		help: { how: "[WORD]", what: "this", run: help },
	};

	return orders;
}

// Does it; what is missing is said instead.
export function obey(orders, word, talk, text) {
	const { how, needs, isOfChannel, run } = orders[word];

	if (isOfChannel && talk.kind !== "channel")
		talk.network.hint(talk, `/${word} is for channels.`);
	else if (needs && !text)
		talk.network.hint(talk, `/${word} ${how}`);
	else
		run(talk, text);
}

/* --- the rest of a name ---------------------------------------------------------------------- */

// What may stand where the word before the cursor begins so, the likeliest first; each with what follows it.
function candidates(before, talk, orders) {
	const [begin] = /\S*$/.exec(before), low = begin.toLowerCase(), isFirst = before.length === begin.length;
	const fits = (name) => name.toLowerCase().startsWith(low);

	if (!begin)
		return { begin, list: [] };
	if (isFirst && begin[0] === "/")
		return { begin, list: Object.keys(orders).map((name) => `/${name}`).filter(fits).map((name) => `${name} `) };
	if (talk.network.isChannel(begin))
		return { begin, list: talk.network.list.map((one) => one.name).filter((name) => talk.network.isChannel(name) && fits(name)).map((name) => `${name} `) };
	const spoke = talk.lines.filter((line) => line.kind !== "info").map((line) => line.nick).reverse(), here = [...talk.members?.values() ?? []].map((member) => member.nick);

	// Who spoke stands first, but who is gone last.
	const names = [...new Set([...spoke.filter((nick) => !talk.members || talk.members.has(talk.network.fold(nick))), ...here, ...spoke, ...(talk.kind === "person" ? [talk.name] : [])])];

	return { begin, list: names.filter((name) => name && fits(name) && name !== talk.network.nick).map((name) => name + (isFirst ? ": " : " ")) };
}

// Again and again: each that fits, one after the other.
export class Completion {
	#last = null;

	// False: nothing fits, the key is the browser's.
	take(field, talk, orders, step) {
		const before = field.value.slice(0, field.selectionStart), after = field.value.slice(field.selectionStart);
		let last = this.#last;

		if (last?.before !== before || last.talk !== talk) {
			const { begin, list } = candidates(before, talk, orders);

			last = { head: before.slice(0, before.length - begin.length), list, at: step > 0 ? -1 : 0, talk };
		}
		if (!last.list.length || (step < 0 && last.before === undefined))
			return false;
		last.at = (last.at + step + last.list.length) % last.list.length;
		last.before = last.head + last.list[last.at];
		this.#last = last;
		field.value = last.before + after;
		field.setSelectionRange(last.before.length, last.before.length);
		return true;
	}
}
