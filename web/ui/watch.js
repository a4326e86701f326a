// watch: the page of a viewer: one picture, the rooms to choose from, and what to do when nothing comes.
//
//     room ──▶ connecting ──▶ live ◀──▶ waiting (nobody sends)      another room: no new negotiation
//                  ▲──────────── lost: tries again, ever more slowly

import { h, Keyed, setText } from "./dom.js";
import { Meter, Session, Trouble, kbits, roomHere, token, withToken } from "./rtc.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const me = crypto.getRandomValues(new Uint32Array(4)).reduce((text, n) => text + n.toString(16).padStart(8, "0"), "");

let room = roomHere();
let session = null;
let timer = 0;
let tries = 0;
let live = false;
let moving = false; // what comes moves, a picture of the server's own too
let air = null; // whether somebody is on the air; null: nothing was said
let layers = []; // best first
let viewers = null;
let counted = { frames: 0, at: 0 };
let meter = new Meter();

const video = h("video", { autoplay: true, playsinline: true, muted: true, "aria-label": "Live picture" });
const state = h("p.screen-state", { role: "status" });
const sound = h("button.primary.screen-sound", { type: "button", hidden: true, onclick: () => mute(false) }, "Turn the sound on");
const stats = h("dl.screen-stats", { hidden: true, "aria-label": "Statistics" });
const trouble = h("section.trouble", { role: "alert", hidden: true });
const list = h("ul.rooms");
const none = h("p.quiet", { hidden: true }, "No room is on the air.");
const muteButton = h("button.tool", { type: "button", "aria-pressed": "true", onclick: () => mute(!video.muted) }, "Mute");
const statsButton = h("button.tool", { type: "button", "aria-pressed": "false", onclick: () => showStats(stats.hidden) }, "Statistics");
const fullButton = h("button.tool", { type: "button", onclick: full }, "Full screen");
const quality = h("select.tool", { "aria-label": "Quality", hidden: true, onchange: () => session?.choose(quality.value) });
const title = h("h1", { dir: "auto" });
const badge = h("p.badge", { hidden: true }, "Recorded");
const screen = h("div.screen", null, video, stats, state, badge, sound);
const rows = ["Picture", "Codec", "Rate", "Frames", "Lost", "Freezes", "Round trip", "Buffer", "Viewers"].map((name) => [name, h("dd")]);
const rooms = new Keyed(list, () => {
	const button = h("button.room", { type: "button", dir: "auto", onclick: () => turnTo(button.dataset.room) });

	return { root: h("li", null, button), fill: ({ name }) => {
		button.dataset.room = name;
		setText(button, name);
		button.toggleAttribute("aria-current", name === room);
	} };
});
let names = [];
let recorded = [];

stats.append(...rows.map(([name, value]) => h("div", null, h("dt", null, name), value)));
video.muted = true;
document.body.append(
	h("header.rtc-top", null, title, h("div.tools", null, muteButton, statsButton, fullButton, quality)),
	h("main.rtc-main", null, h("div.rtc-stage", null, screen, trouble), h("nav.rtc-side", { "aria-label": "Rooms" }, h("h2", null, "On the air"), list, none)));

const onAir = () => air ?? names.includes(room);

function stateText() {
	if (!room)
		return "Choose a room.";
	if (live || !trouble.hidden)
		return "";
	if (session?.pc?.connectionState !== "connected")
		return "Connecting …";
	return onAir() ? "Waiting for the picture …" : "Not on the air now.";
}

const LAYER_NAMES = { 2: ["High", "Low"], 3: ["High", "Middle", "Low"] };

// Layers that the publisher has no bandwidth or time for do not move, and are no choice.
function drawLayers() {
	const chosen = quality.value;
	const list = layers.filter((one) => one.bitrate > 0 || one.rid === chosen);
	const names = LAYER_NAMES[list.length] ?? list.map((one, i) => `Layer ${i + 1}`);

	quality.hidden = list.length < 2;
	quality.replaceChildren(h("option", { value: "" }, "Automatic"),
		...list.map((one, i) => h("option", { value: one.rid }, one.bitrate ? `${names[i]} · ${kbits(one.bitrate)}` : names[i])));
	quality.value = chosen;
	if (quality.selectedIndex < 0)
		quality.value = "";
}

function hear(name, data) {
	if (name === "viewercount")
		viewers = data.viewercount;
	else if (name !== "layers")
		air = name === "active";
	else {
		layers = Object.values(data).flat().sort((a, b) => b.bitrate - a.bitrate);
		drawLayers();
	}
	draw();
}

function draw() {
	setText(title, room || "Watch");
	document.title = room ? `${room} · live` : "Watch";
	document.body.dataset.state = live ? "live" : session ? "waiting" : "off";
	muteButton.setAttribute("aria-pressed", String(video.muted));
	sound.hidden = !live || !video.muted || !video.srcObject?.getAudioTracks().length;
	none.hidden = names.length > 0;
	badge.hidden = !recorded.includes(room);
	rooms.show(names.map((name) => ({ name })), (one) => one.name);
	setText(state, stateText());
	state.hidden = !state.textContent;
	// What the server shows meanwhile is not covered.
	state.classList.toggle("aside", moving && !live);
}

function mute(on) {
	video.muted = on;
	video.play().catch(() => { video.muted = true; });
	draw();
}

function showStats(on) {
	stats.hidden = !on;
	statsButton.setAttribute("aria-pressed", String(on));
}

