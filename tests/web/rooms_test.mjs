// rooms_test: the pages of the control room one by one, each doing on the real server what it is for.
//
//     RINGMAIN_BUILD=path/of/build node --test rooms_test.mjs

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openBrowser } from "./stage.mjs";
import { freePort, PASSWORD, Studio, until } from "./studio.mjs";
import { expectWhole, heading, leave, live, sizes, turnTo, visit as visitAt } from "./visit.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const hostile = "<script>window.pwned=1</script> - <img src=x onerror=window.pwned=1>";
const shared = (() => {
	try {
		accessSync("/dev/shm", constants.W_OK);
		return "/dev/shm";
	} catch {
		return tmpdir();
	}
})();
let studio, browser, frames, voicePort, ircPort;

const visit = (path, options) => visitAt(browser, studio.url, path, options);

before(async () => {
	frames = mkdtempSync(join(shared, "ringmain-frames-"));
	const countries = join(frames, "countries.mmdb");

	execFileSync("python3", [join(here, "../e2e/countries.py"), countries, "198.51.100.0/24=DE", "203.0.113.0/24=JP", "192.0.2.0/24=MT"]);
	[voicePort, ircPort] = [await freePort(), await freePort()];
	studio = new Studio({
		"voice.listen": `127.0.0.1:${voicePort}`, "voice.name": "Quay", "voice.record_directory": frames, "irc.listen": `127.0.0.1:${ircPort}`,
		"server.name": "Harbour", "geoip.file": countries, "framecache.listen": "127.0.0.1:0", "framecache.dir": join(frames, "slots"),
		"push.mirror.url": "http://source:secret@127.0.0.1:9/mirror", "push.mirror.mount": "/live",
		"relay./far.url": "http://127.0.0.1:9/far", "relay./far.on_demand": "yes", "mount./live.fallback": "/night",
		"hook.standing.url": "http://127.0.0.1:9/hook",
	});
	await studio.start();
	await studio.encode("/live");
	await studio.encode("/night");
	browser = await openBrowser();
});

after(async () => {
	await browser?.close();
	studio?.stop();
	rmSync(frames, { recursive: true, force: true });
});

beforeEach(() => studio.hangUp());

const frametest = (...args) => studio.run("clients/frametest", args, { FC_DIR: join(frames, "slots") });
const row = (text) => `tr:has-text('${text}')`;

test("the map shows where listeners are, and the words beside it say the same", async () => {
	for (const address of ["198.51.100.1", "198.51.100.2", "198.51.100.3", "203.0.113.1", "192.0.2.1", "10.1.1.1"])
		await studio.listen("/live", address);
	for (const [size, viewport] of Object.entries(sizes)) {
		const page = await visit("/admin#/listeners", { viewport, colorScheme: size === "desk" ? "dark" : "light" });
		const tone = (code) => page.locator(`.map [data-code="${code}"]`).getAttribute("data-tone");

		await page.waitForSelector(".map [data-code=DE][data-tone='5']");
		assert.equal(await tone("JP"), "4");
		assert.equal(await tone("MT"), "4", "a dot, as it is too small to be drawn");
		assert.equal(await tone("FR"), "0");
		assert.equal(await tone(""), "0");
		assert.deepEqual(await page.locator(".map-and-list .bars li").allTextContents().then((all) => all.map((text) => text.replace("\u00a0", " "))),
			["DEGermany3 · 50 %", "??Unknown1 · 17 %", "JPJapan1 · 17 %", "MTMalta1 · 17 %"]);
		const colours = await page.evaluate(() => ["DE", "JP", "FR"].map((code) => getComputedStyle(document.querySelector(`.map [data-code=${code}]`)).fill));

		assert.equal(new Set(colours).size, 3);
		await page.locator(".map [data-code=DE]").hover();
		await page.waitForSelector(".map-reading:has-text('Germany: 3 · 50')");
		const map = await page.locator(".map-svg").boundingBox();

		assert.ok(map.width > 300 && map.width <= viewport.width);
		await expectWhole(page, `map ${size}`);
		await turnTo(page, "#/overview");
		await page.waitForSelector(".map [data-code=DE][data-tone='5']");
		await leave(page);
	}
});

