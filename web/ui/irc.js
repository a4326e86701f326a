// irc: the page of one's channels: log in, read, write, look for what was said, be told when one is named.

import { ask, attempt, say } from "./ask.js";
import { h, Keyed, setChildren, setText } from "./dom.js";
import { icon, mark } from "./icons.js";
import { makeAttach } from "./irc-files.js";
import { IrcHome, kept } from "./irc-home.js";
import { colourOf, IrcLog, words } from "./irc-log.js";
import { FOUND, FOUND_MOST } from "./irc-network.js";
import { Completion, makeOrders, obey } from "./irc-orders.js";
import { bellOf, IrcTell } from "./irc-tell.js";
import { plain } from "./irc-wire.js";

const DRAW_MS = 60;
const ROWS = 8; // of the field to write in
const SENT = 50; // lines that are called back with the arrows
let recalled = -1; // which of what was sent stands in the field, from the newest on; -1: none
let home = null, current = null, timer = 0, wanted = location.hash.slice(1);

const label = (text) => h("span.hidden-words", {}, text);
const sign = (name, text, onclick, props = {}) => h("button.irc-sign", { type: "button", title: text, onclick, ...props }, icon(name), label(text));

/* --- the door --- */

const nameField = h("input", { id: "irc-user", required: true, maxlength: 60, autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
const passwordField = h("input", { id: "irc-password", type: "password", required: true, autocomplete: "current-password" });
const stayField = h("input", { id: "irc-stay", type: "checkbox" });
const doorButton = h("button.irc-main-button", { type: "submit" }, "Log in");
const doorWords = h("p.irc-fault", { role: "alert" });
const door = h("main.irc-door", {}, h("form.irc-card", {
	onsubmit: (event) => {
		event.preventDefault();
		logIn({ user: nameField.value.trim(), password: passwordField.value, stay: stayField.checked });
	},
}, h("a.irc-home", { href: "/" }, mark(), h("span", {}, "ringmain")), h("h1", {}, "Your channels"),
h("p.quiet", {}, "The bouncer stays on IRC while you are away. Here you read what was said, and answer."),
h("div.irc-field", {}, h("label", { for: "irc-user" }, "Name"), nameField),
h("div.irc-field", {}, h("label", { for: "irc-password" }, "Password"), passwordField),
h("label.irc-check", { for: "irc-stay" }, stayField, "Stay logged in on this device"), doorWords, doorButton));

function logIn(login) {
	home?.end();
	doorButton.disabled = true;
	setText(doorWords, "");
	home = new IrcHome(login);
	home.addEventListener("in", () => {
		passwordField.value = "";
		door.hidden = true;
		app.hidden = false;
		tell.begin();
		later();
	});
	home.addEventListener("waits", ({ detail }) => {
		doorButton.disabled = false;
		setText(doorWords, `Not connected: ${detail} It is tried again.`);
	});
	home.addEventListener("out", ({ detail: { why, wasHere } }) => {
		if (wasHere)
			tell.end();
		leave();
		setText(doorWords, why);
	});
	home.addEventListener("change", later);
	home.addEventListener("news", ({ detail }) => tell.note(detail));
	home.addEventListener("read", ({ detail }) => tell.clear(detail));
}

function leave() {
	home?.end();
	home = current = null;
	app.hidden = true;
	door.hidden = doorButton.disabled = false;
	document.title = "IRC";
	setChildren(list);
	sections = new Keyed(list, makeSection);
	(nameField.value ? passwordField : nameField).focus();
}

/* --- networks and channels --- */

const list = h("div.irc-networks", {});
const states = { connected: "", connecting: "connects…", disconnected: "not connected" };

function makeSection(network) {
	const state = h("span.irc-state"), rows = h("ul", {});
	const title = h("button.irc-network", { type: "button", onclick: () => show(network.server) }, h("span.irc-name", { dir: "auto" }), state);
	const talks = new Keyed(rows, makeRow);
	const root = h("section", {}, h("h2", {}, title), rows, h("button.irc-join", { type: "button", onclick: () => joinAsk(network) }, "+ Join a channel", label(" on this network")));

	return { root, fill() {
		setText(title.firstChild, network.name || "…");
		setText(state, network.down ? "lost" : states[network.state] ?? network.state);
		state.title = network.down || network.why;
		title.setAttribute("aria-current", String(current === network.server));
		talks.show(network.list, (talk) => talk.id);
	} };
}

function makeRow(talk) {
	const name = h("span.irc-name", { dir: "auto" }), count = h("span.irc-count"), hint = label("");
	const button = h("button.irc-talk", { type: "button", onclick: () => show(talk) }, name, count, hint);

	return { root: h("li", {}, button), fill() {
		const isCalled = talk.called > 0;

		setText(name, talk.name);
		button.setAttribute("aria-current", String(talk === current));
		button.toggleAttribute("data-unread", talk.unread > 0);
		button.toggleAttribute("data-called", isCalled);
		button.toggleAttribute("data-away", talk.kind === "channel" && !talk.joined);
		setText(count, talk.unread ? talk.unread > 99 ? "99+" : String(talk.unread) : "");
		setText(hint, !talk.unread ? "" : isCalled ? " unread, you are named" : " unread");
	} };
}

let sections = new Keyed(list, makeSection);

function joinAsk(network) {
	return ask({ title: "Join a channel", button: "Join", text: `On ${network.name}. A name without a sign before it is somebody to talk to.`, fields: [
		{ name: "name", label: "Channel", required: true, value: "#", maxlength: 200 }, { name: "key", label: "Its key", hint: "Only where it has one." },
	], submit: ({ name, key }) => {
		const word = name.trim();

		if (!word || word === "#" || /[\s,]/.test(word))
			throw new Error("A name has no blanks.");
		show(network.isChannel(word) ? network.join(word, key.trim()) : network.open(word));
	} });
}

function networkAsk() {
	return ask({ title: "Add a network", button: "Add", fields: [
		{ name: "host", label: "Server", required: true, placeholder: "irc.libera.chat" }, { name: "name", label: "Name", hint: "Empty: as the server." },
		{ name: "port", label: "Port", hint: "Empty: 6697, or 6667 without TLS." }, { name: "tls", label: "TLS", type: "checkbox", value: true },
		{ name: "nickname", label: "Nick", hint: "Empty: as everywhere." },
	], submit: (values) => home.addNetwork(values) });
}

const tell = new IrcTell({ home: () => home, isSeen: (network, name) => isSeen() && current.network.name === network && current.network.same(current.name, name),
	go: (network, name) => {
		wanted = `${encodeURIComponent(network)}/${encodeURIComponent(name)}`;
		choose();
	} });
const side = h("nav.irc-side", { "aria-label": "Networks and channels" },
	h("div.irc-side-top", {}, h("a.irc-home", { href: "/" }, mark(), h("span", {}, "ringmain")), bellOf(tell),
		sign("leave", "Log out", () => {
			tell.end();
			home.logOut();
			leave();
		})), list, h("button.irc-join.irc-add", { type: "button", onclick: networkAsk }, "+ Add a network"));

/* --- the talk --- */

const title = h("h2.irc-title", { tabindex: -1, dir: "auto" });
// All of it is seen while it has the focus: by a finger, a click or the Tab key.
const topic = h("p.irc-topic", { dir: "auto", tabindex: 0 });
const nobody = h("p.irc-empty", { hidden: true });
const notice = h("p.irc-bar", { role: "status", hidden: true });
const endButton = h("button.irc-end", { type: "button", hidden: true, onclick: toEnd }, "To the newest");
const log = new IrcLog({ top: () => current && !find.isOpen && current.network.loadBefore(current), end: () => {
	seen();
	if (current?.isPast && !find.isOpen)
		current.network.loadAfter(current);
}, move: later, name: (nick) => {
	const { value } = field;

	field.value = value.trim() ? `${value.trimEnd()} ${nick} ` : `${nick}: `;
	grow();
	field.focus();
} });
const field = h("textarea", { id: "irc-words", rows: 1, autocomplete: "off", enterkeyhint: "send", maxlength: 20000, oninput: write, onkeydown: onKey });
const fieldLabel = h("label.hidden-words", { for: "irc-words" });
// On a phone the keyboard stays where it is.
const sendButton = h("button.irc-main-button", { type: "submit", onmousedown: (event) => event.preventDefault() }, "Send");
const attachButton = sign("attach", "Files", null, { hidden: true });
const composer = h("form.irc-composer", { onsubmit: (event) => {
	event.preventDefault();
	send();
} }, attachButton, fieldLabel, field, sendButton);
const people = h("section.irc-people", { "aria-label": "Who is here", hidden: true });
const peopleTitle = h("h2", {});
const peopleList = h("ul", {});
const searchButton = sign("search", "Search", () => find.toggle(), { "aria-expanded": "false" });
const peopleButton = sign("people", "Who is here", () => showPeople(people.hidden), { "aria-expanded": "false" });
const partButton = sign("close", "Leave", () => partAsk());
const back = sign("menu", "Channels", () => view("list"), { class: "irc-sign irc-back" });
const main = h("section.irc-main", { "aria-label": "What is said" }, h("header.irc-head", {}, back, h("div.irc-head-words", {}, title, topic), searchButton, peopleButton, partButton),
	notice, log.root, endButton, composer, nobody);
const app = h("main.irc-app", { hidden: true, "data-view": "list" }, h("h1.hidden-words", {}, "Your channels"), side, main, people);

composer.append(makeAttach({ field, zone: main, button: attachButton, written: grow,
	of: () => ({ where: current?.network.filehost ?? "", login: { user: home?.user, password: home?.password } }) }));
people.append(h("div.irc-people-top", {}, peopleTitle, sign("close", "Close", () => showPeople(false))), peopleList);

// On a phone one of them is seen.
function view(name) {
	app.dataset.view = name;
	if (name === "list")
		(list.querySelector("[aria-current=true]") ?? list.querySelector("button"))?.focus();
}

function show(talk) {
	if (current)
		current.draft = field.value;
	if (current === talk && app.dataset.view === "talk") {
		wanted = "";
		return;
	}
	// On a phone they would stand before it.
	wantsPeople &&= wide.matches;
	current = talk;
	wanted = "";
	recalled = -1;
	find.close();
	view("talk");
	log.open(talk);
	field.value = talk.draft;
	grow();
	history.replaceState(null, "", `#${encodeURIComponent(talk.network.name)}/${encodeURIComponent(talk.name)}`);
	talk.network.load(talk);
	if (matchMedia("(pointer: fine)").matches)
		field.focus();
	else
		title.focus();
	draw();
}

async function toEnd() {
	if (current.isPast) {
		log.open(current);
		await current.network.showEnd(current);
	}
	log.toEnd();
	later();
}

function partAsk() {
	const talk = current;

	return ask({ title: `Leave ${talk.name}?`, danger: true, button: "Leave", text: talk.kind === "channel" ? "The bouncer leaves it too. What was said until now is kept." : "It is taken off the list, and comes again with the next word.",
		submit: () => {
			talk.network.leave(talk);
			current = null;
			view("list");
			later();
		} });
}

/* --- people --- */

const wide = matchMedia("(min-width: 52rem)");
let wantsPeople = false;

// They stand beside a channel only.
function placePeople() {
	const yes = wantsPeople && current?.kind === "channel";

	people.hidden = !yes;
	peopleButton.setAttribute("aria-expanded", String(yes));
	app.toggleAttribute("data-people", yes);
}

function showPeople(yes) {
	wantsPeople = yes;
	placePeople();
	if (yes)
		people.querySelector("button").focus();
	else
		peopleButton.focus();
	draw();
}

wide.addEventListener("change", () => {
	wantsPeople &&= wide.matches;
	later();
});

function drawPeople() {
	if (people.hidden)
		return;
	const members = [...current.members?.values() ?? []].sort((a, b) => current.network.rank(a) - current.network.rank(b) || a.nick.localeCompare(b.nick));

	setText(peopleTitle, current.members ? `${members.length} here` : current.joined ? "Asking…" : "You are not there");
	setChildren(peopleList, members.slice(0, 2000).map(({ nick, prefix, away }) => h("li", {}, h("button.irc-person", { type: "button", "data-away": away !== undefined, title: away ? `Away: ${away}` : null, onclick: () => show(current.network.open(nick)) },
		h("span.irc-prefix", { "aria-hidden": "true" }, prefix[0] ?? ""), h("bdi", { "data-colour": colourOf(nick) }, nick), away === undefined ? null : label(" is away")))));
}

/* --- search --- */

// Where the words stand that were looked for.
function marked(text, sought) {
	const parts = sought.split(/\s+/).filter(Boolean).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));

	return parts.length ? text.split(new RegExp(`(${parts.join("|")})`, "giu")).map((piece, at) => at % 2 ? h("mark", {}, piece) : piece) : text;
}

