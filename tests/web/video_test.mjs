// video_test: the pages that send and watch video, and the control room's page of rooms, on the real server with
// Chromium's made-up camera.
//
//     RINGMAIN_BUILD=path/of/build node --test video_test.mjs        SHOTS=directory keeps pictures

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { openBrowser } from "./stage.mjs";
import { Studio, until } from "./studio.mjs";
import { expectWhole, leave, sizes, turnTo, visit as visitAt } from "./visit.mjs";

const TOKEN = "who may publish";
let studio, browser;

const visit = (path, options) => visitAt(browser, studio.url, path, { login: false, ...options });

const freeUdp = () => new Promise((resolve) => {
	const socket = createSocket("udp4").bind(0, "127.0.0.1", () => {
		const { port } = socket.address();

		socket.close(() => resolve(port));
	});
});

async function shoot(page, name) {
	if (!process.env.SHOTS)
		return;
	mkdirSync(process.env.SHOTS, { recursive: true });
	await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true });
}

before(async () => {
	studio = new Studio({ "sfu.udp": `127.0.0.1:${await freeUdp()}`, "sfu.publish_token": TOKEN });
	await studio.start();
	browser = await openBrowser({ camera: true });
});

after(async () => {
	await browser?.close();
	studio?.stop();
});

const live = (page) => page.waitForSelector("body[data-state=live]", { timeout: 30000 });
const moves = async (page) => {
	const from = await page.evaluate(() => document.querySelector("video").currentTime);

	await page.waitForFunction((then) => document.querySelector("video").currentTime > then + 0.5, from, { timeout: 20000 });
};

async function send(room, options) {
	const page = await visit(`/send/${room}`, options);

	await page.fill("input[type=password]", TOKEN);
	await page.selectOption("select >> nth=0", "VP8");
	await page.selectOption("select >> nth=1", "low");
	await page.click(".source:text-is('Camera')");
	await page.waitForSelector(".go:enabled");
	await page.click(".go");
	await live(page);
	return page;
}

test("a camera is sent, watched, and left for another room without a new session", async () => {
	const red = await send("red");
	const blue = await send("blue");
	const viewer = await visit("/watch/red");

	await live(viewer);
	await moves(viewer);
	assert.equal(await viewer.locator("h1").textContent(), "red");
	await viewer.waitForSelector(".room:text-is('blue')");
	const [before] = (await studio.api("GET", "/sfu/sessions")).sessions.filter((one) => one.role === "viewer");

	await viewer.click(".room:text-is('blue')");
	await viewer.waitForSelector(".room[aria-current]:text-is('blue')");
	assert.match(viewer.url(), /\/watch\/blue$/);
	await moves(viewer);
	const viewers = (await studio.api("GET", "/sfu/sessions")).sessions.filter((one) => one.role === "viewer");

	assert.deepEqual(viewers.map((one) => [one.id, one.room]), [[before.id, "blue"]]);
	await viewer.keyboard.press("ArrowDown");
	await viewer.waitForSelector(".room[aria-current]:text-is('red')");
	// Sound and statistics, by button and by key.
	await viewer.click(".screen-sound");
	assert.equal(await viewer.evaluate(() => document.querySelector("video").muted), false);
	await viewer.keyboard.press("m");
	assert.equal(await viewer.getAttribute(".tool >> nth=0", "aria-pressed"), "true");
	await viewer.keyboard.press("s");
	await viewer.waitForSelector(".screen-stats:has-text('VP8')");
	await viewer.waitForSelector(".screen-stats:has-text('bit/s')");
	for (const [size, viewport] of Object.entries(sizes))
		for (const scheme of ["light", "dark"])
			for (const [page, name] of [[viewer, "watch"], [blue, "send"]]) {
				await page.setViewportSize(viewport);
				await page.emulateMedia({ colorScheme: scheme });
				await expectWhole(page, `${name} ${size} ${scheme}`);
				await shoot(page, `${name}-${size}-${scheme}`);
			}
	await leave(blue);
	await leave(red);
	await leave(viewer);
});

