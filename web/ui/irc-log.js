// irc-log: what was said in one talk, as it stands on the page: days, who, when, and where the unread begin.
// Whatever a stranger wrote becomes text nodes and, where it is one of the web, a link; nothing else.

import { h, setChildren } from "./dom.js";
import { runs } from "./irc-wire.js";

const TOGETHER_MS = 5 * 60000;
const NEAR = 48; // pixels from the end that count as being there
const COLOURS = 6;

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const dayName = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const dayOf = (at) => new Date(at).toDateString();

export function colourOf(name) {
	let sum = 0;

	for (const letter of name.toLowerCase())
		sum = (sum * 31 + letter.codePointAt(0)) % 9973;
	return sum % COLOURS;
}

export function words(text) {
	return runs(text).map(({ text: piece, look, href }) => {
		const kinds = look.map((one) => `irc-${one}`).join(" ") || null;

		return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", class: kinds }, piece) : kinds ? h("span", { class: kinds }, piece) : piece;
	});
}

const time = (at) => h("time.irc-time", { datetime: new Date(at).toISOString(), title: new Date(at).toLocaleString() }, clock.format(at));
const nick = (name) => h("bdi.irc-nick", { "data-colour": colourOf(name) }, name);

function lineOf(line, isNext) {
	if (line.kind === "event" || line.kind === "info")
		return h(`p.irc-line.irc-${line.kind}`, { dir: "auto" }, time(line.at), h("span.irc-text", {}, line.text));
	return h("p.irc-line", { class: `irc-line irc-${line.kind}${isNext ? " irc-next" : ""}${line.calls ? " irc-calls" : ""}${line.self ? " irc-self" : ""}`, "data-id": line.id },
		time(line.at), line.kind === "action" ? h("span.irc-text", { dir: "auto" }, "• ", nick(line.nick), " ", words(line.text)) :
			[isNext ? h("span.hidden-words", {}, `${line.nick}: `) : nick(line.nick), h("span.irc-text", { dir: "auto" }, words(line.text))]);
}

const goesOn = (before, line) => before && before.kind === line.kind && line.kind === "said" && before.nick === line.nick && line.at - before.at < TOGETHER_MS;

export class IrcLog {
	#talk = null;
	#shown = [];
	#marker = 0; // where the unread began when he came
	#atTop;
	#onEnd;

	constructor({ top, end }) {
		this.#atTop = top;
		this.#onEnd = end;
		this.list = h("div.irc-lines", {});
		this.note = h("p.irc-note", { role: "status" });
		this.root = h("div.irc-log", { role: "log", "aria-label": "What was said", tabindex: 0, onscroll: () => this.#scrolled() }, this.note, this.list);
		// A smaller window, or a keyboard on the screen: the end stays the end.
		new ResizeObserver(() => this.#isDown && this.toEnd()).observe(this.root);
	}

	#isDown = true;

	get isAtEnd() {
		return this.root.scrollTop + this.root.clientHeight >= this.root.scrollHeight - NEAR;
	}

	toEnd() {
		this.root.scrollTop = this.root.scrollHeight;
		this.#isDown = true;
	}

	#scrolled() {
		this.#isDown = this.isAtEnd;
		if (this.#isDown)
			this.#onEnd();
		if (this.root.scrollTop < 120)
			this.#atTop();
	}

	// Another talk: from its end, or from the first line that he has not read.
	open(talk) {
		this.#talk = talk;
		this.#shown = [];
		this.#marker = talk.marker;
		this.#isDown = true;
		setChildren(this.list);
		this.show();
	}

	// What is new; a talk of which something is there before what was shown is drawn anew.
	show() {
		const talk = this.#talk, lines = talk.lines, shown = this.#shown;
		const wasEmpty = shown.length === 0;

		this.note.textContent = talk.isBusy ? "Looking for what was said…" : talk.kind === "server" ? "What the server itself says." : talk.isWhole ? "This is where it begins." : "";
		if (shown.length <= lines.length && shown.every((line, at) => line === lines[at])) {
			if (lines.length > shown.length)
				this.list.append(...this.#draw(lines, shown.length));
		} else {
			const before = this.root.scrollHeight - this.root.scrollTop;

			setChildren(this.list, this.#draw(lines, 0));
			if (!this.#isDown)
				this.root.scrollTop = this.root.scrollHeight - before;
		}
		this.#shown = [...lines];
		if (talk.isPast && wasEmpty)
			return;
		if (this.#isDown)
			this.toEnd();
	}

	#draw(lines, from) {
		const out = [];
		const firstNew = this.#marker ? lines.findIndex((line) => line.at > this.#marker && !line.self && line.kind !== "event" && line.kind !== "info") : -1;

		for (let at = from; at < lines.length; at++) {
			const line = lines[at], before = lines[at - 1];
			const isDay = !before || dayOf(before.at) !== dayOf(line.at);
			const isNew = at === firstNew;

			if (isDay)
				out.push(h("p.irc-day", {}, h("span", {}, dayName.format(line.at))));
			if (isNew)
				out.push(h("p.irc-new", {}, h("span", {}, "New")));
			out.push(lineOf(line, !isDay && !isNew && goesOn(before, line)));
		}
		return out;
	}

	showLine(id) {
		const found = [...this.list.children].find((one) => one.dataset.id === id);

		if (!found)
			return;
		found.classList.add("irc-found");
		found.scrollIntoView({ block: "center" });
		this.#isDown = this.isAtEnd;
	}
}
