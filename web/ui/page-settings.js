// All settings, to be read: what is in force, what it means, who said so. They are changed in the file.

import { ask, attempt, say } from "./ask.js";
import { can, get, post } from "./api.js";
import { h, setChildren } from "./dom.js";

export const offered = ({ me }) => me.may("admin") && can("GET", "/settings");

function origin(one, file) {
	switch (one.from) {
	case "file": return `${one.source ?? file}${one.line ? `, line ${one.line}` : ""}`;
	case "option": return "given at the start";
	case "inherited": return one.source && one.line ? `inherited, ${one.source}, line ${one.line}` : one.source ? "inherited, given at the start" : "inherited";
	default: return one.inherits ? `as ${one.inherits}` : "default";
	}
}

function settingRow(one, file) {
	const said = one.from !== "default";

	return h(`div.setting${said ? ".said" : ""}`, { "data-name": `${one.name} ${one.help}`.toLowerCase() },
		h("div.setting-head", null, h("code.setting-name", null, one.name), h("span.setting-from", null, origin(one, file))),
		h("p.setting-value", null, h("code", { dir: "auto" }, one.value === "" ? "empty" : one.value),
			said && !one.secret && one.default !== one.value && !one.inherits ? h("span.setting-default", null, `default ${one.default === "" ? "empty" : one.default}`) : null),
		h("p.setting-help", null, one.help));
}

// What was set stands open; what was not is there for who looks for it.
function group(title, settings, file) {
	const said = settings.filter((one) => one.from !== "default");
	const rest = settings.filter((one) => one.from === "default");

	return h("section.card.setting-group", null, h("div.card-top", null, h("h2", { dir: "auto" }, title)), said.map((one) => settingRow(one, file)),
		rest.length ? h("details.setting-rest", null, h("summary", null, `${rest.length} ${said.length ? "more " : ""}at their defaults`), rest.map((one) => settingRow(one, file))) : null);
}

function judged({ good, faults }) {
	return good ? h("p.verdict.good", null, "The settings are good.") :
		h("div.verdict.bad", { role: "alert" }, h("p", null, `${faults.length} ${faults.length === 1 ? "fault" : "faults"}. Nothing was changed.`), h("ul", null, faults.map((fault) => h("li", null, h("code", null, fault)))));
}

export function show(place, _, { tools }) {
	const result = h("div");
	const list = h("div.settings");
	const find = h("input", { type: "search", placeholder: "Find a setting", "aria-label": "Find a setting", oninput: () => filter() });
	const changed = h("input", { type: "checkbox", id: "only-said", onchange: () => filter() });

	function filter() {
		const wanted = find.value.trim().toLowerCase();

		for (const row of list.querySelectorAll(".setting"))
			row.hidden = !row.dataset.name.includes(wanted) || (changed.checked && !row.classList.contains("said"));
		for (const part of list.querySelectorAll(".setting-rest")) {
			part.hidden = !part.querySelector(".setting:not([hidden])");
			part.open = Boolean(wanted);
		}
		for (const part of list.querySelectorAll(".setting-group"))
			part.hidden = !part.querySelector(".setting:not([hidden])");
	}

	async function load() {
		const { file, rooms } = await get("/settings");
		const groups = rooms.flatMap((room) => [group(room.title, room.settings, file),
			...(room.section?.entries ?? []).filter((entry) => entry.name !== "default" || entry.settings.some((one) => one.from !== "default")).map((entry) =>
				group(`${room.section.name} ${entry.name}`, entry.settings, file))]);

		setChildren(list, h("p.hint-text", null, file ? `The file is ${file}.` : "There is no settings file: values come from the start line and from defaults."), groups);
		filter();
	}

	tools.append(h("button.quiet-button", { type: "button", onclick: () => ask({ title: "Reload the settings?", button: "Reload",
		text: "The file is read again and all of it comes into force, or nothing. Nobody is disconnected.",
		submit: async () => {
			const answer = await post("/reload");

			setChildren(result, answer.good ? null : judged(answer));
			if (answer.good)
				say("The settings are in force.");
			await load();
		} }) }, "Reload"));
	const text = h("textarea", { rows: 8, spellcheck: "false", "aria-label": "Settings to check", placeholder: "http:\n  listen: \"[::]:8000\"" });
	const verdict = h("div");

	place.append(result, h("div.filters", null, find, h("label.check", { for: "only-said" }, changed, "Only what was set")), list,
		h("details.card", null, h("summary", null, "Check a file before you put it in place"), text,
			h("button.quiet-button", { type: "button", onclick: () => attempt(async () => setChildren(verdict, judged(await post("/settings/check", { text: text.value })))) }, "Check"), verdict));
	load().catch((fault) => say(fault.message, "bad"));
}