test("slots are shown with what is in them, who reads them and how far behind", async () => {
	frametest("--size", "640x360", "--fps", "25/1", "--depth", "25", "camera");
	await until(async () => (await studio.api("GET", "/slots")).slots.some((slot) => slot.state === "live"), "a writer");
	const reader = frametest("--check", "camera");
	const page = await visit("/admin#/slots");
	const picture = () => page.evaluate(() => {
		const img = document.querySelector(".slot-picture");
		const canvas = document.createElement("canvas");

		[canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
		canvas.getContext("2d").drawImage(img, 0, 0);
		return { width: img.naturalWidth, height: img.naturalHeight, data: canvas.toDataURL() };
	});

	await page.waitForSelector(".slot[aria-label=camera] .state-word:text-is('Live')");
	await page.waitForSelector(".slot:has-text('640 × 360')");
	await page.waitForFunction(() => document.querySelector(".slot-picture")?.naturalWidth === 160);
	const first = await picture();

	assert.equal(first.height, 90);
	await until(async () => (await picture()).data !== first.data, "the picture goes on");
	await page.waitForSelector(`.slot-readers ${row("frametest")}`);
	await page.waitForFunction(() => /2[3-7](\.\d)? of 25 fps/.test(document.querySelector(".slot .facts").textContent));
	reader.kill("SIGSTOP");
	await page.waitForFunction(() => /[\d,]+ frames · [\d,]+\u00a0ms · silent for/.test(document.querySelector(".slot-readers").textContent));
	reader.kill("SIGKILL");
	for (const viewport of Object.values(sizes)) {
		await page.setViewportSize(viewport);
		await expectWhole(page, "slots");
	}
	await leave(page);
});

test("a slot is made, and removed, also from under a writer, after a question", async () => {
	const page = await visit("/admin#/slots");

	await page.click("button:text-is('Make a slot')");
	await page.fill("#ask-slot_id", "bad name");
	await page.click("dialog[open] .primary");
	await page.waitForSelector("dialog[open] .fault:has-text('slot_id')");
	await page.fill("#ask-slot_id", "spare");
	await page.selectOption("#ask-size", "720x576");
	await page.selectOption("#ask-rate", "25/1");
	await page.selectOption("#ask-pixel_format", "nv12");
	await page.click("dialog[open] .primary");
	await page.waitForSelector(".slot[aria-label=spare] .slot-nothing:visible");
	const [spare] = (await studio.api("GET", "/slots")).slots.filter((slot) => slot.slot_id === "spare");

	assert.deepEqual([spare.width, spare.height, spare.pixel_format, spare.fps_num, spare.audio_channels], [720, 576, "nv12", 25, 2]);
	frametest("--open", "spare");
	await page.waitForSelector(".slot[aria-label=spare] .state-word:text-is('Live')");
	await page.click("button[aria-label='Remove spare']");
	await page.waitForSelector("dialog[open]:has-text('A writer has it')");
	await page.click("dialog[open] .danger");
	await page.waitForSelector(".slot[aria-label=spare]", { state: "detached" });
	// Its picture may have been asked for in the moment in which it went.
	await leave(page, /400|404/);
});

test("users come, change and go; a DJ sees his mounts and nothing else", async () => {
	const page = await visit("/admin#/people");

	await page.click("button:text-is('Add a user')");
	await page.fill("#ask-name", "mara");
	await page.fill("#ask-password", "short");
	await page.click("dialog[open] .primary");
	await page.waitForSelector("dialog[open] .fault:not(:empty)");
	await page.fill("#ask-password", "songs by the sea");
	await page.fill("#ask-mounts", "/live");
	await page.click("dialog[open] .primary");
	await page.waitForSelector(row("mara"));
	assert.match(await page.textContent(row("mara")), /DJ\s*\/live/);
	await studio.api("POST", "/users", { name: "otto", password: "ships in the fog", rank: "operator" });
	await page.reload();
	await page.waitForSelector(row("otto"));
	assert.match(await page.textContent(row("otto")), /Operator\s*all/);
	await studio.api("DELETE", "/users/otto");

	for (const [size, viewport] of Object.entries(sizes)) {
		const hers = await visit("/admin#/people", { user: "mara", password: "songs by the sea", viewport, colorScheme: size === "desk" ? "light" : "dark" });

		await heading(hers, "Mounts"); // the page of people is not hers
		await hers.waitForFunction((name) => document.querySelector(".brand-name").textContent === name, await page.textContent(".brand-name"));
		await hers.waitForSelector("a.mount-link:text-is('/live')");
		assert.equal(await hers.locator("tbody tr").count(), 1);
		assert.deepEqual(await hers.locator(".side .nav-link").allTextContents(), ["Mounts", "IRC", "History", "You", "About"].filter((word) => word !== "History"));
		await expectWhole(hers, `DJ ${size} mounts`);
		await turnTo(hers, "#/mounts/live");
		await hers.fill(".title-form input", `Mara - ${size}`);
		await hers.click("button:text-is('Set title')");
		await until(async () => (await studio.mount("/live")).title === `Mara - ${size}`, "her title is on the air");
		assert.equal(await hers.locator("button:text-is('Kick all')").count(), 0);
		await expectWhole(hers, `DJ ${size} mount`);
		await turnTo(hers, "#/account");
		await hers.waitForSelector("dd:text-is('mara')");
		await expectWhole(hers, `DJ ${size} account`);
		await leave(hers, /403/);
	}

	await page.click("button[aria-label='Change mara']");
	await page.selectOption("#ask-rank", "operator");
	await page.fill("#ask-mounts", "*");
	await page.click("dialog[open] .primary");
	await page.waitForSelector(`${row("mara")}:has-text('Operator')`);
	const operator = await visit("/admin", { user: "mara", password: "songs by the sea" });

	await live(operator);
	const offered = await operator.locator(".side .nav-link").allTextContents();

	assert.ok(offered.includes("Bans") && offered.includes("History") && offered.includes("You"), offered.join());
	assert.ok(!offered.includes("People") && !offered.includes("Settings"), offered.join());
	await turnTo(operator, "#/history");
	assert.equal(await operator.locator(".tab:text-is('Audit')").count(), 0);
	await leave(operator);

	await page.click("button[aria-label='Change mara']");
	await page.check("#ask-disabled");
	await page.click("dialog[open] .primary");
	await page.waitForSelector(`${row("mara")}:has-text('disabled')`);
	assert.equal((await fetch(`${studio.url}/api/v1/login`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user: "mara", password: "songs by the sea" }) })).status, 401);
	await page.click("button[aria-label='Remove mara']");
	await page.click("dialog[open] .danger");
	await page.waitForSelector(row("mara"), { state: "detached" });
	await leave(page, /40[0-9]/);
});