const find = {
	isOpen: false,
	root: h("section.irc-find", { "aria-label": "Search", hidden: true }),
	input: h("input", { id: "irc-find-text", type: "search", required: true, maxlength: 200, placeholder: "What was said" }),
	where: h("select", { id: "irc-find-where" }, h("option", { value: "here" }, "Here"), h("option", { value: "all" }, "In all of this network"), h("option", { value: "every" }, "Everywhere")),
	say: h("p.quiet", { role: "status" }),
	found: h("div.irc-found-list", {}),
	more: h("button.irc-end", { type: "button", hidden: true, onclick: () => find.run(true) }, "Look further back"),
	lines: [],
	networks: [], // that were searched
	faults: [],

	toggle() {
		if (this.isOpen) {
			this.close();
			searchButton.focus();
			return;
		}
		this.isOpen = true;
		this.root.hidden = false;
		this.where.lastChild.hidden = this.where.lastChild.disabled = home.networks.size < 2;
		if (this.where.value === "every" && home.networks.size < 2)
			this.where.value = "all";
		log.root.hidden = composer.hidden = endButton.hidden = true;
		searchButton.setAttribute("aria-expanded", "true");
		this.input.focus();
	},

	close() {
		this.isOpen = false;
		this.root.hidden = true;
		log.root.hidden = composer.hidden = false;
		searchButton.setAttribute("aria-expanded", "false");
		setChildren(this.found);
		setText(this.say, "");
		this.networks = [];
		this.faults = [];
		this.more.hidden = true;
		later();
	},

	// isMore: further back than the last time.
	async run(isMore = false) {
		const before = isMore ? this.lines.length : 0;

		if (!isMore) {
			this.talk = this.where.value === "here" && current.kind !== "server" ? current : null;
			this.isEvery = this.where.value === "every";
			this.networks = this.isEvery ? [...home.networks.values()] : [current.network];
			this.text = this.input.value.trim();
			this.limit = 0;
			this.lines = [];
		}
		this.limit += FOUND;
		this.faults = [];
		this.isBusy = this.more.hidden = true;
		this.show();
		const mine = this.turn = {}, { networks, limit } = this;
		const answers = await Promise.allSettled(networks.map((network) => network.search(this.text, this.talk, limit)));

		if (mine !== this.turn || !this.isOpen)
			return;
		const lists = answers.map((answer) => answer.value ?? []);

		this.faults = answers.flatMap(({ reason }, i) => reason ? [this.isEvery ? `${networks[i].name}: ${reason.message}` : reason.message] : []);
		// Further back than this a network has not looked that found as many as it may: what stands there is not all.
		const from = Math.max(...lists.map((list) => list.length >= limit ? list[0].at : 0));

		// Each list is the oldest first: turned round, lines of one millisecond are the newest first too.
		this.lines = lists.flat().reverse().filter((line) => line.at >= from).sort((a, b) => b.at - a.at);
		this.more.hidden = !from || this.lines.length <= before || limit >= FOUND_MOST;
		this.isBusy = false;
		this.show();
	},

	show() {
		setChildren(this.found, this.lines.map((line) => h("button.irc-hit", { type: "button", onclick: () => this.go(line.network, line) },
			h("span.irc-hit-where", {}, this.isEvery ? [h("bdi", {}, line.network.name), " · "] : null, h("bdi", {}, line.where), " · ", new Date(line.at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })),
			h("span.irc-hit-text", { dir: "auto" }, h("bdi.irc-nick", { "data-colour": colourOf(line.nick) }, line.nick), " ", marked(plain(line.text), this.text)))));
		this.tell();
	},

	tell() {
		if (!this.isOpen || !this.networks.length)
			return;
		const unlooked = this.networks.reduce((sum, network) => sum + network.unlooked, 0), count = this.lines.length;

		setText(this.say, this.isBusy ? "Looking…" : [this.faults.map((fault) => `${fault} `).join(""), count ? `${count} found, the newest first.` : this.faults.length < this.networks.length ? "Nothing like that was said." : "",
			unlooked ? ` ${unlooked.toLocaleString()} older lines were not looked at: say more letters, or search in one channel.` : ""].join(""));
	},

	async go(network, line) {
		const talk = network.open(line.where);

		show(talk);
		this.close();
		await network.showAround(talk, line);
		log.open(talk);
		log.showLine(line.id);
		draw();
	},
};

