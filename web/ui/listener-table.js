// Who listens: a table with search, order and pages, and what can be done to each.

import { ask, attempt } from "./ask.js";
import { can, del, get, mountPath, post } from "./api.js";
import { h, setText } from "./dom.js";
import { agentName, bytes, number, since } from "./format.js";
import { live } from "./live.js";
import { me } from "./me.js";
import { Table } from "./table.js";

// On a phone each is a card, and fifty of them are a long way.
const PAGE = matchMedia("(max-width: 40rem)").matches ? 15 : 50;

function lag(ms) {
	return ms === null || ms === undefined ? "–" : ms < 1000 ? `${ms}\u00a0ms` : `${(ms / 1000).toFixed(1)}\u00a0s`;
}

export function otherMounts(mount) {
	return Object.values(live.state.mounts).filter((one) => one.mount !== mount && one.state !== "off").map((one) => one.mount);
}

export async function kick(listener) {
	await attempt(() => del(`/mounts${mountPath(listener.mount)}/listeners/${listener.id}`), `${listener.address} was sent away.`);
}

export function move(mount, listener) {
	const options = otherMounts(mount);

	return ask({ title: listener ? "Move a listener" : `Move all listeners of ${mount}`, button: "Move",
		text: options.length ? "They hear the other mount without a reconnect, when it has the same format." : "There is no other mount with something to hear.",
		fields: options.length ? [{ name: "to", label: "To", options }] : [],
		submit: async ({ to }) => {
			if (!to)
				throw new Error("There is nowhere to go.");
			const { count } = await post(`/mounts${mountPath(mount)}/move`, { to, ...(listener ? { listener: listener.id } : {}) });

			if (!count)
				throw new Error("Nobody was moved: the formats differ, or they have left.");
		} });
}

export const lengths = [{ value: "3600", label: "An hour" }, { value: "86400", label: "A day" }, { value: "604800", label: "A week" }, { value: "0", label: "For ever" }];

export function ban(address = "") {
	return ask({ title: "Ban an address", danger: true, button: "Ban",
		text: "Whoever is connected from there is sent away at once and cannot come back.",
		fields: [{ name: "network", label: "Address or network", value: address, required: true, placeholder: "192.0.2.7 or 192.0.2.0/24" },
			{ name: "seconds", label: "For how long", options: lengths, value: "86400" },
			{ name: "reason", label: "Why", maxlength: 200, hint: "For you and your colleagues." }],
		submit: ({ network, seconds, reason }) => post("/bans", { network: network.trim(), seconds: Number(seconds), reason }) });
}

export function listenerTable({ path, withMount = false }) {
	const state = { offset: 0, order: "since", find: "" };
	const count = h("p.quiet.grow");
	const back = h("button.quiet-button", { type: "button", onclick: () => turn(-1) }, "Previous");
	const forth = h("button.quiet-button", { type: "button", onclick: () => turn(1) }, "Next");
	const pages = h("div.pages", null, back, forth);
	const find = h("input", { type: "search", placeholder: "Address or player", "aria-label": "Find a listener", oninput: () => {
		state.find = find.value.trim();
		state.offset = 0;
		load();
	} });
	const mayAct = me.may("operator");
	const columns = [
		{ name: "Address", order: "address", kind: "code", text: (one) => one.address },
		withMount ? { name: "Mount", text: (one) => one.mount } : null,
		{ name: "Player", order: "agent", make: () => h("span", { dir: "auto" }), fill: (cell, one) => {
			setText(cell.firstChild, agentName(one.agent));
			cell.firstChild.title = one.agent;
		} },
		{ name: "For", kind: "num", order: "since", text: (one) => since(one.since) },
		{ name: "Behind", kind: "num", order: "lag", text: (one) => lag(one.lag_ms) },
		{ name: "Sent", kind: "num", order: "sent", text: (one) => bytes(one.sent) },
		{ name: "Skips", kind: "num", text: (one) => number(one.skips) },
		mayAct ? { name: "Actions", hideName: true, kind: "act-cell", make: (current) => h("div.acts", null,
			h("button.quiet-button", { type: "button", onclick: async () => {
				await kick(current());
				load();
			} }, "Kick"),
			h("button.quiet-button", { type: "button", onclick: async () => {
				await move(current().mount, current());
				load();
			} }, "Move"),
			h("button.quiet-button", { type: "button", onclick: async () => {
				await ban(current().address);
				load();
			} }, "Ban")), fill: (cell, one) => {
			for (const button of cell.querySelectorAll("button"))
				button.setAttribute("aria-label", `${button.textContent} ${one.address}`);
		} } : null,
	].filter(Boolean);
	const table = new Table({ label: "Listeners", columns, empty: "Nobody listens.", onOrder: (name) => {
		state.order = state.order === name ? `-${name}` : name;
		state.offset = 0;
		load();
	} });
	let timer = 0;
	let ended = false;
	let turnOf = 0;

	function turn(way) {
		state.offset = Math.max(0, state.offset + way * PAGE);
		load();
	}

	async function load() {
		const mine = ++turnOf;

		clearTimeout(timer);
		try {
			const answer = await get(`${path}?offset=${state.offset}&limit=${PAGE}&order=${state.order}&find=${encodeURIComponent(state.find)}`);

			if (mine !== turnOf || ended)
				return;
			if (state.offset && state.offset >= answer.total) {
				state.offset = Math.max(0, Math.floor((answer.total - 1) / PAGE) * PAGE);
				load();
				return;
			}
			table.show(answer.listeners, (one) => one.id);
			table.setOrder(state.order);
			count.textContent = answer.total > PAGE ? `${number(state.offset + 1)} to ${number(state.offset + answer.listeners.length)} of ${number(answer.total)}` : "";
			back.disabled = state.offset === 0;
			forth.disabled = state.offset + PAGE >= answer.total;
			pages.hidden = answer.total <= PAGE;
		} catch (fault) {
			if (fault.status === 404)
				table.show([], (one) => one.id);
		}
		if (!ended && mine === turnOf)
			timer = setTimeout(load, 3000);
	}
	load();
	return { root: h("div", null, h("div.card-top.tools", null, find, count, pages), table.root), load, end() {
		ended = true;
		clearTimeout(timer);
	} };
}

export const mayBan = () => me.may("operator") && can("POST", "/bans");
