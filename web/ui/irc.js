// irc: the page of one's channels: log in, read, write, look for what was said, be told when one is named.

import { ask, attempt, say } from "./ask.js";
import { h, Keyed, setChildren, setText } from "./dom.js";
import { icon, mark } from "./icons.js";
import { IrcHome, kept } from "./irc-home.js";
import { colourOf, IrcLog, words } from "./irc-log.js";
import { plain } from "./irc-wire.js";

const DRAW_MS = 60;
const ROWS = 8; // of the field to write in
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
	doorButton.disabled = true;
	setText(doorWords, "");
	home = new IrcHome(login);
	home.addEventListener("in", () => {
		passwordField.value = "";
		door.hidden = true;
		app.hidden = false;
		later();
	});
	home.addEventListener("out", ({ detail }) => {
		leave();
		setText(doorWords, detail);
	});
	home.addEventListener("change", later);
	home.addEventListener("news", ({ detail }) => news(detail));
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

const notifyButton = sign("bell", "Tell me when I am named", askNotify);
const side = h("nav.irc-side", { "aria-label": "Networks and channels" },
	h("div.irc-side-top", {}, h("a.irc-home", { href: "/" }, mark(), h("span", {}, "ringmain")), notifyButton,
		sign("leave", "Log out", () => {
			home.logOut();
			leave();
		})), list, h("button.irc-join.irc-add", { type: "button", onclick: networkAsk }, "+ Add a network"));

/* --- the talk --- */

const title = h("h2.irc-title", { tabindex: -1, dir: "auto" });
const topic = h("p.irc-topic", { dir: "auto" });
const nobody = h("p.irc-empty", { hidden: true });
const notice = h("p.irc-bar", { role: "status", hidden: true });
const endButton = h("button.irc-end", { type: "button", hidden: true, onclick: toEnd }, "To the newest");
const log = new IrcLog({ top: () => current && !find.isOpen && current.network.loadBefore(current), end: () => seen() });
const field = h("textarea", { id: "irc-words", rows: 1, autocomplete: "off", enterkeyhint: "send", maxlength: 20000, oninput: grow, onkeydown: onKey });
const fieldLabel = h("label.hidden-words", { for: "irc-words" });
const sendButton = h("button.irc-main-button", { type: "submit" }, "Send");
const composer = h("form.irc-composer", { onsubmit: (event) => {
	event.preventDefault();
	send();
} }, fieldLabel, field, sendButton);
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
	if (current === talk && app.dataset.view === "talk")
		return;
	current = talk;
	find.close();
	view("talk");
	log.open(talk);
	field.value = talk.draft;
	grow();
	history.replaceState(null, "", `#${encodeURIComponent(talk.network.name)}/${encodeURIComponent(talk.name)}`);
	talk.network.load(talk);
	if (!people.hidden)
		talk.network.askNames(talk);
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

function showPeople(yes) {
	people.hidden = !yes;
	peopleButton.setAttribute("aria-expanded", String(yes));
	app.toggleAttribute("data-people", yes);
	if (yes) {
		current?.network.askNames(current);
		people.querySelector("button").focus();
	} else {
		peopleButton.focus();
	}
	draw();
}

function drawPeople() {
	if (people.hidden)
		return;
	const members = [...current?.members?.values() ?? []].sort((a, b) => current.network.rank(a) - current.network.rank(b) || a.nick.localeCompare(b.nick));

	setText(peopleTitle, current?.members ? `${members.length} here` : current?.kind === "channel" ? "Asking…" : "Nobody to list");
	setChildren(peopleList, members.slice(0, 2000).map(({ nick, prefix }) => h("li", {}, h("button.irc-person", { type: "button", onclick: () => show(current.network.open(nick)) },
		h("span.irc-prefix", { "aria-hidden": "true" }, prefix[0] ?? ""), h("bdi", { "data-colour": colourOf(nick) }, nick)))));
}

/* --- search --- */

