// send: the page of who publishes: a camera, the screen or a file, into a room of this server.
//
//     choose ──▶ preview ──▶ on the air ──▶ stop          lost: goes on by itself, ever more slowly

import { h, setText } from "./dom.js";
import { Meter, Session, Trouble, kbits, roomHere, token, withToken } from "./rtc.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const LEAVE_MS = 4000; // that the end of a session may take before the next one begins
const qualities = {
	low: ["Low: 360p, 0.6 Mbit/s", 640, 360, 600],
	middle: ["Middle: 720p, 2 Mbit/s", 1280, 720, 2000],
	high: ["High: 1080p, 5 Mbit/s", 1920, 1080, 5000],
};

let stream = null;
let session = null;
let left = Promise.resolve(); // when the session before is over
let onAir = false;
let timer = 0;
let tries = 0;
let onlyOne = false; // the server carries no more sizes of a picture
let meter = new Meter();
const file = document.createElement("video");

const field = (label, input, hint) => h("label.field", null, h("span", null, label), input, hint ? h("small.quiet", null, hint) : null);
const option = (value, text) => h("option", { value }, text);
const video = h("video", { autoplay: true, playsinline: true, muted: true, "aria-label": "Preview" });
const state = h("p.screen-state", { role: "status" }, "Choose what to send.");
const badge = h("p.badge", { hidden: true }, "On the air");
const trouble = h("section.trouble", { role: "alert", hidden: true });
const stats = h("p.send-stats.quiet", { "aria-live": "off" });
const roomInput = h("input", { value: roomHere() || "main", maxlength: 128, required: true, autocomplete: "off", spellcheck: "false", dir: "auto" });
const tokenInput = h("input", { type: "password", value: token("publish"), autocomplete: "off" });
const codec = h("select", null, option("", "Whatever fits best"));
const sizes = h("select", null, option("many", "Several"), option("one", "One"));
const quality = h("select", null, Object.entries(qualities).map(([value, [text]]) => option(value, text)));
const picker = h("input", { type: "file", accept: "video/*,audio/*", hidden: true, "aria-label": "File", onchange: () => picker.files[0] && take(fromFile) });
const sources = [["Camera", fromCamera], ["Screen", fromScreen], ["File", null]].map(([name, open]) =>
	h("button.source", { type: "button", "aria-pressed": "false", onclick: (event) => open ? take(open, event.currentTarget) : picker.click() }, name));
const go = h("button.primary.go", { type: "submit", disabled: true }, "Go on the air");
const link = h("a", { hidden: true, target: "_blank", rel: "noopener" });
const form = h("form.send-form", { onsubmit: (event) => {
	event.preventDefault();
	onAir ? stop() : start();
} }, h("fieldset.sources", null, h("legend", null, "What to send"), sources, picker),
	field("Room", roomInput, "Who watches finds it under this name."), field("Token", tokenInput, "Needed when the server asks for one."),
	field("Codec", codec), field("Quality", quality),
	field("Picture sizes", sizes, "Several: who watches on a thin line gets a smaller one. One: for a thin line or a slow machine of your own."), go, link, stats);

document.body.append(h("header.rtc-top", null, h("h1", null, "Send")),
	h("main.rtc-main", null, h("div.rtc-stage", null, h("div.screen", null, video, state, badge), trouble), form));
video.muted = true;
quality.value = "middle";
for (const name of new Set((window.RTCRtpSender?.getCapabilities?.("video")?.codecs ?? []).map((one) => one.mimeType.slice(6))))
	if (["VP8", "VP9", "H264", "H265", "AV1"].includes(name))
		codec.append(option(name, name));

function complain(error) {
	trouble.hidden = !error;
	trouble.replaceChildren();
	if (error)
		trouble.append(h("h2", null, error.head), h("p", null, error.text));
	if (error?.way)
		trouble.append(h("a.primary", { href: error.way[1], target: "_blank", rel: "noopener" }, error.way[0]));
	if (error?.token)
		tokenInput.focus();
}

function draw() {
	const connected = session?.pc?.connectionState === "connected";
	const room = roomInput.value.trim();

	document.body.dataset.state = connected ? "live" : onAir ? "waiting" : "off";
	badge.hidden = !connected;
	setText(state, !stream ? "Choose what to send." : onAir && !connected ? "Connecting …" : "");
	state.hidden = !state.textContent;
	setText(go, onAir ? "Stop" : "Go on the air");
	go.classList.toggle("danger", onAir);
	go.disabled = !stream;
	for (const one of [roomInput, tokenInput, codec, sizes])
		one.disabled = onAir;
	link.hidden = !connected;
	link.href = `/watch/${encodeURIComponent(room)}`;
	setText(link, `Watch ${room}`);
	if (!connected)
		setText(stats, "");
}

