// app: brings the parts of the page together.
//
//     feed ──▶ mounts (cards) ──▶ player ──▶ bar
//          └──▶ header, footer, hint

import { Bar } from "./bar.js";
import { copyOnClick } from "./copy.js";
import { canPlay, setText, showMounts } from "./mounts.js";
import { Player } from "./player.js";
import { watchStation } from "./station.js";
import { countWords, plural, sinceWords, stateSounds, webAddress } from "./text.js";

const byId = (id) => document.getElementById(id);
let mounts = [];
const player = new Player(() => show());
const bar = new Bar(player, toggle);

function toggle(mount) {
	if (player.mount === mount.mount)
		player.stop();
	else
		player.play(mount);
}

function show() {
	showMounts(mounts, player, toggle);
	bar.update(mounts.filter(canPlay));
}

function showServer(server) {
	const count = server.listeners ?? 0;
	const contact = server.contact ?? "";
	const mail = /^[^\s@/]+@[^\s@/]+$/.test(contact);
	const since = sinceWords(Date.parse(server.started), Date.now());

	setText(byId("station"), server.name || "ringmain");
	setText(byId("place"), server.location ?? "");
	byId("place").hidden = !server.location;
	setText(byId("tally-count"), countWords(count));
	setText(byId("tally-word"), plural(count, "listener", "listeners"));
	byId("tally").hidden = mounts.length === 0 || server.listeners === undefined;
	setText(byId("about"), `ringmain ${server.version ?? ""}`.trim());
	setText(byId("since"), since);
	byId("since").hidden = !since;
	byId("contact").hidden = !mail && !webAddress(contact);
	if (!byId("contact").hidden) {
		byId("contact").href = mail ? `mailto:${contact}` : webAddress(contact);
		setText(byId("contact"), contact);
	}
}

// The line that publishes to this very server, as the visitor's address bar knows it.
function showHint() {
	const secure = location.protocol === "https:";
	const port = location.port || (secure ? "443" : "80");

	setText(byId("hint-host"), location.hostname);
	setText(byId("hint-port"), port);
	// Each word is an element of its own, so that lines break between words and not inside.
	const words = ["ffmpeg", "-re", "-i music.mp3", "-c:a libmp3lame", "-b:a 128k",
		"-content_type audio/mpeg", ...(secure ? ["-tls 1"] : []), "-f mp3",
		`icecast://source:PASSWORD@${location.hostname}:${port}/live`];

	for (const word of words) {
		const element = document.createElement("span");

		element.textContent = word;
		byId("hint-line").append(element, " ");
	}
	copyOnClick(byId("hint-copy"), () => words.join(" "));
}

// What can be heard comes first; otherwise the order stays, so that cards do not jump about.
function onAirFirst(list) {
	return [...list.filter((mount) => stateSounds(mount.state)), ...list.filter((mount) => !stateSounds(mount.state))];
}

function showNotice(text) {
	setText(byId("notice"), text);
	byId("notice").hidden = !text;
}

watchStation((answer) => {
	const before = mounts.find((mount) => mount.mount === player.mount);
	const after = answer.mounts.find((mount) => mount.mount === player.mount);

	mounts = onAirFirst(answer.mounts);
	showNotice("");
	showServer(answer.server);
	byId("hint").hidden = mounts.length > 0;
	if (after && stateSounds(after.state) && !(before && stateSounds(before.state)))
		player.hurry();
	show();
}, () => showNotice("The server does not answer. Trying again…"));
showHint();
