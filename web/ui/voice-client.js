// voice-client: one visit to the rooms: the websocket, and what is known of rooms and people.
//
//     socket ─▶ frames ─▶ channels, users ─▶ "change"   ─▶ the page
//                  └────▶ speech ──────────▶ "speech"   ─▶ the loudspeaker
//
// Events: joined, change, speech, text, denied, refused (with why), gone (sent away, with why), lost (the
// connection, with why).

import { frame, frames, parseSpeech, speech } from "./voice-wire.js";

const PING_MS = 5000;
const LATE_BYTES = 4096; // what waits to be sent: more speech on top of it would come too late
const SPEAKS_MS = 400;

export class VoiceClient extends EventTarget {
	channels = new Map();
	users = new Map();
	session = null;
	#socket;
	#timer;
	#tokens;

	constructor(url, tokens = []) {
		super();
		this.#tokens = tokens;
		this.#socket = new WebSocket(url);
		this.#socket.binaryType = "arraybuffer";
		this.#socket.addEventListener("message", ({ data }) => this.#take(data));
		this.#socket.addEventListener("close", ({ reason }) => this.#end(reason || "The connection to the server was lost.", "lost"));
	}

	#say(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { detail }));
	}

	#send(name, values) {
		if (this.#socket.readyState === WebSocket.OPEN)
			this.#socket.send(frame(name, values));
	}

	#end(why, how = "gone") {
		clearInterval(this.#timer);
		if (!this.over)
			this.#say(how, why);
		this.over = true;
	}

	join(name, password) {
		this.#socket.addEventListener("open", () => {
			this.#send("version", { version_v1: 0x10500, version_v2: 0x1000500000000n, release: "ringmain page", os: "Web" });
			this.#send("authenticate", { username: name, password, tokens: this.#tokens, opus: true });
			this.#timer = setInterval(() => this.#send("ping", { timestamp: Math.round(performance.now()) }), PING_MS);
		});
	}

	leave() {
		this.over = true;
		clearInterval(this.#timer);
		this.#socket.close(1000);
	}

	get tokens() {
		return this.#tokens;
	}

	get me() {
		return this.users.get(this.session);
	}

	enter(channel, token) {
		if (token) {
			this.#tokens.push(token);
			this.#send("authenticate", { tokens: this.#tokens });
		}
		this.#send("user_state", { session: this.session, channel_id: channel });
	}

	setMuted(muted, deaf) {
		this.#send("user_state", { session: this.session, self_mute: muted || deaf, self_deaf: deaf });
	}

	write(words) {
		const safe = words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\n/g, "<br>");

		this.#send("text_message", { channel_id: [this.me.channel], message: safe });
	}

	// False: the way to the server is stuffed, and the packet is dropped.
	speak(packet) {
		if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > LATE_BYTES)
			return false;
		this.#socket.send(speech({ target: 0, ...packet }));
		return true;
	}

	#take(data) {
		for (const [name, values] of frames(data)) {
			const take = this[`on_${name}`];

			if (take)
				take.call(this, values);
		}
	}

	on_tunnel(bytes) {
		const packet = parseSpeech(bytes), user = packet && this.users.get(packet.session);

		if (!user)
			return;
		clearTimeout(user.silence);
		if (!packet.last)
			user.silence = setTimeout(() => this.#speaks(user, false), SPEAKS_MS);
		this.#speaks(user, !packet.last);
		if (!this.me?.self_deaf)
			this.#say("speech", packet);
	}

	#speaks(user, speaks) {
		if (user.speaks === speaks)
			return;
		user.speaks = speaks;
		this.#say("change");
	}

	// What the page itself says is not sent back to it.
	selfSpeaks(speaks) {
		if (this.me)
			this.#speaks(this.me, speaks);
	}

	on_reject({ reason, type }) {
		this.over = true;
		clearInterval(this.#timer);
		this.#say("refused", { reason, password: type === 3 || type === 4, taken: type === 5 });
	}

	on_server_sync({ session, welcome_text }) {
		this.session = session;
		this.#say("joined", welcome_text);
		this.#say("change");
	}

	on_channel_state(values) {
		const { channel_id: id = 0, ...rest } = values;

		this.channels.set(id, { name: "", position: 0, ...this.channels.get(id), ...rest, id });
		this.#say("change");
	}

	on_channel_remove({ channel_id: id }) {
		this.channels.delete(id);
		this.#say("change");
	}

	on_user_state(values) {
		const { session, channel_id: channel, actor, ...rest } = values, before = this.users.get(session);
		const user = before ?? { name: "", channel: 0, session, speaks: false };

		Object.assign(user, rest);
		if (channel !== undefined)
			user.channel = channel;
		this.users.set(session, user);
		if (rest.recording !== undefined && this.session !== null)
			this.#say("recording", { user, recording: rest.recording });
		this.#say("change");
	}

	on_user_remove({ session, reason, ban }) {
		const user = this.users.get(session);

		clearTimeout(user?.silence);
		this.users.delete(session);
		if (session === this.session)
			this.#end(`You were ${ban ? "banned" : "sent away"}${reason ? `: ${reason}` : "."}`);
		else
			this.#say("left", user);
		this.#say("change");
	}

	on_text_message({ actor, message }) {
		this.#say("text", { from: this.users.get(actor)?.name, html: message });
	}

	on_permission_denied(values) {
		this.#say("denied", values);
	}
}
