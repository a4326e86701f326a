// admin_test: the control room and the pages of one stream, in a real browser, on the real server.
//
//     RINGMAIN_BUILD=path/of/build node --test admin_test.mjs

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { openBrowser } from "./stage.mjs";
import { freePort, PASSWORD, Studio, until } from "./studio.mjs";
import { expectWhole, heading, leave, live, sizes, turnTo, visit as visitAt } from "./visit.mjs";

const hostile = "<script>window.pwned=1</script> - <img src=x onerror=window.pwned=1>";
let studio, browser;

before(async () => {
	studio = new Studio({
		"voice.listen": `127.0.0.1:${await freePort()}`, "irc.listen": `127.0.0.1:${await freePort()}`,
		"server.name": "Harbour <i>Radio</i>", "mount./live.fallback": "/night", "mount./event.name": "Weekend Special",
		"relay./pulled.url": "http://127.0.0.1:9/none", "hook.chat.url": "http://127.0.0.1:9/hook",
	});
	await studio.start();
	await studio.encode("/live");
	await studio.encode("/night");
	await studio.encode("/deep/house");
	browser = await openBrowser();
});

after(async () => {
	await browser?.close();
	studio?.stop();
});

// What a test that failed has left.
beforeEach(async () => {
	studio.hangUp();
	for (const { network } of (await studio.api("GET", "/bans")).bans)
		await studio.api("DELETE", `/bans/${network}`);
});

const visit = (path, options) => visitAt(browser, studio.url, path, options);

test("who is not logged in comes to the login, by keyboard alone, and back to where he wanted", async () => {
	const page = await visit("/admin#/bans", { login: false });

	await page.waitForURL("**/admin/login#/bans");
	await page.waitForSelector("#user:focus");
	await page.keyboard.type("admin");
	await page.keyboard.press("Tab");
	await page.keyboard.type("guess");
	await page.keyboard.press("Enter");
	await page.waitForFunction(() => document.querySelector(".fault").textContent === "User or password is wrong.");
	await page.keyboard.type(PASSWORD); // the field has the focus, its text is selected
	await page.keyboard.press("Enter");
	await page.waitForURL("**/admin#/bans");
	await heading(page, "Bans");
	page.complaints = page.complaints.filter((text) => !/401/.test(text));
	await leave(page);
});

test("every page of the control room, at two sizes, by day and by night, is whole and accessible", async () => {
	await studio.api("PUT", "/mounts/live/title", { title: hostile });
	await studio.api("POST", "/bans", { network: "203.0.113.0/24", reason: hostile, seconds: 600 });
	await studio.listen("/live", "198.51.100.1", "<b onmouseover=window.pwned=1>Player</b>");
	await studio.listen("/night", "198.51.100.2");
	const offered = await (async () => {
		const page = await visit("/admin");

		await live(page);
		const hrefs = await page.locator(".side .nav-link").evaluateAll((links) => links.map((link) => link.getAttribute("href")));

		await leave(page);
		return hrefs;
	})();

	assert.ok(offered.length >= 10, offered.join(" "));
	for (const [size, viewport] of Object.entries(sizes)) {
		for (const colorScheme of ["light", "dark"]) {
			const page = await visit("/admin", { viewport, colorScheme });
			// What depends on size is the same by night, but for colours.
			const rules = (size === "phone") === (colorScheme === "light") ? null : ["color-contrast"];

			await live(page);
			for (const href of [...offered, "#/mounts/live", "#/mounts/event", "#/mounts/none"]) {
				await turnTo(page, href);
				await expectWhole(page, `${size} ${colorScheme} ${href}`, rules);
			}
			// A mount that is not there was asked for.
			await leave(page, /404.*mounts\/none/);
		}
	}
});

test("what encoders and listeners send stays text", async () => {
	await studio.api("PUT", "/mounts/live/title", { title: hostile });
	await studio.listen("/live", "198.51.100.3", "<img src=x onerror=window.pwned=1>");
	const page = await visit("/admin#/mounts/live");

	await page.waitForFunction(() => document.querySelector(".now-song")?.textContent === "<img src=x onerror=window.pwned=1>");
	await page.waitForSelector("td:has-text('198.51.100.3')");
	assert.equal(await page.locator(".content img, .content script, .content b").count(), 0);
	assert.equal(await page.locator(".brand-name").textContent(), "Harbour <i>Radio</i>");
	await leave(page);
	for (const path of ["/", "/player/live", "/embed/live"]) {
		const open = await visit(path, { login: false });

		await open.waitForFunction(() => document.body.textContent.includes("<img src=x onerror=window.pwned=1>"));
		assert.equal(await open.locator("img, body script").count(), 0);
		await leave(open);
	}
	studio.hangUp();
});

