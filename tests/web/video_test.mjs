// video_test: the pages that send and watch video, and the control room's page of rooms, on the real server with
// Chromium's made-up camera.
//
//     RINGMAIN_BUILD=path/of/build node --test video_test.mjs        SHOTS=directory keeps pictures

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openBrowser } from "./stage.mjs";
import { freePort, PASSWORD, Studio, until } from "./studio.mjs";
import { expectWhole, leave, sizes, turnTo, visit as visitAt } from "./visit.mjs";

const TOKEN = "who may publish";
const recordings = mkdtempSync(join(tmpdir(), "ringmain-films-"));
let studio, browser;

const visit = (path, options) => visitAt(browser, studio.url, path, { login: false, ...options });

async function shoot(page, name) {
	if (!process.env.SHOTS)
		return;
	mkdirSync(process.env.SHOTS, { recursive: true });
	await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true });
}

before(async () => {
	studio = new Studio({ "sfu.udp": `127.0.0.1:${await freePort()}`, "sfu.publish_token": TOKEN, "sfu.stats": "1s", "sfu.connect_timeout": "10m", "sfu.record_directory": recordings,
		"rtp.wall.room": "wall", "rtp.wall.send": `127.0.0.1:${await freePort()}`, "rtp.wall.video": "VP8/96", "rtp.wall.start": "order" });
	await studio.start();
	browser = await openBrowser({ camera: true });
});