test("a user is added without mounts, for IRC; who removes him is told what goes with him", async () => {
	const page = await visit("/admin#/people");
	const client = connect(ircPort, "127.0.0.1");
	const password = "a line and no song";
	let said = "";

	try {
		await page.click("button:text-is('Add a user')");
		assert.equal(await page.inputValue("#ask-mounts"), "");
		assert.match(await page.textContent("#ask-mounts-hint"), /nothing: none for a DJ \(IRC and voice only\)/);
		await page.fill("#ask-name", "nils");
		await page.fill("#ask-password", password);
		if (process.env.SHOTS)
			await page.screenshot({ path: `${process.env.SHOTS}/people-add.png` });
		await page.click("dialog[open] .primary");
		await page.waitForSelector(row("nils"));
		assert.match(await page.textContent(row("nils")), /DJ\s*none/);
		assert.equal((await fetch(`${studio.url}/api/v1/mounts/live/title`, { method: "PUT", body: JSON.stringify({ title: "Nils" }),
			headers: { "Content-Type": "application/json", Authorization: `Basic ${btoa(`nils:${password}`)}` } })).status, 403);
		client.on("error", () => {});
		client.on("data", (data) => { said += data; });
		client.write(`PASS :${password}\r\nNICK nils\r\nUSER nils 0 * :Nils\r\n`);
		await until(() => / 001 nils /.test(said), "IRC lets him in");

		for (const [size, viewport] of Object.entries(sizes)) {
			await page.setViewportSize(viewport);
			await page.click("button[aria-label='Remove nils']");
			await page.waitForSelector("dialog[open] p:has-text('IRC has of nils'):has-text('networks, passwords, history, files'):has-text('disabled instead')");
			await expectWhole(page, `remove a user ${size}`);
			if (process.env.SHOTS)
				await page.screenshot({ path: `${process.env.SHOTS}/people-remove-${size}.png` });
			await page.click("dialog[open] button:text-is('Cancel')");
		}
		await page.click("button[aria-label='Remove nils']");
		await page.click("dialog[open] .danger");
		await page.waitForSelector(row("nils"), { state: "detached" });
		await leave(page);
	} finally {
		client.destroy();
		await studio.api("DELETE", "/users/nils").catch(() => {});
	}
});

test("a token is shown once, lets a program in, and no more when it is gone", async () => {
	const page = await visit("/admin#/people");
	const asProgram = (token) => fetch(`${studio.url}/api/v1/mounts/live`, { headers: { Authorization: `Bearer ${token}` } });

	await page.click("button:text-is('Make a token')");
	await page.fill("#ask-name", "playlist <i>script</i>");
	await page.selectOption("#ask-rank", "dj");
	await page.fill("#ask-mounts", "/live");
	await page.selectOption("#ask-length", "86400");
	await page.click("dialog[open] .primary");
	const token = await page.textContent("dialog[open] .secret");

	assert.ok(token.length > 20);
	await expectWhole(page, "the token");
	await page.click("dialog[open] button:text-is('I have kept it')");
	await page.waitForSelector(`${row("playlist <i>script</i>")}:has-text('/live')`);
	assert.ok(!(await page.textContent("body")).includes(token));
	assert.equal((await asProgram(token)).status, 200);
	assert.equal((await fetch(`${studio.url}/api/v1/users`, { headers: { Authorization: `Bearer ${token}` } })).status, 403);
	await page.click("button[aria-label^='Remove the token playlist']");
	await page.click("dialog[open] .danger");
	await page.waitForSelector(row("playlist"), { state: "detached" });
	assert.equal((await asProgram(token)).status, 401);
	await leave(page);
});

test("a browser that is logged in is seen and sent away", async () => {
	await studio.api("POST", "/users", { name: "jo", password: "a door that closes", rank: "operator", mounts: "*" });
	const his = await visit("/admin#/bans", { user: "jo", password: "a door that closes" });
	const page = await visit("/admin#/people");

	await live(his);
	await page.click("button[aria-label='End the session of jo']");
	await page.waitForSelector("button[aria-label='End the session of jo']", { state: "detached" });
	await his.waitForURL("**/admin/login#/bans");
	await his.context().close();
	await studio.api("DELETE", "/users/jo");
	await leave(page);
});

