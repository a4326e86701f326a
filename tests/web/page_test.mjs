// page_test: the public page in a real browser, against an invented radio (dev_server.py).
//
//     RINGMAIN_DEMO=path/of/ringmain-demo node --test page_test.mjs

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, beforeEach, test } from "node:test";
import { openBrowser, startServer } from "./stage.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const phone = { width: 360, height: 740 };
const desk = { width: 1280, height: 800 };
let server, browser;

const control = async (query) => (await fetch(`${server.url}control?${query}`)).json();

before(async () => {
	server = await startServer(process.env.RINGMAIN_DEMO);
	browser = await openBrowser();
});

after(async () => {
	await browser?.close();
	server?.stop();
});

beforeEach(() => control("mounts=many"));

// Opens the page; whatever it complains about by then or later fails the test that closes it.
async function open(options = {}) {
	const page = await browser.newPage({ viewport: desk, ...options });

	page.complaints = [];
	page.on("console", (message) => {
		if (message.type() === "error")
			page.complaints.push(message.text());
	});
	page.on("pageerror", (error) => page.complaints.push(String(error)));
	// The page keeps its audio element to itself: note it as it is made.
	await page.addInitScript(() => {
		const RealAudio = window.Audio;

		window.Audio = function () {
			return window.heardBy = new RealAudio();
		};
	});
	await page.goto(server.url);
	await page.waitForSelector(".card, #hint:not([hidden])");
	return page;
}

async function close(page) {
	assert.deepEqual(page.complaints, []);
	await page.close();
}

const playerState = (page, state) =>
	page.waitForSelector(`.player[data-player=${state}]`);

async function plays(page) {
	await playerState(page, "playing");
	const from = await page.evaluate(() => window.heardBy.currentTime);

	await page.waitForFunction((then) => window.heardBy.currentTime > then + 1, from);
}

test("each mount has a card that says what it is", async () => {
	const page = await open();
	const card = page.locator(".card").first();

	assert.equal(await page.locator(".card").count(), 9);
	assert.equal(await page.textContent("#station"), "Harbour Radio");
	assert.equal(await page.textContent("#tally-count"), "1,265");
	assert.equal(await card.locator(".card-name").textContent(), "Ringmain Demo");
	assert.equal(await card.locator(".card-title").textContent(), "Copper Dawn");
	assert.equal(await card.locator(".card-artist").textContent(), "Ringmain Demo");
	assert.equal(await card.locator(".state-word").textContent(), "On air");
	assert.equal((await card.locator(".card-format").textContent()).replaceAll("\u00a0", " "),
		"MP3 · 128 kbit/s · 44.1 kHz · stereo");
	assert.equal(await card.locator(".address-text").textContent(), `${server.url}demo.mp3`);
	for (const kind of ["m3u", "pls", "xspf"])
		assert.equal(await card.locator(`.link-${kind}`).getAttribute("href"), `/demo.mp3.${kind}`);
	assert.deepEqual(await page.locator(".state-word").allTextContents(), ["On air", "On air",
		"On air", "On air", "Fallback", "On air", "On air", "No signal", "Off air"]);
	await close(page);
});

test("what encoders send stays text", async () => {
	const page = await open();
	const hostile = page.locator(".card", { hasText: "/hostile" });

	assert.equal(await hostile.locator(".card-artist").textContent(),
		"<script>window.pwned=1</script>");
	assert.equal(await page.evaluate(() => window.pwned), undefined);
	assert.equal(await page.locator(".card img, .card script, .card b, .card i").count(), 0);
	const links = await page.locator(".card a:not([hidden])").evaluateAll(
		(all) => all.map((link) => new URL(link.href).protocol));

	assert.ok(links.length > 20);
	assert.ok(links.every((protocol) => protocol === "http:" || protocol === "https:"));
	await page.click(".card:nth-child(4) .ring-button");
	await playerState(page, "playing");
	assert.equal(await page.textContent("#now-title"), "<img src=x onerror=window.pwned=1>");
	assert.equal(await page.evaluate(() => window.pwned), undefined);
	await close(page);
});

test("play is heard, the ring moves, stop lets go", async () => {
	const page = await open();
	const drawn = () => page.evaluate(() => document.getElementById("spectrum").toDataURL());
	const still = await drawn();

	await page.click("[aria-label='Play Ringmain Demo'] >> nth=0");
	await plays(page);
	assert.equal(await page.evaluate(() => window.heardBy.currentSrc), `${server.url}demo.mp3`);
	assert.ok((await control("")).heard.includes("/demo.mp3"));
	assert.notEqual(await drawn(), still);
	await page.waitForFunction(() => /^(?!0:00)\d+:\d\d$/.test(document.getElementById("elapsed").textContent));
	assert.equal(await page.evaluate(() => navigator.mediaSession.metadata.title), "Copper Dawn");
	await control("title=Nina%20-%20Blue%20Hour");
	await page.waitForFunction(() => document.getElementById("now-title").textContent === "Blue Hour");
	assert.match(await page.title(), /^Blue Hour/);
	await page.click("#mute");
	assert.equal(await page.getAttribute("#mute", "aria-pressed"), "true");
	await page.click("#toggle");
	await playerState(page, "idle");
	assert.equal(await page.evaluate(() => window.heardBy.getAttribute("src")), null);
	await close(page);
});

