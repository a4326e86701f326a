// One mount: what is heard, who feeds it, who hears it, and all that can be done.

import { ask, attempt } from "./ask.js";
import { del, get, mountPath, put } from "./api.js";
import { h, setChildren, setText } from "./dom.js";
import { ago, bytes, duration, number, rate, since } from "./format.js";
import { icon } from "./icons.js";
import { listenerTable, move } from "./listener-table.js";
import { live } from "./live.js";
import { me } from "./me.js";
import { showState, stateMark } from "./mount-table.js";
import { emptyNote } from "./table.js";
import { trendCard } from "./trends.js";
import { formatWords, splitTitle } from "/text.js";

function facts(rows) {
	const values = new Map();

	return { root: h("dl.facts", null, rows.map(([name, label]) => {
		const value = h("dd", { dir: "auto" }, "–");

		values.set(name, value);
		return h("div", null, h("dt", null, label), value);
	})), set: (name, text) => setText(values.get(name), text || "–") };
}

// Hearing it here is the quickest proof that it is on the air.
function listenButton(name) {
	const audio = new Audio();
	const button = h("button.listen", { type: "button" });

	function draw(on) {
		setChildren(button, icon(on ? "stop" : "play"), on ? "Stop" : "Listen");
		button.setAttribute("aria-pressed", String(on));
	}
	function stop() {
		audio.pause();
		audio.removeAttribute("src");
		audio.load();
		draw(false);
	}
	button.addEventListener("click", () => {
		if (button.getAttribute("aria-pressed") === "true") {
			stop();
			return;
		}
		audio.src = mountPath(name);
		draw(true);
		audio.play().catch(() => stop());
	});
	audio.addEventListener("error", () => audio.src && stop());
	draw(false);
	return { button, stop };
}

function titleForm(name) {
	const input = h("input", { type: "text", maxlength: 1000, "aria-label": "What is playing", placeholder: "Artist - Song", autocomplete: "off" });
	const form = h("form.title-form", { onsubmit: async (event) => {
		event.preventDefault();
		if (await attempt(() => put(`/mounts${mountPath(name)}/title`, { title: input.value }), "The title is on the air."))
			input.value = "";
	} }, input, h("button.primary", { type: "submit" }, "Set title"));

	return form;
}

async function changeFallback(mount) {
	const names = Object.keys(live.state.mounts).filter((name) => name !== mount.mount);

	await ask({ title: "Fallback", button: "Set", text: `What listeners of ${mount.mount} hear while it has no encoder. It holds until the settings are reloaded.`,
		fields: [{ name: "fallback", label: "Mount", value: mount.fallback, options: [{ value: "", label: "None" }, ...new Set([...names, mount.fallback].filter(Boolean))] }],
		submit: (values) => put(`/mounts${mountPath(mount.mount)}/fallback`, values) });
}

