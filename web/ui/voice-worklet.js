// voice-worklet: on the thread of the sound: what the microphone gives in pieces of 20 ms, and what
// somebody says out of a small buffer that takes up the jitter of the way here.

const PIECE = 960;   // 20 ms at 48 kHz
const BEGIN = 2880;  // so much must be there before it is played: 60 ms
const MOST = 12000;  // more has piled up: it goes on nearer to now
const KEEP = 4800;

class Ear extends AudioWorkletProcessor {
	#piece = new Float32Array(PIECE);
	#filled = 0;

	process([[input]]) {
		for (let at = 0; input && at < input.length;) {
			const part = input.subarray(at, at + PIECE - this.#filled);

			this.#piece.set(part, this.#filled);
			this.#filled += part.length;
			at += part.length;
			if (this.#filled === PIECE) {
				this.port.postMessage(this.#piece, [this.#piece.buffer]);
				this.#piece = new Float32Array(PIECE);
				this.#filled = 0;
			}
		}
		return true;
	}
}

class Mouth extends AudioWorkletProcessor {
	#pieces = [];
	#at = 0;
	#waiting = 0;
	#plays = false;
	#ends = false; // the speaker pauses behind what is there
	#open = true;

	constructor() {
		super();
		this.port.onmessage = ({ data }) => {
			if (data === "end") {
				this.#ends = true;
			} else if (data === "close") {
				this.#open = false;
			} else {
				this.#pieces.push(data);
				this.#waiting += data.length;
				this.#ends = false;
			}
		};
	}

	#skip(count) {
		for (let rest = count; rest > 0 && this.#pieces.length;) {
			const part = Math.min(rest, this.#pieces[0].length - this.#at);

			this.#at += part;
			rest -= part;
			this.#waiting -= part;
			if (this.#at === this.#pieces[0].length) {
				this.#pieces.shift();
				this.#at = 0;
			}
		}
	}

	process(_, [[output]]) {
		if (this.#waiting > MOST)
			this.#skip(this.#waiting - KEEP);
		if (!this.#plays && (this.#waiting >= BEGIN || (this.#ends && this.#waiting)))
			this.#plays = true;
		for (let filled = 0; this.#plays && filled < output.length;) {
			if (!this.#pieces.length) {
				this.#plays = false;
				break;
			}
			const part = this.#pieces[0].subarray(this.#at, this.#at + output.length - filled);

			output.set(part, filled);
			filled += part.length;
			this.#skip(part.length);
		}
		return this.#open;
	}
}

registerProcessor("voice-ear", Ear);
registerProcessor("voice-mouth", Mouth);
