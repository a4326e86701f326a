// rtc: one WebRTC session with this server, by WHIP (sending) or WHEP (watching).
//
//     const session = new Session("whep", room, token, onChange);
//     await session.open(pc)   ──▶ POST offer ──▶ "connected" … "lost"      session.close() ──▶ DELETE
//
// It knows no page. Failures are Trouble: a head, what to do about it, and whether trying again may help.

import { csrfWord } from "./api.js";

const PATH_MS = 8000;  // without a path for so long, something is in the way
const AWAY_MS = 4000;  // a path that is away for so long is looked for anew

export class Trouble extends Error {
	// way: where one can do something about it, [text, address].
	constructor(head, text, { again = true, token = false, unfit = false, way = null } = {}) {
		super(head);
		Object.assign(this, { head, text, again, token, unfit, way });
	}
}

// The name of the room: /watch/ROOM or ?room=ROOM.
export function roomHere() {
	const named = location.pathname.split("/").slice(2).join("/") || new URLSearchParams(location.search).get("room") || "";

	try {
		return decodeURIComponent(named);
	} catch {
		return named;
	}
}

// A token is kept as long as the tab is open.
export function token(kind, value) {
	try {
		if (value !== undefined)
			sessionStorage.setItem(`ringmain.${kind}`, value);
		return sessionStorage.getItem(`ringmain.${kind}`) ?? "";
	} catch {
		return value ?? "";
	}
}

// As whoever asks: by a token, or as an operator who is logged in. The browser asks for no password by itself, behind
// whose window the page would wait.
export function withToken(value) {
	const word = csrfWord();

	return { "X-Requested-With": "ringmain", ...(word ? { "X-CSRF-Token": word } : {}), ...(value ? { Authorization: `Bearer ${value}` } : {}) };
}

// In the words of the family, or of the gate before what operators may.
async function reason(reply) {
	try {
		const { detail, error } = await reply.json();

		return { why: detail ?? error?.message ?? "", code: error?.code ?? "" };
	} catch {
		return { why: "", code: "" };
	}
}

const LOGIN = ["Open the control room", "/admin"];

async function refusal(reply, kind) {
	const { why, code } = await reason(reply);

	switch (reply.status) {
	case 401:
		if (code)
			return new Trouble("Only who runs this server may send", "Is that you? Log in to the control room in another tab, come back here, and go on the air again. Anybody else needs a token, and this server has none yet: its setting sfu.publish_token is empty.",
				{ again: false, way: LOGIN });
		return new Trouble(kind === "whip" ? "The server wants a publishing token" : "The server wants a token",
			`Who runs the server has it. Put it in below. (${why})`, { again: false, token: true });
	case 403:
		return code ? new Trouble("You may not send here", "You are logged in as somebody who is no operator of this server. Log in as one in the control room, come back, and go on the air again.", { again: false, way: LOGIN })
			: new Trouble("This is not allowed", why, { again: false, token: true });
	case 404:
		return new Trouble("Video is off here", "This server carries no WebRTC: sfu.udp is not set.", { again: false });
	case 409:
		return kind === "whip" ? new Trouble("Somebody is on the air here", "This room has a publisher. Choose another room, or wait until it is free.", { again: false })
			: new Trouble("Nobody is on the air here yet", "The picture begins by itself when somebody is.");
	case 422:
		return new Trouble("Your browser and the room do not fit", why, { again: false, unfit: true });
	case 503:
		return new Trouble("The server is full", why);
	default:
		return new Trouble("The server refused", `${reply.status} ${why}`, { again: reply.status >= 500 });
	}
}

// Where media would go: for who has to open a firewall.
function doorOf(answer) {
	const [, address, port] = /a=candidate:\S+ \d+ udp \d+ (\S+) (\d+)/i.exec(answer) ?? [];

	return port ? `UDP port ${port} of ${address}` : "the server's UDP port";
}

