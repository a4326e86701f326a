// Which certificate is in force, how long, and what the authority said when it was asked.

import { attempt } from "./ask.js";
import { can, get, post } from "./api.js";
import { h, setChildren, setText } from "./dom.js";
import { ago, dateTime } from "./format.js";
import { me } from "./me.js";

export const offered = ({ me: who }) => who.may("operator") && can("GET", "/certificate");

const DAY = 86400;
const SOON_DAYS = 14;

// [state, what it is, what that means]
function stateOf({ tls, self_signed, issuer, ends }, now) {
	const days = Math.floor((ends - now) / DAY);

	if (!tls)
		return ["off", "No certificate", "Everything goes over plain HTTP. Set tls.acme.domains and the server obtains a certificate by itself; or name your own in tls.certificate and tls.key."];
	if (days < 0)
		return ["bad", "Ended", `It ended on ${dateTime(ends)}. Browsers and many players refuse it.`];
	if (self_signed)
		return ["warning", "Self-signed", "No authority has signed it: TLS works, but browsers warn of it and many players refuse it."];
	return [days < SOON_DAYS ? "warning" : "good", `Valid until ${dateTime(ends)}`, `${days} ${days === 1 ? "day" : "days"} more. Signed by ${issuer}.`];
}

function renewalOf({ acme }) {
	const when = acme.next ? ` Next attempt: ${dateTime(acme.next)}.` : "";

	switch (acme.phase) {
	case "off":
		return ["off", "By hand", "No name is set in tls.acme.domains. When the files of tls.certificate change they are read again by themselves."];
	case "running":
		return ["lingering", "Asking the authority", `For ${acme.domain}.`];
	case "failed":
		return ["bad", "Failed", `${acme.error || "The authority gave no reason."} Tried ${acme.tried ? ago(acme.tried) : "never"}, ${acme.failures} ${acme.failures === 1 ? "time" : "times"} in a row.${when}`];
	case "good":
		return ["good", "By itself", `${acme.obtained ? `Obtained ${ago(acme.obtained)}. ` : ""}${acme.next ? `Next look: ${dateTime(acme.next)}.` : ""}`];
	default:
		return ["lingering", "Not tried yet", when.trim()];
	}
}

function stateCard(title, button) {
	const state = h("span.state", null, h("span.state-dot", { "aria-hidden": "true" }), h("span.state-word"));
	const text = h("p.hint-text", { dir: "auto" });

	return { root: h("section.card", null, h("div.card-top", null, h("h2", null, title), button), h("div", { role: "status" }, state, text)),
		show([look, what, meaning]) {
			state.dataset.state = look;
			setText(state.lastChild, what);
			setText(text, meaning);
		} };
}

export function show(place) {
	const renew = me.may("admin") && can("POST", "/certificate/renew") ? h("button.quiet-button", { type: "button", hidden: true, onclick: async () => {
		await attempt(() => post("/certificate/renew"), "The authority is asked.");
		load();
	} }, "Ask now") : null;
	const certificate = stateCard("In force");
	const renewal = stateCard("Renewal", renew);
	const facts = h("dl.facts");
	const fault = h("p.verdict.bad", { role: "alert", hidden: true });
	let timer = 0;
	let ended = false;

	async function load() {
		clearTimeout(timer);
		try {
			const found = await get("/certificate");
			const rows = [["Names", found.names || "–"], ["Signed by", found.tls ? found.issuer || "itself" : "–"], ["Ends", dateTime(found.ends)],
				["Last attempt", dateTime(found.acme.tried)], ["Next attempt", dateTime(found.acme.next)]];

			certificate.show(stateOf(found, Date.now() / 1000));
			renewal.show(renewalOf(found));
			setChildren(facts, rows.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", { dir: "auto" }, value))));
			if (renew)
				renew.hidden = found.acme.phase === "off";
			fault.hidden = true;
		} catch (error) {
			setText(fault, error.message);
			fault.hidden = false;
		}
		if (!ended)
			timer = setTimeout(load, 3000);
	}
	place.append(fault, h("div.two", null, certificate.root, renewal.root), h("section.card", null, h("div.card-top", null, h("h2", null, "Details")), facts));
	load();
	return () => {
		ended = true;
		clearTimeout(timer);
	};
}
