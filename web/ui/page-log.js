import { get } from "./api.js";
import { h } from "./dom.js";
import { live } from "./live.js";
import { logLine, parts } from "./log-line.js";

export const offered = ({ me }) => me.may("operator");

const levels = ["debug", "info", "warning", "error"];
const KEPT = 500;

export function show(place) {
	const list = h("ol.log", { tabindex: 0, "aria-label": "Log lines, newest last" });
	const level = h("select", { "aria-label": "Least level", onchange: () => redraw() }, levels.map((one) =>
		h("option", { value: one, selected: one === "info" }, one === "debug" ? "Everything" : one === "info" ? "Info and above" : one === "warning" ? "Warnings and errors" : "Errors only")));
	const find = h("input", { type: "search", placeholder: "Find in the log", "aria-label": "Find in the log", oninput: () => redraw() });
	const follow = h("input", { type: "checkbox", id: "follow", checked: true });
	const seen = new Map(); // number → line
	let last = 0;

	const wanted = (line) => levels.indexOf(parts(line.text).level) >= levels.indexOf(level.value) &&
		line.text.toLowerCase().includes(find.value.trim().toLowerCase());

	function redraw() {
		const shown = [...seen.values()].sort((a, b) => a.number - b.number).filter(wanted).slice(-KEPT);

		list.replaceChildren(...shown.map(logLine));
		if (follow.checked)
			list.scrollTop = list.scrollHeight;
	}

	function take(lines) {
		const fresh = lines.filter((line) => !seen.has(line.number));

		for (const line of fresh)
			seen.set(line.number, line);
		for (const number of [...seen.keys()].slice(0, Math.max(0, seen.size - 2 * KEPT)))
			seen.delete(number);
		// What came by the event stream may be here before what was there already.
		if (fresh.some((line) => line.number < last)) {
			redraw();
			return;
		}
		last = Math.max(last, ...fresh.map((line) => line.number));
		for (const line of fresh.filter(wanted))
			list.append(logLine(line));
		while (list.childElementCount > KEPT)
			list.firstElementChild.remove();
		if (fresh.length && follow.checked)
			list.scrollTop = list.scrollHeight;
	}
	place.append(h("section.card.flush.log-card", null, h("div.card-top.tools", null, find, level,
		h("label.check", { for: "follow" }, follow, "Follow")), list));
	get("/log").then(({ lines }) => take(lines)).catch(() => {});
	return live.watch(() => take(live.logLines));
}