test("what was is told: songs, sessions, encoders, hours, orders; and saved as files", async () => {
	const gone = await studio.listen("/live", "198.51.100.77", "Gramophone/1.0");

	await studio.api("PUT", "/mounts/live/title", { title: hostile });
	await studio.api("PUT", "/mounts/live/title", { title: "Nina, \"the\" Vale - Blue Hour" });
	gone.socket.destroy();
	await until(async () => (await studio.api("GET", "/history/listeners")).listeners?.some((one) => one.address === "198.51.100.77" && one.ended), "his session is kept");
	for (const [size, viewport] of Object.entries(sizes)) {
		const page = await visit("/admin#/history", { viewport });

		await page.waitForSelector(row("Blue Hour"));
		await page.waitForSelector(`td:has-text("${hostile}")`);
		for (const [tab, text] of [["Sessions", "198.51.100.77"], ["Encoders", "/night"], ["Hours", "/live"], ["Audit", "/api/v1/mounts/live/title"]]) {
			await page.click(`.tab:text-is('${tab}')`);
			await page.waitForSelector(`.tab[aria-pressed=true]:text-is('${tab}')`);
			if (tab === "Hours")
				await page.waitForSelector(".content table, .content .empty:visible");
			else
				await page.waitForSelector(`tr:has-text('${text}')`);
			await expectWhole(page, `history ${size} ${tab}`);
		}
		for (const span of ["1 d", "30 d", "1 y", "7 d"]) {
			await page.click(`.span:text-is('${span}')`);
			await page.waitForSelector(`.span[aria-pressed=true]:text-is('${span}')`);
		}
		await page.click(".tab:text-is('Songs')");
		await page.fill("input[aria-label='Only this mount']", "/night");
		await page.press("input[aria-label='Only this mount']", "Enter");
		await page.waitForSelector(row("Blue Hour"), { state: "detached" });
		await page.fill("input[aria-label='Only this mount']", "/live");
		await page.press("input[aria-label='Only this mount']", "Enter");
		await page.waitForSelector(row("Blue Hour"));
		const [csv] = await Promise.all([page.waitForEvent("download"), page.click("text=Save as CSV")]);
		const text = readFileSync(await csv.path(), "utf8");

		assert.match(text, /"Nina, ""the"" Vale - Blue Hour"/);
		const [json] = await Promise.all([page.waitForEvent("download"), page.click("text=Save as JSON")]);

		assert.ok(JSON.parse(readFileSync(await json.path(), "utf8")).songs.some((song) => song.title === hostile));
		await leave(page);
	}
});

test("pushes and relays are seen with their trouble, and stopped and started", async () => {
	const page = await visit("/admin#/relays");

	await page.waitForSelector(`${row("mirror")}:has-text('Tries again soon')`);
	assert.ok(!(await page.textContent("body")).includes("secret"));
	await page.click("button[aria-label='Stop mirror']");
	await page.waitForSelector(`${row("mirror")} .state-word:text-is('Stopped')`);
	await page.click("button[aria-label='Start mirror']");
	await page.waitForSelector(`${row("mirror")} .state-word:not(:text-is('Stopped'))`);
	await page.waitForSelector(`${row("/far")} .state-word:text-is('Waits for a listener')`);
	await page.waitForSelector(".empty:text-is('No mount is listed in a directory.')");
	// What a cell holds stays in it, addresses too.
	await page.setViewportSize(sizes.phone);
	assert.deepEqual(await page.$$eval(".table td", (cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)), []);
	await leave(page);
});

test("a webhook is made, told of a test, changed and removed; one of the settings is only tested", async () => {
	const page = await visit("/admin#/hooks");

	await page.waitForSelector(row("standing"));
	assert.equal(await page.locator("button[aria-label='Change standing']:visible, button[aria-label='Remove standing']:visible").count(), 0);
	await page.click("button:text-is('Add a webhook')");
	await page.fill("#ask-name", "studio chat");
	await page.fill("#ask-url", "http://127.0.0.1:9/hook");
	await page.selectOption("#ask-preset", "slack");
	await page.check("#ask-events-source_up");
	await page.check("#ask-events-title");
	await page.fill("#ask-mounts", "/live /night");
	await page.fill("#ask-secret", "salt of the sea");
	await expectWhole(page, "the form of a webhook");
	await page.click("dialog[open] .primary");
	await page.waitForSelector("dialog[open] .fault:not(:empty)"); // a name is one word
	await page.fill("#ask-name", "chat");
	await page.click("dialog[open] .primary");
	await page.waitForSelector(row("chat"));
	const hook = async () => (await studio.api("GET", "/hooks")).hooks.find((one) => one.name === "chat");
	const made = await hook();

	assert.deepEqual([made.preset, made.events, made.mounts, made.signed, made.enabled, made.editable], ["slack", ["source_up", "title"], ["/live", "/night"], true, true, true]);
	await page.click("button[aria-label='Test chat']");
	// Nobody may lead us to this machine itself.
	await until(async () => (await hook()).error, "it was tried");
	await page.waitForSelector(`${row("chat")} .state-word:not(:text-is('Ready'))`);
	await page.click("button[aria-label='Change chat']");
	await page.waitForSelector("#ask-events-title:checked");
	await page.uncheck("#ask-events-title");
	await page.uncheck("#ask-enabled");
	await page.click("dialog[open] .primary");
	await page.waitForSelector(`${row("chat")} .state-word:text-is('Off')`);
	assert.deepEqual([(await hook()).events, (await hook()).signed, (await hook()).preset, (await hook()).mounts], [["source_up"], true, "slack", ["/live", "/night"]]);
	await page.click("button[aria-label='Remove chat']");
	await page.click("dialog[open] .danger");
	await page.waitForSelector(row("chat"), { state: "detached" });
	assert.ok(!await hook());
	await leave(page, /40[0-9]/);
});

