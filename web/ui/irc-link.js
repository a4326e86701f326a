// irc-link: one connection to the bouncer that comes again by itself: login, capabilities, batches and
// answers to labels.
//
//     socket ─▶ lines ─▶ batches put together ─▶ "line" { line } or "batch" { type, params, lines }
//                 └────▶ the answer to ask()
//
// Events: up (logged in), down (why, and when it is tried again), refused (why: it is not tried again),
// line, batch.

import { lineOf, parseLine, saslPlain } from "./irc-wire.js";

const FIRST_MS = 1000, MOST_MS = 60000;
const SILENT_MS = 130000; // the bouncer says PING each minute
const ANSWER_MS = 30000;
const TOGETHER = new Set(["chathistory", "draft/multiline", "soju.im/search", "draft/chathistory-targets", "labeled-response"]);

export const address = () => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/irc/ws`;

export class IrcLink extends EventTarget {
	caps = new Map(); // that are on, with their values
	isUp = false;
	#socket = null;
	#options;
	#failures = 0;
	#timer = 0;
	#watch = 0;
	#heard = 0;
	#over = false;
	#offer = new Map();
	#pieces = [];
	#batches = new Map();
	#asked = new Map();
	#labels = 0;
	#why = "";
	#soon = () => this.#hurry();

	// user, password, nick, bind (the number of a network, or none), caps (that are wanted)
	constructor(options) {
		super();
		this.#options = options;
		addEventListener("online", this.#soon);
		document.addEventListener("visibilitychange", this.#soon);
		this.#connect();
	}

	#tell(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}

	#connect() {
		const socket = new WebSocket(address(), ["text.ircv3.net"]);

		clearTimeout(this.#timer);
		this.#timer = 0;
		this.#socket = socket;
		this.#why = "";
		this.#heard = Date.now();
		this.caps = new Map();
		this.#offer = new Map();
		socket.addEventListener("open", () => this.#begin());
		socket.addEventListener("message", ({ data }) => socket === this.#socket && this.#take(data));
		socket.addEventListener("close", () => socket === this.#socket && this.#lost());
		clearInterval(this.#watch);
		this.#watch = setInterval(() => Date.now() - this.#heard > SILENT_MS && this.#lost(), 5000);
	}

	// There is a network again, or somebody looks: not after the whole time that was to be waited.
	#hurry() {
		if (!this.#timer || document.visibilityState === "hidden")
			return;
		this.#connect();
	}

	#lost() {
		const socket = this.#socket, wait = Math.min(MOST_MS, FIRST_MS * 2 ** this.#failures) * (0.5 + Math.random() / 2);

		clearInterval(this.#watch);
		this.#socket = null;
		socket?.close();
		this.isUp = false;
		this.#batches.clear();
		for (const [label] of this.#asked)
			this.#answer(label, null);
		if (this.#over)
			return;
		this.#failures++;
		this.#timer = setTimeout(() => this.#connect(), wait);
		this.#tell("down", { why: this.#why || "The connection was lost.", wait });
	}

	#refuse(why) {
		this.end();
		this.#tell("refused", why);
	}

	end() {
		this.#over = true;
		clearTimeout(this.#timer);
		removeEventListener("online", this.#soon);
		document.removeEventListener("visibilitychange", this.#soon);
		if (this.isUp)
			this.send("QUIT");
		if (this.#socket)
			this.#lost();
	}

	/* --- saying --- */

	raw(line) {
		if (this.#socket?.readyState === WebSocket.OPEN)
			this.#socket.send(line);
	}

	send(verb, ...params) {
		this.raw(lineOf(verb, ...params));
	}

	// The lines that answer; fails when that is refused, lost or late.
	ask(verb, ...params) {
		const label = `w${++this.#labels}`;

		return new Promise((good, bad) => {
			const timer = setTimeout(() => this.#answer(label, null, "There was no answer."), ANSWER_MS);

			this.#asked.set(label, { good, bad, timer });
			if (this.isUp)
				this.raw(`@label=${label} ${lineOf(verb, ...params)}`);
			else
				this.#answer(label, null);
		});
	}

	#answer(label, lines, why = "The connection was lost.") {
		const asked = this.#asked.get(label);

		if (!asked)
			return false;
		this.#asked.delete(label);
		clearTimeout(asked.timer);
		if (lines)
			asked.good(lines);
		else
			asked.bad(new Error(why));
		return true;
	}

	/* --- hearing --- */

	#take(text) {
		const line = parseLine(text);

		this.#heard = Date.now();
		if (line.verb === "PING")
			this.send("PONG", line.params.at(-1) ?? "");
		else if (line.verb === "BATCH")
			this.#batch(line);
		else if (this.#batches.has(line.tags.get("batch")))
			this.#batches.get(line.tags.get("batch")).lines.push(line);
		else if (!this.isUp)
			this.#login(line);
		else if (line.tags.has("label") && this.#asked.has(line.tags.get("label")))
			this.#answer(line.tags.get("label"), line.verb === "FAIL" ? null : [line], line.params.at(-1));
		else
			this.#hear(line);
	}

	#hear(line) {
		if (line.verb === "CAP" && line.params[1] === "NEW")
			this.#want(line.params.at(-1));
		else if (line.verb === "CAP" && line.params[1] === "DEL")
			line.params.at(-1).split(" ").forEach((name) => this.caps.delete(name));
		else if (line.verb === "CAP" && line.params[1] === "ACK")
			this.#granted(line.params.at(-1));
		this.#tell("line", line);
	}

	#batch(line) {
		const [sign, type = "", ...params] = line.params, reference = (sign ?? "").slice(1);

		if ((sign ?? "")[0] === "+") {
			if (TOGETHER.has(type))
				this.#batches.set(reference, { type, params, tags: line.tags, nick: line.nick, lines: [] });
			return;
		}
		const batch = this.#batches.get(reference);

		if (!batch)
			return;
		this.#batches.delete(reference);
		if (this.#answer(batch.tags.get("label"), batch.lines))
			return;
		if (batch.type === "draft/multiline" && batch.lines.length) {
			// One message again, with the time and the name of the whole.
			const first = batch.lines[0];
			const text = batch.lines.map((one, at) => (at && !one.tags.has("draft/multiline-concat") ? "\n" : "") + one.params.at(-1)).join("");
			const whole = { ...first, tags: new Map([...first.tags, ...batch.tags]), params: [...first.params.slice(0, -1), text] };
			const outer = this.#batches.get(batch.tags.get("batch"));

			if (outer)
				outer.lines.push(whole);
			else
				this.#hear(whole);
			return;
		}
		this.#tell("batch", batch);
	}

	/* --- the beginning --- */

	#begin() {
		this.send("CAP", "LS", "302");
		this.send("NICK", this.#options.nick);
		this.send("USER", this.#options.nick, "0", "*", this.#options.nick);
	}

	#want(list) {
		const names = [];

		for (const word of list.split(" ").filter(Boolean)) {
			const [name, ...value] = word.split("=");

			this.#offer.set(name, value.join("="));
			if (this.#options.caps.includes(name))
				names.push(name);
		}
		return names.length ? (this.send("CAP", "REQ", names.join(" ")), true) : false;
	}

	#granted(list) {
		for (const name of list.split(" ").filter(Boolean))
			if (name[0] === "-")
				this.caps.delete(name.slice(1));
			else
				this.caps.set(name, this.#offer.get(name) ?? "");
	}

	#login({ verb, params, ...line }) {
		const words = params.at(-1) ?? "";

		if (verb === "CAP" && params[1] === "LS") {
			this.#pieces.push(words);
			if (params[2] === "*")
				return;
			this.#want(this.#pieces.splice(0).join(" "));
		} else if (verb === "CAP" && params[1] === "ACK") {
			this.#granted(words);
			this.send("AUTHENTICATE", "PLAIN");
		} else if (verb === "CAP" && params[1] === "NAK") {
			this.#refuse("The bouncer speaks another IRC than this page.");
		} else if (verb === "AUTHENTICATE") {
			for (const piece of saslPlain(this.#options.user, this.#options.password))
				this.send("AUTHENTICATE", piece);
		} else if (verb === "903") {
			if (this.#options.bind)
				this.send("BOUNCER", "BIND", this.#options.bind);
			this.send("CAP", "END");
		} else if (verb === "904" && /again/.test(words)) {
			this.#why = words; // Not wrong, only too many at once.
			this.#failures = Math.max(this.#failures, 3);
			this.#lost();
		} else if (verb === "904") {
			this.#refuse(words);
		} else if (verb === "464" && this.#options.bind) {
			this.#refuse(words); // That network is gone.
		} else if (verb === "ERROR") {
			this.#why = words;
		} else if (verb === "001") {
			this.isUp = true;
			this.#failures = 0;
			this.#tell("up", { nick: params[0] });
			this.#tell("line", { verb, params, ...line });
		}
	}
}

