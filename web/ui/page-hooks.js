// Whom the server tells what happens: webhooks of the settings, and those that were made here.

import { ask, attempt } from "./ask.js";
import { can, del, get, post, put } from "./api.js";
import { h, setText } from "./dom.js";
import { ago, number } from "./format.js";
import { looking } from "./look.js";
import { me } from "./me.js";
import { Table } from "./table.js";

export const offered = ({ me }) => me.may("operator") && can("GET", "/hooks");

const words = { off: ["Off", "off"], paused: ["Paused", "stalled"], sending: ["Sending", "lingering"], waiting: ["Waiting", "lingering"], idle: ["Ready", "live"] };

const events = { source_up: "An encoder has come", source_down: "An encoder has gone", title: "A title", listener_limit: "No room for listeners", listener_slow: "A listener was too slow",
	relay_up: "A relay runs", relay_down: "A relay has failed", source_refused: "An encoder was refused", lockout: "Wrong passwords" };
const presets = [{ value: "json", label: "JSON, with all that is known" }, { value: "discord", label: "Discord" }, { value: "slack", label: "Slack" }, { value: "template", label: "The template below" }];
const list = (text) => text.split(/\s+/).filter(Boolean);

// What is not said stays as it is.
function form(hook, done) {
	return ask({ title: hook ? `Change ${hook.name}` : "Add a webhook", button: hook ? "Change" : "Add", fields: [
		...(hook ? [] : [{ name: "name", label: "Name", required: true, maxlength: 63 }]),
		{ name: "url", label: "Address", type: "url", value: hook?.url, required: !hook, placeholder: "https://…", hint: hook ? "What is secret in it is not shown; empty: it stays." : null },
		{ name: "preset", label: "What is sent", options: presets, value: hook?.preset ?? "json" },
		{ name: "events", label: "When", value: hook?.events, choices: Object.entries(events).map(([value, label]) => ({ value, label })), hint: "None: all but titles." },
		{ name: "mounts", label: "Only of these mounts", value: hook?.mounts.join(" "), placeholder: "/live /night", hint: "Apart by blanks. Empty: of all." },
		{ name: "template", label: "Template", type: "textarea", hint: `{{event}}, {{text}}, {{mount}}, {{title}} and {{time}} are filled in.${hook ? " Empty: it stays." : ""}` },
		{ name: "secret", label: "Secret", type: "password", autocomplete: "new-password", hint: hook?.signed ? "It is signed. Empty: with the same secret." : "What each message is signed with. Empty: not at all." },
		{ name: "enabled", label: "In use", type: "checkbox", value: hook?.enabled ?? true },
	], submit: async ({ name, url, mounts, template, secret, ...rest }) => {
		const body = { ...rest, mounts: list(mounts), ...(url && url !== hook?.url ? { url } : {}), ...(template ? { template } : {}), ...(secret ? { secret } : {}) };

		if (hook)
			await put(`/hooks/${encodeURIComponent(hook.name)}`, body);
		else
			await post("/hooks", { name, ...body });
		done();
	} });
}

// One of the settings is changed there.
function actions(load) {
	const may = me.may("admin");
	const path = (one) => `/hooks/${encodeURIComponent(one.name)}`;

	return { name: "Actions", hideName: true, kind: "act-cell", make: (current) => h("div.acts", null,
		h("button.quiet-button", { type: "button", onclick: async () => {
			await attempt(() => post(`/hooks/${encodeURIComponent(current().name)}/test`), "A test is on its way.");
			load();
		} }, "Test"),
		may && can("PUT", "/hooks/{name}") ? h("button.quiet-button.own", { type: "button", onclick: () => form(current(), load) }, "Change") : null,
		may && can("DELETE", "/hooks/{name}") ? h("button.quiet-button.own", { type: "button", onclick: async () => {
			await ask({ title: `Remove ${current().name}?`, danger: true, button: "Remove", submit: () => del(path(current())) });
			load();
		} }, "Remove") : null), fill: (cell, one) => {
		for (const button of cell.querySelectorAll("button")) {
			button.hidden = button.classList.contains("own") && !one.editable;
			button.setAttribute("aria-label", `${button.textContent} ${one.name}`);
		}
	} };
}

export function show(place, _, { tools }) {
	const { load, end } = looking(draw, 2000);
	const table = new Table({ label: "Webhooks", empty: "No webhook. They tell Discord, Slack, or any program that takes HTTP what happens here.", columns: [
		{ name: "Name", kind: "named", make: () => h("div.mount-words", null, h("span.mount-link", { dir: "auto" }), h("span.mount-name", { dir: "ltr" })), fill: (cell, one) => {
			setText(cell.firstChild.firstChild, one.name);
			setText(cell.firstChild.lastChild, one.url);
		} },
		{ name: "State", kind: "wide", make: () => h("div.title-cell", null, h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word")), h("span.title-artist", { dir: "auto" })), fill: (cell, one) => {
			const [word, look] = words[one.state] ?? [one.state, "off"];
			const [state, error] = cell.firstChild.children;

			state.dataset.state = one.error && look === "live" ? "stalled" : look;
			setText(state.lastChild, one.error && look === "live" ? "Failed" : word);
			setText(error, one.error ?? (one.status ? `answered ${one.status}` : ""));
		} },
		{ name: "Sent", kind: "num", text: (one) => number(one.sent) },
		{ name: "Failed", kind: "num", text: (one) => number(one.failed) },
		{ name: "Lost", kind: "num", text: (one) => number(one.lost) },
		{ name: "Queued", kind: "num", text: (one) => number(one.queued) },
		{ name: "Last", text: (one) => one.last ? ago(one.last) : "never" },
		actions(() => load()),
	] });
	async function draw() {
		table.show((await get("/hooks")).hooks, (one) => one.name);
	}
	if (me.may("admin") && can("POST", "/hooks"))
		tools.append(h("button.primary", { type: "button", onclick: () => form(null, load) }, "Add a webhook"));
	place.append(h("section.card.flush", null, table.root), h("p.hint-text", null, "Those of the settings (hook:) are changed there."));
	load();
	return end;
}
