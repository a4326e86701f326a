// A line of the log, taken apart: time, level, room, what happened, and the fields.

import { h } from "./dom.js";

const form = /^(\S+) (debug|info|warning|error) (\S+) (.*)$/s;

export function parts(text) {
	const found = form.exec(text);

	if (!found)
		return { time: "", level: "info", room: "", event: text, fields: "" };
	const [, time, level, room, rest] = found;
	const at = rest.search(/\s[a-z_]+=/);

	return { time, level, room, event: at < 0 ? rest : rest.slice(0, at), fields: at < 0 ? "" : rest.slice(at + 1) };
}

export function logLine(line) {
	const { time, level, room, event, fields } = parts(line.text);
	const date = new Date(time);

	return h(`li.log-line.level-${level}`, null,
		h("time.log-time", { datetime: time, title: time }, Number.isNaN(date.getTime()) ? "" : date.toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" })),
		h("span.log-level", null, level), h("span.log-room", null, room),
		h("span.log-event", { dir: "auto" }, event, fields ? h("span.log-fields", null, ` ${fields}`) : null));
}
