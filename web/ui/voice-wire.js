// voice-wire: what Mumble's clients and servers say to each other, as far as a page needs it: frames, the
// messages in them, and voice packets in the form since 1.5. Bytes in, objects out, and back.
//
//     frame    type (2 bytes) · length (4) · body            both big-endian
//     body     protobuf; a voice packet in type 1: 0 · message Audio

const text = new TextEncoder();
const words = new TextDecoder();
const HEAD = 6;

// name: [number, { field: [number, kind] }]; kinds: u number, b yes or no, s text, y bytes, f float; with * many.
const messages = {
	version: [0, { version_v1: [1, "u"], release: [2, "s"], os: [3, "s"], version_v2: [5, "u"] }],
	tunnel: [1, null],
	authenticate: [2, { username: [1, "s"], password: [2, "s"], tokens: [3, "s*"], opus: [5, "b"] }],
	ping: [3, { timestamp: [1, "u"] }],
	reject: [4, { type: [1, "u"], reason: [2, "s"] }],
	server_sync: [5, { session: [1, "u"], welcome_text: [3, "s"] }],
	channel_remove: [6, { channel_id: [1, "u"] }],
	channel_state: [7, {
		channel_id: [1, "u"], parent: [2, "u"], name: [3, "s"], temporary: [8, "b"], position: [9, "u"], max_users: [11, "u"],
		is_enter_restricted: [12, "b"], can_enter: [13, "b"],
	}],
	user_remove: [8, { session: [1, "u"], actor: [2, "u"], reason: [3, "s"], ban: [4, "b"] }],
	user_state: [9, {
		session: [1, "u"], actor: [2, "u"], name: [3, "s"], channel_id: [5, "u"], mute: [6, "b"], deaf: [7, "b"], suppress: [8, "b"],
		self_mute: [9, "b"], self_deaf: [10, "b"], priority_speaker: [18, "b"], recording: [19, "b"],
	}],
	text_message: [11, { actor: [1, "u"], session: [2, "u*"], channel_id: [3, "u*"], tree_id: [4, "u*"], message: [5, "s"] }],
	permission_denied: [12, { permission: [1, "u"], channel_id: [2, "u"], reason: [4, "s"], type: [5, "u"] }],
};
const audio = { target: [1, "u"], context: [2, "u"], session: [3, "u"], frame: [4, "u"], opus: [5, "y"], volume: [7, "f"], last: [16, "b"] };
const named = new Map(Object.entries(messages).map(([name, [number, fields]]) => [number, { name, fields }]));

class Writer {
	#bytes = [];

	varint(value) {
		let rest = BigInt(value);

		for (; rest > 127n; rest >>= 7n)
			this.#bytes.push(Number(rest & 127n) | 128);
		this.#bytes.push(Number(rest));
	}

	put(bytes) {
		for (const byte of bytes)
			this.#bytes.push(byte);
	}

	done() {
		return Uint8Array.from(this.#bytes);
	}
}

function encode(fields, values) {
	const out = new Writer();

	for (const [name, [number, kind]] of Object.entries(fields)) {
		const all = values[name] === undefined ? [] : kind.endsWith("*") ? values[name] : [values[name]];

		for (const value of all) {
			if (kind[0] === "u" || kind[0] === "b") {
				out.varint(number << 3);
				out.varint(Number.isInteger(value) || typeof value === "bigint" ? value : value ? 1 : 0);
			} else {
				const bytes = kind[0] === "s" ? text.encode(value) : value;

				out.varint(number << 3 | 2);
				out.varint(bytes.length);
				out.put(bytes);
			}
		}
	}
	return out.done();
}

class Reader {
	at = 0;

	constructor(bytes) {
		this.bytes = bytes;
		this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}

	get more() {
		return this.at < this.bytes.length;
	}

	// Beyond 2^53 nothing is of interest here but that it is passed over.
	varint() {
		let value = 0;

		for (let scale = 1; ; scale *= 128) {
			if (!this.more)
				throw new RangeError("cut off");
			const byte = this.bytes[this.at++];

			value += (byte & 127) * scale;
			if (byte < 128)
				return value;
		}
	}

	take(length) {
		if (length > this.bytes.length - this.at)
			throw new RangeError("cut off");
		this.at += length;
		return this.bytes.subarray(this.at - length, this.at);
	}
}

function decode(fields, bytes) {
	const known = new Map(Object.entries(fields).map(([name, [number, kind]]) => [number, { name, kind }]));
	const reader = new Reader(bytes), values = {};

	while (reader.more) {
		const tag = reader.varint(), wire = tag % 8, field = known.get(Math.floor(tag / 8));
		let value;

		if (wire === 0) {
			value = reader.varint();
			if (field?.kind[0] === "b")
				value = value !== 0;
		} else if (wire === 2) {
			value = reader.take(reader.varint());
			if (field?.kind[0] === "s")
				value = words.decode(value);
		} else if (wire === 5) {
			value = reader.view.getFloat32(reader.at, true);
			reader.take(4);
		} else {
			reader.take(8);
			continue;
		}
		if (field?.kind.endsWith("*"))
			(values[field.name] ??= []).push(value);
		else if (field)
			values[field.name] = value;
	}
	return values;
}

export function frame(name, values) {
	const [number, fields] = messages[name];
	const body = fields ? encode(fields, values) : values;
	const bytes = new Uint8Array(HEAD + body.length), view = new DataView(bytes.buffer);

	view.setUint16(0, number);
	view.setUint32(2, body.length);
	bytes.set(body, HEAD);
	return bytes;
}

// All frames of a message of the websocket: [name, values]; those that nobody here wants are left out.
export function* frames(buffer) {
	const bytes = new Uint8Array(buffer), view = new DataView(buffer);

	for (let at = 0; at + HEAD <= bytes.length;) {
		const kind = named.get(view.getUint16(at)), length = view.getUint32(at + 2);
		const body = bytes.subarray(at + HEAD, at + HEAD + length);

		at += HEAD + length;
		if (kind)
			yield [kind.name, kind.fields ? decode(kind.fields, body) : body];
	}
}

export function speech(packet) {
	const body = encode(audio, packet), bytes = new Uint8Array(1 + body.length);

	bytes.set(body, 1);
	return frame("tunnel", bytes);
}

// Null: no voice.
export function parseSpeech(bytes) {
	return bytes[0] === 0 ? { context: 0, last: false, ...decode(audio, bytes.subarray(1)) } : null;
}
