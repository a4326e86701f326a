import { can, get } from "./api.js";
import { h, setChildren, setText } from "./dom.js";
import { bytes, dateTime, duration, number } from "./format.js";
import { icon } from "./icons.js";
import { live } from "./live.js";
import { trendCard } from "./trends.js";

export const offered = ({ me }) => me.may("operator");

const words = { good: "Well", warning: "Look at this", bad: "Not well" };

function checkRow(check) {
	return h("li.check-row", { "data-state": check.state }, icon(check.state === "good" ? "check" : "warning"),
		h("div", null, h("p.check-name", null, check.name), h("p.check-detail", { dir: "auto" }, check.detail)), h("span.check-word", null, words[check.state] ?? check.state));
}

function pairs(list) {
	return list.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", { dir: "auto" }, value)));
}

export function show(place) {
	const verdict = h("p.verdict", { role: "status" });
	const list = h("ul.checks");
	const facts = h("dl.facts");
	const numbers = h("div.metrics");
	const cpu = trendCard({ title: "Processor", format: (v) => `${v.toFixed(v < 10 ? 1 : 0)}\u00a0%`, whole: false, height: 170, lines: [{ series: "cpu", name: "Of one core" }] });
	const memory = trendCard({ title: "Memory", format: bytes, height: 170, lines: [{ series: "memory", name: "Resident", tone: "calm" }] });
	let timer = 0;

	async function load() {
		try {
			const { ready, checks } = await get("/health");
			const bad = checks.filter((check) => check.state !== "good");

			verdict.className = `verdict ${!ready || bad.some((one) => one.state === "bad") ? "bad" : bad.length ? "warning" : "good"}`;
			setText(verdict, !ready ? "The server is not ready." : bad.length ? `${bad.length} of ${checks.length} checks ask for attention.` : `All ${checks.length} checks are well.`);
			list.replaceChildren(...checks.map(checkRow));
			const { metrics } = await get("/metrics");

			setChildren(numbers, metrics.map((one) => h("div.metric", { title: one.help }, h("span.metric-name", null, one.name), h("span.metric-value", null, number(one.value)))));
		} catch {
			// The line above says that the server is away.
		}
		timer = setTimeout(load, 5000);
	}
	place.append(verdict, h("section.card.flush", null, list), h("div.two", null, cpu.root, memory.root),
		h("section.card", null, h("div.card-top", null, h("h2", null, "Process")), facts),
		h("details.card", null, h("summary", null, "All counters"), numbers));
	if (can("GET", "/health"))
		load();
	const unwatch = live.watch(({ server }) => setChildren(facts, pairs([
		["Version", server.version], ["Process", server.pid], ["Started", dateTime(server.started)], ["Up", duration(Date.now() / 1000 - server.started)],
		["Workers", server.workers], ["Connections", number(server.connections)],
		["Descriptors", server.descriptors ? `${number(server.descriptors)} of ${number(server.descriptors_limit)}` : `of ${number(server.descriptors_limit)}`],
		["Memory", bytes(server.memory)], ["Requests", number(server.requests)], ["Wrong passwords", number(server.auth_failures)],
	])));

	return () => {
		clearTimeout(timer);
		cpu.end();
		memory.end();
		unwatch();
	};
}
