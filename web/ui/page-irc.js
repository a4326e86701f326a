// IRC: who is known to the bouncer, with networks and clients, and orders to BouncerServ. Who is no
// administrator sees himself.

import { ask, say } from "./ask.js";
import { can, get, post } from "./api.js";
import { h, setText } from "./dom.js";
import { bytes, number, since } from "./format.js";
import { me } from "./me.js";
import { emptyNote, Table } from "./table.js";

export const offered = () => can("GET", "/irc/me");

const LOOK_MS = 2000;
const FEW = 200; // of users, that are listed
const ANSWERS_MAX = 60000; // letters that are kept on the page

const states = { off: ["Off", "off"], waits: ["Waits", "stalled"], connects: ["Connects", "lingering"], registers: ["Logs in", "lingering"], up: ["Connected", "live"] };
const seconds = (text) => text ? Date.parse(text) / 1000 : 0;
const hash = (user) => `#/irc/${encodeURIComponent(user)}`;

// A word of an order, whatever is in it.
const quote = (word) => `"${word.replace(/["\\]/g, "\\$&")}"`;

// Also his own orders go as himself: so they can be given before he is known.
const order = (user, command) => user === me.user ? post("/irc/command", { command }) : post(`/irc/users/${encodeURIComponent(user)}/command`, { command });

async function mustBeGood(user, command) {
	const { good, lines } = await order(user, command);

	if (!good)
		throw new Error(lines.join(" ") || "It was refused.");
	say(lines.join(" ") || "Done.");
}

function addNetwork(user, done) {
	return ask({ title: "Add a network", button: "Add", text: `For ${user}.`, fields: [
		{ name: "addr", label: "Address", required: true, placeholder: "irc.libera.chat", hint: "A name, with :PORT if it is another. irc+insecure:// before it: without TLS." },
		{ name: "name", label: "Name", hint: "Empty: as the address." }, { name: "nick", label: "Nick", hint: "Empty: as everywhere." },
		{ name: "pass", label: "The server's password", type: "password", autocomplete: "new-password" },
	], submit: async (values) => {
		await mustBeGood(user, `network create ${Object.entries(values).filter(([, value]) => value.trim()).map(([key, value]) => `-${key} ${quote(value.trim())}`).join(" ")}`);
		await done();
	} });
}

async function removeNetwork(user, network, done) {
	await ask({ title: `Remove ${network.name}?`, danger: true, button: "Remove", text: "With all that was said there.", submit: () => mustBeGood(user, `network delete ${quote(network.name)}`) });
	await done();
}

async function turn(user, network, done) {
	await mustBeGood(user, `network update ${quote(network.name)} -enabled ${network.state === "off"}`).catch((fault) => say(fault.message, "bad"));
	await done();
}

function networkTable(current, load) {
	const button = (word, of, work) => h("button.quiet-button", { type: "button", onclick: () => work(current(), of(), load) }, word);

	return new Table({ label: "Networks", empty: "No network.", columns: [
		{ name: "Network", kind: "named", make: () => h("div.mount-words", null, h("span.mount-link", { dir: "auto" }), h("span.mount-name", { dir: "ltr" })), fill: (cell, one) => {
			setText(cell.firstChild.firstChild, one.name);
			setText(cell.firstChild.lastChild, one.host && !one.addr.includes(one.host) ? `${one.addr} (${one.host})` : one.addr);
		} },
		{ name: "State", kind: "wide", make: () => h("div.title-cell", null, h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word")), h("span.title-artist", { dir: "auto" })), fill: (cell, one) => {
			const [word, look] = states[one.state] ?? [one.state, "off"];
			const [state, why] = cell.firstChild.children;

			state.dataset.state = look;
			setText(state.lastChild, word);
			setText(why, one.state === "up" ? (one.tls ? "TLS" : "plain text") : one.why);
		} },
		{ name: "Nick", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, [one.nick, one.account && `(${one.account})`].filter(Boolean).join(" ") || "–") },
		{ name: "Lag", kind: "num", text: (one) => one.state === "up" ? `${number(one.lag_ms)}\u00a0ms` : "–" },
		{ name: "For", kind: "num", text: (one) => since(seconds(one.since)) },
		{ name: "Channels", kind: "num", text: (one) => number(one.channels) },
		{ name: "Waits to go", kind: "num", text: (one) => number(one.queued) },
		{ name: "Memory", kind: "num", text: (one) => bytes(one.ring_bytes) },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => h("div.acts", null, button("Turn off", of, turn), button("Remove", of, removeNetwork)), fill: (cell, one) => {
			const [first, second] = cell.querySelectorAll("button");

			setText(first, one.state === "off" ? "Turn on" : "Turn off");
			first.setAttribute("aria-label", `${first.textContent} ${one.name}`);
			second.setAttribute("aria-label", `Remove ${one.name}`);
		} },
	] });
}

const clientTable = () => new Table({ label: "Clients", empty: "No client is connected.", columns: [
	{ name: "Client", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.client || "unnamed") },
	{ name: "Network", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.network === "*" ? "all" : one.network || "none") },
	{ name: "Address", kind: "code", text: (one) => one.address },
	{ name: "TLS", text: (one) => one.tls ? "yes" : "no" },
	{ name: "For", kind: "num", text: (one) => since(seconds(one.since)) },
	{ name: "Lines in", kind: "num", text: (one) => number(one.lines_in) },
	{ name: "Lines out", kind: "num", text: (one) => number(one.lines_out) },
	{ name: "Waits", kind: "num", text: (one) => bytes(one.waits_bytes) },
] });

