// Voice rooms: the channels with who is in them, what is recorded, who is registered and who is banned.

import { ask, attempt } from "./ask.js";
import { can, del, get, post, put } from "./api.js";
import { h, setChildren, setText } from "./dom.js";
import { ago, dateTime, duration, number } from "./format.js";
import { keptCard } from "./kept.js";
import { looking } from "./look.js";
import { emptyNote, Table } from "./table.js";
import { states, tree } from "./voice-rooms.js";

export const offered = ({ me }) => me.may("operator") && can("GET", "/voice/channels");

const LOOK_MS = 2000;
const FEW = 200; // of users, that are listed
const FEW_IN = 12; // that are named in a channel's row

const words = (user) => [...states.filter(([key]) => user[key]).map(([, word]) => word), ...(user.priority ? ["speaks first"] : [])];
const lengths = [{ value: "3600", label: "An hour" }, { value: "86400", label: "A day" }, { value: "604800", label: "A week" }, { value: "0", label: "For ever" }];

// [channel, depth, path] from above to below.
function inOrder(channels) {
	const below = tree(new Map(channels.map((one) => [one.id, one])));
	const list = [];
	const walk = (channel, depth, above) => {
		const path = depth ? [...above, channel.name] : [];

		list.push({ channel, depth, path: path.join(" / ") || channel.name });
		for (const child of below.get(channel.id) ?? [])
			walk(child, depth + 1, path);
	};

	for (const root of below.get(null) ?? [])
		walk(root, 0, []);
	return list;
}

function makeChannel(context, parent = 0) {
	return ask({ title: "Make a channel", button: "Make", fields: [
		{ name: "name", label: "Name", required: true, maxlength: 255 },
		{ name: "parent", label: "Below", options: context.order.map(({ channel, path }) => ({ value: String(channel.id), label: path })), value: String(parent) },
		{ name: "description", label: "Description", type: "textarea", rows: 2 },
		{ name: "position", label: "Position", type: "number", value: "0", hint: "Channels with a lower one stand higher." },
		{ name: "max_users", label: "Most users", type: "number", value: "0", hint: "0: as the settings say." },
	], submit: async ({ name, description, ...numbers }) => {
		await post("/voice/channels", { name, ...(description ? { description } : {}),
			...Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, Number(value)])) });
		await context.load();
	} });
}

async function removeChannel(context, channel) {
	await ask({ title: `Remove ${channel.name}?`, danger: true, button: "Remove", text: "The channels below it go too. Who is in them goes up.",
		submit: () => del(`/voice/channels/${channel.id}`) });
	await context.load();
}

async function record(context, channel) {
	await attempt(() => post(`/voice/channels/${channel.id}/recording`), `${channel.name} is recorded.`);
	await context.load();
}

async function endRecording(context, channel) {
	await attempt(() => del(`/voice/channels/${channel.id}/recording`), `${channel.name} is recorded no more.`);
	await context.load();
}

async function change(context, user) {
	await ask({ title: `Change ${user.name}`, button: "Change", fields: [
		{ name: "channel", label: "Channel", options: context.order.map(({ channel, path }) => ({ value: String(channel.id), label: path })), value: String(user.channel) },
		{ name: "mute", label: "Silenced: nobody hears him", type: "checkbox", value: user.mute },
		{ name: "deaf", label: "Deafened: he hears nobody", type: "checkbox", value: user.deaf },
		{ name: "priority", label: "Speaks first: others are quieter", type: "checkbox", value: user.priority },
	], submit: ({ channel, ...flags }) => {
		// What is not changed is not ordered: he may have moved meanwhile.
		const changed = Object.fromEntries(Object.entries({ channel: Number(channel), ...flags }).filter(([key, value]) => value !== user[key]));

		return put(`/voice/users/${user.id}`, changed);
	} });
	await context.load();
}

async function sendAway(context, user) {
	await ask({ title: `Send ${user.name} away?`, danger: true, button: "Send away", text: "He may come again.", fields: [{ name: "reason", label: "Why", maxlength: 200, hint: "He is told." }],
		submit: ({ reason }) => del(`/voice/users/${user.id}?reason=${encodeURIComponent(reason)}`) });
	await context.load();
}

async function ban(context, user) {
	await ask({ title: `Ban ${user.name}?`, danger: true, button: "Ban", text: `All from ${user.address}, and his certificate, if he has one.`, fields: [
		{ name: "reason", label: "Why", maxlength: 200, hint: "He is told." }, { name: "seconds", label: "For", options: lengths, value: "86400" }],
	submit: ({ reason, seconds }) => post(`/voice/users/${user.id}/ban`, { reason, seconds: Number(seconds) }) });
	await context.load();
}

// A button of a row; aria-label is of both, so that many rows differ.
function buttons(context, of, list) {
	return h("div.acts", null, list.filter(Boolean).map(([name, work]) => h("button.quiet-button", { type: "button", onclick: () => work(context, of()) }, name)));
}

function label(cell, name, hidden = () => false) {
	for (const button of cell.querySelectorAll("button")) {
		button.setAttribute("aria-label", `${button.textContent} ${name}`);
		button.hidden = hidden(button.textContent);
	}
}

