// irc-files: files for others to see: picked, pasted or dropped. The bouncer keeps each and gives it an address
// (soju.im/FILEHOST), which goes into what is being written; nothing is sent by itself. Those that are there are
// listed, to be shown again or deleted.

import { ask, say } from "./ask.js";
import { h, setChildren, setText } from "./dom.js";
import { bytes } from "./format.js";
import { icon } from "./icons.js";

const told = {
	401: "Your password is not taken for files: log in with the one of your account.",
	404: "No files are taken here.",
	413: "It is too large, or your files together are.",
	507: "The disk is full.",
};

const day = new Intl.DateTimeFormat([], { dateStyle: "medium" });
const basicOf = ({ user, password }) => `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${user}:${password}`)))}`;

// where: FILEHOST, as the network told it; login: { user, password }. The address of the file.
async function upload(file, where, login) {
	const name = (file.name || "pasted.png").replace(/[^A-Za-z0-9._-]/g, "_");
	const answer = await fetch(new URL(where).pathname, { method: "POST", body: file, headers: {
		Authorization: basicOf(login), "Content-Type": file.type || "application/octet-stream",
		"Content-Disposition": `attachment; filename="${name}"`,
	} });

	if (answer.status !== 201)
		throw new Error(told[answer.status] ?? `It was refused (${answer.status}).`);
	return new URL(answer.headers.get("Location"), where).href;
}

// What BouncerServ answers.
async function order(command, login) {
	const answer = await fetch("/api/v1/irc/command", { method: "POST", credentials: "omit", body: JSON.stringify({ command }), headers: {
		Authorization: basicOf(login), "Content-Type": "application/json",
	} });
	const { good, lines = [] } = answer.status === 401 ? { good: false, lines: [told[401]] } : await answer.json();

	if (!good)
		throw new Error(lines.join(" ") || `It was refused (${answer.status}).`);
	return lines;
}

// "ADDRESS/32 hex digits-NAME (12 bytes, TIME)"
function fileOf(line, where) {
	const [, address, size, at] = /^(\S+) \((\d+) bytes, (\S+)\)$/.exec(line) ?? [];

	if (!address)
		return null;
	const stored = address.split("/").at(-1);

	return { address: new URL(address, where).href, stored, name: stored.replace(/^[0-9a-f]{32}-/, ""), size: Number(size), at: new Date(at) };
}

// The files that there are. of(): { where, login }; pick(): more are chosen; insert(address): one is shown again.
async function showFiles({ of, pick, insert }) {
	const { where, login } = of();
	const note = h("p.quiet", { role: "status" }, "Looking…"), list = h("ul.irc-files", {});
	const close = () => dialog.close();
	const dialog = h("dialog.ask.irc-files-ask", { "aria-labelledby": "irc-files-title", onclose: () => dialog.remove() },
		h("div.irc-files-top", {}, h("h2", { id: "irc-files-title" }, "Your files"),
			h("button.irc-sign", { type: "button", title: "Close", onclick: close }, icon("close"), h("span.hidden-words", {}, "Close"))),
		h("p.quiet", {}, "Whoever has the address of a file can see it."),
		h("button.irc-main-button", { type: "button", onclick: () => {
			close();
			pick();
		} }, "Choose files…"), note, list);

	const row = (file) => h("li", {}, h("div.irc-file-words", {},
		h("a", { href: new URL(file.address).pathname, target: "_blank", rel: "noopener", dir: "auto" }, file.name),
		h("span.quiet", { title: file.at.toLocaleString() }, `${bytes(file.size)} · ${day.format(file.at)}`)),
	h("button.irc-file-show", { type: "button", title: `Show ${file.name}`, onclick: () => {
		close();
		insert(file.address);
	} }, "Insert"),
	h("button.irc-sign", { type: "button", title: `Delete ${file.name}`, onclick: () => ask({ title: `Delete ${file.name}?`, danger: true, button: "Delete",
		text: "Its address leads nowhere then, wherever it was shown.", submit: async () => {
			await order(`file delete ${file.stored}`, login);
			await fill();
		} }) }, icon("bin"), h("span.hidden-words", {}, `Delete ${file.name}`)));

	async function fill() {
		const lines = await order("file list", login), files = lines.map((line) => fileOf(line, where)).filter(Boolean);
		const more = lines.find((line) => /^and \d+ more$/.test(line));
		const size = files.reduce((sum, file) => sum + file.size, 0);

		setText(note, files.length ? `${files.length === 1 ? "One file" : `${files.length} files`}${more ? ` ${more}` : ""}, ${bytes(size)}.` : "There is none yet.");
		setChildren(list, files.map(row));
	}

	document.body.append(dialog);
	dialog.showModal();
	try {
		await fill();
	} catch (fault) {
		setText(note, fault.message);
	}
}

// field: what is being written; zone: where files may be dropped; of(): { where, login } of what is open now.
export function makeAttach({ field, zone, button, of, written }) {
	const picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files to show" });

	function insert(address) {
		field.value = `${field.value.trimEnd()}${field.value.trim() ? " " : ""}${address} `;
		written();
		field.focus();
	}

	async function take(files) {
		const { where, login } = of();

		if (!where || !files.length)
			return;
		button.disabled = true;
		for (const file of files)
			try {
				say(`${file.name || "It"} goes up: ${bytes(file.size)}.`);
				insert(await upload(file, where, login));
			} catch (fault) {
				say(`${file.name}: ${fault.message}`, "bad");
			}
		button.disabled = false;
		field.focus();
	}

	button.addEventListener("click", () => showFiles({ of, insert, pick: () => picker.click() }));
	picker.addEventListener("change", async () => {
		await take([...picker.files]);
		picker.value = "";
	});
	field.addEventListener("paste", (event) => {
		if (event.clipboardData.files.length && of().where) {
			event.preventDefault();
			take([...event.clipboardData.files]);
		}
	});
	zone.addEventListener("dragover", (event) => {
		if (of().where && [...event.dataTransfer.types].includes("Files"))
			event.preventDefault();
	});
	zone.addEventListener("drop", (event) => {
		if (of().where && event.dataTransfer.files.length) {
			event.preventDefault();
			take([...event.dataTransfer.files]);
		}
	});
	return picker;
}
