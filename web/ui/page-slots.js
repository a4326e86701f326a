// The frame cache: what is in each slot, how its writer is, and how far behind its readers are.

import { ask, say } from "./ask.js";
import { can, del, get, post } from "./api.js";
import { h, Keyed, setText } from "./dom.js";
import { bytes, duration, number } from "./format.js";
import { looking } from "./look.js";
import { emptyNote, Table } from "./table.js";

export const offered = ({ me }) => me.may("operator") && can("GET", "/slots");

const LOOK_MS = 1000;
const states = {
	live: ["Live", "live"], init: ["No writer yet", "off"], "no-signal": ["No signal", "stalled"], stalled: ["Writer is stuck", "stalled"],
	dead: ["Writer died", "bad"], closed: ["Closed", "off"], superseded: ["Replaced", "off"],
};
const formats = { uyvy422: "UYVY 4:2:2, 8 bit", v210: "v210 4:2:2, 10 bit", nv12: "NV12 4:2:0, 8 bit", p010: "P010 4:2:0, 10 bit", rgba: "RGBA, 8 bit" };

const nominal = (slot) => slot.fps_num / slot.fps_den;
const fps = (value) => value.toFixed(2).replace(/\.?0+$/, "");

function rateOf(past) {
	const [[from, first], [to, last]] = [past[0], past.at(-1)];

	return to - from > 2500 ? Math.round(10000 * (last - first) / (to - from)) / 10 : null;
}

function behind(reader, slot) {
	const lag = reader.lag ? `${number(reader.lag)} ${reader.lag === 1 ? "frame" : "frames"} · ${Math.round(1000 * reader.lag / nominal(slot))}\u00a0ms` : "none";

	return reader.silent_ms > 5000 ? `${lag} · silent for ${duration(reader.silent_ms / 1000)}` : lag;
}

function readerTable(name) {
	const table = new Table({ label: `Readers of ${name}`, empty: "No reader tells where it is.", columns: [
		{ name: "Reader", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => {
			setText(cell.firstChild, one.name || "unnamed");
			cell.firstChild.title = one.pid ? `Process ${one.pid}` : "";
		} },
		{ name: "Behind", kind: "num", text: (one) => behind(one, one.slot) },
		{ name: "Lost", kind: "num", text: (one) => number(one.lost) },
	] });

	return { root: table.root, show: (slot) => table.show(slot.readers.map((one) => ({ ...one, slot, state: one.lost ? "stalled" : "" })),
		(one) => `${one.name} ${one.pid}`) };
}

async function remove(slot, done) {
	const path = `/slots/${encodeURIComponent(slot.slot_id)}`;
	const alive = ["live", "no-signal", "stalled"].includes(slot.state);

	await ask({ title: `Remove ${slot.slot_id}?`, danger: true, button: "Remove",
		text: alive ? "A writer has it. It goes on writing into a slot that nobody finds any more, until it opens another." : "Its memory is given back; who has it open keeps what it has.",
		submit: () => del(alive ? `${path}?force=1` : path) });
	done();
}

function makeSlot(done) {
	return ask({ title: "Make a slot", button: "Make", text: "Its memory is taken at once.", fields: [
		{ name: "slot_id", label: "Name", required: true, maxlength: 64, hint: "Letters, digits, _ and -." },
		{ name: "size", label: "Size", options: ["1920x1080", "1280x720", "3840x2160", "720x576", "720x486"] },
		{ name: "rate", label: "Frames a second", options: ["60000/1001", "50/1", "30000/1001", "25/1", "24000/1001", "24/1"].map((value) => {
			const [num, den] = value.split("/");

			return { value, label: fps(num / den) };
		}) },
		{ name: "pixel_format", label: "Pixels", options: Object.entries(formats).map(([value, label]) => ({ value, label })) },
		{ name: "audio_channels", label: "Channels of sound", options: ["0", "2", "8", "16"], value: "2" },
	], submit: async ({ size, rate, ...values }) => {
		const [width, height] = size.split("x").map(Number);
		const [fps_num, fps_den] = rate.split("/").map(Number);

		await post("/slots", { ...values, width, height, fps_num, fps_den, audio_channels: Number(values.audio_channels) });
		say(`${values.slot_id} is there.`);
		done();
	} });
}

