// What was: songs, sessions of listeners, encoders, minutes, and who changed what. The store keeps
// it; where there is none, or it cannot be read now, the page says so and the station goes on.

import { can, get } from "./api.js";
import { Chart } from "./chart.js";
import { h, setChildren, setText } from "./dom.js";
import { agentName, bytes, dateTime, duration, number } from "./format.js";
import { me } from "./me.js";
import { emptyNote, Table } from "./table.js";

const PAGE = 100;

// Each part with the paths that it may have, the first that the server offers is taken.
const parts = [
	{ name: "songs", title: "Songs", paths: ["/history/songs", "/songs"], columns: ["began", "title", "mount", "listeners", "peak"] },
	{ name: "listeners", title: "Sessions", paths: ["/history/listeners", "/history/sessions"], columns: ["began", "address", "mount", "agent", "lasted", "bytes", "why"] },
	{ name: "sources", title: "Encoders", paths: ["/history/sources", "/sources"], columns: ["began", "mount", "address", "agent", "user", "lasted", "bytes", "why"] },
	{ name: "minutes", title: "Hours", paths: ["/history/minutes", "/minutes"], query: "&step=3600", columns: ["at", "mount", "listeners", "peak", "joins", "bytes_out"] },
	{ name: "audit", title: "Audit", paths: ["/audit", "/history/audit"], columns: ["at", "who", "action", "target", "result", "address"] },
];
const names = { began: "Began", ended: "Ended", at: "When", title: "Title", mount: "Mount", listeners: "Listeners", peak: "Peak", joins: "Joined", address: "Address",
	agent: "Player", bytes: "Sent", bytes_out: "Sent", why: "End", who: "Who", action: "Did", target: "To", result: "Result", user: "User", lasted: "For" };
const numeric = new Set(["listeners", "peak", "joins", "bytes", "bytes_out", "lasted"]);

const pathOf = (part) => part.paths.find((path) => can("GET", path));

export const offered = ({ me: who }) => who.may("operator") && parts.some(pathOf);

// The store says milliseconds or seconds or a date; all of them are a moment.
function seconds(value) {
	if (typeof value === "string")
		return Date.parse(value) / 1000;
	return value > 1e14 ? value / 1e6 : value > 1e11 ? value / 1e3 : value;
}

function text(column, row) {
	const value = row[column];

	if (column === "lasted")
		return row.ended ? duration(seconds(row.ended) - seconds(row.began)) : "still there";
	if (value === null || value === undefined || value === "")
		return column === "mount" ? "all" : "–";
	if (column === "at" || column === "began" || column === "ended")
		return dateTime(seconds(value));
	if (column === "agent")
		return agentName(value);
	if (column.startsWith("bytes"))
		return bytes(value);
	return typeof value === "number" ? number(value) : String(value);
}

// How many listened, over days and up to a year: what the charts of the other pages have forgotten.
const spans = [["1 d", 86400, 300], ["7 d", 604800, 1800], ["30 d", 2592000, 7200], ["1 y", 31536000, 86400]];