// What browsers say, in words that tell what to do.
function explain(error, what) {
	switch (error.name) {
	case "NotAllowedError":
	case "SecurityError":
		return new Trouble(`The ${what} is not allowed`, `The browser was told not to give this page the ${what}. Allow it by the sign beside the address, and choose again. On a phone, the system's settings may forbid it to the browser.`);
	case "NotFoundError":
	case "OverconstrainedError":
		return new Trouble(`There is no ${what}`, "None is connected, or another cable has come loose. A screen or a file can be sent without one.");
	case "NotReadableError":
	case "AbortError":
		return new Trouble(`The ${what} is in use`, "Another program has it. Close that one, and choose again.");
	default:
		return new Trouble(`The ${what} cannot be had`, String(error.message || error));
	}
}

function devices() {
	if (!navigator.mediaDevices)
		throw new Trouble("The browser gives no camera to this address", "Browsers give cameras and screens only to pages that came over https, or from this machine itself. Ask who runs the server for its https address.");
	return navigator.mediaDevices;
}

const size = () => {
	const [, width, height] = qualities[quality.value];

	return { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } };
};

async function fromCamera() {
	try {
		return await devices().getUserMedia({ video: size(), audio: true });
	} catch (error) {
		if (error.name !== "NotFoundError")
			throw error instanceof Trouble ? error : explain(error, "camera");
	}
	// No microphone is no reason to show nothing.
	return devices().getUserMedia({ video: size() }).catch((error) => { throw explain(error, "camera"); });
}

async function fromScreen() {
	if (!devices().getDisplayMedia)
		throw new Trouble("This browser cannot send its screen", "Phones cannot. Use a computer for that, or the camera.");
	return devices().getDisplayMedia({ video: true, audio: true }).catch((error) => { throw explain(error, "screen"); });
}

async function fromFile() {
	if (!file.captureStream)
		throw new Trouble("This browser cannot send files", "Chromium can.");
	URL.revokeObjectURL(file.src);
	file.src = URL.createObjectURL(picker.files[0]);
	file.loop = true;
	file.muted = false;
	file.volume = 1;
	await new Promise((resolve, reject) => {
		file.onloadeddata = resolve;
		file.onerror = () => reject(new Trouble("The file cannot be played", "The browser does not know its format. MP4 with H.264 and WebM work everywhere."));
	});
	const media = file.captureStream();

	await file.play().catch(() => {});
	return media;
}

async function take(open, button = sources[2]) {
	try {
		const taken = await open();

		if (open !== fromFile)
			file.pause();
		if (open !== fromFile || stream !== taken)
			stream?.getTracks().forEach((track) => track.stop());
		stream = taken;
		video.srcObject = stream;
		complain(null);
		for (const one of sources)
			one.setAttribute("aria-pressed", String(one === button));
		for (const track of stream.getTracks())
			track.addEventListener("ended", () => taken === stream && ended());
		if (onAir)
			connect();
	} catch (error) {
		complain(error instanceof Trouble ? error : explain(error, "source"));
	}
	draw();
}

// The screen is no longer shared, the camera was pulled out.
function ended() {
	stop();
	stream = null;
	video.srcObject = null;
	complain(new Trouble("The source has ended", "Choose what to send, and go on the air again."));
	draw();
}

function prefer(transceiver) {
	const { codecs } = RTCRtpSender.getCapabilities("video");

	if (codec.value && transceiver.setCodecPreferences)
		transceiver.setCodecPreferences(codecs.filter((one) => one.mimeType === `video/${codec.value}` || /rtx$/.test(one.mimeType)));
}

function drop() {
	clearTimeout(timer);
	if (session)
		left = session.close();
	session = null;
}

function lost(error) {
	drop();
	complain(error);
	if (error && !error.again)
		onAir = false;
	else
		timer = setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
	draw();
}

// The sizes that a picture is sent in: its share of the size and of the bit rate.
const LAYERS = [{ rid: "h", down: 1, share: 1 }, { rid: "m", down: 2, share: 0.3 }, { rid: "l", down: 4, share: 0.1 }];
const SMALL = 480; // a smaller picture of such a one is of use to nobody

function layersOf(track) {
	const { width, height } = track.getSettings();
	const side = Math.max(width || video.videoWidth || file.videoWidth, height || video.videoHeight || file.videoHeight);

	// A picture of 480 is halved once, one of 960 twice.
	return sizes.value === "one" || onlyOne ? 1 : side >= 2 * SMALL ? 3 : side >= SMALL ? 2 : 1;
}