function facts(names) {
	const values = names.map(() => h("dd"));

	return { root: h("dl.facts", null, names.map((name, i) => h("div", null, h("dt", null, name), values[i]))),
		show: (...texts) => texts.forEach((text, i) => setText(values[i], text)) };
}

function slotCard(first, done) {
	let current = first;
	let shown = -1;
	const past = []; // [time, frames] of the last seconds: a second alone is one frame more or less
	const id = first.slot_id;
	const picture = h("img.slot-picture", { alt: `Newest frame of ${id}`, hidden: true, onerror: () => { picture.hidden = true; } });
	const nothing = h("p.slot-nothing", null, "No picture yet");
	const state = h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word"));
	const shape = h("p.hint-text");
	const numbers = facts(["Rate", "Frames", "Lost by the input", "Ring"]);
	const readers = readerTable(id);
	const root = h("section.card.slot", { "aria-label": id }, h("div.slot-screen", null, picture, nothing),
		h("div.slot-words", null,
			h("div.card-top", null, h("h2", null, id), state, can("DELETE", "/slots/{slot}") ? h("button.quiet-button", { type: "button", "aria-label": `Remove ${id}`, onclick: () => remove(current, done) }, "Remove") : null),
			shape, numbers.root),
		h("div.slot-readers", null, readers.root));

	return { root, fill: (slot) => {
		const [word, look] = states[slot.state] ?? [slot.state, "off"];

		current = slot;
		state.dataset.state = look;
		setText(state.lastChild, word);
		setText(shape, [`${slot.width} × ${slot.height}`, formats[slot.pixel_format] ?? slot.pixel_format,
			slot.audio_channels ? `${slot.audio_channels} ${slot.audio_channels === 1 ? "channel" : "channels"}` : "no sound", slot.source_type].filter(Boolean).join(" · "));
		past.push([performance.now(), slot.write_cursor]);
		if (past.length > 6)
			past.shift();
		numbers.show(`${fps(rateOf(past) ?? slot.current_fps)} of ${fps(nominal(slot))} fps`, number(slot.write_cursor), number(slot.dropped_frames),
			`${number(slot.ring_depth)} frames · ${bytes(slot.bytes)}`);
		readers.show(slot);
		nothing.hidden = slot.write_cursor > 0;
		root.classList.toggle("is-past", !["live", "no-signal"].includes(slot.state));
		if (slot.write_cursor && slot.write_cursor !== shown) {
			shown = slot.write_cursor;
			picture.hidden = false;
			// Until it is here the one before stays.
			picture.src = `/api/v1/slots/${encodeURIComponent(id)}/thumbnail?frame=${slot.generation}-${shown}`;
		}
	} };
}

export function show(place, _, { tools }) {
	const { load, end } = looking(draw, LOOK_MS);
	const list = h("div.slots");
	const sum = h("p.hint-text");
	const off = emptyNote("The frame cache is off", "It shares raw video between programs of this machine. Set framecache.listen, such as 127.0.0.1:7435, to have it.");
	const none = emptyNote("No slot yet", "A capture program makes one, or you do. Each slot holds the last frames of one picture, for any number of readers.");
	const make = can("POST", "/slots") ? h("button.primary", { type: "button", hidden: true, onclick: () => makeSlot(load) }, "Make a slot") : null;
	const cards = new Keyed(list, (slot) => slotCard(slot, load));
	async function draw() {
		const { on, slots } = await get("/slots");

		off.hidden = on;
		none.hidden = !on || slots.length > 0;
		if (make)
			make.hidden = !on;
		sum.hidden = !slots.length;
		setText(sum, `${slots.length} ${slots.length === 1 ? "slot" : "slots"} in ${bytes(slots.reduce((all, one) => all + one.bytes, 0))} of memory. Programs that read tell how far they are; those that do not are not listed.`);
		cards.show(slots, (slot) => `${slot.slot_id} ${slot.generation}`);
	}
	off.hidden = none.hidden = sum.hidden = true;
	if (make)
		tools.append(make);
	place.append(off, none, list, sum);
	load();
	return end;
}
