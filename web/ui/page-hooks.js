import { attempt } from "./ask.js";
import { can, get, post } from "./api.js";
import { h, setText } from "./dom.js";
import { ago, number } from "./format.js";
import { Table } from "./table.js";

export const offered = ({ me }) => me.may("operator") && can("GET", "/hooks");

const words = { off: ["Off", "off"], paused: ["Paused", "stalled"], sending: ["Sending", "lingering"], waiting: ["Waiting", "lingering"], idle: ["Ready", "live"] };

export function show(place) {
	const table = new Table({ label: "Webhooks", empty: "No webhook. They stand in the settings (hook:): for Discord, Slack, or any program that takes HTTP.", columns: [
		{ name: "Name", make: () => h("div.mount-words", null, h("span.mount-link", { dir: "auto" }), h("span.mount-name", { dir: "ltr" })), fill: (cell, one) => {
			setText(cell.firstChild.firstChild, one.name);
			setText(cell.firstChild.lastChild, one.url);
		} },
		{ name: "State", kind: "wide", make: () => h("div.title-cell", null, h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word")), h("span.title-artist", { dir: "auto" })), fill: (cell, one) => {
			const [word, look] = words[one.state] ?? [one.state, "off"];
			const [state, error] = cell.firstChild.children;

			state.dataset.state = one.error && look === "live" ? "stalled" : look;
			setText(state.lastChild, one.error && look === "live" ? "Failed" : word);
			setText(error, one.error ?? "");
		} },
		{ name: "Sent", kind: "num", text: (one) => number(one.sent) },
		{ name: "Failed", kind: "num", text: (one) => number(one.failed) },
		{ name: "Lost", kind: "num", text: (one) => number(one.lost) },
		{ name: "Queued", kind: "num", text: (one) => number(one.queued) },
		{ name: "Answer", kind: "num", text: (one) => one.status ? String(one.status) : "–" },
		{ name: "Last", text: (one) => one.last ? ago(one.last) : "never" },
		{ name: "Actions", hideName: true, kind: "act-cell", make: (current) => h("button.quiet-button", { type: "button", onclick: async () => {
			await attempt(() => post(`/hooks/${encodeURIComponent(current().name)}/test`), "A test is on its way.");
			load();
		} }, "Test"), fill: (cell, one) => cell.firstChild.setAttribute("aria-label", `Test ${one.name}`) },
	] });
	let timer = 0;

	async function load() {
		clearTimeout(timer);
		try {
			table.show((await get("/hooks")).hooks, (one) => one.name);
		} catch {
			// Asked again soon.
		}
		timer = setTimeout(load, 2000);
	}
	place.append(h("section.card.flush", null, table.root));
	load();
	return () => clearTimeout(timer);
}