find.root.append(h("form.irc-find-form", { onsubmit: (event) => {
	event.preventDefault();
	find.run();
} }, h("label.hidden-words", { for: "irc-find-text" }, "What was said"), find.input, h("label.hidden-words", { for: "irc-find-where" }, "Where"), find.where,
h("button.irc-main-button", { type: "submit" }, "Search")), find.say, find.found, find.more);
main.insertBefore(find.root, log.root);

/* --- writing --- */

const completion = new Completion();
const orders = makeOrders({ show, people: () => showPeople(true), find: (text) => {
	if (!current.network.maySearch)
		return;
	if (!find.isOpen)
		find.toggle();
	find.input.value = text;
	find.run();
} });

// Who writes stays where he is, whatever was to be shown once it can be.
function write() {
	wanted = "";
	grow();
}

function send() {
	const text = field.value.trimEnd(), talk = current;
	const [, word, rest] = /^\/([a-z]+)(?: ([\s\S]*))?$/i.exec(text) ?? [];

	if (!text || !talk)
		return;
	if (!talk.network.isUp) {
		say("Not connected: it was not sent.", "bad");
		return;
	}
	if (word && !orders[word.toLowerCase()]) {
		say(`There is no /${word}. /help says what there is.`, "bad");
		return;
	}
	talk.sent = [...talk.sent.filter((one) => one !== text), text].slice(-SENT);
	recalled = -1;
	talk.draft = field.value = "";
	grow();
	if (word)
		obey(orders, word.toLowerCase(), talk, (rest ?? "").trim());
	else if (talk.kind === "server")
		talk.network.raw(talk, text);
	else
		talk.network.say(talk, text.startsWith("//") ? text.slice(1) : text);
	if (talk === current)
		toEnd();
}

