// Tokens for programs, as the page of people and everybody's own page show them: who asks gets what he
// may see. And how ranks and mounts are said in words, which users have as well.

import { ask } from "./ask.js";
import { can, del, get, post } from "./api.js";
import { h, setText } from "./dom.js";
import { ago, dateTime } from "./format.js";
import { me } from "./me.js";
import { Table } from "./table.js";

const order = ["dj", "operator", "admin"];
const words = { dj: "DJ", operator: "Operator", admin: "Administrator", none: "None" };

export const ranks = [{ value: "dj", label: "DJ: titles and encoders of his mounts" }, { value: "operator", label: "Operator: the station" }, { value: "admin", label: "Administrator: everything" }];
const mountsHint = "Names and patterns apart by blanks, such as /live /events/*. * is all of them.";

// Of a list without a mount an operator has all of them, a DJ none.
export const userMountsHint = "Apart by blanks, such as /live /events/*; * for all; nothing: none for a DJ (IRC and voice only), all for the others.";
export const mountsText = ({ mounts, rank }) => mounts === "*" || (!mounts && rank !== "dj") ? "all" : mounts || "none";
export const rankText = (one) => `${words[one.rank] ?? one.rank}${one.disabled ? " · disabled" : ""}`;

const lengths = [{ value: "", label: "For ever" }, { value: "86400", label: "A day" }, { value: "2592000", label: "Thirty days" }, { value: "31536000", label: "A year" }];

async function make(done) {
	let made = null;
	const mine = ranks.filter((one) => order.indexOf(one.value) <= order.indexOf(me.rank));

	await ask({ title: "Make a token", button: "Make", text: "For a program. It may do no more than you may.", fields: [
		{ name: "name", label: "What for", required: true, maxlength: 63 },
		{ name: "rank", label: "Rank", options: mine, value: "dj" },
		{ name: "mounts", label: "Mounts", value: me.mounts, hint: mountsHint },
		{ name: "length", label: "For how long", options: lengths },
	], submit: async ({ length, ...values }) => {
		made = await post("/tokens", { ...values, ...(length ? { expires: Math.floor(Date.now() / 1000) + Number(length) } : {}) });
	} });
	if (made)
		await ask({ title: "The token", button: "I have kept it", text: "It is shown only now. A program sends it as “Authorization: Bearer …”.",
			body: h("code.secret", { tabindex: 0 }, made.token), submit: () => {} });
	done();
}

export function tokenTable() {
	const table = new Table({ label: "Tokens", empty: "No token.", columns: [
		{ name: "For", make: () => h("span.mount-link", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.name) },
		{ name: "Begins with", kind: "code", text: (one) => one.prefix },
		{ name: "Of", make: () => h("span", { dir: "auto" }), fill: (cell, one) => setText(cell.firstChild, one.owner) },
		{ name: "Rank", text: rankText },
		{ name: "Mounts", text: (one) => mountsText(one) },
		{ name: "Used", text: (one) => one.used ? ago(one.used) : "never" },
		{ name: "Until", text: (one) => one.expires ? dateTime(one.expires) : "For ever" },
		{ name: "Actions", hideName: true, kind: "act-cell", make: (current) => h("button.quiet-button", { type: "button", onclick: async () => {
			await ask({ title: `Remove the token ${current().name}?`, danger: true, button: "Remove", text: "The program that has it is let in no more.", submit: () => del(`/tokens/${current().id}`) });
			load();
		} }, "Remove"), fill: (cell, one) => cell.firstChild.setAttribute("aria-label", `Remove the token ${one.name}`) },
	] });

	async function load() {
		table.show((await get("/tokens")).tokens, (one) => one.id);
	}
	return { load, root: h("section.card.flush", null, h("div.card-top", null, h("h2", null, "Tokens"),
		can("POST", "/tokens") ? h("button.quiet-button", { type: "button", onclick: () => make(load) }, "Make a token") : null), table.root) };
}
