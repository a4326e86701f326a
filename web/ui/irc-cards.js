// irc-cards: what one has on IRC, in tables, and what can be done to it. Each order goes to BouncerServ as words:
//
//     order(user, "network update harbour -nick ann") ─▶ { good, lines }

import { ask, say } from "./ask.js";
import { post } from "./api.js";
import { h, setText } from "./dom.js";
import { ago, bytes, dateTime, duration, number, since } from "./format.js";
import { me } from "./me.js";
import { Table } from "./table.js";

const states = { off: ["Off", "off"], waits: ["Waits", "stalled"], connects: ["Connects", "lingering"], registers: ["Logs in", "lingering"], up: ["Connected", "live"] };
const seconds = (text) => text ? Date.parse(text) / 1000 : 0;
const lines = (count) => `${number(count)} ${count === 1 ? "line" : "lines"}`;

// A word of an order, whatever is in it.
export const quote = (word) => `"${word.replace(/["\\]/g, "\\$&")}"`;

// Also his own orders go as himself: so they can be given before he is known.
export const order = (user, command) => user === me.user ? post("/irc/command", { command }) : post(`/irc/users/${encodeURIComponent(user)}/command`, { command });

async function mustBeGood(user, command) {
	const { good, lines: said } = await order(user, command);

	if (!good)
		throw new Error(said.join(" ") || "It was refused.");
	return said;
}

async function obey(user, command, done) {
	await mustBeGood(user, command).then((said) => say(said.join(" ") || "Done."), (fault) => say(fault.message, "bad"));
	await done();
}

// " -name value" of all that is filled in.
const options = (values) => Object.entries(values).filter(([, value]) => value.trim()).map(([key, value]) => ` -${key} ${quote(value.trim())}`).join("");

// --- networks --------------------------------------------------------------------------------

const attributes = [
	{ name: "nick", label: "Nick" },
	{ name: "sasl-mechanism", label: "Log in there by", options: [{ value: "", label: "as it is" }, { value: "PLAIN", label: "password (PLAIN)" }, { value: "SCRAM-SHA-256", label: "password (SCRAM-SHA-256)" }, { value: "EXTERNAL", label: "certificate (EXTERNAL)" }] },
	{ name: "sasl-username", label: "Account there" },
	{ name: "sasl-password", label: "Its password", type: "password", autocomplete: "new-password" },
	{ name: "highlights", label: "Words that mention you", hint: "Beside your nick, apart by blanks." },
	{ name: "proxy", label: "SOCKS5 proxy", placeholder: "socks5://host:1080" },
	{ name: "bind", label: "Address of ours that it comes from" },
];

export function addNetwork(user, done) {
	return ask({ title: "Add a network", button: "Add", text: `For ${user}.`, fields: [
		{ name: "addr", label: "Address", required: true, placeholder: "irc.libera.chat", hint: "A name, with :PORT if it is another. irc+insecure:// before it: without TLS." },
		{ name: "name", label: "Name", hint: "Empty: as the address." }, { name: "nick", label: "Nick", hint: "Empty: as everywhere." },
		{ name: "pass", label: "The server's password", type: "password", autocomplete: "new-password" },
		{ name: "sasl-username", label: "Account there", hint: "With its password you log in by SASL." },
		{ name: "sasl-password", label: "Its password", type: "password", autocomplete: "new-password" },
	], submit: async (values) => {
		say((await mustBeGood(user, `network create${options(values)}${values["sasl-username"].trim() ? " -sasl-mechanism PLAIN" : ""}`)).join(" "));
		await done();
	} });
}

function changeNetwork(user, network, done) {
	return ask({ title: `Change ${network.name}`, button: "Change", text: "What is empty stays as it is. It connects anew where it has to.", fields: [
		{ name: "addr", label: "Address", value: network.addr }, { name: "name", label: "Name", value: network.name }, ...attributes,
	], submit: async (values) => {
		for (const key of ["addr", "name"])
			if (values[key].trim() === network[key])
				values[key] = "";
		if (!options(values))
			throw new Error("Nothing was changed.");
		say((await mustBeGood(user, `network update ${quote(network.name)}${options(values)}`)).join(" "));
		await done();
	} });
}

async function removeNetwork(user, network, done) {
	await ask({ title: `Remove ${network.name}?`, danger: true, button: "Remove", text: "With all that was said there.", submit: () => mustBeGood(user, `network delete ${quote(network.name)}`) });
	await done();
}

const turn = (user, network, done) => obey(user, `network update ${quote(network.name)} -enabled ${network.state === "off"}`, done);

