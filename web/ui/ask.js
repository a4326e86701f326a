// ask: dialogs and short messages. The dialog is the browser's own, which keeps focus inside, closes
// at Escape and gives focus back.

import { h } from "./dom.js";

const notices = h("div.notices", { role: "status", "aria-live": "polite" });

document.body.append(notices);

const MOST = 2; // at a time: more would hide what they are about

// The newest stay, each once.
export function say(text, kind = "good") {
	const notice = h(`p.notice.${kind}`, null, text);

	[...notices.children].filter((one) => one.textContent === text).forEach((one) => one.remove());
	notices.append(notice);
	while (notices.childElementCount > MOST)
		notices.firstChild.remove();
	setTimeout(() => notice.remove(), kind === "bad" ? 7000 : 4000);
}

// Runs something that may fail, and says how it went. True when it went well.
export async function attempt(work, done) {
	try {
		await work();
		if (done)
			say(done);
		return true;
	} catch (fault) {
		say(fault.message, "bad");
		return false;
	}
}

// Several of a few: its value is the list of those that are checked.
function choices(field, id, inputs) {
	const boxes = field.choices.map((choice) => h("input", { type: "checkbox", name: field.name, id: `${id}-${choice.value}`, value: choice.value, checked: field.value?.includes(choice.value) }));

	inputs.set(field.name, boxes);
	return h("fieldset.choices", { "aria-describedby": field.hint ? `${id}-hint` : null }, h("legend", null, field.label),
		boxes.map((box, i) => h("label.check", { for: box.id }, box, field.choices[i].label)), field.hint ? h("p.hint-text", { id: `${id}-hint` }, field.hint) : null);
}

// A form in a dialog; body: an element that stands above the fields. fields: [{ name, label, type, value,
// options, choices, hint, required, placeholder }].
// submit(values) may throw: its words are shown and the dialog stays.
export function ask({ title, text, body, fields = [], button, danger = false, submit }) {
	return new Promise((resolve) => {
		const fault = h("p.fault", { role: "alert" });
		const inputs = new Map();
		const rows = fields.map((field) => {
			const id = `ask-${field.name}`;

			if (field.choices)
				return choices(field, id, inputs);
			const common = { id, name: field.name, required: field.required, placeholder: field.placeholder, "aria-describedby": field.hint ? `${id}-hint` : null };
			const input = field.options ?
				h("select", common, field.options.map((option) =>
					h("option", { value: option.value ?? option, selected: (option.value ?? option) === field.value }, option.label ?? option))) :
				field.type === "textarea" ? h("textarea", { ...common, rows: field.rows ?? 4, spellcheck: "false", value: field.value ?? "" }) :
				field.type === "checkbox" ?
					h("input", { ...common, type: "checkbox", checked: field.value }) :
					h("input", { ...common, type: field.type ?? "text", value: field.value ?? "", autocomplete: field.autocomplete ?? "off", maxlength: field.maxlength });

			inputs.set(field.name, input);
			return h(field.type === "checkbox" ? "div.field.inline" : "div.field", null,
				h("label", { for: id }, field.label), input,
				field.hint ? h("p.hint-text", { id: `${id}-hint` }, field.hint) : null);
		});
		const send = h(danger ? "button.danger" : "button.primary", { type: "submit" }, button);
		const dialog = h("dialog.ask", { "aria-labelledby": "ask-title", onclose: () => {
			dialog.remove();
			resolve(dialog.returnValue === "done");
		} }, h("form", { onsubmit: async (event) => {
			event.preventDefault();
			send.disabled = true;
			fault.textContent = "";
			try {
				await submit(Object.fromEntries([...inputs].map(([name, input]) =>
					[name, Array.isArray(input) ? input.filter((one) => one.checked).map((one) => one.value) : input.type === "checkbox" ? input.checked : input.value])));
				dialog.close("done");
			} catch (error) {
				fault.textContent = error.message;
				send.disabled = false;
			}
		} }, h("h2", { id: "ask-title" }, title), text ? h("p", null, text) : null, body, rows, fault,
		h("div.ask-buttons", null,
			h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), send)));

		document.body.append(dialog);
		dialog.showModal();
		(dialog.querySelector("input, select, textarea") ?? send).focus();
	});
}