const rateOf = (i) => Math.round(qualities[quality.value][3] * 1000 * LAYERS[i].share);

function encodings(count) {
	return LAYERS.slice(0, count).map(({ rid, down }, i) => count === 1 ? { maxBitrate: rateOf(0) } : { rid, scaleResolutionDownBy: down, maxBitrate: rateOf(i) });
}

// Whether the sizes are really offered, and first with a codec that knows how: of VP9 and AV1 browsers make one
// stream of layers instead, which the server cannot part.
async function offersSizes(pc) {
	const { sdp } = await pc.createOffer();
	const [, picture = ""] = sdp.split(/^m=video/m), [, first] = /^ \S+ \S+ (\d+)/.exec(picture) ?? [];

	return /^a=simulcast:send /m.test(picture) && new RegExp(`^a=rtpmap:${first} (VP8|H264)/`, "mi").test(picture);
}

// count: of the picture's sizes.
function offerOf(count) {
	const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });

	for (const track of stream.getTracks()) {
		const transceiver = pc.addTransceiver(track, { direction: "sendonly", streams: [stream], ...(track.kind === "video" ? { sendEncodings: encodings(count) } : {}) });

		if (track.kind === "video")
			prefer(transceiver);
	}
	return pc;
}

async function makeOffer() {
	const [track] = stream.getVideoTracks(), count = track ? layersOf(track) : 1;

	if (count > 1) {
		let pc = null;

		try {
			pc = offerOf(count);
			if (await offersSizes(pc))
				return pc;
		} catch { /* a browser that does not know it */ }
		pc?.close();
	}
	return offerOf(1);
}

async function connect() {
	drop();
	const mine = session = new Session("whip", roomInput.value.trim(), tokenInput.value, () => mine === session && lost(null));

	meter = new Meter();
	draw();
	try {
		const pc = await makeOffer();

		// Until then it is we who are on the air there.
		await Promise.race([left, new Promise((resolve) => setTimeout(resolve, LEAVE_MS))]);
		if (mine !== session) {
			pc.close();
			return;
		}
		await mine.open(pc);
		if (mine !== session)
			return;
		tries = 0;
		complain(null);
		draw();
	} catch (error) {
		if (mine !== session)
			return;
		// A server may carry fewer layers.
		if (error.unfit && !onlyOne && /^a=simulcast/m.test(mine.offer)) {
			onlyOne = true;
			connect();
			return;
		}
		lost(error instanceof Trouble ? error : new Trouble("Something went wrong", String(error)));
	}
}

function start() {
	token("publish", tokenInput.value);
	onAir = true;
	onlyOne = false;
	tries = 0;
	connect();
}

function stop() {
	onAir = false;
	drop();
	draw();
}

// Another quality holds at once, without a new session.
quality.addEventListener("change", async () => {
	const sender = session?.pc?.getSenders().find((one) => one.track?.kind === "video");

	await stream?.getVideoTracks()[0]?.applyConstraints(size()).catch(() => {});
	if (!sender)
		return;
	const parameters = sender.getParameters();

	parameters.encodings.forEach((one, i) => { one.maxBitrate = rateOf(i); });
	sender.setParameters(parameters);
});
// Who is recorded is told. Where only viewers with a token may see the list, who runs the server says it.
async function askRecorded() {
	const room = roomInput.value.trim();
	const reply = await fetch("/getRoomList", { headers: withToken(tokenInput.value) }).catch(() => null);
	const answer = reply?.ok ? await reply.json() : { recorded: [] };

	setText(badge, answer.recorded.includes(room) ? "On the air, recorded" : "On the air");
}

setInterval(() => onAir && session?.pc?.connectionState === "connected" && askRecorded(), 3000);
setInterval(async () => {
	const pc = session?.pc;

	if (pc?.connectionState !== "connected")
		return;
	const now = await meter.read(pc);

	setText(stats, [now.width ? `${now.width} × ${now.height} · ${Math.round(now.fps)} fps` : "", now.sizes > 1 ? `in ${now.sizes} sizes` : "", now.codec, kbits(now.bits),
		now.fraction ? `${(100 * now.fraction).toFixed(1)} % lost` : "nothing lost",
		now.limit === "cpu" ? "this machine is too slow for more" : now.limit === "bandwidth" ? "the line is too thin for more" : ""].filter(Boolean).join(" · "));
	draw();
}, 1000);
addEventListener("online", () => onAir && session?.pc?.connectionState !== "connected" && connect());
addEventListener("pagehide", drop);
if (!window.RTCPeerConnection)
	complain(new Trouble("This browser has no WebRTC", "Use a current Chromium, Firefox or Safari."));
draw();
