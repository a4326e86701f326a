// ring: draws the spectrum as a ring of spokes around the play button.
//
// The spokes are the stream's own levels, low tones at the top and high ones at the bottom, the same
// on both sides. Where levels cannot be known, or motion is not wanted, the ring is drawn still.

const SPOKES = 36; // on each side
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Spoke i's share of the bins: wider towards the high tones, as the ear hears.
function binsOf(i, bins) {
	const edge = (n) => Math.floor(2 + (bins * 0.62 - 2) * (n / SPOKES) ** 2.1);

	return [edge(i), Math.max(edge(i) + 1, edge(i + 1))];
}

function levelOf(levels, i) {
	const [from, to] = binsOf(i, levels.length);
	let most = 0;

	for (let bin = from; bin < to; bin++)
		most = Math.max(most, levels[bin]);
	// High tones are weaker in all music; without a lift half the ring would lie still.
	return Math.min(1, (most / 255) ** 1.4 * (0.9 + 0.9 * i / SPOKES));
}

export class Ring {
	#canvas;
	#player;
	#frame = 0;
	#heights = new Float32Array(SPOKES);

	constructor(canvas, player) {
		this.#canvas = canvas;
		this.#player = player;
		still.addEventListener("change", () => this.update());
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.update());
		this.update();
	}

	// To be called when the player's state changed.
	update() {
		cancelAnimationFrame(this.#frame);
		const seen = this.#canvas.getClientRects().length > 0;

		if (this.#player.state === "playing" && seen && !still.matches) {
			this.#frame = requestAnimationFrame(() => this.#run());
		} else {
			this.#heights.fill(0);
			this.#draw();
		}
	}

	#run() {
		const levels = this.#player.spectrum();

		for (let i = 0; i < SPOKES; i++) {
			const level = levels ? levelOf(levels, i) : 0;

			this.#heights[i] = Math.max(level, this.#heights[i] * 0.9);
		}
		this.#draw();
		this.#frame = requestAnimationFrame(() => this.#run());
	}

	#draw() {
		const pen = this.#canvas.getContext("2d");
		const size = this.#canvas.width;
		const style = getComputedStyle(this.#canvas);
		const loud = style.getPropertyValue("--copper");
		const quiet = style.getPropertyValue("--line-strong");
		const inner = size * 0.36;
		const reach = size * 0.12;

		pen.clearRect(0, 0, size, size);
		pen.lineCap = "round";
		pen.lineWidth = size * 0.0165;
		for (let i = 0; i < SPOKES; i++) {
			const height = this.#heights[i];

			pen.strokeStyle = height > 0.02 ? loud : quiet;
			for (const side of [-1, 1]) {
				const angle = side * Math.PI * (i + 0.5) / SPOKES - Math.PI / 2;
				const x = Math.cos(angle);
				const y = Math.sin(angle);

				pen.beginPath();
				pen.moveTo(size / 2 + x * inner, size / 2 + y * inner);
				pen.lineTo(size / 2 + x * (inner + reach * height + 0.5),
					size / 2 + y * (inner + reach * height + 0.5));
				pen.stroke();
			}
		}
	}
}
