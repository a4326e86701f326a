// trends: a chart that is filled from the server once and goes on with what live says.

import { get } from "./api.js";
import { Chart } from "./chart.js";
import { h, setChildren } from "./dom.js";
import { clockTime } from "./format.js";

// lines: [{ series, name, tone, now(state) }]; now gives the live value.
export function trendCard({ title, lines, format, whole = true, height = 200, note, scale = 1 }) {
	const chart = new Chart({ label: title, format, whole, height });
	const buttons = ["hour", "day"].map((span) => h("button.span", {
		type: "button", "aria-pressed": String(span === "hour"), onclick: () => load(span),
	}, span === "hour" ? "1 h" : "24 h"));
	const legend = h("p.legend", null);
	const root = h("section.card", null, h("div.card-top", null, h("h2", null, title),
		lines.length > 1 ? legend : null, h("div.spans", { role: "group", "aria-label": `Span of ${title}` }, buttons)),
	chart.root, note ? h("p.hint-text", null, note) : null);
	let answer = null;
	let current = "hour";
	let timer = 0;
	let ended = false;

	setChildren(legend, lines.map((line) => h("span.legend-item", null, h(`span.legend-dot.tone-${line.tone ?? "main"}`, { "aria-hidden": "true" }), line.name)));

	function draw() {
		chart.show(lines.map((line) => ({ name: line.name, tone: line.tone, values: (answer.series[line.series] ?? []).map((value) => value === null ? null : value * scale) })),
			answer.step, answer.end);
	}

	async function load(span = current) {
		clearTimeout(timer);
		current = span;
		buttons.forEach((button, i) => button.setAttribute("aria-pressed", String((i === 1) === (span === "day"))));
		try {
			answer = await get(`/trends?span=${span}&series=${lines.map((line) => encodeURIComponent(line.series)).join(",")}`);
			draw();
		} catch {
			// The state of the connection is shown elsewhere; the chart is tried again.
		}
		if (!ended)
			timer = setTimeout(load, span === "day" ? 60000 : 5000);
	}
	load();
	return { root, end() {
		ended = true;
		clearTimeout(timer);
	}, last: () => answer && clockTime(answer.end) };
}