// Its fingerprints, to be told to the network's NickServ; or a new one.
async function certificate(user, network, done) {
	const said = network.has_certificate ? (await order(user, `certfp fingerprint -network ${quote(network.name)}`)).lines : [];

	await ask({ title: `Certificate for ${network.name}`, button: network.has_certificate ? "Make another" : "Make one", danger: network.has_certificate,
		text: network.has_certificate ? "Tell its NickServ one of these, with CERT ADD; then log in by it (Change). Another one has to be told again." : "With a certificate you log in there without a password, once its NickServ knows its fingerprint.",
		body: said.length ? h("pre.answers", { tabindex: 0, "aria-label": "Fingerprints" }, said.join("\n")) : null,
		fields: [{ name: "type", label: "Key", options: ["ecdsa", "ed25519", "rsa"] }],
		submit: async ({ type }) => { await mustBeGood(user, `certfp generate -key-type ${type} -network ${quote(network.name)}`); } })
		.then(async (made) => {
			await done();
			if (made)
				await certificate(user, { ...network, has_certificate: true }, done);
		});
}

// Why it is as it is, and what comes next.
function reason(one) {
	const next = seconds(one.next_try) - Date.now() / 1000;

	if (one.state === "up")
		return one.tls ? "TLS" : "plain text";
	return [one.why, one.state === "waits" && one.next_try ? `Again in ${duration(Math.max(0, next))}` : ""].filter(Boolean).join(". ");
}

export function networkTable(current, load) {
	const button = (word, of, work) => h("button.quiet-button", { type: "button", onclick: () => work(current(), of(), load) }, word);

	return new Table({ label: "Networks", empty: "No network.", columns: [
		{ name: "Network", kind: "named", make: () => h("div.mount-words", null, h("span.mount-link", { dir: "auto" }), h("span.mount-name", { dir: "ltr" })), fill: (cell, one) => {
			setText(cell.firstChild.firstChild, one.name);
			setText(cell.firstChild.lastChild, one.host && !one.addr.includes(one.host) ? `${one.addr} (${one.host})` : one.addr);
		} },
		{ name: "State", kind: "wide", make: () => h("div.title-cell", null, h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word")), h("span.why", { dir: "auto" })), fill: (cell, one) => {
			const [word, look] = states[one.state] ?? [one.state, "off"];
			const [state, why] = cell.firstChild.children;

			state.dataset.state = look;
			setText(state.lastChild, word);
			setText(why, reason(one));
		} },
		{ name: "Nick", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, [one.nick, one.account && `(${one.account})`].filter(Boolean).join(" ") || "–") },
		{ name: "Login", text: (one) => [one.sasl, one.has_certificate && one.sasl !== "EXTERNAL" && "certificate"].filter(Boolean).join(", ") || "none" },
		{ name: "Lag", kind: "num", text: (one) => one.state === "up" ? `${number(one.lag_ms)}\u00a0ms` : "–" },
		{ name: "For", kind: "num", text: (one) => since(seconds(one.since)) },
		{ name: "Channels", kind: "num", text: (one) => number(one.channels) },
		{ name: "Queued", kind: "num", text: (one) => number(one.queued) },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => h("div.acts.many", null, button("Change", of, changeNetwork), button("Certificate", of, certificate), button("Turn off", of, turn), button("Remove", of, removeNetwork)), fill: (cell, one) => {
			const buttons = cell.querySelectorAll("button");

			setText(buttons[2], one.state === "off" ? "Turn on" : "Turn off");
			for (const each of buttons)
				each.setAttribute("aria-label", `${each.textContent} ${one.name}`);
		} },
	] });
}

// --- clients ---------------------------------------------------------------------------------

export const clientTable = () => new Table({ label: "Connections", empty: "No client is connected.", columns: [
	{ name: "Client", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.client || "unnamed") },
	{ name: "Network", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.network === "*" ? "all" : one.network || "none") },
	{ name: "Address", kind: "code", text: (one) => one.address },
	{ name: "TLS", text: (one) => one.tls ? "yes" : "no" },
	{ name: "For", kind: "num", text: (one) => since(seconds(one.since)) },
	{ name: "Lines in", kind: "num", text: (one) => number(one.lines_in) },
	{ name: "Lines out", kind: "num", text: (one) => number(one.lines_out) },
	{ name: "Waits", kind: "num", text: (one) => bytes(one.waits_bytes) },
] });

