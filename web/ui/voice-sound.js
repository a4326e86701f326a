// voice-sound: the microphone as Opus packets, and everybody else's packets as sound.
//
//     microphone ─▶ voice-ear ─▶ gate ─▶ AudioEncoder ─▶ onpacket
//     hear(packet) ─▶ AudioDecoder of that speaker ─▶ voice-mouth ─▶ his volume ─▶ loudspeaker
//
// WebCodecs and worklets are only there on https and on this machine; missing() says what is not.

const RATE = 48000;
const OUTPUT_MS = 4000; // that the sound card may take to wake up
const PIECE_US = 20000;
const LOUD = 0.004;    // RMS of a voice that an open microphone is opened by: -48 dB
const HANG_PIECES = 30; // so long it stays open
const BEFORE = 4;       // pieces from before it opened, which have the beginning of the word

export function missing() {
	if (!window.isSecureContext)
		return "Browsers give sound to pages on https only. You can read and write here; to hear and speak, open this page with https://.";
	if (!("AudioDecoder" in window) || !("AudioEncoder" in window) || !("AudioWorkletNode" in window))
		return "This browser cannot decode Opus for a page (WebCodecs is missing). You can read and write; newer versions of Chrome, Edge, Firefox and Safari can speak, as can Mumble.";
	return null;
}

function whyNot(error) {
	if (error.name === "NotAllowedError")
		return "The microphone was not allowed. You hear everybody; to speak, allow it in the browser's settings for this page and press the microphone again.";
	if (error.name === "NotFoundError")
		return "No microphone was found. You hear everybody; plug one in and press the microphone again to speak.";
	return `The microphone cannot be used: ${error.message}`;
}

class Speaker {
	constructor(sound, session) {
		this.sound = sound;
		this.node = new AudioWorkletNode(sound.context, "voice-mouth", { numberOfInputs: 0, outputChannelCount: [1] });
		this.gain = new GainNode(sound.context, { gain: sound.volumes.get(session) ?? 1 });
		this.node.connect(this.gain).connect(sound.context.destination);
	}

	#make() {
		this.decoder = new AudioDecoder({
			output: (data) => {
				const samples = new Float32Array(data.numberOfFrames);

				data.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
				data.close();
				this.node.port.postMessage(samples, [samples.buffer]);
			},
			error: () => { this.decoder = null; },
		});
		this.decoder.configure({ codec: "opus", sampleRate: RATE, numberOfChannels: 1 });
	}

	hear({ opus, frame = 0, last }) {
		if (opus?.length) {
			if (!this.decoder || this.decoder.state === "closed")
				this.#make();
			this.decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: frame * 10000, data: opus }));
		}
		if (last)
			this.decoder?.flush().then(() => this.node.port.postMessage("end"), () => {});
	}

	close() {
		if (this.decoder && this.decoder.state !== "closed")
			this.decoder.close();
		this.node.port.postMessage("close");
		this.gain.disconnect();
	}
}

export class VoiceSound {
	volumes = new Map(); // session → factor
	onpacket = () => {};
	onspeaks = () => {};
	onlevel = () => {};
	#speakers = new Map();
	#stream = null;
	#encoder = null;
	#pressed = false;
	#open = false;   // an open microphone instead of push to talk
	#muted = false;
	#clock = 0;      // pieces since the microphone came
	#speaks = false;
	#hang = 0;
	#before = [];
	#lastStamp = null;

	// To be called in the turn of a click, or browsers stay silent.
	async start() {
		this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
		// Where there is no loudspeaker Firefox waits for one, without a word.
		const late = new Promise((_, reject) => setTimeout(reject, OUTPUT_MS, new Error("no loudspeaker or headphones were found. You can read and write; plug some in and come in again to hear and speak.")));

		try {
			await Promise.race([this.context.resume(), late]);
		} catch (error) {
			this.context.close();
			throw error;
		}
		await this.context.audioWorklet.addModule("/ui/voice-worklet.js");
	}

	get hasMicrophone() {
		return this.#stream !== null;
	}

	// Null, or why there is none.
	async openMicrophone() {
		try {
			this.#stream = await navigator.mediaDevices.getUserMedia({
				audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
			});
		} catch (error) {
			return whyNot(error);
		}
		const ear = new AudioWorkletNode(this.context, "voice-ear", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });

		ear.port.onmessage = ({ data }) => this.#take(data);
		new MediaStreamAudioSourceNode(this.context, { mediaStream: this.#stream }).connect(ear);
		this.#encoder = new AudioEncoder({ output: (chunk) => this.#send(chunk), error: () => {} });
		this.#encoder.configure({
			codec: "opus", sampleRate: RATE, numberOfChannels: 1, bitrate: 40000, opus: { frameDuration: PIECE_US, application: "voip" },
		});
		return null;
	}

	setOpen(open) {
		this.#open = open;
	}

	setMuted(muted) {
		this.#muted = muted;
	}

	press(pressed) {
		this.#pressed = pressed;
	}

	#isWanted(samples) {
		if (this.#muted)
			return false;
		if (!this.#open)
			return this.#pressed;
		const level = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);

		this.#hang = level > LOUD ? HANG_PIECES : Math.max(0, this.#hang - 1);
		return this.#hang > 0;
	}

	#take(samples) {
		const stamp = this.#clock++ * PIECE_US, wanted = this.#isWanted(samples);

		if (wanted && !this.#speaks && this.#open)
			this.#before.forEach((one) => this.#encode(one.samples, one.stamp));
		if (wanted || this.#speaks)
			this.#encode(samples, stamp);
		if (this.#speaks && !wanted) {
			this.#lastStamp = stamp;
			this.#before = [];
		} else if (!wanted) {
			this.#before = [...this.#before.slice(1 - BEFORE), { samples, stamp }];
		}
		if (this.#speaks !== wanted)
			this.onspeaks(wanted);
		this.#speaks = wanted;
	}

	#encode(samples, timestamp) {
		const data = new AudioData({ format: "f32-planar", sampleRate: RATE, numberOfFrames: samples.length, numberOfChannels: 1, timestamp, data: samples });

		this.#encoder.encode(data);
		data.close();
	}

	#send(chunk) {
		const opus = new Uint8Array(chunk.byteLength), last = this.#lastStamp !== null && chunk.timestamp >= this.#lastStamp;

		if (last)
			this.#lastStamp = null;
		chunk.copyTo(opus);
		this.onpacket({ opus, frame: Math.round(chunk.timestamp / 10000), last });
	}

	hear(packet) {
		if (!this.#speakers.has(packet.session))
			this.#speakers.set(packet.session, new Speaker(this, packet.session));
		this.#speakers.get(packet.session).hear(packet);
	}

	setVolume(session, factor) {
		const speaker = this.#speakers.get(session);

		this.volumes.set(session, factor);
		if (speaker)
			speaker.gain.gain.value = factor;
	}

	forget(session) {
		this.#speakers.get(session)?.close();
		this.#speakers.delete(session);
		this.volumes.delete(session);
	}

	stop() {
		for (const session of [...this.#speakers.keys()])
			this.forget(session);
		this.#stream?.getTracks().forEach((track) => track.stop());
		this.#stream = null;
		if (this.#encoder && this.#encoder.state !== "closed")
			this.#encoder.close();
		this.context?.close();
	}
}
