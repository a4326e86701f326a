// dom: elements from values. Texts become text nodes and nothing else, so whatever a stranger has put
// into a title or a header line stays what it is: text.
//
//     h("button.quiet", { type: "button", onclick: kick, "aria-label": "Kick" }, "Kick")

const svgNames = new Set(["svg", "path", "circle", "rect", "line", "g", "polyline", "text", "title",
	"defs", "linearGradient", "stop", "clipPath"]);
const svgSpace = "http://www.w3.org/2000/svg";

function put(element, name, value) {
	if (value === undefined || value === null || value === false)
		return;
	if (name.startsWith("on"))
		element.addEventListener(name.slice(2), value);
	else if (name === "value" || name === "checked" || name === "selected")
		element[name] = value;
	else if (name.startsWith("--"))
		element.style.setProperty(name, value);
	else
		element.setAttribute(name, value === true ? "" : value);
}

function append(element, child) {
	if (Array.isArray(child))
		child.forEach((one) => append(element, one));
	else if (child !== null && child !== undefined && child !== false)
		element.append(child);
}

function make(create, kind, props, children) {
	const [tag, ...classes] = kind.split(".");
	const element = create(tag || "div");

	if (classes.length)
		element.setAttribute("class", classes.join(" "));
	for (const [name, value] of Object.entries(props ?? {}))
		put(element, name, value);
	children.forEach((child) => append(element, child));
	return element;
}

export function h(kind, props, ...children) {
	return make((tag) => document.createElement(tag), kind, props, children);
}

export function s(kind, props, ...children) {
	return make((tag) => {
		if (!svgNames.has(tag))
			throw new Error(`not drawn here: ${tag}`);
		return document.createElementNS(svgSpace, tag);
	}, kind, props, children);
}

// Only what differs is written: focus stays, and screen readers are told what changed.
export function setText(element, text) {
	const words = String(text ?? "");

	if (element.textContent !== words)
		element.textContent = words;
}

export function setChildren(element, ...children) {
	element.replaceChildren();
	children.forEach((child) => append(element, child));
}

// A list that keeps the elements of those that stay: make(item) → { root, fill(item) }.
export class Keyed {
	#parent;
	#make;
	#rows = new Map();

	constructor(parent, makeRow) {
		this.#parent = parent;
		this.#make = makeRow;
	}

	show(items, keyOf) {
		const gone = new Set(this.#rows.keys());
		let place = this.#parent.firstElementChild;

		for (const item of items) {
			const key = keyOf(item);
			let row = this.#rows.get(key);

			gone.delete(key);
			if (!row) {
				row = this.#make(item);
				this.#rows.set(key, row);
			}
			row.fill(item);
			if (row.root === place)
				place = place.nextElementSibling;
			else
				this.#parent.insertBefore(row.root, place);
		}
		for (const key of gone) {
			this.#rows.get(key).root.remove();
			this.#rows.delete(key);
		}
	}
}
