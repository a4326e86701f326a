// All listeners: where they are, what with, and who.

import { can, get } from "./api.js";
import { bars } from "./chart.js";
import { h, setChildren } from "./dom.js";
import { number } from "./format.js";
import { listenerTable } from "./listener-table.js";
import { live } from "./live.js";
import { flag, countryName } from "./countries.js";
import { trendCard } from "./trends.js";

export const offered = ({ me }) => me.may("operator");

function share(value, all) {
	return all ? `${number(value)} · ${(100 * value / all).toFixed(value * 10 < all ? 1 : 0)}\u00a0%` : number(value);
}

export function show(place) {
	const chart = trendCard({ title: "Listeners", format: number, height: 200, lines: [{ series: "listeners", name: "Listeners" }] });
	const byMount = h("div"), byAgent = h("div"), byCountry = h("div");
	const crowd = listenerTable({ path: "/listeners", withMount: true });
	const countries = h("section.card", null, h("div.card-top", null, h("h2", null, "Countries")), byCountry);
	let timer = 0;

	async function ask() {
		try {
			const { total, agents, countries: where } = await get("/audience");

			setChildren(byAgent, agents.length ? bars(agents.slice(0, 8).map((one) => ({ name: one.name, value: one.count, text: share(one.count, total) }))) : h("p.empty", null, "Nobody listens."));
			setChildren(byCountry, where === null ?
				h("p.empty", null, "Set geoip.file to a GeoIP country database to see where listeners are.") :
				where.length ? bars(where.slice(0, 12).map((one) => ({ name: countryName(one.code), label: [h("span.flag", { "aria-hidden": "true" }, flag(one.code)), countryName(one.code)], value: one.count, text: share(one.count, total) }))) :
					h("p.empty", null, "Nobody listens."));
		} catch {
			// Asked again soon.
		}
		timer = setTimeout(ask, 5000);
	}
	place.append(chart.root, h("div.three", null,
		h("section.card", null, h("div.card-top", null, h("h2", null, "Mounts")), byMount),
		h("section.card", null, h("div.card-top", null, h("h2", null, "Players")), byAgent), countries),
	h("section.card.flush", null, h("div.card-top", null, h("h2", null, "Everybody")), crowd.root));
	if (can("GET", "/audience"))
		ask();
	const unwatch = live.watch(({ mounts, server }) => {
		const heard = Object.values(mounts).filter((mount) => mount.listeners).sort((a, b) => b.listeners - a.listeners);

		setChildren(byMount, heard.length ? bars(heard.slice(0, 8).map((mount) => ({ name: mount.mount, value: mount.listeners, text: share(mount.listeners, server.listeners) }))) :
			h("p.empty", null, "Nobody listens."));
	});

	return () => {
		clearTimeout(timer);
		chart.end();
		crowd.end();
		unwatch();
	};
}
