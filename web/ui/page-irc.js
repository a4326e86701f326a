// IRC: who is known to the bouncer, with networks and clients, and orders to BouncerServ. Who is no
// administrator sees himself.

import { can, get } from "./api.js";
import { h, setText } from "./dom.js";
import { number } from "./format.js";
import { addNetwork, addPassword, addRule, clientTable, deviceTable, networkTable, order, passwordTable, pushTable, ruleTable } from "./irc-cards.js";
import { looking } from "./look.js";
import { me } from "./me.js";
import { emptyNote, Table } from "./table.js";

export const offered = () => can("GET", "/irc/me");

const LOOK_MS = 2000;
const FEW = 200; // of users, that are listed
const ANSWERS_MAX = 60000; // letters that are kept on the page

const hash = (user) => `#/irc/${encodeURIComponent(user)}`;

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
		answers.textContent = `${answers.textContent}> ${command.replace(/(-(pass|password|password-hash|sasl-password|key|proxy) |set-(plain|scram) ).*/, "$1…")}\n${lines.join("\n")}\n`.slice(-ANSWERS_MAX);
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
	const { load, end } = looking(draw, LOOK_MS);
	const all = me.may("admin") && can("GET", "/irc/users");
	const name = all && argument ? argument.slice(1) : me.user;
	const current = () => name;
	const users = userTable(current), networks = networkTable(current, load), clients = clientTable(), devices = deviceTable();
	const passwords = passwordTable(current, load), rules = ruleTable(current, load), pushes = pushTable(current, load);
	const nobody = emptyNote("Not on IRC yet", `The bouncer does not know ${name} yet; a first order makes him known. It runs when irc.listen is set, such as 127.0.0.1:6667.`);
	const may = can("POST", "/irc/command");
	const card = (title, table, word, add) => h("section.card.flush", null, h("div.card-top", null, h("h2", null, title),
		word && may ? h("button.quiet-button", { type: "button", onclick: () => add(name, load) }, word) : null), table.root);
	const known = h("div.stack", { hidden: true }, card("Networks", networks), card("Connections", clients), card("Clients and their places", devices),
		card("Passwords of programs", passwords, "Make a password", addPassword), card("What calls you", rules, "Add a rule", addRule), card("Browsers and phones that are called", pushes));
	const sum = h("p.hint-text", { hidden: true });
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
		devices.show(one.devices, (device) => device.name);
		passwords.show(one.passwords, (password) => password.label);
		pushes.show(one.pushes, (push) => push.id);
		rules.show(one.rules.map((rule, i) => ({ ...rule, number: i + 1 })), (rule) => JSON.stringify(rule));
	}
	nobody.hidden = true;
	if (all)
		setText(heading, `IRC · ${name}`);
	if (may)
		tools.append(h("button.primary", { type: "button", onclick: () => addNetwork(name, load) }, "Add a network"));
	tools.append(h("a.more", { href: "/irc", target: "_blank", rel: "noopener" }, "Read and write"));
	place.append(...[nobody, known, may ? orderCard(current, load) : null, all ? card("Users", users) : null, sum].filter(Boolean));
	load();
	return end;
}
