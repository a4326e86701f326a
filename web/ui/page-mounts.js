import { get } from "./api.js";
import { h } from "./dom.js";
import { keptCard } from "./kept.js";
import { live } from "./live.js";
import { me } from "./me.js";
import { mountTable } from "./mount-table.js";

// A DJ may not follow the whole server: he sees the mounts that are his, asked for one by one.
async function ownMounts() {
	const names = me.mounts.split(" ").filter((name) => name.startsWith("/") && !name.includes("*"));
	const { mounts } = await get("/station");
	const all = me.mounts === "*" ? mounts.map((mount) => mount.mount) : names;

	return (await Promise.all(all.map((name) => get(`/mounts${encodeURI(name)}`).catch(() => null)))).filter(Boolean);
}

export function show(place) {
	const table = mountTable({ empty: "No mount yet. As soon as an encoder connects, it shows up here." });
	const filter = h("input", { type: "search", placeholder: "Find a mount, name or title", "aria-label": "Find a mount", oninput: () => draw() });
	const count = h("p.quiet");
	let mounts = [];

	function draw() {
		const wanted = filter.value.trim().toLowerCase();
		const shown = mounts.filter((mount) => [mount.mount, mount.name, mount.title].some((text) => text?.toLowerCase().includes(wanted)));

		count.textContent = wanted ? `${shown.length} of ${mounts.length}` : "";
		table.show(shown);
	}
	place.append(h("section.card.flush", null, h("div.card-top", null, filter, count), table.root));
	if (me.may("operator"))
		place.append(keptCard("radio", "") ?? "");
	if (!me.may("operator")) {
		const ask = async () => {
			mounts = await ownMounts().catch(() => mounts);
			draw();
		};
		const timer = setInterval(ask, 3000);

		ask();
		return () => clearInterval(timer);
	}
	return live.watch((state) => {
		mounts = Object.values(state.mounts);
		draw();
	});
}
