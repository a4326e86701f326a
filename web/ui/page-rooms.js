// WebRTC rooms: who publishes, how much, to how many, and how it arrives.

import { ask, attempt } from "./ask.js";
import { can, del, get, post } from "./api.js";
import { h, Keyed, setText } from "./dom.js";
import { bits, bytes, number, since } from "./format.js";
import { keptCard } from "./kept.js";
import { looking } from "./look.js";
import { emptyNote, Table } from "./table.js";

export const offered = ({ me }) => me.may("operator") && can("GET", "/sfu/rooms");

const LOOK_MS = 2000;
const FEW = 200; // of sessions, that are listed

const percent = (part, whole) => (whole ? `${(100 * part / whole).toFixed(part ? 2 : 0)} %` : "–");

function worst(session) {
	const lost = Math.max(0, ...session.media.map((one) => one.fraction_lost ?? 0));

	return `${Math.round(100 * lost / 256)} %`;
}

// What a viewer's page says of itself.
function onScreen({ seen }) {
	if (!seen)
		return "";
	return [`${seen.width}×${seen.height}, ${seen.fps} a second`, `${number(seen.frames)} decoded`, seen.freezes ? `${number(seen.freezes)} freezes (${(seen.frozen_ms / 1000).toFixed(1)} s)` : "",
		seen.lost > 0 ? `${number(seen.lost)} lost` : "", `jitter ${(seen.jitter_us / 1000).toFixed(0)} ms`].filter(Boolean).join(" · ");
}

async function sendAway(session, done) {
	await ask({ title: `Send this ${session.role} away?`, danger: true, button: "Send away", text: session.role === "publisher" ? "All who watch this room wait until somebody publishes again." : "It may come again.",
		submit: () => del(`/sfu/sessions/${encodeURIComponent(session.id)}`) });
	done();
}

async function move(session, rooms, done) {
	await ask({ title: "Show another room", button: "Show", fields: [{ name: "room", label: "Room", options: rooms.map((one) => one.room), value: session.room }],
		submit: ({ room }) => post(`/sfu/sessions/${encodeURIComponent(session.id)}/switch`, { room }) });
	done();
}

async function layer(session, layers, done) {
	await ask({ title: "Which layer is shown", button: "Show", fields: [{ name: "layer", label: "Layer", options: [{ value: "", label: "What fits best" }, ...layers] }],
		submit: (values) => post(`/sfu/sessions/${encodeURIComponent(session.id)}/layer`, values) });
	done();
}

function sessionTable(label, context) {
	const button = (name, of, work) => h("button.quiet-button", { type: "button", onclick: () => attempt(() => work(of(), context.load)) }, name);
	const table = new Table({ label, empty: "Nobody.", columns: [
		{ name: "Who", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => {
			setText(cell.firstChild, `${one.role === "publisher" ? "Publisher" : "Viewer"} ${one.address}`);
			cell.firstChild.title = one.agent;
		} },
		{ name: "State", text: (one) => one.state },
		{ name: "For", kind: "num", text: (one) => since(one.since_us / 1e6) },
		{ name: "Bytes", kind: "num", text: (one) => bytes(one.role === "publisher" ? one.bytes_in : one.bytes_out) },
		{ name: "Loss", kind: "num", text: worst },
		{ name: "Freezes", kind: "num", text: (one) => one.role === "publisher" ? "" : number(one.media.reduce((sum, m) => sum + (m.freezes ?? 0), 0)) },
		{ name: "On the screen", text: onScreen },
		{ name: "Asked again", kind: "num", text: (one) => number(one.media.reduce((sum, m) => sum + (m.nacks ?? 0), 0)) },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => h("div.acts", null, can("POST", "/sfu/sessions/{id}/switch") ? [
			button("Room", of, (one, done) => move(one, context.rooms, done)), button("Layer", of, (one, done) => layer(one, context.layersOf(one.room), done))] : null,
		can("DELETE", "/sfu/sessions/{id}") ? button("Send away", of, sendAway) : null), fill: (cell, one) => {
			for (const act of cell.querySelectorAll("button")) {
				act.hidden = one.role === "publisher" && act.textContent !== "Send away";
				act.setAttribute("aria-label", `${act.textContent}: ${one.role} ${one.address}`);
			}
		} },
	] });

	return table;
}

async function record(name, on, load) {
	const path = `/sfu/rooms/${encodeURIComponent(name)}/recording`;

	await attempt(() => on ? post(path) : del(path), on ? `${name} is recorded.` : `${name} is recorded no more.`);
	load();
}

const recordingText = (one) => one.state === "waiting" ? "Is recorded when somebody publishes" :
	["Recorded", one.file.split("/").pop(), bytes(one.bytes), one.lost ? `${number(one.lost)} lost` : ""].filter(Boolean).join(" · ");

function recordButton(name, context) {
	if (!can("POST", "/sfu/rooms/{room}/recording") || !can("DELETE", "/sfu/rooms/{room}/recording"))
		return null;
	return h("button.quiet-button", { type: "button", onclick: () => record(name, !context.recorded.has(name), context.load) }, "Record");
}