const name = (dir = "auto") => h("span.mount-link", { dir });

function chipsOf(users) {
	const more = users.length - FEW_IN;

	return [...users.slice(0, FEW_IN).map((user) => h("li.chip", { dir: "auto" }, [user.name, ...words(user)].join(" · "))), more > 0 ? h("li.chip", null, `${number(more)} more`) : null];
}

function channelTable(context) {
	return new Table({ label: "Channels", empty: "No channel.", columns: [
		{ name: "Channel", kind: "named", make: () => h("div.mount-words.voice-channel", null, name(), h("span.mount-name", { dir: "auto" })), fill: (cell, { channel, depth }) => {
			cell.firstChild.style.setProperty("--depth", Math.min(depth, 8));
			setText(cell.firstChild.firstChild, channel.name);
			setText(cell.firstChild.lastChild, [channel.description.replace(/<[^>]*>/g, "").slice(0, 120), channel.temporary ? "goes when it is empty" : ""].filter(Boolean).join(" · "));
		} },
		{ name: "Who is in it", kind: "wide", make: () => h("ul.chips"), fill: (cell, { channel, users }) => {
			const now = users.map((user) => [user.name, ...words(user)].join(" ")).join("\n");

			if (cell.firstChild.now !== now) {
				cell.firstChild.now = now;
				setChildren(cell.firstChild, chipsOf(users));
			}
			cell.firstChild.setAttribute("aria-label", `In ${channel.name}`);
		} },
		{ name: "Users", kind: "num", text: ({ channel }) => channel.max_users ? `${number(channel.users)} of ${number(channel.max_users)}` : number(channel.users) },
		{ name: "Listen in", kind: "num", text: ({ channel }) => number(channel.listeners) },
		{ name: "Recording", make: () => h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word")), fill: (cell, { recording }) => {
			cell.firstChild.dataset.state = recording ? "bad" : "off";
			setText(cell.firstChild.lastChild, recording ? "Recorded" : "No");
		} },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => buttons(context, () => of().channel, [
			can("POST", "/voice/channels") && ["Make below", (_, channel) => makeChannel(context, channel.id)],
			can("POST", "/voice/channels/{id}/recording") && ["Record", record], can("DELETE", "/voice/channels/{id}/recording") && ["Stop", endRecording],
			can("DELETE", "/voice/channels/{id}") && ["Remove", removeChannel]]), fill: (cell, { channel, recording }) =>
			label(cell, channel.name, (word) => word === "Record" ? Boolean(recording) : word === "Stop" ? !recording : word === "Remove" && channel.parent === null) },
	] });
}

function userTable(context) {
	return new Table({ label: "Users", empty: "Nobody.", columns: [
		{ name: "Who", kind: "named", make: () => h("div.mount-words", null, name(), h("span.mount-name", { dir: "ltr" })), fill: (cell, user) => {
			setText(cell.firstChild.firstChild, user.name);
			setText(cell.firstChild.lastChild, `${user.address} · ${user.client || "unknown client"}`);
		} },
		{ name: "Signs", make: () => h("span", null), fill: (cell, user) => setText(cell.firstChild, words(user).join(", ") || "–") },
		{ name: "Channel", make: () => h("span", { dir: "auto" }), fill: (cell, user) => setText(cell.firstChild, context.pathOf(user.channel)) },
		{ name: "Spoke", text: (user) => user.spoke_s_ago === null ? "never" : user.spoke_s_ago < 2 ? "now" : `${duration(user.spoke_s_ago)} ago` },
		{ name: "For", kind: "num", text: (user) => duration(user.connected_s) },
		{ name: "Voice by", text: (user) => user.udp ? "UDP" : "tunnel" },
		{ name: "Lost", kind: "num", text: (user) => `${number(user.lost)} / ${number(user.lost_there)}` },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => buttons(context, of, [can("PUT", "/voice/users/{id}") && ["Change", change],
			can("DELETE", "/voice/users/{id}") && ["Send away", sendAway], can("POST", "/voice/users/{id}/ban") && ["Ban", ban]]), fill: (cell, user) => label(cell, user.name) },
	] });
}

function recordingTable(context) {
	return new Table({ label: "Recordings", empty: "No channel is recorded.", columns: [
		{ name: "Channel", make: () => name(), fill: (cell, one) => setText(cell.firstChild, context.pathOf(one.channel)) },
		{ name: "Since", text: (one) => dateTime(one.since) },
		{ name: "Folder", kind: "wide", make: () => h("code", { dir: "ltr" }), fill: (cell, one) => setText(cell.firstChild, one.folder) },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => buttons(context, () => ({ id: of().channel, name: context.pathOf(of().channel) }), [
			can("DELETE", "/voice/channels/{id}/recording") && ["End", endRecording]]), fill: (cell, one) => label(cell, `the recording of ${context.pathOf(one.channel)}`) },
	] });
}