export function show(place, name, { heading, tools }) {
	const path = mountPath(name);
	const state = stateMark();
	const player = listenButton(name);
	const song = h("p.now-song", { dir: "auto" }), artist = h("p.now-artist", { dir: "auto" }), now = h("p.now-since");
	const source = facts([["agent", "Encoder"], ["address", "Address"], ["since", "Connected"], ["rate", "Coming in"], ["format", "Format"], ["user", "User"]]);
	const numbers = facts([["listeners", "Listeners"], ["peak", "Peak"], ["joins", "Joined"], ["out", "Sent"], ["skips", "Skips"], ["slow", "Too slow"]]);
	const setup = facts([["fallback", "Fallback"], ["file", "Fallback file"], ["public", "On the public page"], ["max", "Most listeners"], ["burst", "Burst"], ["lag", "Dropped when behind"]]);
	const may = me.may("operator");
	const chart = may && trendCard({ title: "Listeners", format: number, height: 200, lines: [{ series: `mount:${name}`, name: "Listeners" }] });
	const crowd = listenerTable({ path: `/mounts${path}/listeners` });
	const buttons = {
		kick: h("button.quiet-button", { type: "button", onclick: async () => {
			await ask({ title: `Disconnect the encoder of ${name}?`, danger: true, button: "Disconnect", text: "Its listeners hear the fallback, or wait for it to come back.", submit: () => del(`/mounts${path}/source`) });
		} }, "Disconnect"),
		fallback: may && h("button.quiet-button", { type: "button", onclick: () => changeFallback(current) }, "Change"),
		hide: may && h("button.quiet-button", { type: "button", onclick: () => attempt(() => put(`/mounts${path}/hidden`, { hidden: !current.hidden })) }, "Hide"),
		kickAll: may && h("button.quiet-button", { type: "button", onclick: () => ask({ title: `Send all listeners of ${name} away?`, danger: true, button: "Send away", submit: async () => {
			await del(`/mounts${path}/listeners`);
			crowd.load();
		} }) }, "Kick all"),
		moveAll: may && h("button.quiet-button", { type: "button", onclick: async () => {
			await move(name);
			crowd.load();
		} }, "Move all"),
	};
	const gone = emptyNote("This mount is not there", "It has no encoder, no listener, and does not stand in the settings.", h("p", null, h("a", { href: "#/mounts" }, "All mounts")));
	const body = h("div", null,
		h("div.two.wide-left", null,
			h("section.card.now-card", null, h("div.card-top", null, h("h2", null, "Now playing"), player.button), song, artist, now, titleForm(name)),
			h("section.card", null, h("div.card-top", null, h("h2", null, "Source"), buttons.kick), source.root)),
		h(may ? "div.two.wide-left" : "div", null, may ? chart.root : null, h("section.card", null, h("div.card-top", null, h("h2", null, "Since the start")), numbers.root)),
		h("section.card.flush", null, h("div.card-top", null, h("h2", null, "Listeners"), h("div.acts", null, buttons.moveAll, buttons.kickAll)), crowd.root),
		h("section.card", null, h("div.card-top", null, h("h2", null, "Set up"), h("div.acts", null, buttons.hide, buttons.fallback)), setup.root));
	let current = null;
	let timer = 0;

	setText(heading, name);
	tools.append(state, h("a.tool-link", { href: `/player${path}`, target: "_blank", rel: "noopener" }, icon("open"), "Public player"));
	place.append(body, gone);
	gone.hidden = true;

	function draw(mount) {
		current = mount;
		body.hidden = !mount;
		gone.hidden = Boolean(mount);
		state.hidden = !mount;
		if (!mount)
			return;
		const title = splitTitle(mount.title);
		const from = mount.source;

		showState(state, mount.state);
		setText(song, mount.state === "off" ? "Off air" : title.song || "No title");
		setText(artist, mount.state === "off" ? "" : title.artist);
		setText(now, [mount.name, mount.title_since ? `set ${ago(mount.title_since)}` : "", mount.state === "fallback" ? `from ${mount.heard_from}` : ""].filter(Boolean).join(" · "));
		source.set("agent", from ? from.agent || "unnamed" : "None connected");
		source.set("address", from?.address);
		source.set("since", from ? `${since(from.since)} ago` : "");
		source.set("rate", from ? rate(mount.rate_in / 8) : "");
		source.set("format", mount.codec ? formatWords(mount) : mount.content_type);
		source.set("user", from ? [from.user, from.protocol].filter(Boolean).join(" · ") : "");
		buttons.kick.hidden = !from;
		numbers.set("listeners", number(mount.listeners));
		numbers.set("peak", number(mount.listeners_peak));
		numbers.set("joins", number(mount.joins));
		numbers.set("out", bytes(mount.bytes_out));
		numbers.set("skips", number(mount.skips));
		numbers.set("slow", number(mount.slow));
		setup.set("fallback", (mount.fallback || "None") + (mount.fallback_said ? " (until the next reload)" : ""));
		setup.set("file", mount.fallback_file || "None");
		setup.set("public", mount.hidden ? "Hidden" : "Shown");
		setup.set("max", mount.limits.max_listeners ? number(mount.limits.max_listeners) : "Any number");
		setup.set("burst", bytes(mount.limits.burst));
		setup.set("lag", duration(mount.limits.lag_limit_ms / 1000));
		if (buttons.hide)
			setText(buttons.hide, mount.hidden ? "Show publicly" : "Hide");
		player.button.hidden = mount.state === "off";
	}

	async function poll() {
		draw(await get(`/mounts${path}`).catch(() => null));
		timer = setTimeout(poll, 2000);
	}
	const unwatch = may ? live.watch((all) => draw(all.mounts[name])) : poll();

	return () => {
		player.stop();
		if (may)
			chart.end();
		crowd.end();
		clearTimeout(timer);
		if (may)
			unwatch();
	};
}

