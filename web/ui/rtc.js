// rtc: one WebRTC session with this server, by WHIP (sending) or WHEP (watching).
//
//     const session = new Session("whep", room, token, onChange);
//     await session.open(pc)   ──▶ POST offer ──▶ "connected" … "lost"      session.close() ──▶ DELETE
//
// It knows no page. Failures are Trouble: a head, what to do about it, and whether trying again may help.

const PATH_MS = 8000;  // without a path for so long, something is in the way
const AWAY_MS = 4000;  // a path that is away for so long is looked for anew

export class Trouble extends Error {
	constructor(head, text, { again = true, token = false } = {}) {
		super(head);
		Object.assign(this, { head, text, again, token });
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

export const withToken = (value) => (value ? { Authorization: `Bearer ${value}` } : {});

async function reason(reply) {
	try {
		return (await reply.json()).detail ?? "";
	} catch {
		return "";
	}
}

async function refusal(reply, kind) {
	const why = await reason(reply);

	switch (reply.status) {
	case 401:
		return new Trouble(kind === "whip" ? "The server wants a publishing token" : "The server wants a token",
			`Who runs the server has it. Put it in below. (${why})`, { again: false, token: true });
	case 404:
		return new Trouble("Video is off here", "This server carries no WebRTC: sfu.udp is not set.", { again: false });
	case 409:
		return kind === "whip" ? new Trouble("Somebody is on the air here", "This room has a publisher. Choose another room, or wait until it is free.", { again: false })
			: new Trouble("Nobody is on the air here yet", "The picture begins by itself when somebody is.");
	case 422:
		return new Trouble("Your browser and the room do not fit", why, { again: false });
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

function gathered(pc) {
	return new Promise((resolve) => {
		const done = () => pc.iceGatheringState === "complete" && resolve();

		pc.addEventListener("icegatheringstatechange", done);
		setTimeout(resolve, 1500);
		done();
	});
}

export class Session {
	pc = null;

	#kind;
	#room;
	#token;
	#onLost;
	#resource = "";
	#timer = 0;
	#ended = false;

	constructor(kind, room, value, onLost) {
		this.#kind = kind;
		this.#room = room;
		this.#token = value;
		this.#onLost = onLost;
	}

	// Resolves when media may flow; throws Trouble.
	async open(pc, { query = "" } = {}) {
		this.pc = pc;
		await pc.setLocalDescription();
		await gathered(pc);
		let reply;

		try {
			reply = await fetch(`/${this.#kind}/${encodeURIComponent(this.#room)}${query}`, { method: "POST", body: pc.localDescription.sdp,
				headers: { "Content-Type": "application/sdp", ...withToken(this.#token) } });
		} catch {
			throw new Trouble("The server does not answer", "It may be away for a moment, or this device is offline.");
		}
		if (reply.status !== 201)
			throw await refusal(reply, this.#kind);
		this.#resource = reply.headers.get("Location");
		const answer = await reply.text();

		if (this.#ended) {
			this.close();
			return;
		}
		await pc.setRemoteDescription({ type: "answer", sdp: answer });
		await this.#connected(pc, doorOf(answer));
		pc.addEventListener("connectionstatechange", () => this.#look());
		this.#look();
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

	close() {
		this.#ended = true;
		clearTimeout(this.#timer);
		// In this order: a farewell over the media's way would be there first, and this session unknown.
		this.#leave().finally(() => this.pc?.close());
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
				now.fraction = s.fractionLost;
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
		Object.assign(now, { width: s.frameWidth ?? 0, height: s.frameHeight ?? 0, fps: s.framesPerSecond ?? 0, frames: s.framesDecoded ?? s.framesEncoded ?? 0,
			freezes: s.freezeCount ?? 0, limit: s.qualityLimitationReason, codecId: s.codecId,
			delay: s.jitterBufferEmittedCount ? s.jitterBufferDelay / s.jitterBufferEmittedCount : 0 });
	}
}

export const kbits = (bits) => (bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`);