function pastCard(mountNow) {
	const path = pathOf(parts.find((part) => part.name === "minutes"));
	const chart = new Chart({ label: "Listeners over time", format: number, height: 220 });
	const note = h("p.hint-text");
	const buttons = spans.map((span) => h("button.span", { type: "button", onclick: () => load(span) }, span[0]));
	const root = h("section.card", null, h("div.card-top", null, h("h2", null, "Listeners over time"),
		h("p.legend", null, h("span.legend-item", null, h("span.legend-dot.tone-main", { "aria-hidden": "true" }), "Average"), h("span.legend-item", null, h("span.legend-dot.tone-calm", { "aria-hidden": "true" }), "Peak")),
		h("div.spans", { role: "group", "aria-label": "Span of the chart" }, buttons)), chart.root, note);
	let current = spans[1];
	let turn = 0;

	async function load(span = current) {
		const [, length, step] = span;
		const mine = ++turn;
		const end = Math.floor(Date.now() / 1000 / step) * step;
		const count = length / step;

		current = span;
		buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(spans[i] === span)));
		try {
			const wanted = mountNow();
			const { minutes } = await get(`${path}?step=${step}&from=${end - length}&limit=1000${wanted ? `&mount=${encodeURIComponent(wanted)}` : ""}`);
			const at = new Map(minutes.map((row) => [Math.floor(seconds(row.at) / step) * step, row]));
			const line = (key) => Array.from({ length: count }, (_, i) => at.get(end - (count - 1 - i) * step)?.[key] ?? null);

			if (mine !== turn)
				return;
			chart.show([{ name: "Average", values: line("listeners") }, { name: "Peak", tone: "calm", values: line("peak") }], step, end);
			setText(note, minutes.length ? `${number(minutes.reduce((sum, row) => sum + row.joins, 0))} came, and got ${bytes(minutes.reduce((sum, row) => sum + row.bytes_out, 0))}.` : "Nothing was kept for this time.");
		} catch {
			setText(note, "It cannot be read now.");
		}
	}
	return path ? { root, load } : null;
}

export function show(place, _, { tools }) {
	const there = parts.filter((part) => pathOf(part) && (part.name !== "audit" || me.may("admin")));
	const mount = h("input", { type: "search", placeholder: "Only this mount, such as /live", "aria-label": "Only this mount", onchange: () => {
		load();
		past?.load();
	} });
	const content = h("div");
	const tabs = h("div.tabs", { role: "group", "aria-label": "What was" }, there.map((part) => h("button.tab", { type: "button", "data-part": part.name, onclick: () => choose(part) }, part.title)));
	const save = ["csv", "json"].map((kind) => h("a.tool-link", { download: "" }, `Save as ${kind.toUpperCase()}`));
	const past = pastCard(() => mount.value.trim());
	let current = there[0];
	let before = 0;
	let rows = [];

	function choose(part) {
		current = part;
		load();
	}

	function query(more = "") {
		const wanted = mount.value.trim();

		return `${pathOf(current)}?limit=${PAGE}${current.query ?? ""}${wanted ? `&mount=${encodeURIComponent(wanted)}` : ""}${more}`;
	}

	function draw(more) {
		const table = new Table({ label: current.title, empty: "Nothing was kept yet.", columns: current.columns.map((column) => ({
			name: names[column], kind: numeric.has(column) ? "num" : column === "title" ? "wide" : column === "address" ? "code" : "",
			make: () => h("span", { dir: "auto" }), fill: (cell, row) => {
				setText(cell.firstChild, text(column, row));
				if (column === "agent")
					cell.firstChild.title = row.agent ?? "";
			},
		})) });

		table.show(rows, (row) => row.id ?? `${row.mount} ${row.at}`);
		setChildren(content, table.root, more ? h("p.more-row", null, h("button.quiet-button", { type: "button", onclick: () => load(true) }, "Older")) : null);
	}

	async function load(older = false) {
		for (const tab of tabs.children)
			tab.setAttribute("aria-pressed", String(tab.dataset.part === current.name));
		save.forEach((link, i) => { link.href = `/api/v1${query(`&format=${i ? "json" : "csv"}`)}`; });
		try {
			const answer = await get(query(older ? `&before=${before}` : ""));
			const fresh = Object.values(answer).find(Array.isArray) ?? [];

			rows = older ? [...rows, ...fresh] : fresh;
			before = rows.at(-1)?.id ?? 0;
			draw(fresh.length === PAGE && Boolean(before));
		} catch (fault) {
			setChildren(content, emptyNote("History cannot be read now", fault.message, h("p", null, "Streams are not touched by this: what happens meanwhile is kept as far as it can be.")));
		}
	}
	tools.append(...save);
	place.append(...[past?.root, h("div.filters", null, tabs, mount), h("section.card.flush", null, content)].filter(Boolean));
	past?.load();
	if (current)
		load();
}
