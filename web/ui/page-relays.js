// Streams that come from other servers, streams that go to other servers, and where we are listed.

import { ask, attempt } from "./ask.js";
import { can, del, get, mountPath, post } from "./api.js";
import { h, setText } from "./dom.js";
import { bytes, number, since } from "./format.js";
import { looking } from "./look.js";
import { me } from "./me.js";
import { mountHref } from "./mount-table.js";
import { Table } from "./table.js";

export const offered = ({ me: who }) => who.may("operator") && can("GET", "/relays");

const words = {
	off: ["Stopped", "off"], idle: ["Waits for a listener", "off"], connecting: ["Connecting", "lingering"], running: ["Running", "live"],
	waiting: ["Tries again soon", "stalled"], yielding: ["An encoder has the mount", "lingering"], silent: ["Nothing to send", "off"],
	asking: ["Asking", "lingering"], listed: ["Listed", "live"], ending: ["Ending", "off"],
};

function stateCell() {
	return h("div.title-cell", null, h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word")), h("span.title-artist", { dir: "auto" }));
}

function fillState(cell, one) {
	const [word, look] = words[one.state] ?? [one.state, "off"];
	const [state, error] = cell.firstChild.children;

	state.dataset.state = look;
	setText(state.lastChild, word);
	setText(error, one.error ?? "");
}

function orderButtons(path, load, orders) {
	return (current) => h("div.acts", null, orders.map(([order, word]) => h("button.quiet-button", { type: "button", "data-order": order, onclick: async () => {
		await attempt(() => post(path(current()), { order }));
		load();
	} }, word)));
}

const column = {
	state: { name: "State", kind: "wide", make: stateCell, fill: fillState },
	mount: { name: "Mount", make: () => h("a.mount-link", { dir: "auto" }), fill: (cell, one) => {
		cell.firstChild.href = mountHref(one.mount);
		setText(cell.firstChild, one.mount);
	} },
	url: { name: "Server", kind: "whole", make: () => h("span.code", { dir: "ltr" }), fill: (cell, one) => setText(cell.firstChild, one.url + (one.upstreams > 1 ? ` (${one.upstream} of ${one.upstreams})` : "")) },
	since: { name: "For", kind: "num", text: (one) => since(one.since) },
	bytes: { name: "Bytes", kind: "num", text: (one) => bytes(one.bytes) },
	retries: { name: "Retries", kind: "num", text: (one) => number(one.retries) },
};

function showOrders(cell, one) {
	for (const button of cell.querySelectorAll("button[data-order]")) {
		button.hidden = button.dataset.order === "start" ? one.started : !one.started;
		button.setAttribute("aria-label", `${button.textContent} ${one.name ?? one.mount}`);
	}
	const remove = cell.querySelector(".remove");

	if (remove)
		remove.hidden = one.origin !== "api";
}

export function show(place, _, { tools }) {
	const { load, end } = looking(draw, 3000);
	const relays = new Table({ label: "Relays", empty: "Nothing is pulled from other servers. Relays stand in the settings (relay:), or are added here.", columns: [
		column.mount, column.state, column.url, column.since, column.bytes, column.retries,
		{ name: "Actions", hideName: true, kind: "act-cell", make: (current) => {
			const acts = orderButtons((one) => `/relays${mountPath(one.mount)}/order`, load, [["start", "Start"], ["restart", "Restart"], ["stop", "Stop"]])(current);

			if (me.may("admin"))
				acts.append(h("button.quiet-button.remove", { type: "button", onclick: async () => {
					await attempt(() => del(`/relays${mountPath(current().mount)}`));
					load();
				} }, "Remove"));
			return acts;
		}, fill: showOrders },
	] });
	const pushes = new Table({ label: "Pushes", empty: "Nothing is sent on to other servers. Pushes stand in the settings (push:).", columns: [
		{ name: "Name", text: (one) => one.name }, column.state, column.mount, column.url, column.since, column.bytes, column.retries,
		{ name: "Actions", hideName: true, kind: "act-cell", make: (current) => orderButtons((one) => `/pushes/${encodeURIComponent(one.name)}/order`, load, [["start", "Start"], ["stop", "Stop"]])(current), fill: showOrders },
	] });
	const listings = new Table({ label: "Directories", empty: "No mount is listed in a directory.", columns: [
		column.mount, column.state, { ...column.url, name: "Directory", fill: (cell, one) => setText(cell.firstChild, one.directory) }, column.since,
	] });
	async function draw() {
		relays.show((await get("/relays")).relays, (one) => one.mount);
		if (can("GET", "/pushes"))
			pushes.show((await get("/pushes")).pushes, (one) => one.name);
		if (can("GET", "/directory"))
			listings.show((await get("/directory")).listings, (one) => `${one.mount} ${one.directory}`);
	}
	if (me.may("admin") && can("POST", "/relays"))
		tools.append(h("button.primary", { type: "button", onclick: async () => {
			await ask({ title: "Relay a stream", button: "Relay", text: "It is pulled until you remove it, also when the server begins anew; what needs more than an address goes into the settings.",
				fields: [{ name: "url", label: "Address of the stream", type: "url", required: true, placeholder: "https://radio.example/live" },
					{ name: "mount", label: "Mount here", required: true, value: "/" },
					{ name: "on_demand", label: "Only while somebody listens", type: "checkbox" }],
				submit: (values) => post("/relays", values) });
			load();
		} }, "Relay a stream"));
	const card = (title, table) => h("section.card.flush", null, h("div.card-top", null, h("h2", null, title)), table.root);

	place.append(card("Pulled from others", relays), card("Sent on to others", pushes), card("Listed in directories", listings));
	load();
	return end;
}
