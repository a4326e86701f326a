// voice: the page of the rooms: come in, see who is where, talk, listen, write.

import { h, setChildren, setText } from "./dom.js";
import { mark } from "./icons.js";
import { VoiceClient } from "./voice-client.js";
import { VoiceSound, missing } from "./voice-sound.js";
import { roomList } from "./voice-rooms.js";

const NAME = "ringmain.voice.name", MODE = "ringmain.voice.open";
const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private windows */ } };

const status = h("p.voice-status", { role: "status" });
const notice = h("p.voice-notice", { hidden: true });
let client = null, sound = null;

const say = (words) => setText(status, words);
function warn(words) {
	setText(notice, words);
	notice.hidden = !words;
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

// What Mumble's people write is HTML: nothing of it but its words is shown.
function wordsOf(html) {
	const bare = html.replace(/<br\s*\/?>/gi, "\n").replace(/<[^>]*>/g, "");

	return bare.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos|nbsp));/gi, (all, decimal, hex, name) => {
		const code = decimal ? Number(decimal) : parseInt(hex, 16);

		if (name)
			return ENTITIES[name.toLowerCase()];
		return code <= 0x10ffff ? String.fromCodePoint(code) : all;
	});
}

/* --- the door --- */

const nameField = h("input", { id: "voice-name", required: true, maxlength: 64, autocomplete: "nickname", value: stored(NAME) ?? "" });
const passwordField = h("input", { id: "voice-password", type: "password", autocomplete: "current-password" });
const passwordRow = h("div.voice-field", { hidden: true }, h("label", { for: "voice-password" }, "Password"), passwordField);
const joinButton = h("button.voice-join", { type: "submit" }, "Come in");
const door = h("form.voice-door", {
	onsubmit: (event) => {
		event.preventDefault();
		comeIn();
	},
},
h("h1", {}, "Voice rooms"),
h("p.quiet", {}, "Say who you are, and talk with everybody who is here: with this page or with Mumble."),
h("div.voice-field", {}, h("label", { for: "voice-name" }, "Your name"), nameField),
passwordRow, joinButton);

async function comeIn() {
	joinButton.disabled = true;
	say("Coming in…");
	warn(missing());
	sound = missing() ? null : new VoiceSound();
	try {
		await sound?.start();
	} catch (error) {
		warn(`This browser gives no sound: ${error.message}`);
		sound = null;
	}
	store(NAME, nameField.value);
	connect();
}

