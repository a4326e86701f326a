// The first page: what is on the air, how many listen, how the server is.

import { can, get } from "./api.js";
import { Spark } from "./chart.js";
import { h, setText } from "./dom.js";
import { bits, bytes, duration, number, rate } from "./format.js";
import { icon } from "./icons.js";
import { live } from "./live.js";
import { logLine } from "./log-line.js";
import { countryCard } from "./map.js";
import { mountTable } from "./mount-table.js";
import { trendCard } from "./trends.js";

export const offered = ({ me }) => me.may("operator");

function tile(label, name) {
	const value = h("p.tile-value", null, "–");
	const note = h("p.tile-note", null, "\u00a0");
	const spark = new Spark();

	return { root: h("section.tile", { "aria-label": label }, h("h2", null, icon(name), label), value, note, spark.root), value, note, spark };
}

async function sparks(tiles) {
	const { series } = await get("/trends?span=hour&series=listeners,bytes_out,bytes_in,cpu");

	tiles.listeners.spark.show(series.listeners ?? []);
	tiles.out.spark.show(series.bytes_out ?? []);
	tiles.sources.spark.show(series.bytes_in ?? []);
	tiles.cpu.spark.show(series.cpu ?? []);
}

export function show(place) {
	const tiles = {
		listeners: tile("Listeners", "listeners"), out: tile("Going out", "open"),
		sources: tile("Sources", "mounts"), cpu: tile("Server", "health"),
	};
	const chart = trendCard({ title: "Listeners", format: number, height: 220,
		lines: [{ series: "listeners", name: "Listeners" }] });
	const traffic = trendCard({ title: "Traffic", format: bits, scale: 8, whole: false, height: 220,
		lines: [{ series: "bytes_out", name: "Out" }, { series: "bytes_in", name: "In", tone: "calm" }] });
	const table = mountTable({ empty: "No mount yet. As soon as an encoder connects, it shows up here." });
	const countries = countryCard();
	const lines = h("ol.log.short");
	let asked = 0;

	// Only where it can be known.
	async function askCountries() {
		const { total, countries: where } = await get("/audience");

		countries.root.hidden = where === null;
		countries.show(where, total);
		if (where !== null && !ended)
			asked = setTimeout(() => askCountries().catch(() => {}), 10000);
	}
	let ended = false;
	const timer = setInterval(() => sparks(tiles).catch(() => {}), 10000);

	countries.root.hidden = true;
	if (can("GET", "/audience"))
		askCountries().catch(() => {});
	place.append(h("div.tiles", null, Object.values(tiles).map((one) => one.root)),
		h("div.two", null, chart.root, traffic.root),
		h("section.card.flush", null, h("div.card-top", null, h("h2", null, "Mounts"), h("a.more", { href: "#/mounts" }, "All mounts")), table.root),
		countries.root,
		h("section.card", null, h("div.card-top", null, h("h2", null, "Lately"), h("a.more", { href: "#/log" }, "Whole log")), lines));
	sparks(tiles).catch(() => {});
	get("/log?limit=6&level=info").then(({ lines: first }) => {
		if (!live.logLines.length)
			live.logLines.push(...first);
	}).catch(() => {});
	const unwatch = live.watch(({ server, mounts }) => {
		const list = Object.values(mounts);
		const onAir = list.filter((mount) => mount.source);
		const silent = onAir.filter((mount) => mount.state === "stalled").length;
		const rates = live.rates();

		setText(tiles.listeners.value, number(server.listeners));
		setText(tiles.listeners.note, `on ${list.filter((mount) => mount.listeners).length} of ${list.length} mounts`);
		setText(tiles.out.value, rate(rates.out));
		setText(tiles.out.note, `${bytes(server.bytes_out)} since the start`);
		setText(tiles.sources.value, number(server.sources));
		setText(tiles.sources.note, silent ? `${silent} silent` : `${rate(rates.in)} coming in`);
		tiles.sources.root.dataset.state = silent ? "warning" : "";
		setText(tiles.cpu.value, `${(server.cpu ?? 0).toFixed(1)}\u00a0%`);
		setText(tiles.cpu.note, `of a core · ${bytes(server.memory)} · up ${duration(Date.now() / 1000 - server.started)}`);
		table.show(list);
		lines.replaceChildren(...live.logLines.slice(-6).reverse().map((line) => logLine(line)));
	});

	return () => {
		ended = true;
		clearTimeout(asked);
		chart.end();
		traffic.end();
		clearInterval(timer);
		unwatch();
	};
}

