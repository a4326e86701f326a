// irc-home: who is logged in, and his networks: one connection to the bouncer itself, and one to each
// network behind it.
//
// Events: in (the login is right), waits (why: not connected yet), out ({ why, wasHere: was logged in on this device }), change, news, read (a talk).

import { IrcLink } from "./irc-link.js";
import { IrcNetwork } from "./irc-network.js";
import { escapeTag, parseTags } from "./irc-wire.js";

const CAPS = ["batch", "cap-notify", "message-tags", "server-time", "labeled-response", "echo-message", "soju.im/bouncer-networks", "soju.im/bouncer-networks-notify", "soju.im/webpush", "sasl"];
const KEY = "ringmain.irc";
const PUSH_MS = 60000; // the bouncer tries a subscription before it takes it

// Who is logged in on this device, with a password of its own that can be revoked.
export function kept() {
	try {
		return JSON.parse(localStorage.getItem(KEY));
	} catch {
		return null;
	}
}

function keep(value) {
	try {
		if (value)
			localStorage.setItem(KEY, JSON.stringify(value));
		else
			localStorage.removeItem(KEY);
	} catch { /* private windows */ }
}

export class IrcHome extends EventTarget {
	networks = new Map();
	isIn = false;
	down = "";
	pushKey = ""; // of the server, for the browser's push service; "": it calls nobody
	#link;
	#login;
	#stays;
	#makes = "";
	#added = null;
	#pushed = null;

	constructor({ user, password, stay }) {
		super();
		const nick = user.replace(/[^A-Za-z0-9[\]{}\\|^_`-]/g, "").replace(/^[0-9-]+/, "") || "guest";

		this.user = user;
		this.password = password;
		this.#stays = stay;
		this.#login = { user: `${user}@web`, password, nick };
		this.#link = new IrcLink({ ...this.#login, caps: CAPS });
		this.#link.addEventListener("up", () => this.#up());
		this.#link.addEventListener("down", ({ detail }) => this.#down(detail.why));
		this.#link.addEventListener("refused", ({ detail }) => this.#refused(detail));
		this.#link.addEventListener("line", ({ detail }) => this.#hear(detail));
	}

	#say(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}

	// What a device was given is wrong only when it was revoked.
	#refused(why) {
		const wasKept = kept()?.user === this.user, wasIn = this.isIn;

		if (wasKept)
			keep(null);
		this.end();
		this.#say("out", { why, wasHere: wasKept || wasIn });
	}

	#down(why) {
		this.down = why;
		this.#settlePush(new Error(why));
		if (this.isIn)
			this.#say("change");
		else
			this.#say("waits", why);
	}

	#up() {
		this.down = "";
		this.#link.send("BOUNCER", "LISTNETWORKS");
		this.#link.send("PING", "networks"); // Its answer stands behind them.
		if (this.#stays && !kept()) {
			this.#makes = `web-${Math.random().toString(36).slice(2, 8)}`;
			this.#link.send("PRIVMSG", "BouncerServ", `password create -label ${this.#makes}`);
		}
	}

	#hear({ verb, params, nick }) {
		if (verb === "BOUNCER" && params[0] === "NETWORK")
			this.#network(params[1], params[2] ?? "");
		else if (verb === "BOUNCER" && params[0] === "ADDNETWORK")
			this.#settle(true);
		else if (verb === "FAIL" && params[0] === "BOUNCER")
			this.#settle(false, params.at(-1));
		else if (verb === "WEBPUSH" && params[0] === "REGISTER" && params[1] === this.#pushed?.endpoint)
			this.#settlePush();
		else if (verb === "FAIL" && params[0] === "WEBPUSH")
			this.#settlePush(new Error(params.at(-1)));
		else if (verb === "005")
			this.#tokens(params.slice(1, -1));
		else if (verb === "PONG" && !this.isIn) {
			this.isIn = true;
			this.#say("in");
		} else if (verb === "PRIVMSG" && nick === "BouncerServ" && this.#makes) {
			const [password] = /\b[0-9a-f]{24}\b/.exec(params.at(-1)) ?? [];

			if (password)
				keep({ user: this.user, password, label: this.#makes });
			this.#makes = "";
		}
		if (this.isIn)
			this.#say("change");
	}

	#tokens(tokens) {
		for (const token of tokens)
			if (token === "-VAPID")
				this.pushKey = "";
			else if (token.startsWith("VAPID="))
				this.pushKey = token.slice(6);
	}

	#settlePush(fault) {
		const pushed = this.#pushed;

		this.#pushed = null;
		clearTimeout(pushed?.timer);
		if (fault)
			pushed?.bad(fault);
		else
			pushed?.good();
	}

	// A browser of his is to be called; fails with the bouncer's words.
	registerPush(endpoint, keys) {
		this.#settlePush(new Error("It was asked again."));
		return new Promise((good, bad) => {
			this.#pushed = { endpoint, good, bad, timer: setTimeout(() => this.#settlePush(new Error("There was no answer.")), PUSH_MS) };
			if (this.#link.isUp)
				this.#link.send("WEBPUSH", "REGISTER", endpoint, keys);
			else
				this.#settlePush(new Error("Not connected."));
		});
	}

	unregisterPush(endpoint) {
		this.#link.send("WEBPUSH", "UNREGISTER", endpoint);
	}

	#settle(good, why) {
		if (good)
			this.#added?.good();
		else
			this.#added?.bad(new Error(why));
		this.#added = null;
	}

	#network(id, words) {
		let network = this.networks.get(id);

		if (words === "*") {
			network?.end();
			this.networks.delete(id);
			return;
		}
		if (!network) {
			network = new IrcNetwork(id, this.#login);
			network.addEventListener("change", ({ detail }) => this.#say("change", detail));
			network.addEventListener("news", ({ detail }) => this.#say("news", detail));
			network.addEventListener("read", ({ detail }) => this.#say("read", detail));
			this.networks.set(id, network);
		}
		network.describe(parseTags(words));
	}

	addNetwork({ name, host, port, tls, nickname }) {
		const words = [["name", name || host], ["host", host], ...(port ? [["port", port]] : []), ["tls", tls ? "1" : "0"], ...(nickname ? [["nickname", nickname]] : [])];

		return new Promise((good, bad) => {
			this.#added = { good, bad };
			this.#link.send("BOUNCER", "ADDNETWORK", words.map(([key, value]) => `${key}=${escapeTag(value.trim())}`).join(";"));
		});
	}

	// Also on this device: its password is revoked.
	logOut() {
		const own = kept();

		if (own)
			this.#link.send("PRIVMSG", "BouncerServ", `password delete ${own.label}`);
		keep(null);
		this.end();
	}

	end() {
		this.#link.end();
		for (const network of this.networks.values())
			network.end();
	}
}
