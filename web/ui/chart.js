// chart: how a number went over time, drawn as SVG: area, line, a few grid lines, and a reading that
// follows the pointer or the arrow keys.
//
//     const chart = new Chart({ label: "Listeners", format: number });
//     place.append(chart.root); chart.show([{ name, values, colour }], step, end);
//
// values: oldest first, null where nothing is known; they end at time end, step seconds apart.

import { h, s, setText } from "./dom.js";
import { clockTime, dateTime, dayMonth } from "./format.js";

const pad = { right: 12, top: 12, bottom: 24 };

// 1, 2 or 5 times a power of ten: what people read off without thinking.
function niceStep(most, lines) {
	const rough = most / lines;
	const power = 10 ** Math.floor(Math.log10(rough));

	return [1, 2, 5, 10].find((n) => n * power >= rough) * power;
}

export class Chart {
	#svg = s("svg.chart-svg", { "aria-hidden": "true" });
	#reading = h("p.chart-reading", { hidden: true });
	#summary = h("span.hidden-words");
	#options;
	#series = [];
	#step = 5;
	#end = 0;
	#width = 0;
	#left = 40;
	#at = -1;

	constructor(options) {
		this.#options = { height: 200, format: String, whole: true, least: 60, ...options };
		this.root = h("div.chart", {
			tabindex: 0, role: "img", "--chart-height": `${this.#options.height}px`,
			"aria-label": this.#options.label,
			onpointermove: (event) => this.#point(event),
			onpointerleave: () => this.#read(-1),
			onblur: () => this.#read(-1),
			onkeydown: (event) => this.#key(event),
		}, this.#svg, this.#reading, this.#summary);
		new ResizeObserver(() => this.#draw()).observe(this.root);
	}

	show(series, step, end) {
		this.#series = series;
		this.#step = step;
		this.#end = end;
		this.#draw();
	}

	get #count() {
		return Math.max(this.#options.least, ...this.#series.map((one) => one.values.length));
	}

	get #most() {
		const most = Math.max(0, ...this.#series.flatMap((one) => one.values.map((v) => v ?? 0)));

		return most > 0 ? most : 1;
	}

	#x(i) {
		return this.#left + (this.#width - this.#left - pad.right) * i / (this.#count - 1);
	}

	#y(value, top) {
		const room = this.#options.height - pad.top - pad.bottom;

		return pad.top + room * (1 - value / top);
	}

	// Runs of known values, each a list of points; gaps stay gaps.
	#runs(values, top) {
		const runs = [];
		const offset = this.#count - values.length;
		let run = [];

