// Who may come in: users with ranks and mounts, tokens for programs, browsers that are logged in.

import { ask, attempt } from "./ask.js";
import { can, del, get, post, put } from "./api.js";
import { h, setText } from "./dom.js";
import { ago, agentName, dateTime } from "./format.js";
import { me } from "./me.js";
import { Table } from "./table.js";
import { mountsText, rankText, ranks, tokenTable, userMountsHint } from "./token-table.js";

export const offered = ({ me: who }) => who.may("admin") && can("GET", "/users");

const listOf = (answer) => Object.values(answer).find(Array.isArray) ?? [];

function seconds(value) {
	return typeof value === "string" ? Date.parse(value) / 1000 : value > 1e14 ? value / 1e6 : value > 1e11 ? value / 1e3 : value;
}

function userForm(user, done) {
	return ask({ title: user ? `Change ${user.name}` : "Add a user", button: user ? "Change" : "Add", fields: [
		...(user ? [] : [{ name: "name", label: "Name", required: true, maxlength: 63 }]),
		{ name: "password", label: user ? "New password" : "Password", type: "password", required: !user, autocomplete: "new-password", hint: user ? "Empty: it stays. Another one ends all his sessions." : "Ten characters or more." },
		{ name: "rank", label: "Rank", options: ranks, value: user?.rank ?? "dj" },
		{ name: "mounts", label: "Mounts", value: user?.mounts, hint: userMountsHint },
		...(user ? [{ name: "disabled", label: "Disabled", type: "checkbox", value: user.disabled }] : []),
	], submit: async ({ name, password, ...values }) => {
		const body = { ...values, ...(password ? { password } : {}) };

		if (user)
			await put(`/users/${encodeURIComponent(user.name)}`, body);
		else
			await post("/users", { name, ...body });
		done();
	} });
}

export function show(place, _, { tools }) {
	const remove = async ({ name }) => {
		await ask({ title: `Remove ${name}?`, danger: true, button: "Yes", submit: () => del(`/users/${encodeURIComponent(name)}`),
			text: `All that IRC has of ${name} is deleted too, for good: networks, passwords, history, files. Who is disabled instead (Change, Disabled) is let in no more, and all of it is kept.` });
		load();
	};
	const users = new Table({ label: "Users", empty: "No user but the administrator of the settings.", columns: [
		{ name: "Name", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.name) },
		{ name: "Rank", text: rankText },
		{ name: "Mounts", kind: "wide", text: (one) => mountsText(one) },
		{ name: "Since", text: (one) => dateTime(seconds(one.created)) },
		{ name: "Seen", text: (one) => one.seen ? ago(seconds(one.seen)) : "never" },
		{ name: "Actions", hideName: true, kind: "act-cell", make: (current) => h("div.acts", null,
			h("button.quiet-button", { type: "button", onclick: () => userForm(current(), load) }, "Change"),
			h("button.quiet-button", { type: "button", onclick: () => remove(current()) }, "Remove")), fill: (cell, one) => {
			for (const button of cell.querySelectorAll("button"))
				button.setAttribute("aria-label", `${button.textContent} ${one.name}`);
		} },
	] });
	const tokens = tokenTable();
	const sessions = new Table({ label: "Sessions", empty: "Nobody is logged in with a browser.", columns: [
		{ name: "User", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.user) },
		{ name: "Address", kind: "code", text: (one) => one.address ?? "–" },
		{ name: "Browser", text: (one) => agentName(one.agent) },
		{ name: "Since", text: (one) => dateTime(seconds(one.created)) },
		{ name: "Seen", text: (one) => one.seen ? ago(seconds(one.seen)) : "–" },
		{ name: "Actions", hideName: true, kind: "act-cell", make: (current) => h("button.quiet-button", { type: "button", onclick: async () => {
			await attempt(() => del(`/sessions/${current().id}`));
			load();
		} }, "End"), fill: (cell, one) => {
			cell.firstChild.hidden = one.id === undefined || !can("DELETE", "/sessions/{id}");
			cell.firstChild.setAttribute("aria-label", `End the session of ${one.user}`);
		} },
	] });
	const fault = h("p.verdict.bad", { role: "alert", hidden: true });

	async function load() {
		try {
			users.show(listOf(await get("/users")), (one) => one.name);
			await tokens.load();
			if (can("GET", "/sessions"))
				sessions.show(listOf(await get("/sessions")), (one) => one.id ?? `${one.user} ${one.created}`);
			fault.hidden = true;
		} catch (error) {
			setText(fault, error.message);
			fault.hidden = false;
		}
	}
	const card = (title, table, path, button) => can("GET", path) ? h("section.card.flush", null, h("div.card-top", null, h("h2", null, title), button), table.root) : null;

	if (can("POST", "/users"))
		tools.append(h("button.primary", { type: "button", onclick: () => userForm(null, load) }, "Add a user"));
	place.append(...[fault, card("Users", users, "/users"),
		tokens.root,
		card("Browsers", sessions, "/sessions"), h("p.hint-text", null, `You are ${me.user}. The administrator of the settings (admin.user) is always let in and is not listed.`)].filter(Boolean));
	load();
}
