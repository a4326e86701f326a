// live: the server's state, kept up to date over one event stream.
//
//     /api/v1/events ── snapshot, deltas (RFC 7396) ──▶ live.state ──▶ everybody who watches
//
// When the stream breaks the browser comes again by itself; when the server says no for good (the
// session has ended) the login page is next, which api.js decides when it is asked something.

import { get } from "./api.js";

const SILENCE_MS = 25000; // the server says something every ten seconds at least

function merge(target, patch) {
	for (const [key, value] of Object.entries(patch)) {
		if (value === null)
			delete target[key];
		else if (typeof value === "object" && !Array.isArray(value)) {
			if (typeof target[key] !== "object" || target[key] === null)
				target[key] = {};
			merge(target[key], value);
		} else {
			target[key] = value;
		}
	}
	return target;
}

class Live {
	state = { server: {}, mounts: {} };
	connected = false;
	logLines = [];

	#watchers = new Set();
	#source = null;
	#heard = 0;
	#rates = []; // [time, bytes_in, bytes_out] of the last seconds

	start() {
		this.#open();
		setInterval(() => this.#look(), 2000);
	}

	// Calls back at once and after each change; the answer ends it.
	watch(callback) {
		this.#watchers.add(callback);
		if (this.connected)
			callback(this.state);
		return () => this.#watchers.delete(callback);
	}

	// Bytes a second, in and out, over the last seconds.
	rates() {
		const first = this.#rates[0];
		const last = this.#rates.at(-1);
		const seconds = first && (last[0] - first[0]) / 1000;

		if (!seconds)
			return { in: 0, out: 0 };
		return { in: Math.max(0, last[1] - first[1]) / seconds, out: Math.max(0, last[2] - first[2]) / seconds };
	}

	#open() {
		this.#source?.close();
		this.#heard = performance.now();
		const source = this.#source = new EventSource("/api/v1/events");

		source.addEventListener("snapshot", (event) => {
			this.state = JSON.parse(event.data);
			this.#rates = [];
			this.#changed();
		});
		source.addEventListener("delta", (event) => {
			merge(this.state, JSON.parse(event.data));
			this.#changed();
		});
		source.addEventListener("log", (event) => {
			this.logLines.push(...JSON.parse(event.data).lines);
			this.logLines.splice(0, Math.max(0, this.logLines.length - 1000));
			this.#changed();
		});
		source.addEventListener("error", () => this.#broken());
	}

	#changed() {
		const now = performance.now();
		const { server } = this.state;

		this.connected = true;
		this.#heard = now;
		this.#rates.push([now, server.bytes_in, server.bytes_out]);
		while (this.#rates.length > 2 && now - this.#rates[0][0] > 4000)
			this.#rates.shift();
		this.#tell();
	}

	#tell() {
		for (const watcher of this.#watchers)
			watcher(this.state);
	}

	#broken() {
		if (this.connected) {
			this.connected = false;
			this.#tell();
		}
		// Refused for good: why? A 401 leads to the login.
		if (this.#source.readyState === EventSource.CLOSED)
			get("/server").catch(() => {});
	}

	#look() {
		if (performance.now() - this.#heard < SILENCE_MS && this.#source.readyState !== EventSource.CLOSED)
			return;
		this.#broken();
		this.#open();
	}
}

export const live = new Live();