const passwordTable = () => new Table({ label: "Passwords of programs", empty: "None: programs log in with the user's own.", columns: [
	{ name: "Label", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.label) },
	{ name: "Kind", text: (one) => one.kind },
	{ name: "Made", text: (one) => one.created ? new Date(one.created).toLocaleDateString() : "–" },
	{ name: "Used", text: (one) => one.used ? new Date(one.used).toLocaleDateString() : "never" },
] });

const userTable = (current) => new Table({ label: "Users", empty: "Nobody is known on IRC yet.", columns: [
	{ name: "User", make: () => h("a.mount-link", { dir: "auto" }), fill: (cell, one) => {
		setText(cell.firstChild, one.name);
		cell.firstChild.href = hash(one.name);
		cell.firstChild.ariaCurrent = String(one.name === current());
	} },
	{ name: "Nick", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.nick || "–") },
	{ name: "Networks", kind: "num", text: (one) => `${one.networks.filter((network) => network.state === "up").length} of ${one.networks.length}` },
	{ name: "Clients", kind: "num", text: (one) => number(one.clients.length) },
	{ name: "Lines in", kind: "num", text: (one) => number(one.lines_in) },
	{ name: "Lines out", kind: "num", text: (one) => number(one.lines_out) },
] });

// What is ordered and what is answered, as text.
function orderCard(current, load) {
	const answers = h("pre.answers", { role: "log", tabindex: 0, "aria-label": "Answers of BouncerServ", dir: "auto" });
	const input = h("input", { "aria-label": "An order to BouncerServ", placeholder: "network status", autocomplete: "off", spellcheck: "false", maxlength: 3500, required: true });
	const send = h("button.primary", { type: "submit" }, "Order");
	const run = async (command) => {
		let lines;

		send.disabled = true;
		try {
			lines = (await order(current(), command)).lines;
		} catch (fault) {
			lines = [fault.message];
		}
		send.disabled = false;
		// A password is not kept on the screen.
		answers.textContent = `${answers.textContent}> ${command.replace(/(-pass |set-(plain|scram) ).*/, "$1…")}\n${lines.join("\n")}\n`.slice(-ANSWERS_MAX);
		answers.scrollTop = answers.scrollHeight;
		await load();
	};

	return h("section.card", { "aria-label": "Orders" }, h("div.card-top", null, h("h2", null, "Orders to BouncerServ"), h("button.quiet-button", { type: "button", onclick: () => run("help") }, "What there is")),
		h("form.order-form", { onsubmit: (event) => {
			const command = input.value.trim();

			event.preventDefault();
			input.value = "";
			if (command)
				run(command);
		} }, input, send), answers);
}

export function show(place, argument, { heading, tools }) {
	const all = me.may("admin") && can("GET", "/irc/users");
	const name = all && argument ? argument.slice(1) : me.user;
	const current = () => name;
	const users = userTable(current), networks = networkTable(current, load), clients = clientTable(), passwords = passwordTable();
	const nobody = emptyNote("Not on IRC yet", `The bouncer does not know ${name} yet; a first order makes him known. It runs when irc.listen is set, such as 127.0.0.1:6667.`);
	const card = (title, table) => h("section.card.flush", null, h("div.card-top", null, h("h2", null, title)), table.root);
	const known = h("div.stack", { hidden: true }, card("Networks", networks), card("Clients", clients), card("Passwords of programs", passwords));
	const sum = h("p.hint-text", { hidden: true });
	let timer = 0;
	let ended = false;

	async function load() {
		clearTimeout(timer);
		if (document.visibilityState === "visible")
			await draw().catch(() => {}); // Asked again soon.
		clearTimeout(timer);
		if (!ended)
			timer = setTimeout(load, LOOK_MS);
	}

	async function mine() {
		try {
			return await get("/irc/me");
		} catch (fault) {
			if (fault.status === 404)
				return null;
			throw fault;
		}
	}

	async function draw() {
		let one = null;

		if (all) {
			const list = (await get("/irc/users")).users.sort((a, b) => a.name.localeCompare(b.name));

			one = list.find((user) => user.name === name) ?? null;
			users.show(list.slice(0, FEW), (user) => user.name);
			sum.hidden = list.length <= FEW;
			setText(sum, `${number(FEW)} of ${number(list.length)} users are listed. #/irc/NAME shows any of them.`);
		} else {
			one = await mine();
		}
		nobody.hidden = one !== null;
		known.hidden = one === null;
		if (!one)
			return;
		networks.show(one.networks, (network) => network.id);
		clients.show(one.clients, (client) => client.id);
		passwords.show(one.passwords, (password) => password.label);
	}
	nobody.hidden = true;
	if (all)
		setText(heading, `IRC · ${name}`);
	if (can("POST", "/irc/command"))
		tools.append(h("button.primary", { type: "button", onclick: () => addNetwork(name, load) }, "Add a network"));
	tools.append(h("a.more", { href: "/irc", target: "_blank", rel: "noopener" }, "Read and write"));
	place.append(...[nobody, known, can("POST", "/irc/command") ? orderCard(current, load) : null, all ? card("Users", users) : null, sum].filter(Boolean));
	load();
	return () => {
		ended = true;
		clearTimeout(timer);
	};
}