// RFC 8288: what the answer says goes with the session.
const linksOf = (header) => Object.fromEntries([...(header ?? "").matchAll(/<([^>]*)>;\s*rel="([^"]*)"/g)].map(([, url, rel]) => [rel, url]));

// RFC 9725 4.6: the servers that help through what is in the way, with the password that they were given for us.
const iceServersOf = (header) => [...(header ?? "").matchAll(/<((?:stun|turn)s?:[^>]*)>;\s*rel="ice-server"((?:;\s*[\w-]+="[^"]*")*)/g)].map(([, urls, more]) => {
	const said = (name) => new RegExp(`;\\s*${name}="([^"]*)"`).exec(more)?.[1];

	return said("username") === undefined ? { urls } : { urls, username: said("username"), credential: said("credential") };
});
const EXTENSION = "urn:ietf:params:whep:ext:core:";

export class Session {
	pc = null;
	offer = "";

	#kind;
	#room;
	#token;
	#onLost;
	#resource = "";
	#every = 0;
	#teller = 0;
	#timer = 0;
	#ended = false;
	#links = {};
	#stream = "";
	#source = null;
	#open = () => {};

	constructor(kind, room, value, onLost) {
		this.#kind = kind;
		this.#room = room;
		this.#token = value;
		this.#onLost = onLost;
	}

	// Resolves when media may flow; throws Trouble.
	async open(pc, { query = "" } = {}) {
		this.pc = pc;
		// Without candidates: the server needs none, it answers whoever asks with the right password.
		const offer = await pc.createOffer();
		let reply;

		this.offer = offer.sdp;
		try {
			reply = await fetch(`/${this.#kind}/${encodeURIComponent(this.#room)}${query}`, { method: "POST", body: offer.sdp,
				headers: { "Content-Type": "application/sdp", ...withToken(this.#token) } });
		} catch {
			throw new Trouble("The server does not answer", "It may be away for a moment, or this device is offline.");
		}
		if (reply.status !== 201)
			throw await refusal(reply, this.#kind);
		this.#resource = reply.headers.get("Location");
		this.#links = linksOf(reply.headers.get("Link"));
		this.#every = Number(reply.headers.get("X-Ringmain-Stats")) || 0;
		const answer = await reply.text();

		if (this.#ended) {
			this.close();
			return;
		}
		const servers = iceServersOf(reply.headers.get("Link"));

		// Before there is anything to gather.
		if (servers.length)
			pc.setConfiguration?.({ ...pc.getConfiguration(), iceServers: servers });
		await pc.setLocalDescription(offer);
		await pc.setRemoteDescription({ type: "answer", sdp: answer });
		await this.#connected(pc, doorOf(answer));
		pc.addEventListener("connectionstatechange", () => this.#look());
		this.#look();
		if (this.#every && !this.#ended)
			this.#tellLater();
	}

	#post(url, body) {
		return fetch(url, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...withToken(this.#token) } });
	}

	// What changes in the room, as it changes: hear(name, data).
	async listen(names, hear) {
		const url = this.#links[`${EXTENSION}server-sent-events`];
		const reply = url ? await this.#post(url, names).catch(() => null) : null;

		if (reply?.status !== 201 || this.#ended)
			return;
		this.#stream = reply.headers.get("Location");
		this.#open = () => {
			this.#source?.close();
			this.#source = null;
			// A browser has few connections for all its tabs: those that nobody sees need none.
			if (this.#ended || document.hidden)
				return;
			this.#source = new EventSource(this.#stream);
			// Refused: the session has ended, which the path of the media would tell only after a while.
			this.#source.onerror = ({ target }) => target === this.#source && target.readyState === EventSource.CLOSED && !this.#ended && this.#onLost();
			for (const name of names)
				this.#source.addEventListener(name, (event) => hear(name, JSON.parse(event.data)));
		};
		document.addEventListener("visibilitychange", this.#open);
		this.#open();
	}

	// One of the layers that the pictures come in; "": what fits.
	choose(rid) {
		const url = this.#links[`${EXTENSION}layer`];

		return url ? this.#post(url, rid ? { rid } : {}).then((reply) => reply.ok, () => false) : Promise.resolve(false);
	}

	// One when the one before has been answered: where a machine is slow they would come together, and be refused.
	#tellLater() {
		this.#teller = setTimeout(() => this.#tell().catch(() => {}).finally(() => this.#ended || this.#tellLater()), Math.max(1000, this.#every));
	}

	// How the pictures reach the screen, for who runs the server.
	async #tell() {
		const seen = { lost: 0 };

		(await this.pc.getStats()).forEach((s) => {
			if (s.type !== "inbound-rtp")
				return;
			seen.lost += s.packetsLost ?? 0;
			if (s.kind === "video")
				Object.assign(seen, { frames: s.framesDecoded ?? 0, dropped: s.framesDropped ?? 0, freezes: s.freezeCount ?? 0, frozen_ms: Math.round(1000 * (s.totalFreezesDuration ?? 0)),
					jitter_us: Math.round(1e6 * (s.jitter ?? 0)), width: s.frameWidth ?? 0, height: s.frameHeight ?? 0, fps: Math.round(s.framesPerSecond ?? 0) });
		});
		if (this.#resource)
			await fetch(this.#resource, { method: "PATCH", body: JSON.stringify(seen), headers: { "Content-Type": "application/json", ...withToken(this.#token) } });
	}

	#connected(pc, door) {
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => reject(new Trouble("The way for the picture is blocked",
				`The server answers, but nothing comes through ${door}. A firewall, a VPN or a guest network is in the way: try another network, or ask who runs it to let that port through.`)), PATH_MS);
			const look = () => {
				if (pc.connectionState !== "connected" && pc.connectionState !== "closed")
					return;
				clearTimeout(timer);
				resolve();
			};

			pc.addEventListener("connectionstatechange", look);
			look();
		});
	}

	#look() {
		const state = this.pc?.connectionState;

		clearTimeout(this.#timer);
		if (this.#ended || state === "connected")
			return;
		this.#timer = setTimeout(() => !this.#ended && this.#onLost(), state === "failed" || state === "closed" ? 0 : AWAY_MS);
	}

	async #leave() {
		const resource = this.#resource;

		this.#resource = "";
		if (resource)
			await fetch(resource, { method: "DELETE", keepalive: true, headers: withToken(this.#token) }).catch(() => {});
	}

	// Resolves when the server knows, or does not answer.
	close() {
		this.#ended = true;
		clearTimeout(this.#timer);
		clearTimeout(this.#teller);
		document.removeEventListener("visibilitychange", this.#open);
		this.#source?.close();
		// In this order: a farewell over the media's way would be there first, and this session unknown.
		return this.#leave().finally(() => this.pc?.close());
	}
}

// What the newest statistics say, and what changed since the ones before.
export class Meter {
	#before = null;

	async read(pc) {
		const now = { at: performance.now(), bytes: 0, lost: 0, packets: 0 };

		(await pc.getStats()).forEach((s) => {
			if (s.type === "inbound-rtp" || s.type === "outbound-rtp")
				this.#add(now, s);
			else if (s.type === "candidate-pair" && s.nominated)
				now.rtt = s.currentRoundTripTime;
			else if (s.type === "remote-inbound-rtp" && s.kind === "video")
				now.fraction = Math.max(now.fraction ?? 0, s.fractionLost ?? 0);
			else if (s.type === "codec" && s.mimeType.startsWith("video/"))
				(now.codecs ??= {})[s.id] = s.mimeType.slice(6);
		});
		const { at, bytes } = this.#before ?? now;

		now.bits = now.at > at ? 8000 * (now.bytes - bytes) / (now.at - at) : 0;
		now.codec = now.codecs?.[now.codecId] ?? "";
		this.#before = now;
		return now;
	}

	#add(now, s) {
		now.bytes += s.bytesReceived ?? s.bytesSent ?? 0;
		now.lost += s.packetsLost ?? 0;
		now.packets += s.packetsReceived ?? s.packetsSent ?? 0;
		if (s.kind !== "video")
			return;
		// Of a picture that is sent in several sizes: the largest that moves.
		const moves = s.framesPerSecond > 0, rank = (moves ? 1e9 : 1) + (s.frameWidth ?? 0) * (s.frameHeight ?? 0);

		now.sizes = (now.sizes ?? 0) + Number(moves);
		if (s.qualityLimitationReason && s.qualityLimitationReason !== "none")
			now.limit = s.qualityLimitationReason;
		if (rank <= now.rank)
			return;
		Object.assign(now, { rank, width: s.frameWidth ?? 0, height: s.frameHeight ?? 0, fps: s.framesPerSecond ?? 0, frames: s.framesDecoded ?? s.framesEncoded ?? 0,
			freezes: s.freezeCount ?? 0, codecId: s.codecId,
			delay: s.jitterBufferEmittedCount ? s.jitterBufferDelay / s.jitterBufferEmittedCount : 0 });
	}
}

export const kbits = (bits) => (bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`);
