// voice_test: the page of the rooms in a browser with a microphone that is a file, beside voicecat.
//
//     RINGMAIN_BUILD=path/of/build node --test voice_test.mjs

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openChromium } from "./stage.mjs";
import { freePort, Studio, until } from "./studio.mjs";
import { expectWhole, leave, sizes, visit as visitAt } from "./visit.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
let studio, browser, port, files;

const sox = (...args) => execFileSync("sox", args.map(String), { stdio: "ignore" });
const file = (name) => join(files, name);

// The best correlation of the two loudnesses, as in the end-to-end tests.
function likeness(a, b) {
	const script = "import sys; sys.path.insert(0, sys.argv[1]); from envelope import likeness_by_pieces as of; print(of(sys.argv[2], sys.argv[3]))";

	return Number(execFileSync("/usr/bin/python3", ["-c", script, join(here, "../e2e"), a, b], { encoding: "utf8" }));
}

function launch(sound) {
	return openChromium(["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
		`--use-file-for-fake-audio-capture=${sound}%noloop`, "--autoplay-policy=no-user-gesture-required"]);
}

before(async () => {
	port = await freePort();
	studio = new Studio({ "voice.listen": `127.0.0.1:${port}`, "voice.welcome": "<b>Good evening</b>", "voice.superuser_password": "all of it",
		"voice.record_directory": mkdtempSync(join(tmpdir(), "ringmain-recordings-")) });
	await studio.start();
	files = studio.directory;
	execFileSync("espeak-ng", ["-w", file("raw.wav"), "Round the ring main goes the news, and who listens hears it."]);
	// The browser is given silence first, in which the page comes in.
	sox(file("raw.wav"), "-r", 48000, "-c", 1, file("speech.wav"));
	sox(file("speech.wav"), file("capture.wav"), "pad", 12, 3);
	sox("-R", "-n", "-r", 48000, file("noise.wav"), "synth", 3, "pinknoise");
	browser = await launch(file("capture.wav"));
});

after(async () => {
	await browser?.close();
	studio?.stop();
});

const visit = (options) => visitAt(browser, studio.url, "/voice", { login: false, ...options });

async function comeIn(page, name) {
	await page.fill("#voice-name", name);
	await page.click("button:text-is('Come in')");
	await page.waitForSelector(`.voice-name:text-is('${name} (you)')`);
}

function cat(...args) {
	return studio.run("clients/voice/voicecat", [...args, `127.0.0.1:${port}`]);
}

// Keeps what goes to the loudspeaker, behind the jitter buffer and the volumes. On the sound's own thread:
// a ScriptProcessorNode leaves out what the page has no time for.
function keepSound() {
	const tap = `registerProcessor("tap", class extends AudioWorkletProcessor {
		#kept = [];
		process([[input]]) {
			this.#kept.push(...(input ?? []));
			if (this.#kept.length >= 4096)
				this.port.postMessage(this.#kept.splice(0));
			return true;
		}
	})`;
	const connect = AudioNode.prototype.connect, addModule = AudioWorklet.prototype.addModule;

	window.played = [];
	AudioWorklet.prototype.addModule = async function (url) {
		await addModule.call(this, `data:text/javascript,${encodeURIComponent(tap)}`);
		return addModule.call(this, url);
	};
	AudioNode.prototype.connect = function (to, ...rest) {
		if (to instanceof AudioDestinationNode) {
			const node = new AudioWorkletNode(this.context, "tap", { numberOfOutputs: 0 });

			node.port.onmessage = ({ data }) => window.played.push(...data.map((x) => Math.round(x * 32767)));
			connect.call(this, node);
		}
		return connect.call(this, to, ...rest);
	};
}