test("a stream that breaks off is heard again when it is back", async () => {
	const page = await open();

	await page.click(".card .ring-button");
	await plays(page);
	await control("off=/demo.mp3");
	await playerState(page, "waiting");
	assert.match(await page.textContent("#now-state"), /trying again/);
	await control("on=/demo.mp3");
	await plays(page);
	// While the stream was away its address answered 404, which the browser reports.
	page.complaints = page.complaints.filter((text) => !/404/.test(text));
	await close(page);
});

test("what the browser cannot play opens in the listener's own player", async () => {
	const page = await open();
	const camera = page.locator(".card", { hasText: "/tv.ts" });

	assert.ok(await camera.locator("button.ring-button").isHidden());
	assert.equal(await camera.locator(".ring-open").getAttribute("href"), "/tv.ts.m3u");
	assert.match(await camera.locator(".card-format").textContent(), /opens in your own player/);
	assert.ok(await page.locator(".card", { hasText: "/off" }).locator(".ring-button >> nth=0")
		.isDisabled());
	await close(page);
});

test("everything is reached and used by keyboard", async () => {
	const page = await open();
	const reached = [];

	for (let i = 0; i < 80; i++) {
		await page.keyboard.press("Tab");
		reached.push(await page.evaluate(() => document.activeElement.getAttribute("aria-label") ??
			document.activeElement.textContent.trim()));
	}
	for (const label of ["Skip to the streams", "Play Ringmain Demo", "Play Night Line",
		"M3U playlist of Night Line", "Copy the address of Weekend Special",
		"Open Camera 2 in your player", "Mute", "Volume"])
		assert.ok(reached.includes(label), `not reached: ${label}`);
	await page.locator(".card .ring-button").first().focus();
	await page.keyboard.press("Enter");
	await playerState(page, "playing");
	// What changes meanwhile must not move the focus.
	for (const title of ["Nina - Blue Hour", "Mira - Night Bus"]) {
		await control(`title=${encodeURIComponent(title)}`);
		await page.waitForFunction((song) => document.querySelector(".card-title").textContent === song, title.split(" - ")[1]);
	}
	assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")),
		"Stop Ringmain Demo");
	await page.keyboard.press("Enter");
	await playerState(page, "idle");
	await close(page);
});

test("nobody on the air: the page says how to publish here", async () => {
	await control("mounts=none");
	const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
	const page = await context.newPage();
	const { hostname, port } = new URL(server.url);

	await page.goto(server.url);
	await page.waitForSelector("#hint:not([hidden])");
	await page.click("#hint-copy");
	await page.waitForFunction(() => document.getElementById("hint-copy").textContent === "Copied");
	assert.equal(await page.evaluate(() => navigator.clipboard.readText()),
		"ffmpeg -re -i music.mp3 -c:a libmp3lame -b:a 128k -content_type audio/mpeg -f mp3 " +
		`icecast://source:PASSWORD@${hostname}:${port}/live`);
	assert.ok(await page.isHidden("#player"));
	await control("mounts=one");
	await page.waitForSelector(".card");
	assert.ok(await page.isHidden("#hint"));
	await context.close();
});

test("nothing is wider than a phone", async () => {
	for (const mounts of ["many", "one", "none"]) {
		await control(`mounts=${mounts}`);
		const page = await open({ viewport: phone });

		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
			mounts);
		await close(page);
	}
});

test("who wants no motion gets none", async () => {
	const page = await open({ reducedMotion: "reduce" });

	await page.click(".card .ring-button");
	await plays(page);
	assert.equal(await page.evaluate(() => document.getAnimations()
		.filter((animation) => animation instanceof CSSAnimation).length), 0);
	await close(page);
});

test("axe finds nothing wrong, by day and by night", async () => {
	for (const colorScheme of ["light", "dark"]) {
		for (const mounts of ["many", "one", "none"]) {
			await control(`mounts=${mounts}`);
			const page = await open({ colorScheme, reducedMotion: "reduce",
				viewport: mounts === "one" ? phone : desk });

			if (mounts !== "none") {
				await page.click(".card .ring-button");
				await playerState(page, "playing");
			}
			await page.evaluate(axe);
			const { violations, passes } = await page.evaluate(() => window.axe.run());

			assert.ok(passes.length > 15);
			assert.deepEqual(violations.map((v) => `${colorScheme} ${mounts} ${v.id}: ` +
				v.nodes.map((node) => node.html).join(" ")), []);
			await close(page);
		}
	}
});

test("a server that is gone is said to be gone", async () => {
	const page = await open();

	await control("away=1");
	await page.waitForSelector("#notice:not([hidden])");
	assert.equal(await page.locator(".card").count(), 9);
	await control("");
	await page.waitForSelector("#notice", { state: "hidden" });
	await page.close();
});