// As high as what is written, up to some rows.
function grow() {
	field.rows = Math.min(ROWS, field.value.split("\n").length);
	field.style.height = "auto";
	field.style.height = field.value ? `${Math.min(field.scrollHeight + 2, 240)}px` : "";
}

function onKey(event) {
	if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
		event.preventDefault();
		send();
	} else if (event.key === "Tab" && current && completion.take(field, current, orders, event.shiftKey ? -1 : 1)) {
		event.preventDefault();
	} else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && !event.altKey && !event.shiftKey && recall(event.key === "ArrowUp" ? 1 : -1)) {
		event.preventDefault();
	}
}

// What was written here before, further and further back: where nothing is written, or what was called back is not changed.
function recall(step) {
	const sent = current?.sent ?? [], at = recalled + step;

	if (recalled >= 0 && field.value !== sent.at(-1 - recalled))
		recalled = -1;
	if ((recalled < 0 && (field.value || step < 0)) || at >= sent.length)
		return false;
	recalled = at;
	field.value = at < 0 ? "" : sent.at(-1 - at);
	grow();
	field.setSelectionRange(field.value.length, field.value.length);
	return true;
}

// Alt and an arrow: the channel before or behind; with Shift the next that has something new.
document.addEventListener("keydown", (event) => {
	if (!home?.isIn || document.querySelector("dialog[open]"))
		return;
	if (event.key === "Escape" && find.isOpen) {
		find.toggle();
	} else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
		const all = [...home.networks.values()].flatMap((network) => [network.server, ...network.list]);
		const step = event.key === "ArrowUp" ? -1 : 1;
		let at = all.indexOf(current);

		event.preventDefault();
		for (let i = 0; i < all.length; i++) {
			at = (at + step + all.length) % all.length;
			if (!event.shiftKey || all[at].unread)
				break;
		}
		if (all.length)
			show(all[at]);
	}
});

