// table: a table that becomes a list of cards on a phone: each cell says its column.

import { h, Keyed, setText } from "./dom.js";

// columns: [{ name, kind, order, cell(item) → element or text, fill(element, item) }]
export class Table {
	#columns;
	#keyed;
	#empty;
	#wrap;

	constructor({ label, columns, empty, onOrder, rowClass }) {
		const body = h("tbody");

		this.#columns = columns;
		this.#empty = h("p.empty", { hidden: true }, empty ?? "Nothing here.");
		this.heads = columns.map((column) => h(`th${column.kind ? `.${column.kind}` : ""}`, { scope: "col" },
			column.order && onOrder ? h("button.order", { type: "button", onclick: () => onOrder(column.order) }, column.name) :
				column.hideName ? h("span.hidden-words", null, column.name) : column.name));
		this.#wrap = h("div.table-wrap", null, h("table.table", { "aria-label": label },
			h("thead", null, h("tr", null, this.heads)), body));
		this.root = h("div", null, this.#wrap, this.#empty);
		this.#keyed = new Keyed(body, () => this.#makeRow(rowClass));
	}

	#makeRow(rowClass) {
		const cells = this.#columns.map((column) =>
			h(`td${column.kind ? `.${column.kind}` : ""}`, { "data-name": column.hideName ? "" : column.name }));
		const root = h(`tr${rowClass ? `.${rowClass}` : ""}`, null, cells);
		let current = null;

		return { root, fill: (item) => {
			current = item;
			this.#columns.forEach((column, i) => {
				if (column.make && !cells[i].firstChild)
					cells[i].append(column.make(() => current));
				if (column.fill)
					column.fill(cells[i], item);
				else if (column.text)
					setText(cells[i], column.text(item));
			});
			root.dataset.state = item.state ?? "";
		} };
	}

	show(items, keyOf) {
		this.#keyed.show(items, keyOf);
		this.#wrap.hidden = items.length === 0;
		this.#empty.hidden = items.length !== 0;
	}

	setOrder(order) {
		const name = order.replace("-", "");

		this.#columns.forEach((column, i) => {
			if (column.order === name)
				this.heads[i].setAttribute("aria-sort", order.startsWith("-") ? "descending" : "ascending");
			else
				this.heads[i].removeAttribute("aria-sort");
		});
	}
}

export function emptyNote(title, text, ...more) {
	return h("div.blank", null, h("h2", null, title), h("p", null, text), more);
}
