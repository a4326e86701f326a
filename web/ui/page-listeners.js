// All listeners: where they are, what with, and who.

import { can, get } from "./api.js";
import { bars } from "./chart.js";
import { h, setChildren } from "./dom.js";
import { number, share } from "./format.js";
import { listenerTable } from "./listener-table.js";
import { live } from "./live.js";
import { countryCard } from "./map.js";
import { trendCard } from "./trends.js";

export const offered = ({ me }) => me.may("operator");

export function show(place) {
	const chart = trendCard({ title: "Listeners", format: number, height: 200, lines: [{ series: "listeners", name: "Listeners" }] });
	const byMount = h("div"), byAgent = h("div");
	const crowd = listenerTable({ path: "/listeners", withMount: true });
	const countries = countryCard();
	let timer = 0;

	async function ask() {
		try {
			const { total, agents, countries: where } = await get("/audience");

			setChildren(byAgent, agents.length ? bars(agents.slice(0, 8).map((one) => ({ name: one.name, value: one.count, text: share(one.count, total) }))) : h("p.empty", null, "Nobody listens."));
			countries.show(where, total);
		} catch {
			// Asked again soon.
		}
		timer = setTimeout(ask, 5000);
	}
	place.append(chart.root, countries.root, h("div.two", null,
		h("section.card", null, h("div.card-top", null, h("h2", null, "Mounts")), byMount),
		h("section.card", null, h("div.card-top", null, h("h2", null, "Players")), byAgent)),
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