// A machine that leaves the sound no time makes holes in it: of three times one is to be whole.
test("who speaks into the page is heard by others, and hears them", { timeout: 600000 }, async () => {
	for (let turn = 1; ; turn++) {
		const hearer = cat("--user", "hearer", "--out", file(`heard-${turn}.wav`), "--seconds", 36000);

		try {
			await speakAndHear(hearer, file(`heard-${turn}.wav`));
			return;
		} catch (error) {
			if (turn === 3)
				throw error;
			hearer.kill("SIGKILL");
			await Promise.all(browser.contexts().map((context) => context.close()));
		}
	}
});

async function speakAndHear(hearer, heard) {
	const said = { timeout: 60000 };
	const context = await browser.newContext({ permissions: ["microphone"], bypassCSP: true });
	const page = await context.newPage();

	page.complaints = [];
	page.on("pageerror", (error) => page.complaints.push(String(error)));
	await page.addInitScript(keepSound);
	// Those would make another sound of speech that comes from a file.
	await page.addInitScript(() => {
		const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);

		navigator.mediaDevices.getUserMedia = () => real({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
	});
	await page.goto(`${studio.url}/voice`);
	await comeIn(page, "page");
	await page.waitForSelector(".voice-name:text-is('hearer')");
	await page.click("button:text-is('Open mic')");
	await page.waitForSelector(".voice-person[data-speaks] .voice-name:text-is('page (you)')", said);
	await page.waitForSelector(".voice-person:not([data-speaks]) .voice-name:text-is('page (you)')", said);

	await page.evaluate(() => { window.played.length = 0; });
	const talker = cat("--user", "talker", "--in", file("speech.wav"));

	await page.waitForSelector(".voice-person[data-speaks] .voice-name:text-is('talker')", said);
	await until(() => talker.ended, "talker has spoken");
	let from = 0;

	// Until that is played which lies in the jitter buffer.
	for (let tries = 0; from <= 0.9 && tries < 20; tries++) {
		await page.waitForTimeout(500);
		writeFileSync(file("played.raw"), Int16Array.from(await page.evaluate(() => window.played)));
		sox("-t", "s16", "-r", 48000, "-c", 1, file("played.raw"), file("played.wav"));
		from = likeness(file("speech.wav"), file("played.wav"));
	}
	hearer.kill("SIGINT");
	await until(() => hearer.ended, "the hearer has written its file");
	const to = likeness(file("speech.wav"), heard), noise = likeness(file("noise.wav"), file("played.wav"));

	assert.ok(to > 0.9, `the page is heard: ${to}`);
	assert.ok(from > 0.9, `the page hears: ${from}`);
	assert.ok(noise < 0.7, `and not noise: ${noise}`);
	assert.deepEqual(page.complaints, []);
	await context.close();
}

test("texts go both ways and are words, whatever they say", async () => {
	const page = await visit({ permissions: ["microphone"] });

	await comeIn(page, "writer");
	await page.waitForSelector(".voice-said:text-is('Good evening')");
	const friend = cat("--user", "friend", "--events", "--seconds", 36000, "--text", "<img src=x onerror=window.pwned=1>hello &lt;there&gt;");

	await page.waitForSelector(".voice-said:text-is('hello <there>')");
	await page.fill("#voice-words", "1 < 2 & so on");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".voice-line:has(.voice-from:text-is('writer')) .voice-said:text-is('1 < 2 & so on')");
	await page.click(".voice-person:has(.voice-name:text-is('friend')) summary");
	await page.locator("input[aria-label='Volume of friend']").fill("0.5");
	friend.kill("SIGINT");
	await page.waitForSelector(".voice-name:text-is('friend')", { state: "detached" });
	await leave(page);
});

test("who loses the connection comes in again, muted as before", async () => {
	const page = await visit({ permissions: ["microphone"] });

	await comeIn(page, "back");
	await page.click("button:text-is('Mute')");
	await page.waitForSelector(".voice-state:text-is('muted')");
	studio.server.kill("SIGUSR2"); // an upgrade: pages are not handed on
	await page.waitForSelector(".voice-status:text-is('You are in again as back.')");
	await page.waitForSelector(".voice-person:has(.voice-name:text-is('back (you)')) .voice-state:text-is('muted')");
	await page.click("button:text-is('Leave')");
	await page.waitForSelector(".voice-status:text-is('You have left.')");
	await leave(page, /WebSocket connection .* failed/); // while one server goes and the next is not there yet
});