test("numbers move without a reload", async () => {
	const page = await visit("/admin");

	await live(page);
	const value = () => page.locator(".tile-value").first().textContent();

	await until(async () => await value() === "0", "nobody listens");
	await studio.listen("/live", "198.51.100.4");
	await until(async () => await value() === "1", "one listens");
	await studio.api("PUT", "/mounts/night/title", { title: "Mira - Letters" });
	await page.waitForSelector(".title-song:text-is('Letters')");
	await page.waitForSelector(".log-line:has-text('mount=/night')");
	studio.hangUp();
	await until(async () => await value() === "0", "nobody listens");
	await leave(page);
});

test("a title is set", async () => {
	const page = await visit("/admin#/mounts/live");

	await page.fill("input[aria-label='What is playing']", "Nina - Blue Hour");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".now-song:text-is('Blue Hour')");
	await page.waitForSelector(".now-artist:text-is('Nina')");
	assert.equal((await studio.mount("/live")).title, "Nina - Blue Hour");
	await leave(page);
});

test("listeners are found, kicked, moved and banned", async () => {
	const [one, two, three] = [await studio.listen("/live", "198.51.100.11"), await studio.listen("/live", "198.51.100.12"), await studio.listen("/live", "198.51.100.13", "Winamp 2.81")];
	const page = await visit("/admin#/mounts/live");

	await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 3);
	await page.fill("input[aria-label='Find a listener']", "winamp");
	await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
	await page.fill("input[aria-label='Find a listener']", "");
	await page.click("button[aria-label='Kick 198.51.100.11']");
	await until(() => one.gone, "the first is gone");
	await page.waitForSelector("td:has-text('198.51.100.11')", { state: "detached" });
	await page.click("button[aria-label='Move 198.51.100.12']");
	await page.selectOption("#ask-to", "/deep/house");
	await page.click("dialog[open] .primary");
	await until(async () => (await studio.mount("/deep/house")).listeners === 1, "one has moved");
	assert.ok(!two.gone);
	await page.click("button[aria-label='Ban 198.51.100.13']");
	assert.equal(await page.inputValue("#ask-network"), "198.51.100.13");
	await page.fill("#ask-reason", "noise");
	await page.click("dialog[open] .danger");
	await until(() => three.gone, "the banned one is gone");
	await page.waitForSelector(".empty:text-is('Nobody listens.')");
	await page.goto(`${studio.url}/admin#/bans`);
	await page.waitForSelector("td:has-text('noise')");
	await page.click("button[aria-label='Lift the ban of 198.51.100.13']");
	await page.waitForSelector(".empty:text-is('Nobody is banned.')");
	assert.deepEqual((await studio.api("GET", "/bans")).bans, []);
	studio.hangUp();
	await leave(page);
});

test("a ban that cannot be is said in the dialog, which stays", async () => {
	const page = await visit("/admin#/bans");

	await page.click("button:text-is('Ban an address')");
	await page.fill("#ask-network", "not an address");
	await page.click("dialog[open] .danger");
	await page.waitForSelector("dialog[open] .fault:has-text('expected an address')");
	await page.keyboard.press("Escape");
	await page.waitForSelector("dialog.ask", { state: "detached" });
	page.complaints = page.complaints.filter((text) => !/400/.test(text));
	await leave(page);
});

test("all listeners are moved and sent away", async () => {
	const crowd = [await studio.listen("/live", "198.51.100.21"), await studio.listen("/live", "198.51.100.22")];
	const page = await visit("/admin#/mounts/live");

	await live(page); // where to is known from then on
	await page.click("button:text-is('Move all')");
	await page.selectOption("#ask-to", "/night");
	await page.click("dialog[open] .primary");
	await until(async () => (await studio.mount("/night")).listeners === 2, "both have moved");
	await page.goto(`${studio.url}/admin#/mounts/night`);
	await heading(page, "/night");
	await page.click("button:text-is('Kick all')");
	await page.click("dialog[open] .danger");
	await until(() => crowd.every((one) => one.gone), "both are gone");
	await leave(page);
});

