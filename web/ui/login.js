// login: the door of the control room; and, on a server that nobody has set up yet, the page that
// makes the administrator.

import { api, can, get, learnOperations } from "./api.js";
import { h } from "./dom.js";
import { mark } from "./icons.js";

// Where to go afterwards: a page of ours and nothing else.
function destination() {
	return location.hash.startsWith("#/") ? `/admin${location.hash}` : "/admin";
}

function field(name, label, props, hint) {
	const input = h("input", { id: name, name, required: true, "aria-describedby": hint ? `${name}-hint` : null, ...props });

	return { input, root: h("div.field", null, h("label", { for: name }, label), input,
		hint ? h("p.hint-text", { id: `${name}-hint` }, hint) : null) };
}

function form({ title, text, fields, button, submit }) {
	const fault = h("p.fault", { role: "alert" });
	const send = h("button.primary.wide", { type: "submit" }, button);

	document.body.append(h("main.door-card", null, mark(), h("h1", null, title), h("p.quiet", null, text),
		h("form", { onsubmit: async (event) => {
			event.preventDefault();
			send.disabled = true;
			fault.textContent = "";
			try {
				await submit();
				location.assign(destination());
			} catch (error) {
				fault.textContent = error.status === 401 ? "User or password is wrong." : error.message;
				send.disabled = false;
				fields.at(-1).input.select();
			}
		} }, fields.map((one) => one.root), fault, send),
		h("p.door-foot", null, h("a", { href: "/" }, "To the station"))));
	fields.find((one) => !one.input.value)?.input.focus();
}

const login = (user, password) => api("POST", "/login", { user, password }, { quiet: true });

function showLogin() {
	const user = field("user", "User", { autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 63 });
	const password = field("password", "Password", { type: "password", autocomplete: "current-password", maxlength: 255 });

	form({ title: "Control room", text: location.host, fields: [user, password], button: "Log in",
		submit: () => login(user.input.value, password.input.value) });
}

function showSetup() {
	const token = field("token", "Setup code", { autocomplete: "off", spellcheck: "false" },
		"The server printed it when it first started; it also stands in its log.");
	const user = field("user", "Your user name", { autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 63, value: "admin" });
	const password = field("password", "Your password", { type: "password", autocomplete: "new-password", minlength: 10, maxlength: 255 },
		"Ten characters or more. A sentence is easier to keep than a riddle.");

	form({ title: "Welcome", text: "This server has no administrator yet. Make yourself the first.", fields: [token, user, password],
		button: "Make me the administrator", submit: async () => {
			await api("POST", "/setup", { token: token.input.value, user: user.input.value, password: password.input.value }, { quiet: true });
			await login(user.input.value, password.input.value);
		} });
}

async function start() {
	try {
		await learnOperations();
		if (can("GET", "/setup") && (await get("/setup", { quiet: true })).needed) {
			showSetup();
			return;
		}
	} catch {
		// The form says what is wrong when it is sent.
	}
	showLogin();
}

start();
