// player: one audio element, listening to one mount or to none.
//
//     play(mount) ──▶ connecting ──▶ playing ──▶ stop() ──▶ idle
//                         ▲  waiting ◀──┘ the stream broke off: tries again, ever more slowly
//
// It knows no page: it calls onChange() when its state changes.

import { mountPath } from "./text.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const SILENCE_MS = 10000; // without progress for so long, a connection counts as broken

export class Player {
	mount = "";     // its path; "" when idle
	state = "idle"; // idle connecting playing waiting
	heard = 0;      // seconds listened, over all connections

	#onChange;
	#audio = new Audio();
	#target = null;
	#timer = 0;
	#tries = 0;
	#volume = 1;
	#muted = false;
	#graph = null;
	#heardBefore = 0;
	#moved = { at: 0, position: 0 };

	constructor(onChange) {
		this.#onChange = onChange;
		this.#audio.preload = "none";
		this.#audio.addEventListener("playing", () => this.#enter("playing"));
		this.#audio.addEventListener("error", () => this.#broken());
		this.#audio.addEventListener("ended", () => this.#broken());
		setInterval(() => this.#tick(), 500);
	}

	play(mount) {
		this.#leave();
		this.#target = mount;
		this.mount = mount.mount;
		this.heard = this.#heardBefore = 0;
		this.#tries = 0;
		this.#listen();
		this.#connect();
	}

	stop() {
		this.#leave();
		this.#target = null;
		this.mount = "";
		this.#enter("idle");
	}

	// What waits for its next attempt need not wait when the stream is known to be back.
	hurry() {
		if (this.state === "waiting")
			this.#connect();
	}

	setVolume(volume, muted) {
		this.#volume = volume;
		this.#muted = muted;
		this.#applyVolume();
	}

	// The spectrum as bytes from low to high; null where it cannot be known.
	spectrum() {
		if (!this.#graph || this.state !== "playing")
			return null;
		this.#graph.analyser.getByteFrequencyData(this.#graph.levels);
		return this.#graph.levels;
	}

	// What the server last said of the mount that is listened to; null when idle.
	get target() {
		return this.#target;
	}

	// Behind an audio graph, Safari goes silent when the screen is locked: it listens without one.
	#listen() {
		if (this.#graph || !window.AudioContext || navigator.vendor?.startsWith("Apple"))
			return;
		const context = new AudioContext({ latencyHint: "playback" });
		const analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0.82 });
		const gain = new GainNode(context);

		context.createMediaElementSource(this.#audio).connect(analyser);
		analyser.connect(gain).connect(context.destination);
		this.#graph = {
			context, analyser, gain, levels: new Uint8Array(analyser.frequencyBinCount),
		};
		this.#applyVolume();
	}

	// The graph's gain lies behind the analyser, so that the spectrum shows the stream and not
	// the volume. The ear hears powers: squared, the slider feels even.
	#applyVolume() {
		const loud = this.#muted ? 0 : this.#volume ** 2;

		if (this.#graph)
			this.#graph.gain.gain.setTargetAtTime(loud, this.#graph.context.currentTime, 0.02);
		else
			this.#audio.volume = loud;
	}

	#connect() {
		clearTimeout(this.#timer);
		this.#heardBefore = this.heard;
		this.#moved = { at: performance.now(), position: 0 };
		this.#graph?.context.resume();
		this.#audio.src = mountPath(this.#target);
		this.#enter("connecting");
		this.#audio.play().catch((error) => {
			// A new attempt or a stop aborts this one; a browser that forbids sound before
			// the first touch is not asked again.
			if (error.name === "NotAllowedError")
				this.stop();
		});
	}

	#leave() {
		clearTimeout(this.#timer);
		this.#audio.pause();
		this.#audio.removeAttribute("src");
		this.#audio.load(); // lets go of the connection
	}

	#enter(state) {
		if (state === "playing")
			this.#tries = 0;
		if (this.state !== state || state === "connecting") {
			this.state = state;
			this.#onChange();
		}
	}

	#broken() {
		if (!this.#target || this.state === "waiting")
			return;
		this.#leave();
		const wait = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];

		this.#timer = setTimeout(() => this.#connect(), wait);
		this.#enter("waiting");
	}

	#tick() {
		const position = this.#audio.currentTime;
		const now = performance.now();

		if (!this.#target || this.state === "waiting")
			return;
		if (position !== this.#moved.position)
			this.#moved = { at: now, position };
		else if (now - this.#moved.at > SILENCE_MS)
			this.#broken();
		if (this.state === "playing")
			this.heard = this.#heardBefore + position;
	}
}
