// listen: the page of one stream, large at /player/MOUNT, small at /embed/MOUNT for other sites' frames.

import { h, s, setText } from "./dom.js";
import { mark } from "./icons.js";
import { watchStation } from "/station.js";
import { Player } from "/player.js";
import { Ring } from "/ring.js";
import { copyOnClick } from "/copy.js";
import { clock, countWords, formatWords, mountName, mountPath, plural, splitTitle, stateSounds, stateWord, webAddress } from "/text.js";

const small = document.body.classList.contains("small");
const name = location.pathname.replace(/^\/(player|embed)/, "").split("/").map((part) => {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}).join("/");

function glyph(kind, d) {
	return s(`svg.glyph.glyph-${kind}`, { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d }));
}

function remembered() {
	try {
		return localStorage.getItem("ringmain.volume") ?? "80";
	} catch {
		return "80";
	}
}

let mount = { mount: name, state: "off" };
let known = false;
const player = new Player(() => draw());
const canvas = h("canvas.listen-ring", { width: small ? 152 : 560, height: small ? 152 : 560, "aria-hidden": "true" });
const button = h("button.listen-button", { type: "button", onclick: () => player.mount ? player.stop() : player.play(mount) },
	glyph("play", "M8 5.2v13.6a.8.8 0 0 0 1.2.7l11-6.800a.8.8 0 0 0 0-1.400l-11-6.800A.8.8 0 0 0 8 5.200z"), glyph("stop", "M8.500 6.500h7a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2z"));
const station = h(small ? "p.listen-station" : "h1.listen-station", { dir: "auto" });
const state = h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word"));
const count = h("span.quiet");
const song = h("p.listen-song", { dir: "auto" });
const artist = h("p.listen-artist", { dir: "auto" });
const about = h("p.quiet.listen-about", { dir: "auto" });
const status = h("p.listen-status", { role: "status" });
const elapsed = h("span.quiet.listen-time", { role: "timer", "aria-label": "Time listened" });
const volume = h("input", { type: "range", min: 0, max: 100, value: remembered(), "aria-label": "Volume", oninput: () => {
	player.setVolume(volume.value / 100, false);
	volume.style.setProperty("--filled", `${volume.value}%`);
	try {
		localStorage.setItem("ringmain.volume", volume.value);
	} catch {
		// It holds for this visit then.
	}
} });
const format = h("p.quiet.listen-format");
const site = h("a", { target: "_blank", rel: "noopener noreferrer nofollow ugc" }, "Website");
const home = h("a.listen-home", { href: "/", ...(small ? { target: "_blank", rel: "noopener" } : {}) }, mark(), h("span", null, "All streams"));
let ring = null;

function embedCode() {
	const address = `${location.origin}/embed${mountPath(mount)}`;

	return `<iframe src="${address}" width="100%" height="152" style="border:0" allow="autoplay" title="Player"></iframe>`;
}

function share() {
	const code = h("code.share-code", null, embedCode());
	const copy = h("button.copy", { type: "button" }, "Copy");

	copyOnClick(copy, () => embedCode());
	return h("details.share", null, h("summary", null, "Put this player on your site"), h("div.share-row", null, code, copy));
}

function build() {
	const dial = h("div.listen-dial", null, canvas, button);
	const words = h("div.listen-words", null, h("p.listen-state", null, state, count), station, song, artist, small ? null : about, status);
	const speaker = s("svg.listen-speaker", { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: "M4.500 9.500v5h3l4.500 3.500v-12l-4.500 3.500zM15 9a4 4 0 0 1 0 6M17.500 6.500a7.500 7.500 0 0 1 0 11" }));
	const tools = h("div.listen-tools", null, speaker, volume, elapsed);

	document.body.append(small ? h("main.listen-card", null, dial, words, h("div.listen-side", null, tools, home)) :
		h("main.listen-page", null, home, dial, words, tools, format,
			h("p.listen-links", null, ["m3u", "pls", "xspf"].map((kind) => h("a", { href: mountPath({ mount: name }, `.${kind}`) }, kind.toUpperCase())), site), share()));
	volume.style.setProperty("--filled", `${volume.value}%`);
	player.setVolume(volume.value / 100, false);
	ring = new Ring(canvas, player);
	setInterval(() => setText(elapsed, player.mount ? clock(player.heard) : ""), 500);
}

function tellSystem(title, by) {
	const session = navigator.mediaSession;

	if (!session)
		return;
	session.playbackState = player.mount ? "playing" : "none";
	session.metadata = player.mount ? new MediaMetadata({ title, artist: by, album: mountName(mount) }) : null;
}

function draw() {
	const sounds = stateSounds(mount.state);
	const { song: what, artist: who } = splitTitle(mount.title);
	const title = !known ? "" : sounds ? what || "Live" : "Silent for now";

	document.body.dataset.player = player.state;
	state.dataset.state = mount.state;
	setText(state.lastChild, known ? stateWord(mount.state) : "…");
	setText(station, mountName(mount));
	if (song.textContent !== title || artist.textContent !== (sounds ? who : "")) {
		setText(song, title);
		setText(artist, sounds ? who : "");
		tellSystem(title, who);
	}
	setText(about, mount.description ?? "");
	setText(count, mount.listeners === undefined ? "" : `${countWords(mount.listeners)} ${plural(mount.listeners, "listener", "listeners")}`);
	setText(format, mount.codec ? formatWords(mount) : "");
	setText(status, { connecting: "Connecting…", waiting: "Broke off, trying again…" }[player.state] ?? "");
	site.hidden = !webAddress(mount.url);
	if (!site.hidden)
		site.href = webAddress(mount.url);
	button.disabled = !sounds && !player.mount;
	button.setAttribute("aria-label", `${player.mount ? "Stop" : "Play"} ${mountName(mount)}`);
	document.title = sounds && what ? `${what} · ${mountName(mount)}` : mountName(mount);
	ring?.update();
}

build();
draw();
watchStation((all) => {
	const before = stateSounds(mount.state);

	known = true;
	mount = all.mounts.find((one) => one.mount === name) ?? { mount: name, state: "off" };
	if (!before && stateSounds(mount.state))
		player.hurry();
	draw();
}, () => setText(status, "The server does not answer. Trying again…"));
