// irc-tell: tells who looks elsewhere that he is named or written to. While the page is open it does so itself; once it is
// closed the bouncer calls through the browser's push service (WEBPUSH), and the worker (irc-worker.js) shows it.
//
//     news ─▶ note() ─▶ notification ◀─ worker ◀─ push service ◀─ bouncer
//                └──── "did you tell of it?" ────┘
//
// A subscription is the device's: until it is turned off there, or whoever turned it on logs out.

import { say } from "./ask.js";
import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { plain } from "./irc-wire.js";

const SILENT = "ringmain.irc.silent", PUSHED = "ringmain.irc.push";
const RENEW_MS = 24 * 3600000; // the bouncer forgets whom it has not heard of for months
const TOLD = 200; // that are remembered

const hasNotes = () => "Notification" in window;
const tagOf = (network, buffer, at) => `${network} ${buffer.toLowerCase()} ${at}`;
const bytesOf = (key) => Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const textOf = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

function stored(key) {
	try {
		return JSON.parse(localStorage.getItem(key));
	} catch {
		return null;
	}
}

function store(key, value) {
	try {
		if (value)
			localStorage.setItem(key, JSON.stringify(value));
		else
			localStorage.removeItem(key);
	} catch { /* private windows */ }
}

// home(): who is logged in, or null; isSeen(network, buffer): whether he looks at it now; go(network, buffer): shows it.
export class IrcTell {
	#home;
	#isSeen;
	#go;
	#worker = null; // its registration
	#begins = null;
	#told = new Set();
	#renews = false;