test("who watches sees the next publisher without doing anything", async () => {
	const viewer = await visit("/watch/again");

	await viewer.waitForSelector(".screen-state:has-text('Waiting for the picture')");
	const first = await send("again");

	await live(viewer);
	await first.click(".go");
	await viewer.waitForSelector("body[data-state=waiting]");
	await first.click(".go");
	await live(first);
	await live(viewer);
	await moves(viewer);
	// Sent away by an operator, it comes again by itself.
	const [mine] = (await studio.api("GET", "/sfu/sessions?room=again")).sessions.filter((one) => one.role === "viewer");

	await studio.api("DELETE", `/sfu/sessions/${mine.id}`);
	await until(async () => (await studio.api("GET", "/sfu/sessions?room=again")).sessions.some((one) => one.role === "viewer" && one.id !== mine.id && one.state === "up"), "a new session", 30);
	await live(viewer);
	await moves(viewer);
	await leave(first);
	await leave(viewer, /404/); // of the session that was ended from the other side
});

test("what goes wrong is said large, with what to do about it", async () => {
	const page = await visit("/send/trouble");

	await page.evaluate(() => {
		navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
	});
	await page.click(".source:text-is('Camera')");
	await page.waitForSelector(".trouble h2:text-is('The camera is not allowed')");
	for (const [size, viewport] of Object.entries(sizes)) {
		await page.setViewportSize(viewport);
		await expectWhole(page, `refused ${size}`);
		await shoot(page, `refused-${size}`);
	}
	await page.reload();
	await page.fill("input[type=password]", "not the token");
	await page.click(".source:text-is('Camera')");
	await page.click(".go");
	await page.waitForSelector(".trouble h2:text-is('The server wants a publishing token')");
	await leave(page, /401/);

	const taken = await send("taken");
	const other = await visit("/send/taken");

	await other.fill("input[type=password]", TOKEN);
	await other.click(".source:text-is('Camera')");
	await other.click(".go");
	await other.waitForSelector(".trouble h2:text-is('Somebody is on the air here')");
	await leave(other, /409/);

	// A firewall before the media port: the answer names a port where nobody is.
	const blocked = await visit("/watch/", { viewport: sizes.phone });

	await blocked.route("**/whep/**", async (route) => {
		const reply = await route.fetch();

		await route.fulfill({ response: reply, body: (await reply.text()).replace(/(a=candidate:\S+ \d+ udp \d+ \S+) \d+/gi, "$1 9") });
	});
	await blocked.click(".room:text-is('taken')");
	await blocked.waitForSelector(".trouble h2:text-is('The way for the picture is blocked')", { timeout: 20000 });
	assert.match(await blocked.textContent(".trouble p"), /UDP port 9 of 127\.0\.0\.1/);
	await expectWhole(blocked, "blocked phone");
	await shoot(blocked, "blocked-phone");
	await blocked.unroute("**/whep/**");
	await live(blocked); // it goes on trying
	await leave(blocked);
	await leave(taken);
});

test("the control room shows the rooms and who is in them, and sends them away", async () => {
	const sender = await send("studio");
	const viewer = await visit("/watch/studio");
	const page = await visit("/admin", { login: true });

	await live(viewer);
	await turnTo(page, "#/rooms");
	await page.waitForSelector(".rtc-room[aria-label=studio] .state-word:text-is('On air')");
	const fact = (name) => page.locator(`.rtc-room[aria-label=studio] .facts div:has(dt:text-is('${name}')) dd`);

	await page.waitForFunction(() => /bit\/s/.test(document.querySelector(".rtc-room .facts div:nth-child(3) dd").textContent));
	assert.equal(await fact("Viewers").textContent(), "1");
	assert.match(await fact("In").textContent(), /bit\/s/);
	await page.click(".rtc-room[aria-label=studio] summary");
	await page.waitForSelector("tr:has-text('Viewer 127.0.0.1')");
	for (const [size, viewport] of Object.entries(sizes)) {
		await page.setViewportSize(viewport);
		await expectWhole(page, `rooms ${size}`);
		await shoot(page, `rooms-${size}`);
	}
	await page.click("button[aria-label='Send away: publisher 127.0.0.1']");
	await page.click("dialog[open] .danger");
	await page.waitForSelector(".rtc-room[aria-label=studio] .state-word:text-is('Waits for a publisher'), .rtc-room[aria-label=studio] .state-word:text-is('No picture'), .rtc-room[aria-label=studio] .state-word:text-is('On air')");
	await live(sender); // which comes again by itself
	await leave(page);
	await leave(viewer);
	await leave(sender, /404/);
});