function registrationTable(context) {
	const forget = async (_, one) => {
		await ask({ title: `Forget ${one.name}?`, danger: true, button: "Forget", text: "His name is free then, and what he may as a registered user is gone.", submit: () => del(`/voice/registrations/${one.id}`) });
		await context.load();
	};

	return new Table({ label: "Registered", empty: "Nobody is registered.", columns: [
		{ name: "Name", make: () => name(), fill: (cell, one) => setText(cell.firstChild, one.name) },
		{ name: "Certificate", make: () => h("code", { dir: "ltr" }), fill: (cell, one) => {
			setText(cell.firstChild, one.hash ? `${one.hash.slice(0, 16)}…` : "–");
			cell.firstChild.title = one.hash;
		} },
		{ name: "Last in", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, context.pathOf(one.last_channel)) },
		{ name: "Seen", text: (one) => one.seen_ms ? ago(one.seen_ms / 1000) : "never" },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => buttons(context, of, [can("DELETE", "/voice/registrations/{id}") && ["Forget", forget]]), fill: (cell, one) => label(cell, one.name) },
	] });
}

function banTable(context) {
	const lift = async (_, one) => {
		// A network has its slash in the path.
		await attempt(() => del(`/voice/bans/${one.network || one.hash}`), `${one.name || one.network || "He"} may come again.`);
		await context.load();
	};

	return new Table({ label: "Bans", empty: "Nobody is banned from the voice rooms.", columns: [
		{ name: "Who", make: () => name(), fill: (cell, one) => setText(cell.firstChild, one.name || "–") },
		{ name: "Network", kind: "code", text: (one) => one.network || "–" },
		{ name: "Certificate", make: () => h("code", { dir: "ltr" }), fill: (cell, one) => setText(cell.firstChild, one.hash ? `${one.hash.slice(0, 16)}…` : "–") },
		{ name: "Why", kind: "wide", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.reason || "–") },
		{ name: "Until", text: (one) => one.seconds ? dateTime(one.since + one.seconds) : "For ever" },
		{ name: "Do", hideName: true, kind: "act-cell", make: (of) => buttons(context, of, [can("DELETE", "/voice/bans/{network}") && ["Lift", lift]]), fill: (cell, one) => label(cell, `the ban of ${one.name || one.network || one.hash}`) },
	] });
}

export function show(place, _, { tools }) {
	const { load, end } = looking(draw, LOOK_MS);
	const context = { order: [], load, pathOf: (id) => context.order.find((one) => one.channel.id === id)?.path ?? "–" };
	const off = emptyNote("The voice rooms are off", "Mumble's clients and browsers join them. Set voice.listen, such as [::]:64738, to have them.");
	const channels = channelTable(context), people = userTable(context), recordings = recordingTable(context), registered = registrationTable(context), bans = banTable(context);
	const find = h("input", { type: "search", placeholder: "Find a user", "aria-label": "Find a user", oninput: () => load() });
	const sum = h("p.hint-text", { hidden: true });
	const card = (title, table, more) => h("section.card.flush", null, h("div.card-top", null, h("h2", null, title), more), table.root);
	const make = can("POST", "/voice/channels") ? h("button.primary", { type: "button", hidden: true, onclick: () => makeChannel(context) }, "Make a channel") : null;
	const on = h("div.stack", { hidden: true }, card("Channels", channels), card("Users", people, find), sum, card("Recordings that run", recordings), keptCard("voice", "Channel") ?? "", card("Registered", registered), card("Bans", bans));

	async function draw() {
		const answer = await get("/voice/channels");

		// There is always the uppermost channel.
		off.hidden = answer.channels.length > 0;
		on.hidden = !off.hidden;
		if (make)
			make.hidden = on.hidden;
		if (on.hidden)
			return;
		const [{ users }, running, known, banned] = await Promise.all([get("/voice/users"), get("/voice/recordings"), get("/voice/registrations"), get("/voice/bans")]);
		const recorded = new Map(running.recordings.map((one) => [one.channel, one]));
		const within = new Map(answer.channels.map((one) => [one.id, []]));
		const wanted = find.value.toLowerCase();
		const found = wanted ? users.filter((user) => `${user.name} ${user.address} ${user.client}`.toLowerCase().includes(wanted)) : users;

		for (const user of users)
			within.get(user.channel)?.push(user);
		context.order = inOrder(answer.channels);
		channels.show(context.order.map((one) => ({ ...one, users: within.get(one.channel.id), recording: recorded.get(one.channel.id) })), (one) => one.channel.id);
		people.show(found.slice(0, FEW), (user) => user.id);
		recordings.show(running.recordings, (one) => one.channel);
		registered.show(known.registrations, (one) => one.id);
		bans.show(banned.bans, (one) => `${one.network} ${one.hash} ${one.since}`);
		sum.hidden = found.length <= FEW;
		setText(sum, `${number(FEW)} of ${number(found.length)} users are listed.`);
	}
	off.hidden = true;
	tools.append(h("a.more", { href: "/voice", target: "_blank", rel: "noopener" }, "Join"));
	if (make)
		tools.append(make);
	place.append(off, on);
	load();
	return end;
}
