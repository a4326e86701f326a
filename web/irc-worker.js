// irc-worker: tells of what was said while no page /irc is there to tell it. The bouncer sends a line of IRC, sealed,
// through the browser's push service (soju.im/webpush). It is loaded for /irc alone and touches no request.
//
//     push ─▶ line ─▶ does a page tell it itself? ─no─▶ notification ─click─▶ a page, at that channel

self.patience = 1500; // ms that a page has to answer: it may be frozen
const ESCAPES = { ":": ";", s: " ", r: "\r", n: "\n", "\\": "\\" };

function readLine(text) {
	const [, tags = "", nick = "", verb = "", rest = ""] = /^(?:@(\S+) +)?(?::([^\s!]+)\S* +)?(\S+) *([^]*)$/.exec(text.replace(/[\r\n]+$/, "")) ?? [];
	const [, middle, last] = /^([^]*?)(?:(?:^| +):([^]*))?$/.exec(rest);

	return { nick, verb: verb.toUpperCase(), params: [...middle.split(/ +/).filter(Boolean), ...(last === undefined ? [] : [last])],
		tags: new Map(tags.split(";").map((tag) => tag.split("=")).map(([key, ...value]) => [key, value.join("=").replace(/\\(.?)/gs, (all, sign) => ESCAPES[sign] ?? sign)])) };
}

const plain = (text) => text.replace(/^\x01ACTION |\x03(\d{1,2}(,\d{1,2})?)?|\x04([0-9a-fA-F]{6}(,[0-9a-fA-F]{6})?)?|[\x00-\x09\x0b-\x1f\x7f]/g, "");
const same = (a, b) => a.network === b.network && a.buffer.toLowerCase() === b.buffer.toLowerCase();
const pages = async () => (await self.clients.matchAll({ type: "window", includeUncontrolled: true })).filter((one) => new URL(one.url).pathname === "/irc");

// A page that is connected to that network has heard it before the push came.
function asked(page, where) {
	return new Promise((resolve) => {
		const { port1, port2 } = new MessageChannel();

		port1.onmessage = ({ data }) => resolve(data === true);
		setTimeout(() => resolve(false), self.patience);
		page.postMessage({ type: "tells", ...where }, [port2]);
	});
}

async function pushed(text) {
	const { nick, verb, params, tags } = readLine(text);
	const at = Date.parse(tags.get("time")) || Date.now();
	const where = { network: tags.get("ringmain/network") ?? "", buffer: tags.get("ringmain/buffer") ?? "", at };

	if (verb === "MARKREAD") {
		const until = Date.parse((params[1] ?? "").replace("timestamp=", ""));

		for (const note of await self.registration.getNotifications())
			if (note.data && same(note.data, where) && note.data.at <= until)
				note.close();
		return;
	}
	const invites = verb === "INVITE";

	if (verb !== "PRIVMSG" && verb !== "NOTICE" && !invites)
		return;
	const answers = (await pages()).map((page) => asked(page, where));

	// Who says yes first is enough.
	if (await Promise.any(answers.map((answer) => answer.then((yes) => yes || Promise.reject(new Error("no"))))).catch(() => false))
		return;
	// As irc-tell.js does, so that it stands there once whoever shows it.
	await self.registration.showNotification(invites || nick.toLowerCase() === where.buffer.toLowerCase() ? nick : `${nick} in ${where.buffer}`,
		{ body: invites ? `invites you to ${where.buffer}` : plain(params[1] ?? "").slice(0, 300), tag: `${where.network} ${where.buffer.toLowerCase()} ${at}`, timestamp: at, data: where });
}

async function clicked(note) {
	const { network = "", buffer = "" } = note.data ?? {}, [page] = await pages();

	note.close();
	if (page) {
		page.postMessage({ type: "open", network, buffer });
		await page.focus();
	} else {
		await self.clients.openWindow(`/irc#${encodeURIComponent(network)}/${encodeURIComponent(buffer)}`);
	}
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("push", (event) => event.waitUntil(pushed(event.data?.text() ?? "")));
self.addEventListener("notificationclick", (event) => event.waitUntil(clicked(event.notification)));