const find = {
	isOpen: false,
	root: h("section.irc-find", { "aria-label": "Search", hidden: true }),
	input: h("input", { id: "irc-find-text", type: "search", required: true, maxlength: 200, placeholder: "What was said" }),
	where: h("select", { id: "irc-find-where" }, h("option", { value: "here" }, "Here"), h("option", { value: "all" }, "In all of this network")),
	say: h("p.quiet", { role: "status" }),
	found: h("div.irc-found-list", {}),

	toggle() {
		if (this.isOpen) {
			this.close();
			searchButton.focus();
			return;
		}
		this.isOpen = true;
		this.root.hidden = false;
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
		later();
	},

	async run() {
		const { network } = current, talk = this.where.value === "here" && current.kind !== "server" ? current : null;

		setText(this.say, "Looking…");
		setChildren(this.found);
		try {
			const lines = await network.search(this.input.value.trim(), talk);

			setText(this.say, lines.length ? `${lines.length} found, the newest first.` : "Nothing like that was said.");
			setChildren(this.found, lines.reverse().map((line) => h("button.irc-hit", { type: "button", onclick: () => this.go(network, line) },
				h("span.irc-hit-where", {}, h("bdi", {}, line.where), " · ", new Date(line.at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })),
				h("span.irc-hit-text", { dir: "auto" }, h("bdi.irc-nick", { "data-colour": colourOf(line.nick) }, line.nick), " ", plain(line.text)))));
		} catch (fault) {
			setText(this.say, fault.message);
		}
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
h("button.irc-main-button", { type: "submit" }, "Search")), find.say, find.found);
main.insertBefore(find.root, log.root);

/* --- writing --- */

const orders = {
	me: (talk, text) => talk.network.act(talk, text),
	join: (talk, text) => show(talk.network.join(...text.split(" "))),
	part: (talk) => talk.network.leave(talk),
	msg: (talk, text) => {
		const [name, ...rest] = text.split(" "), other = talk.network.open(name);

		show(other);
		if (rest.length)
			other.network.say(other, rest.join(" "));
	},
	query: (talk, text) => orders.msg(talk, text),
	nick: (talk, text) => talk.network.order(talk, "NICK", text),
	topic: (talk, text) => talk.network.order(talk, "TOPIC", talk.name, ...(text ? [text] : [])),
	kick: (talk, text) => talk.network.order(talk, "KICK", talk.name, text.split(" ")[0], text.split(" ").slice(1).join(" ") || "bye"),
	invite: (talk, text) => talk.network.order(talk, "INVITE", text, talk.name),
	mode: (talk, text) => talk.network.order(talk, "MODE", talk.name, ...text.split(" ").filter(Boolean)),
	away: (talk, text) => talk.network.order(talk, "AWAY", ...(text ? [text] : [])),
	whois: (talk, text) => {
		talk.network.order(talk, "WHOIS", text);
		show(talk.network.server);
	},
	raw: (talk, text) => talk.network.raw(text),
	quote: (talk, text) => talk.network.raw(text),
};

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
		say(`There is no /${word}. There are: ${Object.keys(orders).map((one) => `/${one}`).join(" ")}`, "bad");
		return;
	}
	talk.last = text;
	talk.draft = field.value = "";
	grow();
	if (word)
		orders[word.toLowerCase()](talk, (rest ?? "").trim());
	else if (talk.kind === "server")
		talk.network.raw(text);
	else
		talk.network.say(talk, text.startsWith("//") ? text.slice(1) : text);
	if (talk === current && !talk.isPast)
		log.toEnd();
}

// As high as what is written, up to some rows.
function grow() {
	field.rows = Math.min(ROWS, field.value.split("\n").length);
	field.style.height = "auto";
	field.style.height = field.value ? `${Math.min(field.scrollHeight + 2, 240)}px` : "";
}

