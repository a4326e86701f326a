// admin: the control room's frame: navigation, who is here, is the line to the server up; and which
// page is shown. A page is a module: { title, show(place, argument) → end() }.

import { can, get, learnOperations, onLoggedOut, post } from "./api.js";
import { h, setChildren, setText } from "./dom.js";
import { icon, mark } from "./icons.js";
import { live } from "./live.js";
import { me } from "./me.js";
import * as about from "./page-about.js";
import * as account from "./page-account.js";
import * as bans from "./page-bans.js";
import * as certificate from "./page-certificate.js";
import * as health from "./page-health.js";
import * as history from "./page-history.js";
import * as hooks from "./page-hooks.js";
import * as irc from "./page-irc.js";
import * as listeners from "./page-listeners.js";
import * as log from "./page-log.js";
import * as mount from "./page-mount.js";
import * as mounts from "./page-mounts.js";
import * as overview from "./page-overview.js";
import * as people from "./page-people.js";
import * as relays from "./page-relays.js";
import * as settings from "./page-settings.js";
import * as rooms from "./page-rooms.js";
import * as slots from "./page-slots.js";
import * as voice from "./page-voice.js";

const groups = [
	["On air", [["overview", "Overview", overview], ["mounts", "Mounts", mounts], ["listeners", "Listeners", listeners], ["history", "History", history]]],
	["Video", [["rooms", "Rooms", rooms], ["slots", "Frame cache", slots]]],
	["Talk", [["voice", "Voice", voice], ["irc", "IRC", irc]]],
	["Network", [["relays", "Relays", relays], ["hooks", "Webhooks", hooks]]],
	["Access", [["people", "People", people], ["account", "You", account], ["bans", "Bans", bans]]],
	["Server", [["settings", "Settings", settings], ["certificate", "Certificate", certificate], ["log", "Log", log], ["health", "Health", health], ["about", "About", about]]],
];
const pages = new Map(groups.flatMap(([, list]) => list.map(([name, title, page]) => [name, { name, title, page }])));
const content = h("main.content", { id: "content", tabindex: -1 });
const links = new Map();
let end = () => {};

onLoggedOut(() => location.replace(`/admin/login${location.hash}`));

function isOffered({ page }) {
	return page.offered ? page.offered({ can, me }) : true;
}

function navigation(onGo) {
	return h("nav.nav", { "aria-label": "Pages" }, groups.map(([title, list]) => {
		const offered = list.filter(([name]) => isOffered(pages.get(name)));

		return offered.length ? h("section", null, h("h2", null, title), h("ul", null, offered.map(([name, word]) => {
			const link = h("a.nav-link", { href: `#/${name}`, onclick: onGo }, icon(name), h("span", null, word));

			links.set(name, [...(links.get(name) ?? []), link]);
			return h("li", null, link);
		}))) : null;
	}));
}

function nextTheme() {
	const root = document.documentElement;
	const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

	root.dataset.theme = dark ? "light" : "dark";
	try {
		localStorage.setItem("ringmain.theme", root.dataset.theme);
	} catch {
		// It holds for this visit then.
	}
}

async function leave() {
	await post("/logout").catch(() => {});
	location.assign("/admin/login");
}

function frame() {
	const station = h("span.brand-name", { dir: "auto" }, "ringmain");
	const line = h("p.line", { role: "status", hidden: !me.may("operator") }, h("span.line-dot", { "aria-hidden": "true" }), h("span.line-word", null, "Connecting…"));
	const drawer = h("dialog.drawer", { "aria-label": "Menu", onclick: (event) => {
		if (event.target === drawer)
			drawer.close();
	} }, h("div.drawer-top", null, mark(), h("button.plain", { type: "button", "aria-label": "Close the menu", onclick: () => drawer.close() }, icon("close"))),
	navigation(() => drawer.close()));
	const who = h("div.who", null, h("span.who-name", { dir: "auto" }, me.user), h("span.who-rank", null, me.rankWord),
		h("button.plain", { type: "button", "aria-label": "Light or dark", title: "Light or dark", onclick: nextTheme }, icon("theme")),
		h("button.plain", { type: "button", "aria-label": "Log out", title: "Log out", onclick: leave }, icon("leave")));

	document.body.append(h("a.skip", { href: "#content", onclick: (event) => {
		event.preventDefault();
		content.focus();
	} }, "Skip to the page"),
	h("header.bar", null,
		h("button.plain.menu-button", { type: "button", "aria-label": "Menu", onclick: () => drawer.showModal() }, icon("menu")),
		h("a.brand", { href: "#/overview" }, mark(), station), line, who),
	h("div.frame", null, h("aside.side", null, navigation()), content), drawer);
	// A DJ is sent no numbers of the server, but its name is everybody's.
	if (!me.may("operator"))
		get("/station").then(({ server }) => setText(station, server.name)).catch(() => {});
	live.watch((state) => {
		if (state.server.name)
			setText(station, state.server.name);
		line.dataset.state = live.connected ? "up" : "down";
		setText(line.lastChild, live.connected ? "Live" : "Reconnecting…");
	});
}

// "#/mounts/live/x" is the page mounts with the argument "live/x".
function show() {
	const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
	const argument = rest.map(decodeURIComponent).join("/");
	const found = pages.get(name);
	const page = found && isOffered(found) ? found : pages.get(me.may("operator") ? "overview" : "mounts");
	const module = page.name === "mounts" && argument ? mount : page.page;
	const heading = h("h1", { dir: "auto" }, page.title);
	const place = h("div.page");

	end();
	for (const [key, list] of links)
		for (const link of list) {
			if (key === page.name)
				link.setAttribute("aria-current", "page");
			else
				link.removeAttribute("aria-current");
		}
	setChildren(content, h("div.page-top", null, heading, h("div.page-tools")), place);
	document.title = `${page.title} · ${live.state.server.name || "ringmain"}`;
	window.scrollTo(0, 0);
	end = module.show(place, argument ? `/${argument}` : "", { heading, tools: content.querySelector(".page-tools") }) ?? (() => {});
}

async function start() {
	try {
		await learnOperations();
		me.take(await get("/me"));
	} catch (fault) {
		if (fault.status !== 401)
			document.body.append(h("p.notice.bad", null, fault.message));
		return;
	}
	frame();
	window.addEventListener("hashchange", () => {
		show();
		content.focus({ preventScroll: true });
	});
	show();
	if (me.may("operator"))
		live.start();
}

start();