// was: where somebody was whose connection was lost.
function connect(was) {
	const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/voice/ws`;

	client = new VoiceClient(url, was?.tokens);
	client.addEventListener("joined", ({ detail }) => was ? onBack(was) : onJoined(detail));
	// After a change of networks one's own name is taken until the server has missed the other connection.
	client.addEventListener("refused", ({ detail }) => was && detail.taken ? onLost(detail.reason, was) : onRefused(detail));
	client.addEventListener("gone", ({ detail }) => goOut(detail));
	client.addEventListener("lost", ({ detail }) => onLost(detail, was));
	client.addEventListener("change", show);
	client.addEventListener("speech", ({ detail }) => sound?.hear(detail));
	client.addEventListener("left", ({ detail }) => detail && sound?.forget(detail.session));
	client.addEventListener("text", ({ detail }) => chatLine(detail.from, wordsOf(detail.html)));
	client.addEventListener("denied", ({ detail }) => onDenied(detail));
	client.addEventListener("recording", ({ detail }) => detail.user.session < 0x40000000 && chatLine(null, `${detail.user.name} ${detail.recording ? "records" : "does not record any more"}.`));
	client.join(nameField.value.trim(), passwordField.value);
}

// A phone that changes its network, a server that is renewed: in again by itself, to where one was.
const TRIES = 9;
let tries = 0, again = 0;

function onLost(why, was) {
	const place = client.session === null ? was : { channel: client.me.channel, tokens: client.tokens };

	if (!place || tries === TRIES) {
		goOut(why);
		return;
	}
	say("The connection was lost. Coming in again…");
	again = setTimeout(connect, Math.min(250 * 2 ** tries++, 8000), place);
}

function onBack({ channel }) {
	tries = 0;
	room = null;
	say(`You are in again as ${nameField.value.trim()}.`);
	if (client.channels.has(channel) && client.me.channel !== channel)
		client.enter(channel);
	if (muted || deaf)
		client.setMuted(muted, deaf);
	if (sound)
		bindSound();
	showTalk();
}

function bindSound() {
	sound.onpacket = (packet) => client.speak(packet);
	sound.onspeaks = (speaks) => {
		client.selfSpeaks(speaks);
		document.body.toggleAttribute("data-talks", speaks);
	};
}

function onRefused({ reason, password }) {
	if (password) {
		passwordRow.hidden = false;
		passwordField.focus();
	}
	goOut(password && !passwordField.value ? "A password is wanted here." : `Not let in: ${reason}`);
}

async function onJoined(welcome) {
	rooms.hidden = talk.hidden = chat.hidden = false;
	door.hidden = true;
	document.body.dataset.there = "";
	setChildren(lines);
	say(`You are in as ${nameField.value.trim()}.`);
	if (welcome)
		chatLine(null, wordsOf(welcome));
	if (sound) {
		bindSound();
		await openMicrophone();
	}
	showTalk();
	talkButton.focus();
}

async function openMicrophone() {
	const why = await sound.openMicrophone();

	warn(why);
	showTalk();
}

function goOut(why) {
	clearTimeout(again);
	tries = 0;
	client?.leave();
	sound?.stop();
	client = sound = room = null;
	delete document.body.dataset.there;
	document.body.removeAttribute("data-talks");
	rooms.hidden = talk.hidden = chat.hidden = true;
	door.hidden = joinButton.disabled = false;
	if (passwordRow.hidden)
		joinButton.focus();
	say(why);
}

/* --- rooms --- */

let wanted = null; // the room that a password is asked for
let tried = false; // one was said
let room = null; // where we were when it was drawn last
const tokenField = h("input", { id: "voice-token", type: "password", autocomplete: "off" });
const tokenLabel = h("label", { for: "voice-token" });
const tokenForm = h("form.voice-token", {
	hidden: true,
	onsubmit: (event) => {
		event.preventDefault();
		tried = true;
		client.enter(wanted, tokenField.value);
		tokenForm.hidden = true;
		tokenField.value = "";
	},
}, tokenLabel, h("span.voice-row", {}, tokenField, h("button.voice-plain", { type: "submit" }, "Enter")));
const list = roomList({
	enter(id) {
		wanted = id;
		tried = false;
		tokenForm.hidden = true;
		client.enter(id);
	},
	volume: (session, factor) => sound?.setVolume(session, factor),
	volumeOf: (session) => sound?.volumes.get(session) ?? 1,
});
const rooms = h("section.voice-rooms", { "aria-labelledby": "voice-rooms-title", hidden: true }, h("h1", { id: "voice-rooms-title" }, "Rooms"), list.root, tokenForm);

const whyDenied = { 3: "That name is not allowed.", 4: "That text is too long.", 9: "The room is full." };

function onDenied({ type, reason, channel_id: channel = 0 }) {
	if (type === 1 && channel === wanted && channel !== client.me?.channel) {
		const name = client.channels.get(channel)?.name;

		setText(tokenLabel, tried ? `That does not open “${name}”. Its password:` : `“${name}” is not open to all. Its password:`);
		tokenForm.hidden = false;
		tokenField.focus({ preventScroll: true });
		tokenForm.scrollIntoView({ block: "center" });
		say(tried ? "That password does not open the room." : "You may not enter without its password.");
	} else {
		say(whyDenied[type] ?? (reason || "You may not do that."));
	}
}

function show() {
	if (client?.session === null || !client)
		return;
	list.show(client);
	showTalk();
	sayPlace();
}

// Also when it was somebody else who moved us.
function sayPlace() {
	const now = client.me?.channel ?? null, before = room;

	room = now;
	if (before !== null && now !== null && now !== before)
		say(`You are in “${client.channels.get(now)?.name}” now.`);
}

/* --- talking --- */

let open = stored(MODE) === "yes", muted = false, deaf = false;

const talkWords = h("span.voice-talk-words");
const talkButton = h("button.voice-talk", { type: "button", "aria-pressed": "false" }, h("span.voice-talk-ring", { "aria-hidden": "true" }), talkWords);
const modeButton = h("button.voice-tool", { type: "button", onclick: () => setMode(!open) });
const muteButton = h("button.voice-tool", { type: "button", onclick: () => setMuted(!muted, deaf) });
const deafButton = h("button.voice-tool", { type: "button", onclick: () => setMuted(muted, !deaf) });
const leaveButton = h("button.voice-tool.voice-leave", { type: "button", onclick: () => goOut("You have left.") }, "Leave");
const talk = h("section.voice-bar", { "aria-label": "Talking", hidden: true }, talkButton, h("div.voice-tools", {}, modeButton, muteButton, deafButton, leaveButton));

function toggle(button, words, on) {
	setText(button, words);
	button.setAttribute("aria-pressed", String(on));
}

function showTalk() {
	const speaks = document.body.hasAttribute("data-talks"), self = client?.me;
	const may = sound?.hasMicrophone && !self?.suppress && !self?.mute;

	sound?.setOpen(open);
	sound?.setMuted(muted || deaf || !may);
	toggle(modeButton, "Open mic", open);
	toggle(muteButton, "Mute", muted);
	toggle(deafButton, "Deafen", deaf);
	for (const button of [modeButton, muteButton, deafButton])
		button.disabled = !sound;
	talkButton.setAttribute("aria-pressed", String(speaks));
	talkButton.disabled = !sound || (sound.hasMicrophone && !may);
	setText(talkWords, !sound ? "Only text here" : !sound.hasMicrophone ? "Ask for the microphone" : self?.suppress || self?.mute ? "You may not speak here"
		: muted || deaf ? "Muted" : speaks ? "You are heard" : open ? "Speak, and you are heard" : "Hold to talk");
}

function setMode(now) {
	open = now;
	store(MODE, open ? "yes" : "no");
	say(open ? "You are heard whenever you speak." : "Hold the large button, or the space bar, to talk.");
	showTalk();
}

function setMuted(nowMuted, nowDeaf) {
	muted = nowMuted;
	deaf = nowDeaf;
	client.setMuted(muted, deaf);
	say(deaf ? "You hear nobody and nobody hears you." : muted ? "Nobody hears you." : "You can be heard.");
	showTalk();
}

function press(pressed) {
	if (!sound?.hasMicrophone)
		return;
	if (pressed && muted && !deaf)
		setMuted(false, false);
	sound.press(pressed);
}

talkButton.addEventListener("click", () => sound && !sound.hasMicrophone && openMicrophone());
talkButton.addEventListener("pointerdown", (event) => {
	talkButton.setPointerCapture(event.pointerId);
	press(true);
});
for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"])
	talkButton.addEventListener(end, () => press(false));
talkButton.addEventListener("contextmenu", (event) => event.preventDefault());
new MutationObserver(showTalk).observe(document.body, { attributeFilter: ["data-talks"] });

// The space bar talks from anywhere but where it writes or presses something else.
const isOthers = (target) => target.closest("input, textarea, select, summary, a, button:not(.voice-talk)");

document.addEventListener("keydown", (event) => {
	if (!client || isOthers(event.target) || event.ctrlKey || event.metaKey || event.altKey)
		return;
	if (event.code === "Space" && sound?.hasMicrophone) {
		event.preventDefault();
		if (!event.repeat)
			press(true);
	}
});
document.addEventListener("keyup", (event) => {
	if (event.code === "Space" && !isOthers(event.target)) {
		if (sound?.hasMicrophone)
			event.preventDefault();
		press(false);
	}
});
window.addEventListener("blur", () => press(false));

/* --- writing --- */

const lines = h("div.voice-lines", { role: "log", "aria-label": "What was written", tabindex: 0 });
const words = h("input", { id: "voice-words", autocomplete: "off", maxlength: 4000, placeholder: "Write to the room" });
const chat = h("section.voice-chat", { "aria-labelledby": "voice-chat-title", hidden: true }, h("h2", { id: "voice-chat-title" }, "Text"), lines,
	h("form.voice-row", {
		onsubmit: (event) => {
			event.preventDefault();
			if (!words.value.trim())
				return;
			client.write(words.value);
			chatLine(client.me.name, words.value);
			words.value = "";
		},
	}, h("label.hidden-words", { for: "voice-words" }, "Write to the room"), words, h("button.voice-plain", { type: "submit" }, "Send")));

function chatLine(from, said) {
	const down = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 8;
	const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

	lines.append(h("p.voice-line", {}, h("span.voice-time", {}, time), h("span.voice-from", {}, from ?? "The server"), h("span.voice-said", {}, said)));
	while (lines.childElementCount > 500)
		lines.firstElementChild.remove();
	if (down)
		lines.scrollTop = lines.scrollHeight;
}

/* --- the page --- */

document.body.append(
	h("header.voice-top", {}, h("a.voice-home", { href: "/" }, mark(), h("span", {}, "ringmain")), status),
	h("main.voice-main", {}, notice, door, rooms, chat), talk);
warn(missing());
window.addEventListener("pagehide", () => client?.leave());