		values.forEach((value, i) => {
			if (value === null) {
				if (run.length)
					runs.push(run);
				run = [];
			} else {
				run.push([this.#x(i + offset), this.#y(value, top)]);
			}
		});
		if (run.length)
			runs.push(run);
		return runs;
	}

	#draw() {
		const width = Math.floor(this.root.clientWidth);
		const { height, format } = this.#options;

		if (!width)
			return;
		this.#width = width;
		let step = niceStep(this.#most * 1.08, 3);

		if (this.#options.whole && step < 1)
			step = 1;
		const top = Math.max(step, Math.ceil(this.#most * 1.02 / step) * step);
		const parts = [];

		// Room for the longest word beside the axis.
		this.#left = Math.max(32, 14 + 6.4 * Math.max(...[step, top].map((value) => format(value).length)));

		for (let value = 0; value <= top + step / 2; value += step) {
			const y = Math.round(this.#y(value, top)) + 0.5;

			parts.push(s(value ? "line.chart-grid" : "line.chart-floor", { x1: this.#left, x2: width - pad.right, y1: y, y2: y }),
				s("text.chart-word", { x: this.#left - 8, y: y + 4, "text-anchor": "end" }, format(value)));
		}
		for (const time of this.#times()) {
			const x = this.#x((time - this.#start) / this.#step);

			if (x > this.#left + 8 && x < width - 24)
				parts.push(s("text.chart-word", { x, y: height - 6, "text-anchor": "middle" }, this.#word(time)));
		}
		this.#series.forEach((one, i) => parts.push(...this.#lines(one, i, top)));
		parts.push(s("line.chart-hair", { y1: pad.top, y2: height - pad.bottom, visibility: "hidden" }));
		this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
		this.#svg.replaceChildren(...parts);
		setText(this.#summary, this.#words());
		if (this.#at >= 0)
			this.#read(Math.min(this.#at, this.#count - 1));
	}

	#lines(one, i, top) {
		const floor = this.#options.height - pad.bottom;
		const dots = (run) => run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

		return this.#runs(one.values, top).flatMap((run) => [
			i === 0 ? s(`path.chart-area.tone-${one.tone ?? "main"}`, { d: `M${run[0][0]} ${floor}L${dots(run)}L${run.at(-1)[0]} ${floor}Z` }) : null,
			s(`path.chart-line.tone-${one.tone ?? "main"}`, { d: `M${dots(run)}` }),
			run.length === 1 ? s(`circle.chart-dot.tone-${one.tone ?? "main"}`, { cx: run[0][0], cy: run[0][1], r: 3 }) : null,
		]).filter(Boolean);
	}

	get #start() {
		return this.#end - (this.#count - 1) * this.#step;
	}

	// Over days the clock says nothing.
	#word(time) {
		return (this.#count - 1) * this.#step > 2 * 86400 ? dayMonth(time) : clockTime(time);
	}

	// Round times at a readable distance.
	#times() {
		const wanted = Math.max(2, Math.floor(this.#width / 110));
		const span = (this.#count - 1) * this.#step;
		const every = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000]
			.find((n) => span / n <= wanted) ?? 5184000;
		const zone = new Date().getTimezoneOffset() * 60;
		const times = [];

		for (let time = Math.ceil((this.#start - zone) / every) * every + zone; time < this.#end; time += every)
			times.push(time);
		return times;
	}

	#words() {
		return this.#series.map((one) => {
			const known = one.values.filter((value) => value !== null);

			if (!known.length)
				return `${one.name}: nothing is known yet.`;
			return `${one.name}: now ${this.#options.format(known.at(-1))}, at most ${this.#options.format(Math.max(...known))}.`;
		}).join(" ");
	}

	#point(event) {
		const box = this.root.getBoundingClientRect();
		const part = (event.clientX - box.left - this.#left) / (this.#width - this.#left - pad.right);

		this.#read(Math.round(Math.min(1, Math.max(0, part)) * (this.#count - 1)));
	}

	#key(event) {
		const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12 }[event.key];

		if (!move && event.key !== "Home" && event.key !== "End")
			return;
		event.preventDefault();
		const from = this.#at < 0 ? this.#count - 1 : this.#at;
		const to = event.key === "Home" ? 0 : event.key === "End" ? this.#count - 1 : from + move;

		this.#read(Math.min(this.#count - 1, Math.max(0, to)));
	}

	#read(at) {
		const hair = this.#svg.querySelector(".chart-hair");

		this.#at = at;
		this.#reading.hidden = at < 0 || !this.#series.length;
		if (!hair)
			return;
		const x = at < 0 ? 0 : this.#x(at);

		hair.setAttribute("visibility", at < 0 ? "hidden" : "visible");
		hair.setAttribute("x1", x);
		hair.setAttribute("x2", x);
		if (at < 0)
			return;
		const values = this.#series.map((one) => {
			const value = one.values[at - (this.#count - one.values.length)] ?? null;

			return `${this.#series.length > 1 ? `${one.name} ` : ""}${value === null ? "–" : this.#options.format(value)}`;
		});
		const time = this.#start + at * this.#step;

		setText(this.#reading, `${this.#step >= 300 ? dateTime(time) : clockTime(time, this.#step < 60)} · ${values.join(" · ")}`);
		this.#reading.style.setProperty("--at", `${Math.min(this.#width - 90, Math.max(90, x))}px`);
	}
}

// A small line without words, for beside a number.
export class Spark {
	root = s("svg.spark", { viewBox: "0 0 100 28", preserveAspectRatio: "none", "aria-hidden": "true" });

	show(values) {
		const known = values.map((value) => value ?? 0);
		const most = Math.max(1e-9, ...known);
		const dots = known.map((value, i) =>
			`${(100 * i / Math.max(1, known.length - 1)).toFixed(1)} ${(26 - 23 * value / most).toFixed(1)}`).join("L");

		if (known.length < 2)
			return;
		this.root.replaceChildren(s("path.spark-area", { d: `M0 28L${dots}L100 28Z` }), s("path.spark-line", { d: `M${dots}` }));
	}
}

// Shares of a whole as bars with words: [{ name, value, text }].
export function bars(items) {
	const most = Math.max(1, ...items.map((item) => item.value));

	return h("ul.bars", null, items.map((item) => h("li", null,
		h("span.bar-name", { dir: "auto", title: item.name }, item.label ?? item.name), h("span.bar-value", null, item.text),
		h("span.bar-track", { "aria-hidden": "true" }, h("span.bar-fill", { "--part": `${100 * item.value / most}%` })))));
}
