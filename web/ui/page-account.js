// Who I am here, what I may, and the tokens that my programs have.

import { can } from "./api.js";
import { h } from "./dom.js";
import { me } from "./me.js";
import { mountsText, tokenTable } from "./token-table.js";

// Administrators have it all on the page of people.
export const offered = ({ me: who }) => !who.may("admin") && can("GET", "/tokens");

const abilities = {
	dj: ["set the title of your mounts", "disconnect their encoder", "see who listens to them"],
	operator: ["do all that runs the station: mounts, listeners, relays, bans", "read the log and the history"],
	admin: ["do everything"],
};

export function show(place) {
	const tokens = tokenTable();
	const facts = [["Name", me.user], ["Rank", me.rankWord], ["Mounts", mountsText(me)]];

	place.append(h("section.card", null, h("div.card-top", null, h("h2", null, "Who you are")),
		h("dl.facts", null, facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", { dir: "auto" }, value)))),
		h("p.hint-text.facts-note", null, `You may ${abilities[me.rank].join(", ")}. An administrator changes your password and what you may.`)), tokens.root);
	tokens.load().catch(() => {});
}
