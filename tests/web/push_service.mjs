// push_service: what a browser's maker runs: takes sealed messages for a browser, and opens them as that browser would
// (RFC 8030, RFC 8291). Chromium without a window has none, so tests hand over what was opened.

import { execFileSync } from "node:child_process";
import { createDecipheriv, createECDH, hkdfSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

export async function pushService() {
	const directory = mkdtempSync(join(tmpdir(), "ringmain-push-")), ca = join(directory, "ca.pem"), key = join(directory, "key.pem");
	const browser = createECDH("prime256v1"), point = browser.generateKeys(), auth = randomBytes(16);
	const service = { ca, status: 201, opened: [] };

	function open(body) {
		const salt = body.subarray(0, 16), from = body.subarray(21, 21 + body[20]), sealed = body.subarray(21 + body[20]);
		const derive = (secret, by, info, size) => Buffer.from(hkdfSync("sha256", secret, by, info, size));
		const secret = derive(browser.computeSecret(from), auth, Buffer.concat([Buffer.from("WebPush: info\0"), point, from]), 32);
		const cipher = createDecipheriv("aes-128-gcm", derive(secret, salt, "Content-Encoding: aes128gcm\0", 16), derive(secret, salt, "Content-Encoding: nonce\0", 12));

		cipher.setAuthTag(sealed.subarray(-16));
		const text = Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);

		return text.subarray(0, text.lastIndexOf(2)).toString();
	}

	execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=push",
		"-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", ca], { stdio: "pipe" });
	const server = createServer({ key: readFileSync(key), cert: readFileSync(ca) }, async (request, answer) => {
		const pieces = [];

		for await (const piece of request)
			pieces.push(piece);
		service.opened.push(open(Buffer.concat(pieces)));
		answer.writeHead(service.status).end();
	});

	await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
	service.subscription = { endpoint: `https://127.0.0.1:${server.address().port}/box`, p256dh: point.toString("base64url"), auth: auth.toString("base64url") };
	service.stop = () => {
		server.close();
		server.closeAllConnections();
		rmSync(directory, { recursive: true });
	};
	return service;
}

// In a page or a worker: notifications that are a list. (Chromium keeps its own by threads that a busy machine leaves out.)
function listNotes() {
	if (!self.ServiceWorkerRegistration)
		return; // about:blank
	self.shown = [];
	ServiceWorkerRegistration.prototype.getNotifications = async () => [...self.shown];
	ServiceWorkerRegistration.prototype.showNotification = async (title, options) => {
		const note = { title, ...options, close: () => { self.shown = self.shown.filter((one) => one !== note); } };

		self.shown = [...self.shown.filter((one) => one.tag !== note.tag), note];
	};
}

// A page whose browser knows this service. window.asked: what it subscribed with; window.shown: what it tells.
export async function prepare(page, service) {
	await page.addInitScript(listNotes);
	await page.addInitScript(subscribeThere, service.subscription);
}

function subscribeThere({ endpoint, p256dh, auth }) {
	const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0)).buffer;
	const key = () => localStorage.getItem("test.subscribed");
	const subscription = { endpoint, getKey: (name) => bytes(name === "auth" ? auth : p256dh),
		get options() { return { applicationServerKey: bytes(key()) }; },
		unsubscribe: async () => {
			localStorage.removeItem("test.subscribed");
			return true;
		} };

	if (!self.PushManager)
		return;
	PushManager.prototype.getSubscription = async () => key() ? subscription : null;
	PushManager.prototype.subscribe = async (options) => {
		if (window.refuses)
			throw new DOMException(window.refuses, "AbortError");
		window.asked = { visible: options.userVisibleOnly, key: btoa(String.fromCharCode(...options.applicationServerKey)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "") };
		localStorage.setItem("test.subscribed", window.asked.key);
		return subscription;
	};
}

// The worker of a page's context, as a push service and a finger reach it.
export async function workerOf(page) {
	const origin = new URL(page.url()).origin, registrations = [];
	const other = await page.context().newPage(); // which stays when the page goes
	const cdp = await page.context().newCDPSession(other);

	await other.goto(`${origin}/icon.svg`);
	cdp.on("ServiceWorker.workerRegistrationUpdated", (event) => registrations.push(...event.registrations));
	await cdp.send("ServiceWorker.enable");
	const [worker] = page.context().serviceWorkers();

	await worker.evaluate(listNotes);
	// A page on a busy machine is not frozen; what comes late has been handled.
	await worker.evaluate(() => {
		const real = self.pushed, handled = new Map();

		self.patience = 60000;
		self.handled = handled;
		self.pushed = (text) => handled.get(text) ?? handled.set(text, real(text)).get(text);
	});
	return {
		// Until it is handled.
		push: async (text) => {
			const { registrationId } = registrations.find((one) => one.scopeURL === `${origin}/irc`);

			await cdp.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data: text });
			const came = await worker.evaluate(async (wanted) => {
				for (let i = 0; i < 200 && !self.handled.has(wanted); i++)
					await new Promise((resolve) => { setTimeout(resolve, 50); });
				const has = self.handled.has(wanted);

				await self.pushed(wanted);
				return has;
			}, text);

			if (!came)
				console.log("Chromium did not deliver a push within ten seconds: it was handed over");
		},
		notes: () => worker.evaluate(() => self.shown.map((note) => `${note.title}: ${note.body}`)),
		// What would be opened, where no page is there: a browser opens windows for fingers only.
		click: (title) => worker.evaluate(async (wanted) => {
			let opened = "";

			self.clients.openWindow = async (url) => { opened = url; };
			await self.clicked(self.shown.find((note) => note.title === wanted)).catch((fault) => {
				if (fault.name !== "InvalidAccessError")
					throw fault;
			});
			return opened;
		}, title),
	};
}
