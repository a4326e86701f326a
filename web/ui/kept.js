// kept: recordings that a family has made, to take home or to delete. The list is asked for when it is opened, and again when
// its button says so: a directory may be long.

import { can, del, get } from "./api.js";
import { ask } from "./ask.js";
import { h, setText } from "./dom.js";
import { bytes, dateTime, number } from "./format.js";
import { Table } from "./table.js";

const address = (one) => `/recordings/${one.name.split("/").map(encodeURIComponent).join("/")}`;
const fileOf = (one) => one.name.slice(one.family.length + 1);

// of: what the files of this family are of ("Room"); "": nothing. NULL where the server keeps none.
export function keptCard(family, of) {
	if (!can("GET", "/recordings"))
		return null;
	const sum = h("p.hint-text", { role: "status" });
	const again = h("button.quiet-button", { type: "button", onclick: () => load() }, "Look again");
	const table = new Table({ label: "Files of recordings", empty: "No recording is kept.", columns: [
		of ? { name: of, make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.of || "–") } : null,
		{ name: "File", kind: "wide", make: () => h("span", { dir: "ltr" }), fill: (cell, one) => setText(cell.firstChild, fileOf(one)) },
		{ name: "Last written", text: (one) => one.open ? "Now" : dateTime(one.changed_us / 1e6) },
		{ name: "Size", kind: "num", text: (one) => bytes(one.bytes) },
		{ name: "Do", hideName: true, kind: "act-cell", make: (item) => h("div.acts", null, h("a.tool-link", {}, "Fetch"),
			can("DELETE", "/recordings/{file}") ? h("button.quiet-button", { type: "button", onclick: () => remove(item()) }, "Delete") : null), fill: (cell, one) => {
			const link = cell.querySelector("a"), act = cell.querySelector("button");

			link.href = `/api/v1${address(one)}`;
			link.download = fileOf(one).replaceAll("/", "-");
			link.setAttribute("aria-label", `Fetch ${fileOf(one)}`);
			act?.setAttribute("aria-label", `Delete ${fileOf(one)}`);
			if (act)
				act.hidden = one.open;
		} },
	].filter(Boolean) });

	async function remove(one) {
		await ask({ title: "Delete this recording?", danger: true, button: "Delete", text: `${fileOf(one)} is gone then.`,
			submit: () => del(address(one)) });
		load();
	}

	async function load() {
		try {
			const { recordings, more } = await get(`/recordings?family=${family}`);

			table.show(recordings, (one) => one.name);
			setText(sum, `${number(recordings.length + more)} ${recordings.length + more === 1 ? "file" : "files"}${more ? `, the newest ${number(recordings.length)} are listed` : ""}.`);
		} catch (fault) {
			setText(sum, fault.message);
		}
	}

	const details = h("details", { ontoggle: () => details.open && load() }, h("summary", null, "Files of recordings"), h("div.card-top", null, sum, again), table.root);

	return h("section.card.kept", { "aria-label": "Files of recordings" }, details);
}