// Somebody in the voice rooms, until he is sent away.
const joins = (user, channel) => studio.run("clients/voice/voicecat", ["--user", user, ...(channel ? ["--channel", channel] : []), `127.0.0.1:${voicePort}`]);
const talkers = async () => (await studio.api("GET", "/voice/users")).users;

test("voice: channels are made, recorded and removed; who is in them is moved, silenced and sent away", async () => {
	const page = await visit("/admin#/voice");
	const channels = async () => (await studio.api("GET", "/voice/channels")).channels;
	const channel = (name) => `table[aria-label=Channels] ${row(name)}`;
	const user = (name) => `table[aria-label=Users] ${row(name)}`;
	const submit = (kind = "primary") => page.click(`dialog[open] .${kind}`);

	await page.click("button:text-is('Make a channel')");
	await page.fill("#ask-name", "Studio");
	await page.fill("#ask-description", hostile);
	await page.fill("#ask-position", "3");
	await page.fill("#ask-max_users", "12");
	await submit();
	await page.waitForSelector(channel("Studio"));
	await page.click("button[aria-label='Make below Studio']");
	await page.fill("#ask-name", "Left <b>ear</b>");
	await submit();
	await page.waitForSelector(channel("Left <b>ear</b>"));
	const [quay, studioRoom, left] = await channels();

	assert.deepEqual([quay.name, studioRoom.position, studioRoom.max_users, studioRoom.description, left.parent], ["Quay", 3, 12, hostile, studioRoom.id]);
	assert.equal(await page.locator("button[aria-label='Remove Quay']:visible").count(), 0, "the uppermost channel stays");

	const ada = joins("ada", "Studio"), otto = joins("otto", "");

	await page.waitForSelector(`${channel("Studio")} .chip:text-is('ada')`);
	await page.waitForSelector(`${channel("Quay")} .chip:text-is('otto')`);
	await page.click("button[aria-label='Change otto']");
	await page.selectOption("#ask-channel", { label: "Studio / Left <b>ear</b>" });
	await page.check("#ask-mute");
	await page.check("#ask-deaf");
	await page.check("#ask-priority");
	await submit();
	await page.waitForSelector(`${channel("Left")} .chip:has-text('otto · deafened · silenced · speaks first')`);
	await page.waitForSelector(`${user("otto")}:has-text('Studio / Left')`);
	const [changed] = (await talkers()).filter((one) => one.name === "otto");

	assert.deepEqual([changed.channel, changed.mute, changed.deaf, changed.priority], [left.id, true, true, true]);
	await page.fill("input[aria-label='Find a user']", "ADA");
	await page.waitForSelector(user("otto"), { state: "detached" });
	await page.fill("input[aria-label='Find a user']", "");

	await page.click("button[aria-label='Record Studio']");
	await page.waitForSelector(`${channel("Studio")} .state-word:text-is('Recorded')`);
	await page.waitForSelector(`table[aria-label=Recordings] ${row(frames)}`);
	assert.deepEqual((await studio.api("GET", "/voice/recordings")).recordings.map((one) => one.channel), [studioRoom.id]);
	for (const [size, viewport] of Object.entries(sizes)) {
		await page.setViewportSize(viewport);
		await expectWhole(page, `voice ${size}`);
		if (process.env.SHOTS)
			await page.screenshot({ path: `${process.env.SHOTS}/voice-${size}.png`, fullPage: true });
	}
	await page.click("button[aria-label='Stop Studio']");
	await page.waitForSelector(`${channel("Studio")} .state-word:text-is('No')`);
	await page.click("button[aria-label='Record Studio']");
	await page.click("button[aria-label='End the recording of Studio']");
	await page.waitForSelector(".empty:text-is('No channel is recorded.')");
	assert.deepEqual((await studio.api("GET", "/voice/recordings")).recordings, []);

	await page.click("button[aria-label='Send away ada']");
	await page.fill("#ask-reason", "good night & sleep?");
	await submit("danger");
	await until(() => ada.ended, "ada is away");
	assert.match(ada.said, /good night & sleep\?/);
	await page.click("button[aria-label='Ban otto']");
	await page.fill("#ask-reason", hostile);
	await page.selectOption("#ask-seconds", "0");
	await submit("danger");
	await until(() => otto.ended, "otto is away");
	await page.waitForSelector(`table[aria-label=Bans] ${row("For ever")}`);
	await page.click("button[aria-label='Lift the ban of otto']");
	await page.waitForSelector(".empty:text-is('Nobody is banned from the voice rooms.')");
	assert.deepEqual((await studio.api("GET", "/voice/bans")).bans, []);
	await page.click("button[aria-label='Remove Studio']");
	await submit("danger");
	await page.waitForSelector(channel("Left"), { state: "detached" });
	assert.deepEqual((await channels()).map((one) => one.name), ["Quay"]);
	await leave(page);
});

