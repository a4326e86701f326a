// The table of mounts, as the overview and the page of mounts show it.

import { h, setText } from "./dom.js";
import { number, rate, since } from "./format.js";
import { formatWords, splitTitle, stateWord } from "/text.js";
import { Table } from "./table.js";

export const mountHref = (mount) => `#/mounts${mount.split("/").map(encodeURIComponent).join("/")}`;

export function stateMark() {
	return h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word"));
}

export function showState(element, state) {
	element.dataset.state = state;
	setText(element.lastChild, stateWord(state));
}

const byImportance = ["live", "stalled", "fallback", "lingering", "off"];

export function mountTable({ empty }) {
	const table = new Table({ label: "Mounts", empty, columns: [
		{ name: "Mount", make: () => h("div.mount-cell", null, stateMark(), h("div.mount-words", null,
			h("a.mount-link", { dir: "auto" }), h("span.mount-name", { dir: "auto" }))), fill: (cell, mount) => {
			const [state, words] = cell.firstChild.children;

			showState(state, mount.state);
			words.firstChild.href = mountHref(mount.mount);
			setText(words.firstChild, mount.mount);
			setText(words.lastChild, [mount.name, mount.hidden ? "hidden" : ""].filter(Boolean).join(" · "));
		} },
		{ name: "Now playing", kind: "wide", make: () => h("div.title-cell", null, h("span.title-song", { dir: "auto" }), h("span.title-artist", { dir: "auto" })), fill: (cell, mount) => {
			const { song, artist } = splitTitle(mount.title);

			setText(cell.firstChild.firstChild, mount.state === "off" ? "–" : song || "–");
			setText(cell.firstChild.lastChild, mount.state === "off" ? "" : mount.state === "fallback" && mount.heard_from ? `${artist ? `${artist} · ` : ""}from ${mount.heard_from}` : artist);
		} },
		{ name: "Listeners", kind: "num", text: (mount) => number(mount.listeners) },
		{ name: "Peak", kind: "num", text: (mount) => number(mount.listeners_peak) },
		{ name: "Format", text: (mount) => mount.codec ? formatWords({ ...mount, sample_rate: 0, channels: 0 }) : "–" },
		{ name: "In", kind: "num", text: (mount) => mount.source ? rate(mount.rate_in / 8) : "–" },
		{ name: "On air", kind: "num", text: (mount) => mount.source ? since(mount.source.since) : "–" },
	] });

	return { root: table.root, show: (mounts) => table.show([...mounts].sort((a, b) =>
		byImportance.indexOf(a.state) - byImportance.indexOf(b.state) || b.listeners - a.listeners || a.mount.localeCompare(b.mount)), (mount) => mount.mount) };
}