function full() {
	if (document.fullscreenElement)
		document.exitFullscreen();
	else if (screen.requestFullscreen)
		screen.requestFullscreen();
	else
		video.webkitEnterFullscreen?.(); // an iPhone's way
}

function complain(error) {
	const field = h("input", { type: "password", "aria-label": "Token", autocomplete: "off" });

	trouble.hidden = !error;
	trouble.replaceChildren();
	if (!error)
		return;
	trouble.append(h("h2", null, error.head ?? "Something went wrong"), h("p", null, error.text ?? String(error)));
	if (error.token)
		trouble.append(h("form.token", { onsubmit: (event) => {
			event.preventDefault();
			token("watch", field.value);
			connect();
			look();
		} }, field, h("button.primary", { type: "submit" }, "Go on")));
	else
		trouble.append(h("button.primary", { type: "button", onclick: connect }, "Try now"));
}

function drop() {
	clearTimeout(timer);
	session?.close();
	session = null;
	live = moving = false;
	air = viewers = null;
	layers = [];
	quality.value = "";
	drawLayers();
}

function lost(error) {
	drop();
	complain(error);
	if (!error || error.again)
		timer = setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
	draw();
}

async function connect() {
	drop();
	if (!room)
		return draw();
	const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
	const mine = session = new Session("whep", room, token("watch"), () => mine === session && lost(null));
	const media = new MediaStream();

	pc.addTransceiver("audio", { direction: "recvonly" });
	pc.addTransceiver("video", { direction: "recvonly" });
	pc.ontrack = ({ track }) => media.addTrack(track);
	meter = new Meter();
	counted = { frames: 0, at: performance.now() };
	draw();
	try {
		await mine.open(pc, { query: `?subuuid=${me}` });
		if (mine !== session)
			return;
		tries = 0;
		complain(null);
		video.srcObject = media;
		video.play().catch(() => {});
		draw();
		mine.listen(["active", "inactive", "layers", "viewercount"], (...what) => mine === session && hear(...what));
	} catch (error) {
		if (mine === session)
			lost(error instanceof Trouble ? error : new Trouble("Something went wrong", String(error)));
	}
}

// The session stays; what it shows is another room.
async function turnTo(name) {
	const known = session?.pc?.connectionState === "connected";

	room = name;
	if (quality.value) {
		quality.value = "";
		session?.choose("");
	}
	history.replaceState(null, "", `/watch/${encodeURIComponent(name)}${location.hash}`);
	draw();
	if (known) {
		const reply = await fetch(`/switchRoom?room=${encodeURIComponent(name)}&subuuid=${me}`, { method: "POST", headers: withToken(token("watch")) }).catch(() => null);

		if (reply?.ok)
			return;
	}
	connect();
}

async function measure() {
	const pc = session?.pc;

	if (pc?.connectionState !== "connected")
		return;
	const now = await meter.read(pc);

	if (now.frames !== counted.frames)
		counted = { frames: now.frames, at: performance.now() };
	// While nobody sends, the server shows a picture of its own.
	moving = now.frames > 0 && performance.now() - counted.at < 2500;
	live = moving && onAir();
	[`${now.width ?? 0} × ${now.height ?? 0} · ${Math.round(now.fps ?? 0)} fps`, now.codec, kbits(now.bits), now.frames ?? 0, `${now.lost} of ${now.packets + now.lost}`,
		now.freezes ?? 0, now.rtt ? `${Math.round(1000 * now.rtt)} ms` : "", `${Math.round(1000 * (now.delay ?? 0))} ms`, viewers ?? ""]
		.forEach((text, i) => setText(rows[i][1], String(text)));
	draw();
}

// The list waits at the server until it changes.
let looking = 0;
async function look() {
	const mine = ++looking;

	for (let serial = "", wait = 0; mine === looking;) {
		await new Promise((resolve) => setTimeout(resolve, wait));
		const reply = await fetch(`/getRoomList?serial=${serial}`, { headers: withToken(token("watch")) }).catch(() => null);

		if (mine !== looking)
			return;
		if (reply?.ok) {
			const answer = await reply.json();

			({ serial } = answer);
			names = [...new Set(answer.rooms)].sort();
			recorded = answer.recorded;
			wait = 100;
			if (!room && names.length)
				turnTo(names[0]);
			draw();
			continue;
		}
		if (reply?.status === 401) {
			complain(new Trouble("The server wants a token", "Who runs the server has it.", { token: true }));
			return;
		}
		wait = 3000;
	}
}

document.addEventListener("keydown", (event) => {
	if (event.target.closest("input, textarea") || event.ctrlKey || event.metaKey || event.altKey)
		return;
	const step = { ArrowDown: 1, PageDown: 1, ArrowUp: -1, PageUp: -1 }[event.key];

	if (step && names.length) {
		event.preventDefault();
		turnTo(names[(names.indexOf(room) + step + names.length) % names.length]);
	} else if (event.key === "m") {
		mute(!video.muted);
	} else if (event.key === "s") {
		showStats(stats.hidden);
	} else if (event.key === "f") {
		full();
	}
});
addEventListener("online", () => session?.pc?.connectionState !== "connected" && connect());
addEventListener("pagehide", drop);
if (!window.RTCPeerConnection) {
	complain(new Trouble("This browser has no WebRTC", "Use a current Chromium, Firefox or Safari.", { again: false }));
} else {
	setInterval(measure, 500);
	draw();
	look();
	connect();
}