// The nick that begins so, of those who are here and those who spoke.
function complete() {
	const at = field.selectionStart, before = field.value.slice(0, at), [begin] = /[^\s]*$/.exec(before);
	const names = [...new Set([...current.lines.map((line) => line.nick).reverse(), ...[...current.members?.values() ?? []].map((member) => member.nick)])];
	const nick = begin && names.find((name) => name && name.toLowerCase().startsWith(begin.toLowerCase()) && name !== current.network.nick);

	if (!nick)
		return false;
	const whole = before.slice(0, at - begin.length) + nick + (before.length === begin.length ? ": " : " ");

	field.value = whole + field.value.slice(at);
	field.setSelectionRange(whole.length, whole.length);
	return true;
}

function onKey(event) {
	if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
		event.preventDefault();
		send();
	} else if (event.key === "Tab" && !event.shiftKey && current && complete()) {
		event.preventDefault();
	} else if (event.key === "ArrowUp" && !field.value && current?.last) {
		event.preventDefault();
		field.value = current.last;
		grow();
	}
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

/* --- being told --- */

async function askNotify() {
	if (!("Notification" in window)) {
		say("This browser has no notifications.", "bad");
		return;
	}
	const answer = await Notification.requestPermission();

	say(answer === "granted" ? "You are told when somebody names you while you look elsewhere." : "This browser does not allow it.", answer === "granted" ? "good" : "bad");
	later();
}

function news({ talk, line }) {
	if (!document.hidden && document.hasFocus() && talk === current)
		return;
	if (!("Notification" in window) || Notification.permission !== "granted")
		return;
	try {
		const note = new Notification(talk.kind === "channel" ? `${line.nick} in ${talk.name}` : line.nick, { body: plain(line.text).slice(0, 300), tag: talk.id, icon: "/icon.svg" });

		note.onclick = () => {
			window.focus();
			show(talk);
			note.close();
		};
	} catch { /* Phones want a service worker for it: the page is all that there is. */ }
}

/* --- all of it --- */

// What stands on the screen is read.
function seen() {
	if (current && !document.hidden && document.hasFocus() && app.dataset.view !== "list" && !find.isOpen && log.isAtEnd)
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
	const networks = [...home.networks.values()];

	if (wanted) {
		const [network, name] = wanted.split("/").map(word);
		const found = networks.find((one) => one.name === network), talk = found && (found.find(name) ?? (name === "*" ? found.server : null));

		if (talk && (talk.kind !== "channel" || talk.joined)) {
			wanted = "";
			show(talk);
			return;
		}
	}
	if (!current && matchMedia("(min-width: 52rem)").matches) {
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
	if (!current)
		choose();
	const networks = [...home.networks.values()];
	const called = networks.flatMap((network) => network.list).reduce((sum, talk) => sum + talk.called, 0);

	sections.show(networks, (network) => network.id);
	notifyButton.hidden = !("Notification" in window) || Notification.permission !== "default";
	for (const part of [title, topic, searchButton, peopleButton, partButton])
		part.hidden = !current;
	nobody.hidden = Boolean(current);
	setText(nobody, networks.length ? "Choose a channel." : "You have no network yet. Add one: the bouncer connects to it and stays there.");
	log.root.hidden = composer.hidden = !current || find.isOpen;
	endButton.hidden = !current?.isPast || find.isOpen;
	document.title = `${called ? `(${called}) ` : ""}${current ? `${current.kind === "server" ? current.network.name : current.name} – ` : ""}IRC`;
	drawNotice();
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
	peopleButton.hidden = current.kind !== "channel";
	partButton.hidden = current.kind === "server";
	setText(fieldLabel, `Write to ${title.textContent}`);
	field.placeholder = current.kind === "server" ? "A line as IRC has it, such as WHOIS nick" : `Write to ${current.name}`;
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
			current?.kind === "channel" && !current.joined ? "You are not in this channel." : "";

	setText(notice, text);
	notice.hidden = !text;
}

document.body.append(door, app);
document.addEventListener("visibilitychange", later);
window.addEventListener("focus", later);
const own = kept();

if (own) {
	nameField.value = own.user;
	attempt(() => logIn({ ...own, stay: true }));
}