	constructor({ home, isSeen, go }) {
		this.#home = home;
		this.#isSeen = isSeen;
		this.#go = go;
		navigator.serviceWorker?.addEventListener("message", ({ data, ports }) => {
			if (data.type === "open")
				go(data.network, data.buffer);
			else if (data.type === "tells")
				ports[0].postMessage(this.#isSeen(data.network, data.buffer) || this.#told.has(tagOf(data.network, data.buffer, data.at)));
		});
		navigator.serviceWorker?.startMessages();
		document.addEventListener("visibilitychange", () => document.hidden || this.#renew());
	}

	// Whether this page tells by itself.
	get isOn() {
		return hasNotes() && Notification.permission === "granted" && !stored(SILENT);
	}

	get isPushed() {
		return Boolean(stored(PUSHED)) && stored(PUSHED).user === this.#home()?.user;
	}

	// Somebody is logged in.
	async begin() {
		if (!hasNotes() || Notification.permission !== "granted")
			return;
		this.#begins = this.#register();
		await this.#begins;
		await this.#renew();
	}

	async #register() {
		try {
			await navigator.serviceWorker?.register("/irc-worker.js", { scope: "/irc" });
			this.#worker = await navigator.serviceWorker?.ready ?? null;
		} catch { /* a private window: notifications are the page's own then */ }
		return this.#worker;
	}

	/* --- what is told --- */

	note({ talk, line }) {
		if (!this.isOn || this.#isSeen(talk.network.name, talk.name))
			return;
		const data = { network: talk.network.name, buffer: talk.name, at: line.at }, tag = tagOf(data.network, data.buffer, data.at);
		const title = talk.kind === "channel" ? `${line.nick} in ${talk.name}` : line.nick;
		const options = { body: plain(line.text).slice(0, 300), tag, timestamp: line.at, data };

		this.#told.add(tag);
		if (this.#told.size > TOLD)
			this.#told.delete(this.#told.values().next().value);
		if (this.#worker) {
			// Its click comes to the worker.
			this.#worker.showNotification(title, options).catch(() => this.#told.delete(tag));
			return;
		}
		try {
			const note = new Notification(title, options);

			note.onclick = () => {
				window.focus();
				this.#go(data.network, data.buffer);
				note.close();
			};
		} catch {
			this.#told.delete(tag); // Phones want a worker for it.
		}
	}

	// What is read need not be told any more.
	async clear(talk) {
		await this.#begins;
		for (const note of await this.#worker?.getNotifications() ?? [])
			if (note.data?.network === talk.network.name && note.data.buffer.toLowerCase() === talk.name.toLowerCase() && note.data.at <= talk.marker)
				note.close();
	}

	/* --- while it is closed --- */

	async #subscribe() {
		const home = this.#home();

		if (!home.pushKey)
			throw new Error("This server calls nobody while the page is closed (irc.push is off).");
		if (!window.isSecureContext)
			throw new Error("Browsers allow that over https only.");
		const pushes = (this.#worker ?? await this.#register())?.pushManager;

		if (!pushes)
			throw new Error("This browser cannot be called while the page is closed.");
		let one = await pushes.getSubscription();
		const had = one;

		// For another key than this server's, it could not be called.
		if (one && textOf(one.options.applicationServerKey) !== home.pushKey.replace(/=+$/, "")) {
			await one.unsubscribe();
			one = null;
		}
		try {
			one ??= await pushes.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(home.pushKey) });
		} catch (fault) {
			throw new Error(`The browser's push service refused: ${fault.message}`);
		}
		try {
			await home.registerPush(one.endpoint, `p256dh=${textOf(one.getKey("p256dh"))};auth=${textOf(one.getKey("auth"))}`);
		} catch (fault) {
			if (one !== had)
				await one.unsubscribe(); // One that was good still is: the server may only be away.
			throw fault;
		}
		store(PUSHED, { user: home.user, endpoint: one.endpoint, at: Date.now() });
	}

	// Also where the page has forgotten it: what is not wanted any more must end.
	async #unsubscribe() {
		const own = stored(PUSHED);

		store(PUSHED, null);
		if (own && own.user === this.#home()?.user)
			this.#home().unregisterPush(own.endpoint);
		const one = await this.#worker?.pushManager?.getSubscription();

		await one?.unsubscribe();
	}

	// Each day, and where the browser or the server has changed it. What fails is tried again at the next look.
	async #renew() {
		const home = this.#home(), own = stored(PUSHED);

		if (!home?.isIn || home.down || !this.#worker || this.#renews)
			return;
		this.#renews = true;
		let one = null;

		try {
			one = await this.#worker.pushManager?.getSubscription();
			if (own?.user !== home.user)
				await (one || own ? this.#unsubscribe() : null);
			else if (one?.endpoint !== own.endpoint || Date.now() - own.at > RENEW_MS)
				await this.#subscribe();
		} catch (fault) {
			if (own && one?.endpoint === own.endpoint)
				return;
			store(PUSHED, null);
			say(`You are not called while this page is closed any more. ${fault.message}`, "bad");
		} finally {
			this.#renews = false;
		}
	}

	// He logs out, or is logged out: nothing of his is shown on this device.
	end() {
		if (stored(PUSHED))
			this.#unsubscribe().catch(() => {});
	}

	/* --- the switch --- */

	ask() {
		const fault = h("p.irc-fault", { role: "alert" });
		const open = h("input", { id: "irc-tell-open", type: "checkbox", checked: this.isOn });
		const closed = h("input", { id: "irc-tell-closed", type: "checkbox", checked: this.isOn && this.isPushed });
		const close = () => dialog.close();
		const row = (box, words) => h("label.irc-check", { for: box.id }, box, words);
		const dialog = h("dialog.ask.irc-tell", { "aria-labelledby": "irc-tell-title", onclose: () => dialog.remove() },
			h("h2", { id: "irc-tell-title" }, "Being told"), h("p.quiet", {}, "On this device, when you are named or written to where you do not look."),
			row(open, "While this page is open"), row(closed, "Also while it is closed"), fault,
			h("p.quiet", {}, "Other words that call you, and hours that are quiet: /msg BouncerServ help notify"),
			h("div.ask-buttons", {}, h("button.primary", { type: "button", onclick: close }, "Done")));
		const set = async (work) => {
			open.disabled = closed.disabled = true;
			setText(fault, "");
			try {
				await work();
			} catch (error) {
				setText(fault, error.message);
			}
			open.disabled = closed.disabled = false;
			open.checked = this.isOn;
			closed.checked = this.isOn && this.isPushed;
		};

		open.addEventListener("change", () => set(async () => {
			if (open.checked)
				await this.#allow();
			else
				await this.#silence();
		}));
		closed.addEventListener("change", () => set(async () => {
			if (!closed.checked) {
				await this.#unsubscribe();
				return;
			}
			await this.#allow();
			await this.#subscribe();
		}));
		document.body.append(dialog);
		dialog.showModal();
	}

	async #allow() {
		if (!hasNotes())
			throw new Error("This browser has no notifications. On an iPhone or iPad it has them once this page is on the home screen (Share, Add to Home Screen).");
		if (await Notification.requestPermission() !== "granted")
			throw new Error("This browser does not allow it: allow notifications of this page in its settings.");
		store(SILENT, null);
		await this.#register();
	}

	async #silence() {
		store(SILENT, true);
		if (this.isPushed)
			await this.#unsubscribe();
	}
}

// The sign of it, in the list.
export const bellOf = (tell) => h("button.irc-sign", { type: "button", title: "Being told", onclick: () => tell.ask() }, icon("bell"), h("span.hidden-words", {}, "Being told"));
