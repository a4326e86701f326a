// irc-log: what was said in one talk, as it stands on the page: days, who, when, and where the unread begin.
// Whatever a stranger wrote becomes text nodes and, where it is one of the web, a link; nothing else.

import { h, setChildren } from "./dom.js";
import { runs } from "./irc-wire.js";

const TOGETHER_MS = 5 * 60000;
const TOGETHER_LINES = 12; // then it is said again who speaks
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

// Whether a line stands below the name of the one before it.
function isBelow(lines, at) {
	let count = 0;

	while (count < at && goesOn(lines[at - count - 1], lines[at - count]))
		count++;
	return count % TOGETHER_LINES !== 0;
}

/* --- who came and went --- */

const FOLDED = 3; // so many stand in one line, which opens
const MOST_NAMES = 8;
const listed = new Intl.ListFormat("en");
const isFolded = (line) => Boolean(line?.what);

function some(list) {
	return listed.format(list.length > MOST_NAMES ? [...list.slice(0, MOST_NAMES - 1), `${list.length - MOST_NAMES + 1} more`] : list);
}

// "dave and eve came; ivan left": of each what is left of it in the end.
export function foldedText(lines) {
	const people = new Map(), kinds = new Map(), others = lines.filter((line) => line.what === "other").map((line) => line.text);

	for (const { what, nick: name } of lines)
		if (what !== "other")
			people.set(name, [...people.get(name) ?? [], what]);
	for (const [name, steps] of people) {
		const from = steps[0], to = steps.at(-1), kind = from === to ? to : from === "came" ? "came and left" : "left and came again";

		kinds.set(kind, [...kinds.get(kind) ?? [], name]);
	}
	return [...[...kinds].map(([kind, list]) => `${some(list)} ${kind}`), ...others.slice(0, FOLDED), ...(others.length > FOLDED ? [`${others.length - FOLDED} more`] : [])].join("; ");
}

// A run of them, which may go on.
class Fold {
	lines = [];
	root = h("div.irc-fold", {});
	#details = null;

	add(line) {
		const { lines } = this;

		lines.push(line);
		if (lines.length < FOLDED) {
			this.root.append(lineOf(line, false));
			return;
		}
		if (!this.#details) {
			this.summary = h("span.irc-text", {});
			this.#details = h("details", {}, h("summary.irc-line.irc-event", {}, time(lines[0].at), this.summary), [...this.root.children]);
			this.root.append(this.#details);
		}
		this.#details.append(lineOf(line, false));
		this.summary.textContent = foldedText(lines);
	}
}

export class IrcLog {
	#talk = null;
	#shown = [];
	#marker = 0; // where the unread began when he came
	#atTop;
	#onEnd;

	#onMove;

	#fold = null; // that new lines may go into

	// name(nick): somebody's name was clicked.
	constructor({ top, end, move, name }) {
		this.#atTop = top;
		this.#onEnd = end;
		this.#onMove = move;
		this.list = h("div.irc-lines", { onclick: ({ target }) => {
			const clicked = target.closest(".irc-nick");

			if (clicked && getSelection().isCollapsed)
				name(clicked.textContent);
		} });
		this.note = h("p.irc-note", { role: "status" });
		this.root = h("div.irc-log", { role: "log", "aria-label": "What was said", tabindex: 0, onscroll: () => this.#scrolled() }, this.note, this.list);
		// A smaller window, or a keyboard on the screen: the end stays the end.
		new ResizeObserver(() => this.#isDown && this.toEnd()).observe(this.root);
	}

	#isDown = true;
	#wasPast = false;

	// Whether new lines are seen as they come.
	get isDown() {
		return this.#isDown;
	}

	get isScrolled() {
		return this.root.scrollHeight > this.root.clientHeight + NEAR;
	}

	get isAtEnd() {
		return this.root.scrollTop + this.root.clientHeight >= this.root.scrollHeight - NEAR;
	}

	toEnd() {
		this.root.scrollTop = this.root.scrollHeight;
		this.#isDown = true;
	}

	#scrolled() {
		const was = this.#isDown;

		this.#isDown = this.isAtEnd;
		if (this.#isDown)
			this.#onEnd();
		if (this.#isDown !== was)
			this.#onMove();
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
		// In the past its end is not where one wants to be.
		if (talk.isPast || (this.#wasPast && !wasEmpty))
			this.#isDown = !talk.isPast && this.isAtEnd;
		else if (this.#isDown)
			this.toEnd();
		this.#wasPast = talk.isPast;
	}

	#draw(lines, from) {
		const out = [];
		let fold = from > 0 && isFolded(lines[from - 1]) ? this.#fold : null;
		const firstNew = this.#marker ? lines.findIndex((line) => line.at > this.#marker && !line.self && line.kind !== "event" && line.kind !== "info") : -1;

		for (let at = from; at < lines.length; at++) {
			const line = lines[at], before = lines[at - 1];
			const isDay = !before || dayOf(before.at) !== dayOf(line.at);
			const isNew = at === firstNew;

			if (isDay)
				out.push(h("p.irc-day", {}, h("span", {}, dayName.format(line.at))));
			if (isNew)
				out.push(h("p.irc-new", {}, h("span", {}, "New")));
			if (!isFolded(line)) {
				fold = null;
				out.push(lineOf(line, !isDay && !isNew && isBelow(lines, at)));
				continue;
			}
			if (!fold || isDay) {
				fold = new Fold();
				out.push(fold.root);
			}
			fold.add(line);
		}
		this.#fold = fold;
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