function roomCard(first, context) {
	const name = first.room;
	const recorder = recordButton(name, context);
	const written = h("p.hint-text", { hidden: true });
	const state = h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word"));
	const values = ["Viewers", "In", "Out", "Lost on the way", "Sent again", "Key pictures asked for", "Freezes"].map((word) => [word, h("dd")]);
	const shape = h("p.hint-text");
	const people = sessionTable(`Who is in ${name}`, context);
	const details = h("details", { ontoggle: () => { context.open[details.open ? "add" : "delete"](name); context.load(); } }, h("summary", null, "Who is here"), people.root);
	const past = { at: 0, out: 0 };

	return { root: h("section.card.rtc-room", { "aria-label": name }, h("div.card-top", null, h("h2", { dir: "auto" }, name), state, recorder,
		h("a.more.grow", { href: `/watch/${encodeURIComponent(name)}`, target: "_blank", rel: "noopener" }, "Watch")),
	shape, written, h("dl.facts", null, values.map(([word, value]) => h("div", null, h("dt", null, word), value))), details), fill: (room) => {
		const at = context.now;
		const silent = room.tracks.filter((one) => one.kind === "video").every((one) => one.silent_ms < 0 || one.silent_ms > 3000);
		const rate = past.at && at > past.at ? Math.max(0, 8e6 * (room.bytes_out - past.out) / (at - past.at)) : 0;

		const one = context.recorded.get(name);

		written.hidden = !one;
		setText(written, one ? recordingText(one) : "");
		if (recorder) {
			setText(recorder, one ? "End the recording" : "Record");
			recorder.setAttribute("aria-label", `${recorder.textContent}: ${name}`);
		}
		state.dataset.state = !room.publisher ? "off" : silent ? "stalled" : "live";
		setText(state.lastChild, !room.publisher ? "Waits for a publisher" : silent ? "No picture" : "On air");
		setText(shape, room.tracks.map((one) => [one.codec, one.layer, bits(one.bitrate)].filter(Boolean).join(" ")).join(" · "));
		[number(room.viewers), bits(room.tracks.reduce((sum, one) => sum + one.bitrate, 0)), past.at ? bits(rate) : "–", percent(room.lost, room.packets), number(room.resent), number(room.key_requests), number(room.freezes)]
			.forEach((text, i) => setText(values[i][1], text));
		if (at !== past.at)
			Object.assign(past, { at, out: room.bytes_out });
		people.show((context.sessions.get(name) ?? []).map((one) => ({ ...one, state_word: one.state })), (one) => one.id);
	} };
}

async function turn(way, on, done) {
	await post(on ? `/sfu/rtp/${encodeURIComponent(way.name)}/start` : `/sfu/rtp/${encodeURIComponent(way.name)}/stop`);
	done();
}

// Programs without WebRTC: the entries of the settings "rtp".
function wayCard(load) {
	const button = (of) => h("button.quiet-button", { type: "button", onclick: () => attempt(() => turn(of(), of().state === "stopped", load)) });
	const table = new Table({ label: "Plain RTP", columns: [
		{ name: "Name", text: (one) => one.name },
		{ name: "Room", text: (one) => one.room },
		{ name: "Way", text: (one) => `${one.direction === "in" ? "comes to" : "goes to"} ${one.address}` },
		{ name: "State", text: (one) => one.why ? `${one.state}: ${one.why}` : one.state },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => h("div.acts", null, can("POST", "/sfu/rtp/{way}/start") ? button(of) : null,
			h("a.tool-link", { download: "" }, "SDP")), fill: (cell, one) => {
			const act = cell.querySelector("button"), link = cell.querySelector("a");

			if (act) {
				setText(act, one.state === "stopped" ? "Start" : "Stop");
				act.setAttribute("aria-label", `${act.textContent}: ${one.name}`);
			}
			link.hidden = one.direction === "in";
			link.href = `/api/v1/sfu/rtp/${encodeURIComponent(one.name)}/sdp`;
			link.download = `${one.name}.sdp`;
		} },
	] });

	return { root: h("section.card.rtc-ways", { "aria-label": "Plain RTP", hidden: true }, h("div.card-top", null, h("h2", null, "Plain RTP")), table.root), table };
}

export function show(place, _, { tools }) {
	const { load, end } = looking(draw, LOOK_MS);
	const list = h("div.slots");
	const none = emptyNote("No room yet", "A room is there while somebody is in it. Open /send/ in a browser, or point any WHIP encoder at /whip/ROOM.");
	const context = { rooms: [], recorded: new Map(), sessions: new Map(), open: new Set(), now: 0, load, layersOf: (name) =>
		[...new Set(context.rooms.find((one) => one.room === name)?.tracks.map((one) => one.layer).filter(Boolean))] };
	const cards = new Keyed(list, (room) => roomCard(room, context));
	const ways = wayCard(load);
	async function draw() {
		const answer = await get("/sfu/rooms");

		context.rooms = answer.rooms;
		if (can("GET", "/sfu/recordings"))
			context.recorded = new Map((await get("/sfu/recordings")).recordings.map((one) => [one.room, one]));
		context.now = answer.now_us;
		for (const name of context.open)
			context.sessions.set(name, (await get(`/sfu/sessions?room=${encodeURIComponent(name)}`)).sessions.slice(0, FEW));
		if (can("GET", "/sfu/rtp")) {
			const there = (await get("/sfu/rtp")).ways;

			ways.root.hidden = there.length === 0;
			ways.table.show(there, (one) => one.name);
		}
		none.hidden = answer.rooms.length > 0;
		cards.show(answer.rooms, (room) => room.room);
	}
	none.hidden = true;
	tools.append(h("a.more", { href: "/send/", target: "_blank", rel: "noopener" }, "Send"));
	place.append(none, list, ways.root, keptCard("sfu", "Room") ?? "");
	load();
	return end;
}