test("a room that is recorded says so", async () => {
	await studio.api("POST", "/voice/channels/0/recording");
	const page = await visit({ viewport: sizes.phone, permissions: ["microphone"] });

	await comeIn(page, "guest");
	await page.waitForSelector(".voice-person[data-sign]:has-text('Recording'):has-text('this room is recorded')");
	await page.waitForSelector(".voice-said:text-is('This room is being recorded.')");
	await expectWhole(page, "a room that is recorded");
	await studio.api("DELETE", "/voice/channels/0/recording");
	await page.waitForSelector(".voice-person[data-sign]", { state: "detached" });
	await leave(page);
});

test("muted, deaf, by the keyboard alone, and away", async () => {
	const page = await visit({ permissions: ["microphone"] });

	await page.focus("#voice-name");
	await page.keyboard.type("keys");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".voice-talk:focus:has-text('Hold to talk')");
	await page.keyboard.down("Space");
	await page.waitForSelector(".voice-talk[aria-pressed=true]:has-text('You are heard')");
	await page.keyboard.up("Space");
	await page.waitForSelector(".voice-talk[aria-pressed=false]");
	await page.click("button:text-is('Mute')");
	await page.waitForSelector(".voice-state:text-is('muted')");
	await page.click("button:text-is('Deafen')");
	await page.waitForSelector(".voice-state:text-is('deaf, muted')");
	await page.click("button:text-is('Leave')");
	await page.waitForSelector(".voice-door:visible");
	await page.waitForSelector(".voice-status:text-is('You have left.')");
	await leave(page);
});

test("it is whole on a phone and on a desk, by day and by night", async () => {
	for (const [size, viewport] of Object.entries(sizes))
		for (const colorScheme of ["light", "dark"]) {
			const page = await visit({ viewport, colorScheme, permissions: ["microphone"] });

			await expectWhole(page, `door ${size} ${colorScheme}`);
			await comeIn(page, `visitor-${size}-${colorScheme}`);
			await page.waitForSelector(".voice-talk:has-text('Hold to talk')");
			await expectWhole(page, `rooms ${size} ${colorScheme}`);
			if (process.env.SHOTS)
				await page.screenshot({ path: join(process.env.SHOTS, `voice-${size}-${colorScheme}.png`) });
			await leave(page);
		}
});

test("what is missing is said, and the rest goes on", async () => {
	const cases = [
		["WebCodecs is missing", () => { delete window.AudioDecoder; }, "Only text here"],
		["on https only", () => { Object.defineProperty(window, "isSecureContext", { value: false }); }, "Only text here"],
		["was not allowed", () => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError")); }, "Ask for the microphone"],
		["No microphone was found", () => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotFoundError")); }, "Ask for the microphone"],
	];

	for (const [words, script, talk] of cases) {
		const page = await visit({});

		await page.addInitScript(script);
		await page.reload();
		await comeIn(page, "poor");
		await page.waitForSelector(`.voice-notice:has-text('${words}')`);
		await page.waitForSelector(`.voice-talk:has-text('${talk}')`);
		await expectWhole(page, words);
		await leave(page);
	}
});

test("who is refused is told why", async () => {
	const page = await visit({});

	await page.fill("#voice-name", "SuperUser");
	await page.click("button:text-is('Come in')");
	await page.waitForSelector("#voice-password:focus");
	await page.waitForSelector(".voice-status:text-is('A password is wanted here.')");
	await page.keyboard.type("some of it");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".voice-status:has-text('Not let in: ')");
	await page.fill("#voice-password", "all of it");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".voice-name:text-is('SuperUser (you)')");
	await leave(page);
});