test("voice: who is registered is seen and forgotten", async () => {
	const list = { registrations: [{ id: 7, name: "<i>mona</i>", hash: "0123456789abcdef0123456789abcdef01234567", last_channel: 0, seen_ms: Date.now() }] };
	const page = await visit("/admin");
	let forgotten = "";

	await page.route("**/api/v1/voice/registrations", (route) => route.fulfill({ json: list }));
	await page.route("**/api/v1/voice/registrations/*", (route) => {
		forgotten = `${route.request().method()} ${new URL(route.request().url()).pathname}`;
		list.registrations = [];
		return route.fulfill({ status: 204 });
	});
	await turnTo(page, "#/voice");
	await page.waitForSelector(`table[aria-label=Registered] ${row("<i>mona</i>")}:has-text('0123456789abcdef…')`);
	await page.click("button[aria-label='Forget <i>mona</i>']");
	await page.click("dialog[open] .danger");
	await page.waitForSelector(".empty:text-is('Nobody is registered.')");
	assert.equal(forgotten, "DELETE /api/v1/voice/registrations/7");
	await leave(page);
});

// A server that lets everybody in, and answers what keeps a connection.
async function ircServer() {
	const sockets = new Set();
	const server = createServer((socket) => {
		let rest = "";

		sockets.add(socket);
		socket.on("error", () => {});
		socket.on("data", (data) => {
			const lines = (rest + data).split("\r\n");

			rest = lines.pop();
			for (const line of lines) {
				if (line.startsWith("CAP LS"))
					socket.write(":far 421 * CAP :Unknown command\r\n");
				else if (line.startsWith("USER"))
					socket.write(":far 001 ann :Welcome\r\n:far 005 ann CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ :are supported\r\n:far 422 ann :no motto\r\n");
				else if (line.startsWith("PING"))
					socket.write(`:far PONG far ${line.slice(5)}\r\n`);
			}
		});
	});

	await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
	return { port: server.address().port, stop() {
		server.close();
		sockets.forEach((socket) => socket.destroy());
	} };
}