test("fallback, visibility and the encoder are changed", async () => {
	const encoder = await studio.encode("/brief");
	const page = await visit("/admin#/mounts/brief");

	await page.click(".card:has-text('Set up') button:text-is('Change')");
	await page.selectOption("#ask-fallback", "/night");
	await page.click("dialog[open] .primary");
	await until(async () => (await studio.mount("/brief")).fallback === "/night", "the fallback is set");
	await page.waitForSelector("dd:has-text('/night (until the next reload)')");
	await page.click("button:text-is('Hide')");
	await page.waitForSelector("button:text-is('Show publicly')");
	assert.ok(!(await (await fetch(`${studio.url}/api/v1/station`)).json()).mounts.some((mount) => mount.mount === "/brief"));
	await page.click("button:text-is('Disconnect')");
	await page.click("dialog[open] .danger");
	await until(() => encoder.ended, "the encoder is gone");
	await leave(page);
});

test("settings are found, checked and reloaded", async () => {
	const page = await visit("/admin#/settings");

	await page.waitForSelector(".setting:visible");
	assert.ok(!(await page.textContent("body")).includes(PASSWORD));
	await page.fill("input[aria-label='Find a setting']", "public_url");
	// All that speak of it, and no others.
	await page.waitForSelector(".setting:visible:has-text('http.public_url')");
	assert.equal(await page.locator(".setting:visible:not(:has-text('public_url'))").count(), 0);
	await page.fill("input[aria-label='Find a setting']", "");
	await page.check("#only-said");
	await page.waitForSelector(".setting:visible:has-text('server.name')");
	assert.equal(await page.locator(".setting:visible:has-text('log.level')").count(), 0);
	await page.click("details.card > summary");
	await page.fill("textarea", "http:\n  lissten: x\n");
	await page.click("button:text-is('Check')");
	await page.waitForSelector(".verdict.bad:has-text('lissten')");
	await page.click("button:text-is('Reload')");
	await page.click("dialog[open] .primary");
	await page.waitForSelector(".notice:has-text('The settings are in force.')");
	await leave(page);
});

test("the log is filtered and goes on", async () => {
	const page = await visit("/admin#/log");
	const times = () => page.locator(".log-time").allTextContents();

	await page.waitForSelector(".log-line:has-text('ready')");
	assert.deepEqual(await times(), (await times()).sort(), "oldest first, whatever came first");
	await page.fill("input[aria-label='Find in the log']", "unlikely words");
	assert.equal(await page.locator(".log-line").count(), 0);
	await studio.api("PUT", "/mounts/live/title", { title: "these are unlikely words" });
	await page.waitForSelector(".log-line:has-text('unlikely words')");
	await page.selectOption("select", "error");
	assert.equal(await page.locator(".log-line.level-info").count(), 0);
	await leave(page);
});

test("relays and webhooks are seen and ordered about", async () => {
	const page = await visit("/admin#/relays");

	await page.waitForSelector("td:has-text('/pulled')");
	await page.click("button[aria-label='Stop /pulled']");
	await page.waitForSelector(".state-word:text-is('Stopped')");
	await page.click("button:text-is('Relay a stream')");
	await page.fill("#ask-url", "http://198.51.100.77:9/far");
	await page.fill("#ask-mount", "/far");
	await page.click("dialog[open] .primary");
	await page.waitForSelector("td:has-text('/far')");
	await page.click("tr:has-text('/far') .remove");
	await page.waitForSelector("td:has-text('/far')", { state: "detached" });
	await page.goto(`${studio.url}/admin#/hooks`);
	await page.click("button[aria-label='Test chat']");
	await page.waitForSelector(".notice:has-text('A test is on its way.')");
	await leave(page);
});

test("the whole of it is used by keyboard", async () => {
	const page = await visit("/admin");

	await live(page);
	await page.keyboard.press("Tab");
	assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the page");
	await page.keyboard.press("Enter");
	assert.equal(await page.evaluate(() => document.activeElement.id), "content");
	await page.locator(".side .nav-link[href='#/bans']").focus();
	await page.keyboard.press("Enter");
	await heading(page, "Bans");
	await page.locator("button:text-is('Ban an address')").focus();
	await page.keyboard.press("Enter");
	await page.waitForSelector("#ask-network:focus");
	await page.keyboard.press("Escape");
	await page.waitForFunction(() => document.activeElement.textContent === "Ban an address");
	await page.locator(".side .nav-link[href='#/overview']").focus();
	await page.keyboard.press("Enter");
	await page.waitForSelector(".chart");
	await page.locator(".chart").first().focus();
	await page.keyboard.press("ArrowLeft");
	await page.waitForSelector(".chart-reading:visible");
	await leave(page);
});