// Names that clients gave, whose places are kept: user/network@NAME.
export const deviceTable = () => new Table({ label: "Clients", empty: "No client was ever here.", columns: [
	{ name: "Client", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.name || "unnamed") },
	{ name: "Here", text: (one) => one.connections ? one.connections > 1 ? `yes, ${one.connections} times` : "yes" : one.seen ? ago(seconds(one.seen)) : "never" },
	{ name: "Has still to be told", kind: "num", text: (one) => one.behind ? lines(one.behind) : "nothing" },
] });

// --- passwords -------------------------------------------------------------------------------

export async function addPassword(user, done) {
	let secret = "";

	await ask({ title: "A password for a program", button: "Make one", text: "It lets a client in, and you can take it back alone.", fields: [
		{ name: "label", label: "What for", required: true, placeholder: "phone", maxlength: 60 },
	], submit: async ({ label }) => {
		secret = (await mustBeGood(user, `password create -label ${quote(label.trim())}`)).join(" ").match(/\b[0-9a-f]{24}\b/)?.[0] ?? "";
		await done();
	} });
	if (secret)
		await ask({ title: "Copy it now", button: "Done", text: "It is not shown again.", body: h("pre.answers", { tabindex: 0, "aria-label": "The password" }, secret), submit: async () => {} });
}

async function revoke(user, one, done) {
	await ask({ title: `Revoke ${one.label}?`, danger: true, button: "Revoke", text: "Whoever logs in by it cannot any more.", submit: () => mustBeGood(user, `${one.kind === "certificate" ? "device-certificate delete" : "password revoke"} ${quote(one.label)}`) });
	await done();
}

export const passwordTable = (current, load) => new Table({ label: "Passwords of programs", empty: "None: programs log in with the user's own.", columns: [
	{ name: "Label", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.label) },
	{ name: "Kind", text: (one) => one.kind },
	{ name: "Made", text: (one) => dateTime(seconds(one.created)) },
	{ name: "Last used", text: (one) => one.used ? `${dateTime(seconds(one.used))} from ${one.address}` : "never" },
	{ name: "Do", hideName: true, kind: "act-cell", make: (of) => h("div.acts", null, h("button.quiet-button", { type: "button", onclick: () => revoke(current(), of(), load) }, "Revoke")), fill: (cell, one) => cell.querySelector("button").setAttribute("aria-label", `Revoke ${one.label}`) },
] });

// --- rules -----------------------------------------------------------------------------------

export function addRule(user, done) {
	return ask({ title: "What you are called for", button: "Add", text: "Your nick always counts. * and ? stand for any letters.", fields: [
		{ name: "word", label: "Word", placeholder: "deploy*" }, { name: "nick", label: "Or whoever says it", placeholder: "boss" },
		{ name: "channel", label: "Only in channel", placeholder: "#ring" }, { name: "network", label: "Only on network" },
		{ name: "mute", label: "Do not call me for it", type: "checkbox" },
	], submit: async ({ word, mute, ...rest }) => {
		say((await mustBeGood(user, `notify add${options(rest)}${mute ? " -mute true" : ""}${word.trim() ? ` ${quote(word.trim())}` : ""}`)).join(" ") || "Added.");
		await done();
	} });
}

export const ruleTable = (current, load) => new Table({ label: "Rules", empty: "Your nick, and nothing else.", columns: [
	{ name: "Word", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.word || "any") },
	{ name: "Said by", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.nick || "anybody") },
	{ name: "Where", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, [one.channel, one.network].filter(Boolean).join(" on ") || "everywhere") },
	{ name: "Effect", text: (one) => one.mutes ? "silence" : "a call" },
	{ name: "Do", hideName: true, kind: "act-cell", make: (of) => h("div.acts", null, h("button.quiet-button", { type: "button", onclick: () => obey(current(), `notify delete ${of().number}`, load) }, "Remove")), fill: (cell, one) => cell.querySelector("button").setAttribute("aria-label", `Remove rule ${one.number}`) },
] });

// --- browsers and phones ---------------------------------------------------------------------

export const pushTable = (current, load) => new Table({ label: "Browsers and phones", empty: "None has asked to be told while you are away.", columns: [
	{ name: "By way of", make: () => h("span.mount-link", { dir: "ltr" }), fill: (cell, one) => setText(cell.firstChild, one.service) },
	{ name: "Network", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.network || "all") },
	{ name: "Since", text: (one) => dateTime(seconds(one.created)) },
	{ name: "Do", hideName: true, kind: "act-cell", make: (of) => h("div.acts", null, h("button.quiet-button", { type: "button", onclick: () => obey(current(), `push delete ${of().id}`, load) }, "Remove")), fill: (cell, one) => cell.querySelector("button").setAttribute("aria-label", `Remove ${one.service}`) },
] });