test("IRC: networks are added, turned off and removed, clients are seen, BouncerServ obeys; each for himself", async () => {
	const far = await ircServer();
	const network = async (user) => (await studio.api("GET", `/irc/users/${user}`).catch(() => null))?.networks[0];
	const client = connect(ircPort, "127.0.0.1");

	try {
		await studio.api("POST", "/users", { name: "ira", password: "a line to the harbour", rank: "dj" });
		const page = await visit("/admin#/irc");

		await heading(page, "IRC · admin");
		await page.waitForSelector("h2:text-is('Not on IRC yet')");
		await page.click("button:text-is('Add a network')");
		await page.fill("#ask-addr", "nonsense://x");
		await page.click("dialog[open] .primary");
		await page.waitForSelector("dialog[open] .fault:has-text('-addr')");
		await page.fill("#ask-addr", `irc+insecure://127.0.0.1:${far.port}`);
		await page.fill("#ask-name", "harbour");
		await page.fill("#ask-nick", "ann");
		await page.click("dialog[open] .primary");
		await page.waitForSelector(`table[aria-label=Networks] ${row("harbour")} .state-word:text-is('Connected')`);
		assert.equal((await network("admin")).nick, "ann");
		client.on("error", () => {});
		client.on("data", () => {});
		client.write(`PASS :${PASSWORD}\r\nNICK ann\r\nUSER admin/harbour@phone 0 * :Ann\r\n`);
		await page.waitForSelector(`table[aria-label=Connections] ${row("phone")}:has-text('harbour')`);
		await page.waitForSelector(`table[aria-label=Clients] ${row("phone")}:has-text('nothing')`);
		await page.click("button:text-is('Make a password')");
		await page.fill("#ask-label", "pocket");
		await page.click("dialog[open] .primary");
		assert.match(await page.textContent("dialog[open] pre"), /^[0-9a-f]{24}$/);
		await page.click("dialog[open] .primary");
		await page.waitForSelector(`table[aria-label='Passwords of programs'] ${row("pocket")}:has-text('never')`);
		await page.click("button[aria-label='Revoke pocket']");
		await page.click("dialog[open] .danger");
		await page.waitForSelector(".empty:has-text('None: programs')");
		await page.click("button:text-is('Add a rule')");
		await page.fill("#ask-word", hostile);
		await page.fill("#ask-channel", "#ring");
		await page.click("dialog[open] .primary");
		await page.waitForSelector(`table[aria-label=Rules] ${row("pwned")}:has-text('#ring')`);
		await page.click("button[aria-label='Certificate harbour']");
		await page.click("dialog[open] .primary");
		await page.waitForSelector("dialog[open] pre:has-text('SHA256')");
		await page.click("dialog[open] button:text-is('Cancel')");
		await page.waitForSelector(`${row("harbour")}:has-text('certificate')`);
		await page.click("button[aria-label='Change harbour']");
		await page.click("dialog[open] .primary");
		await page.waitForSelector("dialog[open] .fault:has-text('Nothing was changed')");
		await page.fill("#ask-highlights", "quay");
		await page.click("dialog[open] .primary");
		await page.waitForSelector(".notice:has-text('harbour was changed')");
		await page.fill("input[aria-label='An order to BouncerServ']", "network create -addr irc+insecure://127.0.0.1:9 -name lost");
		await page.keyboard.press("Enter");
		await page.locator(`table[aria-label=Networks] ${row("lost")}`).filter({ hasText: /127\.0\.0\.1: Connection refused\. Again in \d+:\d/ }).waitFor();
		await page.fill("input[aria-label='An order to BouncerServ']", "network status");
		await page.keyboard.press("Enter");
		await page.waitForSelector(".answers:has-text('harbour (irc+insecure')");
		await page.fill("input[aria-label='An order to BouncerServ']", hostile);
		await page.keyboard.press("Enter");
		await page.waitForSelector(`.answers:has-text("unknown command")`);
		for (const [size, viewport] of Object.entries(sizes)) {
			await page.setViewportSize(viewport);
			await expectWhole(page, `irc ${size}`);
			if (process.env.SHOTS)
				await page.screenshot({ path: `${process.env.SHOTS}/irc-${size}.png`, fullPage: true });
		}
		// On a small desk no button is beyond the edge of its card.
		await page.setViewportSize({ width: 1280, height: 800 });
		assert.deepEqual(await page.$$eval(".table-wrap", (all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.scrollWidth - one.clientWidth)), []);
		await page.setViewportSize(sizes.desk);
		await page.click("button[aria-label='Remove lost']");
		await page.click("dialog[open] .danger");
		await page.click("button[aria-label='Remove rule 1']");
		await page.waitForSelector(".empty:has-text('Your nick, and nothing else')");
		await page.click("button[aria-label='Turn off harbour']");
		await page.waitForSelector(`${row("harbour")} .state-word:text-is('Off')`);
		await page.click("button[aria-label='Turn on harbour']");
		await page.waitForSelector(`${row("harbour")} .state-word:text-is('Connected')`);
		await page.click("button[aria-label='Remove harbour']");
		await page.click("dialog[open] .danger");
		await page.waitForSelector(".empty:text-is('No network.')");
		assert.equal(await network("admin"), undefined);

		// A DJ orders for himself and sees nobody else; the administrator orders for him.
		const hers = await visit("/admin#/irc", { user: "ira", password: "a line to the harbour", viewport: sizes.phone });

		await hers.waitForSelector("h2:text-is('Not on IRC yet')");
		await hers.fill("input[aria-label='An order to BouncerServ']", "user status");
		await hers.click("button:text-is('Order')");
		await hers.waitForSelector(".answers:has-text('ira:')");
		await hers.waitForSelector(".empty:text-is('No network.')");
		assert.equal(await hers.locator("table[aria-label=Users]").count(), 0);
		await page.click("table[aria-label=Users] a:text-is('ira')");
		await heading(page, "IRC · ira");
		await page.fill("input[aria-label='An order to BouncerServ']", "network create -addr irc+insecure://127.0.0.1:9 -name pier");
		await page.keyboard.press("Enter");
		await page.waitForSelector(`table[aria-label=Networks] ${row("pier")}`);
		await hers.waitForSelector(`table[aria-label=Networks] ${row("pier")}`);
		assert.equal((await network("ira")).name, "pier");
		await expectWhole(hers, "irc of a DJ");
		await leave(hers, /404|403/);
		await leave(page);
	} finally {
		client.destroy();
		far.stop();
		await studio.api("DELETE", "/users/ira").catch(() => {});
	}
});

test("health names what is not well", async () => {
	const page = await visit("/admin#/health");

	await page.waitForSelector(".check-name:text-is('connections')");
	await page.waitForSelector(".verdict");
	await page.click("summary:has-text('All counters')");
	await page.waitForSelector(".metric:visible");
	await page.waitForSelector(".facts dd:text-is('" + (await studio.api("GET", "/server")).version + "')");
	await leave(page);
});

test("without a certificate the page says so, and how to have one", async () => {
	const page = await visit("/admin#/certificate");

	await page.waitForSelector(".state-word:text-is('No certificate')");
	await page.waitForSelector(".state-word:text-is('By hand')");
	assert.equal(await page.locator("button:text-is('Ask now'):visible").count(), 0);
	await leave(page);
});