after(async () => {
	await browser?.close();
	studio?.stop();
	rmSync(recordings, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

const live = (page) => page.waitForSelector("body[data-state=live]");
const moves = async (page) => {
	const from = await page.evaluate(() => document.querySelector("video").currentTime);

	await page.waitForFunction((then) => document.querySelector("video").currentTime > then + 0.5, from);
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

	await viewer.waitForSelector(".screen-state.aside:has-text('Not on the air now')");
	await moves(viewer); // the server's own picture, which is not covered
	const first = await send("again");

	await live(viewer);
	await first.click(".go");
	await viewer.waitForSelector("body[data-state=waiting] .screen-state:has-text('Not on the air now')");
	await first.click(".go");
	await live(first);
	await live(viewer);
	await moves(viewer);
	// Sent away by an operator, it comes again by itself.
	const [mine] = (await studio.api("GET", "/sfu/sessions?room=again")).sessions.filter((one) => one.role === "viewer");

	await studio.api("DELETE", `/sfu/sessions/${mine.id}`);
	await until(async () => (await studio.api("GET", "/sfu/sessions?room=again")).sessions.some((one) => one.role === "viewer" && one.id !== mine.id && one.state === "up"), "a new session");
	await live(viewer);
	await moves(viewer);
	await leave(first);
	await leave(viewer, /404/); // of the session that was ended from the other side
});

// A browser that sends its camera in two sizes, as OBS does.
async function sendLayers(room) {
	const page = await visit(`/send/${room}`);

	await page.evaluate(async ([path, token]) => {
		const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 } });
		const pc = new RTCPeerConnection();

		pc.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly",
			sendEncodings: [{ rid: "hi", maxBitrate: 500000 }, { rid: "lo", scaleResolutionDownBy: 2, maxBitrate: 100000 }] });
		await pc.setLocalDescription();
		const reply = await fetch(path, { method: "POST", body: pc.localDescription.sdp, headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${token}` } });

		await pc.setRemoteDescription({ type: "answer", sdp: await reply.text() });
		window.sending = pc;
	}, [`/whip/${room}`, TOKEN]);
	return page;
}

test("a viewer chooses among the sizes that come, or lets the server", async () => {
	const sender = await sendLayers("sizes");
	const viewer = await visit("/watch/sizes");
	const other = await visit("/watch/sizes");
	const high = viewer.locator("option", { hasText: /^High · / }), low = viewer.locator("option", { hasText: /^Low · / });
	const width = (page, pixels) => page.waitForFunction((wanted) => document.querySelector("video").videoWidth === wanted, pixels);

	await live(viewer);
	await viewer.waitForSelector("select[aria-label=Quality]:visible");
	await viewer.selectOption("select", await low.getAttribute("value"));
	await width(viewer, 320);
	await viewer.selectOption("select", await high.getAttribute("value"));
	await width(viewer, 640);
	await viewer.selectOption("select", "lo");
	await width(viewer, 320);
	await width(other, 640); // one's own choice is nobody else's
	await viewer.keyboard.press("s");
	await viewer.waitForSelector(".screen-stats div:has(dt:text-is('Viewers')) dd:text-is('2')");
	for (const [size, viewport] of Object.entries(sizes)) {
		await viewer.setViewportSize(viewport);
		await expectWhole(viewer, `layers ${size}`);
		await shoot(viewer, `layers-${size}`);
	}
	await viewer.selectOption("select", "");
	await width(viewer, 640);
	await leave(other);
	await leave(viewer);
	await leave(sender);
});

test("the sending page sends several sizes of a picture, or one where that is wanted or all that can be", async () => {
	const page = await visit("/send/several");
	const offers = [];
	const rids = { several: "h m", three: "h m l", one: "" };
	const air = async (wanted) => {
		const count = offers.length, before = await page.evaluate(() => document.querySelector("video").srcObject?.id ?? "");

		await page.click(".source:text-is('Camera')");
		await page.waitForFunction((id) => (document.querySelector("video").srcObject?.id ?? id) !== id, before);
		await page.click(".go");
		await live(page);
		assert.equal(offers.length, count + 1);
		assert.equal([...offers.at(-1).matchAll(/^a=rid:(\S+) send/gm)].map(([, rid]) => rid).join(" "), wanted);
		assert.equal(/^a=simulcast:send /m.test(offers.at(-1)), wanted !== "");
	};
	const choose = async (codec, quality, number) => {
		await page.selectOption("select >> nth=0", codec);
		await page.selectOption("select >> nth=1", quality);
		await page.selectOption("select >> nth=2", number);
	};
	const off = async () => {
		await page.click(".go");
		await page.waitForSelector("body[data-state=off]");
	};

	page.on("request", (request) => request.method() === "POST" && request.url().includes("/whip/") && offers.push(request.postData()));
	await page.fill("input[type=password]", TOKEN);
	await choose("", "low", "many");
	await air(rids.several);
	const viewer = await visit("/watch/several");
	// 640 and 320, or a step less of both where the machine is too slow.
	const width = (least, most) => viewer.waitForFunction(([from, to]) => {
		const { videoWidth } = document.querySelector("video");

		return videoWidth >= from && videoWidth <= to;
	}, [least, most]);

	await live(viewer);
	await viewer.waitForSelector("select[aria-label=Quality]:visible");
	await viewer.selectOption("select", "h");
	await width(400, 640);
	await viewer.selectOption("select", "m");
	await width(100, 320);
	// Of several streams the page shows the largest, and the sum.
	await page.waitForFunction(() => /^(4|6)\d\d × .* in 2 sizes/.test(document.querySelector(".send-stats").textContent));
	// Another quality holds for all of them.
	await page.selectOption("select >> nth=1", "middle");
	await page.selectOption("select >> nth=1", "low");
	await moves(viewer);
	await leave(viewer);
	await off();
	await choose("VP8", "middle", "many");
	await air(rids.three);
	await off();
	await choose("VP9", "middle", "many");
	await air(rids.one);
	await off();
	await choose("VP8", "middle", "one");
	await air(rids.one);
	for (const [size, viewport] of Object.entries(sizes)) {
		await page.setViewportSize(viewport);
		await shoot(page, `send-sizes-${size}`);
	}
	await off();
	// A server that carries fewer layers gets one.
	await choose("VP8", "low", "many");
	await page.route("**/whip/several", (route) => route.fulfill({ status: 422, contentType: "application/problem+json",
		body: JSON.stringify({ detail: "there are more layers than are carried" }) }), { times: 1 });
	await page.click(".go");
	await live(page);
	assert.ok(!offers.at(-1).includes("a=simulcast"));
	await leave(page, /422/);
});

test("another source goes on the air where the one before was, however late its farewell comes", async () => {
	const page = await send("moved");
	const statuses = [];

	await page.route("**/whip/moved/*", async (route) => {
		if (route.request().method() === "DELETE")
			await new Promise((resolve) => setTimeout(resolve, 1500));
		await route.continue();
	});
	page.on("response", (response) => response.request().method() === "POST" && response.url().includes("/whip/") && statuses.push(response.status()));
	await page.click(".source:text-is('Camera')");
	await until(() => statuses.length > 0, "an answer");
	assert.deepEqual(statuses, [201]);
	await live(page);
	await leave(page);
});

test("what a viewer says of its pictures comes one after the other, however late an answer is", async () => {
	const viewer = await visit("/watch/slow");
	const statuses = [];

	await viewer.route("**/whep/slow/*", async (route) => {
		if (route.request().method() === "PATCH" && statuses.length === 0)
			await new Promise((resolve) => setTimeout(resolve, 2900));
		await route.continue();
	});
	viewer.on("response", (response) => response.request().method() === "PATCH" && statuses.push(response.status()));
	await until(() => statuses.length >= 3, "three reports");
	assert.deepEqual(new Set(statuses), new Set([204]));
	await leave(viewer);
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
	// From its first request on: a page that is connected turns to another room on the way that it has.
	const blocked = await visit("/watch/", { viewport: sizes.phone, before: (page) => page.route("**/whep/**", async (route) => {
		if (route.request().headers()["content-type"] !== "application/sdp")
			return route.continue();
		const reply = await route.fetch();

		return route.fulfill({ response: reply, body: (await reply.text()).replace(/(a=candidate:\S+ \d+ udp \d+ \S+) \d+/gi, "$1 9") });
	}) });

	await blocked.click(".room:text-is('taken')");
	await blocked.waitForSelector(".trouble h2:text-is('The way for the picture is blocked')");
	assert.match(await blocked.textContent(".trouble p"), /UDP port 9 of 127\.0\.0\.1/);
	await expectWhole(blocked, "blocked phone");
	await shoot(blocked, "blocked-phone");
	await blocked.unroute("**/whep/**");
	await live(blocked); // it goes on trying
	await leave(blocked);
	await leave(taken);
});

test("where there is no token only an operator who is logged in sends, and the page says so", async () => {
	const house = new Studio({ "sfu.udp": `127.0.0.1:${await freePort()}`, "sfu.connect_timeout": "10m", "sfu.turn_secret": "shared",
		"sfu.ice_servers": "stun:127.0.0.1:9,turn:127.0.0.1:9?transport=udp" });
	const challenges = [];
	let page;

	try {
		await house.start();
		page = await visitAt(browser, house.url, "/send/mine", { login: false, before: (one) => one.addInitScript(() => {
			const real = RTCPeerConnection.prototype.setLocalDescription;

			RTCPeerConnection.prototype.setLocalDescription = function (...args) {
				window.helpers = this.getConfiguration().iceServers;
				return real.apply(this, args);
			};
		}) });
		page.on("response", (response) => challenges.push(response.headerValue("WWW-Authenticate").catch(() => null)));
		await page.click(".source:text-is('Camera')");
		await page.click(".go");
		await page.waitForSelector(".trouble h2:text-is('Only who runs this server may send')");
		assert.equal(await page.textContent(".go"), "Go on the air");
		assert.equal(await page.getAttribute(".trouble a", "href"), "/admin");
		for (const [size, viewport] of Object.entries(sizes)) {
			await page.setViewportSize(viewport);
			await expectWhole(page, `nobody's ${size}`);
			await shoot(page, `nobodys-${size}`);
		}
		// A browser that is asked for a password shows a window of its own, and the page waits behind it.
		assert.ok(challenges.length);
		assert.deepEqual((await Promise.all(challenges)).filter((one) => one !== null), []);
		await page.context().request.post(`${house.url}/api/v1/login`, { data: { user: "admin", password: PASSWORD } });
		await page.click(".go");
		await live(page);
		// Servers that help through what is in the way are asked for candidates.
		const [stun, turn] = await page.evaluate(() => window.helpers.map(({ urls, username, credential }) => ({ url: [urls].flat().join(), username, credential })));

		assert.equal(stun.url, "stun:127.0.0.1:9");
		assert.equal(turn.url, "turn:127.0.0.1:9?transport=udp");
		assert.match(turn.username, /^\d+:ringmain$/);
		assert.match(turn.credential, /^[\w+/]+=*$/);
		await page.click(".go"); // and leaves
		await until(async () => (await house.api("GET", "/sfu/rooms")).rooms.length === 0, "the room is empty");
		await leave(page, /401/);
	} finally {
		house.stop();
	}
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
	// What the viewer's page says of its pictures; and a way out for programs.
	await page.waitForSelector("tr:has-text('Viewer 127.0.0.1'):has-text('decoded')");
	await page.waitForSelector(".rtc-ways tr:has-text('wall'):has-text('stopped')");
	await page.click("button[aria-label='Start: wall']");
	await page.waitForSelector(".rtc-ways tr:has-text('running')");
	assert.match(await page.getAttribute(".rtc-ways a", "href"), /rtp\/wall\/sdp$/);
	await page.click("button[aria-label='Stop: wall']");
	await page.waitForSelector(".rtc-ways tr:has-text('stopped')");
	// Recordings: one that is being written, and an old one, which goes.
	const old = "studio%2D2-20260102-030405.mkv";

	writeFileSync(join(recordings, old), "film");
	await page.click("button[aria-label='Record: studio']");
	await page.waitForSelector(".rtc-room[aria-label=studio] .hint-text:has-text('.mkv')");
	await page.click(".kept summary");
	await page.waitForSelector(".kept tr:has-text('studio'):has-text('Now')");
	await page.waitForSelector(`.kept tr:has-text('studio-2'):has-text('4\u00a0B') a[download="${old}"]`);
	const fetched = await page.evaluate(async (name) => (await fetch(document.querySelector(`.kept a[download="${name}"]`).href)).text(), old);

	assert.equal(fetched, "film");
	for (const [size, viewport] of Object.entries(sizes)) {
		await page.setViewportSize(viewport);
		await expectWhole(page, `rooms ${size}`);
		await shoot(page, `rooms-${size}`);
	}
	await page.click(`.kept button[aria-label='Delete ${old}']`);
	await page.click("dialog[open] .danger");
	await page.waitForFunction((name) => !document.querySelector(`.kept a[download="${name}"]`), old);
	assert.equal(existsSync(join(recordings, old)), false);
	await page.click("button[aria-label='End the recording: studio']");
	await page.click("button[aria-label='Send away: publisher 127.0.0.1']");
	await page.click("dialog[open] .danger");
	await page.waitForSelector(".rtc-room[aria-label=studio] .state-word:text-is('Waits for a publisher'), .rtc-room[aria-label=studio] .state-word:text-is('No picture'), .rtc-room[aria-label=studio] .state-word:text-is('On air')");
	await live(sender); // which comes again by itself
	await leave(page);
	await leave(viewer);
	await leave(sender, /404/);
});