test("on a phone the pages are in a drawer", async () => {
	const page = await visit("/admin", { viewport: sizes.phone });

	await live(page);
	await page.click("button[aria-label='Menu']");
	await page.click(".drawer .nav-link[href='#/log']");
	await heading(page, "Log");
	assert.equal(await page.locator("dialog[open]").count(), 0);
	await leave(page);
});

test("a theme that was chosen stays", async () => {
	const page = await visit("/admin", { colorScheme: "light" });

	await live(page);
	const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
	const day = await paper();

	await page.click("button[aria-label='Light or dark']");
	assert.notEqual(await paper(), day);
	await page.reload();
	await live(page);
	assert.notEqual(await paper(), day);
	await leave(page);
});

test("a session that has ended leads to the login", async () => {
	const page = await visit("/admin#/bans");

	await live(page);
	const word = (await page.context().cookies()).find((cookie) => cookie.name === "ringmain_csrf").value;

	assert.equal((await page.context().request.post(`${studio.url}/api/v1/logout`, { headers: { "X-CSRF-Token": word } })).status(), 204);
	await page.waitForURL("**/admin/login#/bans");
	await page.context().close();
});

test("logging out is done", async () => {
	const page = await visit("/admin");

	await live(page);
	await page.click("button[aria-label='Log out']");
	await page.waitForURL("**/admin/login*");
	await page.goto(`${studio.url}/admin`);
	await page.waitForURL("**/admin/login*");
	await page.context().close();
});

test("a server that is started again is followed again", async () => {
	const page = await visit("/admin");

	await live(page);
	await studio.stopServer();
	await page.waitForSelector(".line[data-state=down]");
	assert.equal(await page.textContent(".line-word"), "Reconnecting…");
	await studio.start();
	// Sessions that are not kept lead to the login; those that are go on.
	await until(async () => page.url().includes("/admin/login") || page.locator(".line[data-state=up]").count(), "the page follows again");
	await page.context().close();
	await studio.encode("/live");
	await studio.encode("/night");
});

test("one stream has a page of its own, which plays", async () => {
	await studio.api("PUT", "/mounts/live/title", { title: "Nina - Blue Hour" });
	for (const [size, viewport] of Object.entries(sizes)) {
		for (const colorScheme of ["light", "dark"]) {
			const page = await visit("/player/live", { login: false, viewport, colorScheme });

			await page.waitForSelector(".listen-song:text-is('Blue Hour')");
			await expectWhole(page, `${size} ${colorScheme} player`);
			await leave(page);
		}
	}
	const page = await visit("/player/live", { login: false });

	await page.click("button[aria-label^='Play']");
	await page.waitForSelector("body[data-player=playing]");
	await page.waitForFunction(() => /^(?!0:00)\d+:\d\d$/.test(document.querySelector(".listen-time").textContent));
	await page.click("button[aria-label^='Stop']");
	await page.waitForSelector("body[data-player=idle]");
	await leave(page);
});

test("other sites frame the small player, and nothing else, and show what is playing", async () => {
	const other = createServer((request, response) => {
		response.setHeader("Content-Type", "text/html");
		response.end(`<!DOCTYPE html><title>x</title><script async src="${studio.url}/widget.js"></script>
			<p data-ringmain="/live"></p><p data-ringmain="/live" data-ringmain-show="artist"></p><p data-ringmain="/none" data-ringmain-show="state"></p>
			<iframe name="good" src="${studio.url}/embed/live"></iframe><iframe name="bad" src="${studio.url}/admin"></iframe>`);
	});

	await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
	const page = await visit("/", { login: false });

	await page.goto(`http://localhost:${other.address().port}/`);
	await page.waitForSelector("p:text-is('Nina - Blue Hour')");
	await page.waitForSelector("p:text-is('Nina')");
	await page.waitForSelector("p:text-is('Off air')");
	await page.frame("good").waitForSelector(".listen-song:text-is('Blue Hour')");
	assert.ok(page.frames().every((frame) => !frame.url().endsWith("/admin")));
	await page.context().close();
	other.close();
});