test("a certificate of one's own, one from an authority, and why none comes", async () => {
	const own = new Studio({
		"tls.acme.domains": "radio.test", "tls.acme.directory": "https://127.0.0.1:9/dir", "tls.redirect": "no", "tls.acme.retry": "1h",
	});
	const openssl = (...args) => execFileSync("openssl", args, { cwd: frames, stdio: "pipe" });
	let signed = null;

	try {
		await own.start();
		const page = await visitAt(browser, own.url, "/admin#/certificate");

		await page.waitForSelector(".state-word:text-is('Self-signed')");
		await page.waitForSelector(".hint-text:has-text('No authority has signed it')");
		await page.waitForSelector(".state-word:text-is('Failed')");
		await page.waitForSelector(".hint-text:has-text('1 time in a row')");
		await page.waitForSelector("dd:text-is('radio.test')");
		await page.click("button:text-is('Ask now')");
		await page.waitForSelector(".notice:has-text('The authority is asked.')");
		for (const viewport of Object.values(sizes)) {
			await page.setViewportSize(viewport);
			await expectWhole(page, "certificate");
		}
		await leave(page);

		openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "400", "-subj", "/CN=Harbour CA");
		openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=radio.test", "-addext", "subjectAltName=DNS:radio.test");
		openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "90", "-copy_extensions", "copy", "-out", "leaf.pem");
		signed = new Studio({ "tls.certificate": join(frames, "leaf.pem"), "tls.key": join(frames, "leaf.key"), "tls.redirect": "no" });
		await signed.start();
		const good = await visitAt(browser, signed.url, "/admin#/certificate");

		await good.waitForSelector(".state[data-state=good] .state-word:has-text('Valid until')");
		await good.waitForSelector(".hint-text:has-text('Signed by Harbour CA.')");
		await leave(good);
	} finally {
		own.stop();
		signed?.stop();
	}
});

test("what the authority is doing is told in words", async () => {
	const now = Math.floor(Date.now() / 1000);
	const answer = { tls: true, names: "radio.test", self_signed: false, issuer: "R3", ends: now + 9.5 * 86400, acme: { phase: "running", domain: "radio.test", error: "", failures: 0, tried: now, obtained: null, next: null } };
	const page = await visit("/admin");

	await page.route("**/api/v1/certificate", (route) => route.fulfill({ json: answer }));
	await turnTo(page, "#/certificate");
	await page.waitForSelector(".state[data-state=warning]:has-text('Valid until')");
	await page.waitForSelector(".hint-text:has-text('9 days more')");
	await page.waitForSelector(".state-word:text-is('Asking the authority')");
	Object.assign(answer, { ends: now - 60, acme: { ...answer.acme, phase: "good", obtained: now - 60, next: now + 86400 } });
	await page.waitForSelector(".state[data-state=bad] .state-word:text-is('Ended')");
	await page.waitForSelector(".state[data-state=good] .state-word:text-is('By itself')");
	await leave(page);
});

test("whoever has the code that the server printed makes himself the administrator, once", async () => {
	const fresh = new Studio({ "admin.password": null });

	try {
		await fresh.start();
		const { code } = /code=(?<code>[0-9a-f]{32})/.exec(fresh.server.said).groups;

		for (const viewport of Object.values(sizes)) {
			const page = await visitAt(browser, fresh.url, "/admin", { login: false, viewport });

			await page.waitForURL("**/admin/login");
			await heading(page, "Welcome");
			await expectWhole(page, "first run");
			await page.context().close();
		}
		const page = await visitAt(browser, fresh.url, "/admin/login", { login: false });

		await page.waitForSelector("#token:focus");
		await page.fill("#token", "0123456789abcdef0123456789abcdef");
		await page.fill("#user", "ada");
		await page.fill("#password", "a sentence to keep");
		await page.keyboard.press("Enter");
		await page.waitForSelector(".fault:not(:empty)");
		await page.fill("#token", code);
		await page.click("button:text-is('Make me the administrator')");
		await page.waitForURL("**/admin");
		await page.waitForSelector(".who-name:text-is('ada')");
		await turnTo(page, "#/people");
		await page.waitForSelector(row("ada"));
		await leave(page, /40[0-9]/);
		const later = await visitAt(browser, fresh.url, "/admin/login", { login: false });

		await later.waitForSelector("h1:text-is('Control room')");
		assert.equal(await later.locator("#token").count(), 0);
		await leave(later);
	} finally {
		fresh.stop();
	}
});

// "/api/v1/mounts/{mount}/title" is "/mounts${…}/title" in a page.
test("there is a page for every order that the server takes", async () => {
	const folder = join(here, "../../web/ui");
	const source = readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "world.js").map((name) => readFileSync(join(folder, name), "utf8")).join("\n")
		.replace(/\bcan\([^)]*\)/g, ""); // who only asks whether it is there does not order it
	const { operations } = await studio.api("GET", "/operations");
	const pattern = (path) => new RegExp(path.replace("/api/v1", "").replace(/\/\{mount\}/g, "{}").replace(/\{[^}]*\}/g, "\u0000").replace(/[.*+?^$()|[\]\\]/g, "\\$&")
		.replaceAll("\u0000", "\\$\\{[^`]*?\\}") + "[`\"?]");
	const missing = operations.filter((one) => one.method !== "GET" && !pattern(one.path).test(source)).map((one) => `${one.method} ${one.path}`);

	assert.ok(operations.length > 50);
	assert.deepEqual(missing, []);
});
