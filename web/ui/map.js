// map: where listeners are, as countries that are the darker the more there are. The same numbers
// stand beside it as words: the picture is for the eye alone.

import { bars } from "./chart.js";
import { countryName } from "./countries.js";
import { h, s, setChildren, setText } from "./dom.js";
import { number, share } from "./format.js";
import { box, dots, shapes } from "./world.js";

const TONES = 5;
const LISTED = 10;

// Of the whole in steps of three: 1 %, 3 %, 10 % … A country with one listener is still seen.
function tone(count, most) {
	return count ? Math.max(1, TONES + Math.round(Math.log(count / most) / Math.log(3))) : 0;
}

export class WorldMap {
	#parts = new Map(); // code → its path or its dot
	#reading = h("p.map-reading", { "aria-hidden": "true" });
	#counts = new Map();
	#total = 0;
	#at = "";

	constructor() {
		const draw = (kind, code, props) => {
			const part = s(kind, { ...props, "data-code": code });

			this.#parts.set(code, part);
			return part;
		};
		const land = Object.entries(shapes).map(([code, d]) => draw("path.map-land", code, { d }));
		const small = dots.map(({ code, x, y }) => draw("circle.map-dot", code, { cx: x, cy: y, r: 6 }));

		this.root = h("div.map", null, s("svg.map-svg", {
			viewBox: `0 0 ${box.width} ${box.height}`, "aria-hidden": "true",
			onpointerover: (event) => this.#read(event.target.dataset.code ?? ""),
			onpointerleave: () => this.#read(""),
		}, land, small), this.#reading);
	}

	// countries: [{ code, count }], most first.
	show(countries, total) {
		const most = countries.reduce((so, one) => Math.max(so, one.count), 1);

		this.#counts = new Map(countries.map((one) => [one.code, one.count]));
		this.#total = total;
		for (const [code, part] of this.#parts)
			part.dataset.tone = code ? tone(this.#counts.get(code) ?? 0, most) : 0;
		this.#read(this.#at);
	}

	#read(code) {
		const count = this.#counts.get(code) ?? 0;

		this.#at = code;
		setText(this.#reading, code ? `${countryName(code)}: ${count ? share(count, this.#total) : "nobody"}` : "");
	}
}

// The card of map and words; show(null) where no database says where an address is.
export function countryCard() {
	const map = new WorldMap();
	const list = h("div");
	const none = h("p.empty", null, "Set geoip.file to a GeoIP country database to see where listeners are.");
	const both = h("div.map-and-list", { hidden: true }, map.root, list);
	const root = h("section.card", null, h("div.card-top", null, h("h2", null, "Countries")), both, none);

	return { root, show(countries, total) {
		both.hidden = countries === null;
		none.hidden = countries !== null;
		if (countries === null)
			return;
		const rest = countries.slice(LISTED).reduce((sum, one) => sum + one.count, 0);
		const rows = countries.slice(0, LISTED).map((one) => ({ name: countryName(one.code), value: one.count, text: share(one.count, total),
			label: [h("span.country-code", { "aria-hidden": "true" }, one.code), countryName(one.code)] }));

		if (rest)
			rows.push({ name: "Others", value: rest, text: share(rest, total), label: `${countries.length - LISTED} others` });
		map.show(countries, total);
		setChildren(list, rows.length ? bars(rows) : h("p.empty", null, "Nobody listens."));
	} };
}