/* --- all of it --- */

const isSeen = () => current && !document.hidden && document.hasFocus() && app.dataset.view !== "list";

// What stands on the screen is read.
function seen() {
	if (isSeen() && !find.isOpen && log.isAtEnd)
		current.network.read(current);
}

function later() {
	timer ||= setTimeout(draw, DRAW_MS);
}

function word(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

// The talk that the address names, or, where there is room for it, the first.
function choose() {
	const networks = [...home?.networks.values() ?? []];

	if (wanted) {
		const [network, name] = wanted.split("/").map(word);
		const found = networks.find((one) => one.name === network), talk = found && (found.find(name) ?? (name === "*" ? found.server : found.isUp && name && !found.isChannel(name) ? found.open(name) : null));

		if (talk && (talk.kind !== "channel" || talk.joined)) {
			show(talk);
			return;
		}
	}
	if (!current && wide.matches) {
		const first = networks.flatMap((one) => one.list)[0];

		if (first && !wanted)
			show(first);
	}
}

function draw() {
	clearTimeout(timer);
	timer = 0;
	if (!home?.isIn)
		return;
	if (!current || wanted)
		choose();
	const networks = [...home.networks.values()];
	const called = networks.flatMap((network) => network.list).reduce((sum, talk) => sum + talk.called, 0);

	sections.show(networks, (network) => network.id);
	for (const part of [title, topic, searchButton, peopleButton, partButton])
		part.hidden = !current;
	nobody.hidden = Boolean(current);
	setText(nobody, networks.length ? "Choose a channel." : "You have no network yet. Add one: the bouncer connects to it and stays there.");
	log.root.hidden = composer.hidden = !current || find.isOpen;
	endButton.hidden = !current || find.isOpen || !(current.isPast || (!log.isDown && log.isScrolled));
	setText(endButton, current?.unread && !current.isPast ? `To the newest: ${current.unread} unread` : "To the newest");
	find.tell();
	document.title = `${called ? `(${called}) ` : ""}${current ? `${current.kind === "server" ? current.network.name : current.name} – ` : ""}IRC`;
	drawNotice();
	placePeople();
	drawPeople();
	if (!current)
		return;
	setText(title, current.kind === "server" ? current.network.name : current.name);
	if (topic.dataset.text !== current.topic) {
		topic.dataset.text = current.topic;
		setChildren(topic, words(current.topic));
	}
	topic.hidden = !current.topic;
	searchButton.hidden = !current.network.maySearch;
	attachButton.hidden = !current.network.filehost || current.kind === "server";
	peopleButton.hidden = current.kind !== "channel";
	partButton.hidden = current.kind === "server";
	setText(fieldLabel, `Write to ${title.textContent}`);
	field.placeholder = current.kind === "server" ? "Such as WHOIS nick" : `Write to ${current.name} as ${current.network.nick}`;
	if (!current.isLoaded)
		current.network.load(current);
	if (!people.hidden)
		current.network.askNames(current);
	if (!find.isOpen)
		log.show();
	seen();
}

function drawNotice() {
	const network = current?.network;
	const text = home.down ? `Not connected: ${home.down} It is tried again.` : network?.down ? `Not connected: ${network.down} It is tried again.` :
		network && network.state !== "connected" ? `${network.name} is ${network.state === "connecting" ? "being connected to" : "not connected"}${network.why ? `: ${network.why}` : "."}` :
			current?.kind === "channel" && !current.joined ? "You are not in this channel." :
				network?.isAway ? "You are away on this network: /back ends that." : "";

	setText(notice, text);
	notice.hidden = !text;
}

// A keyboard on the screen that lies over the page takes its room (Safari; others make the window smaller).
window.visualViewport?.addEventListener("resize", () => {
	if (visualViewport.scale < 1.01)
		document.body.style.height = visualViewport.height < innerHeight - 1 ? `${visualViewport.height}px` : "";
});
document.body.append(door, app);
document.addEventListener("visibilitychange", later);
window.addEventListener("focus", later);
const own = kept();

if (own) {
	nameField.value = own.user;
	attempt(() => logIn({ ...own, stay: true }));
}
