"use strict";
// framecache: slots of raw video for Node. Control is here, pixels are in native threads; see README.md.
const { EventEmitter } = require("node:events");
const fs = require("node:fs");
const path = require("node:path");
const native = require(process.env.FRAMECACHE_ADDON || path.join(__dirname, "build", "framecache.node"));

const KINDS = { rawvideo: 0, pcm: 1, none: 2 };
const STARTS = { newest: 0, next: 1, oldest: 2 };
const FLAGS = Object.freeze({ NO_SIGNAL: 1, REPEATED: 2, DISCONTINUITY: 4 });
const STEP_MS = 100; // a read waits in steps: who ends, closes or wants libuv's pool waits for one at most
const ENDS = new Set(["superseded", "broken"]);

// A native thread from a slot to a descriptor. "stats" once a second, "state", "lost", then "end" once.
class Pump extends EventEmitter {
	#native;
	#lost = 0;
	#own = null;
	stats = null;

	constructor(slotId, { fd, path: file, format = "rawvideo", start = "next" } = {}) {
		super();
		if (!(format in KINDS) || !(start in STARTS))
			throw new TypeError("format is rawvideo, pcm or none; start is newest, next or oldest");
		if (file !== undefined)
			// For a FIFO: opened to read too, so that this does not wait for somebody who reads.
			fd = this.#own = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NONBLOCK, 0o660);
		try {
			this.#native = native.pump(slotId, KINDS[format], format === "none" ? -1 : fd ?? -2, STARTS[start],
				(report) => this.#told(report));
		} finally {
			// The thread has its own.
			if (this.#own !== null)
				fs.closeSync(this.#own);
		}
		Pump.#running.add(this);
	}

	// A pump that nobody holds goes on.
	static #running = new Set();

	#told(report) {
		this.stats = report;
		if (report.over) {
			Pump.#running.delete(this);
			native.pumpEnd(this.#native);
		}
		if (report.lost > this.#lost)
			this.emit("lost", report.lost - this.#lost, report);
		this.#lost = report.lost;
		if (report.changed)
			this.emit("state", report.state, report);
		this.emit("stats", report);
		if (report.over)
			this.emit("end", report);
	}

	// Resolves when it has ended.
	stop() {
		if (!Pump.#running.has(this))
			return Promise.resolve(this.stats);
		const ended = new Promise((resolve) => this.once("end", resolve));
		native.pumpEnd(this.#native);
		return ended;
	}
}

class Slot extends EventEmitter {
	#reader;
	#looker;
	#watch = null;
	#position = null;
	#lost = 0;
	#reading = false;

	constructor(slotId) {
		super();
		this.id = slotId;
		this.#looker = native.open(slotId);
		this.#reader = native.open(slotId);
		// Watching costs a thread; nobody has one who does not listen.
		this.on("newListener", (event) => {
			if ((event === "state" || event === "lost") && !this.#watch && this.#looker) {
				this.#watch = new Pump(slotId, { format: "none" });
				this.#watch.on("state", (state, report) => this.emit("state", state, report));
				this.#watch.on("lost", (count, report) => this.emit("lost", count, report));
			}
		});
	}

	#open() {
		if (!this.#looker)
			throw Object.assign(new Error("the slot is closed"), { code: "EBADF" });
	}

	info() {
		this.#open();
		const info = native.info(this.#looker);
		if (this.#position !== null)
			Object.assign(info, { position: this.#position, lag: Math.max(0, info.writeCursor - this.#position) });
		return Object.assign(info, { lost: this.#lost });
	}

	// The next frame as a copy, or null when there is none in time. Rejects where the slot is over.
	async readFrameCopy(timeoutMs = 1000) {
		this.#open();
		if (!(timeoutMs >= 0 && timeoutMs <= 3600000))
			throw Object.assign(new Error("timeout: 0 to 3600000 milliseconds"), { code: "EINVAL" });
		if (this.#reading)
			throw Object.assign(new Error("a read is under way"), { code: "EBUSY" });
		this.#reading = true;
		try {
			return await this.#read(performance.now() + timeoutMs);
		} finally {
			this.#reading = false;
		}
	}

	async #read(end) {
		const buffer = Buffer.allocUnsafeSlow(native.info(this.#reader).frameSize);
		for (;;) {
			const left = Math.ceil(Math.max(0, end - performance.now()));
			const frame = await native.read(this.#reader, Math.min(left, STEP_MS), buffer);
			if (typeof frame !== "string") {
				this.#position = frame.index + 1;
				this.#lost += frame.lost;
				return frame;
			}
			if (ENDS.has(frame) || frame === "closed")
				throw Object.assign(new Error(`the slot is ${frame}`), { code: frame.toUpperCase() });
			if (performance.now() >= end || !this.#looker)
				return null;
		}
	}

	seek(where, index = 0) {
		this.#open();
		const place = typeof where === "number" ? 3 : STARTS[where];
		if (place === undefined)
			throw new TypeError("newest, next, oldest or a number");
		native.seek(this.#reader, place, place === 3 ? where : index);
		this.#position = null;
	}

	pump(options) {
		this.#open();
		return new Pump(this.id, options);
	}

	close() {
		this.#watch?.stop();
		this.#watch = null;
		if (!this.#looker)
			return;
		native.close(this.#looker);
		native.close(this.#reader);
		this.#looker = this.#reader = null;
	}

	[Symbol.dispose ?? Symbol.for("dispose")]() {
		this.close();
	}
}

function open(slotId) {
	return new Slot(slotId);
}

// Waits until there is such a slot.
async function openWait(slotId, timeoutMs = 10000) {
	const end = Date.now() + timeoutMs;
	for (;;) {
		try {
			return new Slot(slotId);
		} catch (error) {
			if (error.code !== "ENOENT" || Date.now() >= end)
				throw error;
		}
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

module.exports = {
	open, openWait, Slot, Pump, FLAGS,
	// By the names of the C library.
	fc_open: open,
	fc_read_frame: (slot, timeoutMs) => slot.readFrameCopy(timeoutMs),
	fc_close: (slot) => slot.close(),
};
