import { attempt } from "./ask.js";
import { can, del, get } from "./api.js";
import { h, setText } from "./dom.js";
import { ago, dateTime } from "./format.js";
import { ban } from "./listener-table.js";
import { looking } from "./look.js";
import { Table } from "./table.js";

export const offered = ({ me }) => me.may("operator") && can("GET", "/bans");

export function show(place, _, { tools }) {
	const { load, end } = looking(draw, 10000);
	const table = new Table({ label: "Bans", empty: "Nobody is banned.", columns: [
		{ name: "Network", kind: "code", text: (one) => one.network },
		{ name: "Why", kind: "wide", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.reason || "–") },
		{ name: "By", text: (one) => one.by || "–" },
		{ name: "Since", text: (one) => ago(one.since) },
		{ name: "Until", text: (one) => one.until ? dateTime(one.until) : "For ever" },
		{ name: "Actions", hideName: true, kind: "act-cell", make: (current) => h("button.quiet-button", { type: "button", onclick: async () => {
			await attempt(() => del(`/bans/${current().network}`), `${current().network} may come again.`);
			load();
		} }, "Lift"), fill: (cell, one) => cell.firstChild.setAttribute("aria-label", `Lift the ban of ${one.network}`) },
	] });
	async function draw() {
		table.show((await get("/bans")).bans, (one) => one.network);
	}
	tools.append(h("button.primary", { type: "button", onclick: async () => {
		await ban();
		load();
	} }, "Ban an address"));
	place.append(h("section.card.flush", null, table.root), h("p.hint-text", null, "Bans hold at once, for the pages too, and are kept over a restart. Networks that the settings deny (http.deny) are not listed here."));
	load();
	return end;
}
