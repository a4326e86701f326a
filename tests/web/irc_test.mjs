// irc_test: the page of the channels, behind the real bouncer, on a server that the test plays.
//
//     RINGMAIN_BUILD=path/of/build node --test irc_test.mjs

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { names, parseLine, portions, runs, folder, lineOf, saslPlain } from "../../web/ui/irc-wire.js";
import { openBrowser } from "./stage.mjs";
import { freePort, PASSWORD, Studio, until } from "./studio.mjs";
import { expectWhole, leave, sizes, visit as visitAt } from "./visit.mjs";

const hostile = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;
let studio, browser, port, far;

// A server that lets everybody in, to any channel, with the same few people in each.
async function ircServer() {
	const server = { sockets: new Set(), heard: [], people: "@bob +carol dave" };
	const listener = createServer((socket) => {
		let rest = "", nick = "ann";

		server.sockets.add(socket);
		socket.on("error", () => {});
		socket.on("close", () => server.sockets.delete(socket));
		socket.on("data", (data) => {
			const lines = (rest + data).split("\r\n");

			rest = lines.pop();
			for (const line of lines) {
				const [verb, first = ""] = line.split(" ");

				server.heard.push(line);
				if (line.startsWith("CAP LS"))
					socket.write(":far 421 * CAP :Unknown command\r\n");
				else if (verb === "NICK")
					nick = first;
				else if (verb === "USER")
					socket.write(`:far 001 ${nick} :Welcome\r\n:far 005 ${nick} CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ :are supported\r\n:far 422 ${nick} :no motto\r\n`);
				else if (verb === "PING")
					socket.write(`:far PONG far ${first}\r\n`);
				else if (verb === "JOIN")
					for (const name of first.split(","))
						socket.write(`:${nick}!ann@h JOIN ${name}\r\n:far 332 ${nick} ${name} :All about ${name.slice(1)}, see https://far.example/${name.slice(1)}\r\n:far 353 ${nick} = ${name} :${nick} ${server.people}\r\n:far 366 ${nick} ${name} :End\r\n`);
				else if (verb === "PART")
					socket.write(`:${nick}!ann@h PART ${first}\r\n`);
				else if (verb === "NAMES")
					socket.write(`:far 353 ${nick} = ${first} :${nick} ${server.people}\r\n:far 366 ${nick} ${first} :End\r\n`);
			}
		});
	});

	await new Promise((resolve) => { listener.listen(0, "127.0.0.1", resolve); });
	server.port = listener.address().port;
	server.say = (...lines) => server.sockets.forEach((socket) => socket.write(lines.map((line) => `${line}\r\n`).join("")));
	server.stop = () => {
		listener.close();
		server.sockets.forEach((socket) => socket.destroy());
	};
	return server;
}

const order = (command) => studio.api("POST", "/irc/command", { command });

before(async () => {
	[port, far] = [await freePort(), await ircServer()];
	studio = new Studio({ "irc.listen": `127.0.0.1:${port}`, "irc.reconnect_first": "50ms", "irc.reconnect_most": "200ms" });
	await studio.start();
	browser = await openBrowser();
	await order(`network create -addr irc+insecure://127.0.0.1:${far.port} -name harbour -nick ann`);
	for (const name of ["#quay", "#lighthouse", "#rope"])
		await order(`channel create ${name} -network harbour`);
	await until(() => far.heard.filter((line) => line.startsWith("JOIN")).join(" ").includes("#rope"), "the channels are joined");
});

after(async () => {
	await browser?.close();
	studio?.stop();
	far?.stop();
});

const visit = (options) => visitAt(browser, studio.url, "/irc", { login: false, ...options });
const talk = (name) => `.irc-talk:has(.irc-name:text-is('${name}'))`;
const said = (text, kind = "line") => `.irc-${kind} .irc-text:text-is('${text}')`;

async function logIn(page, password = PASSWORD) {
	await page.fill("#irc-user", "admin");
	await page.fill("#irc-password", password);
	await page.click("button:text-is('Log in')");
}

async function enter(page, name) {
	await page.waitForSelector(talk(name));
	await page.click(talk(name));
	await page.waitForFunction((wanted) => document.querySelector("h2.irc-title")?.textContent === wanted, name);
}

test("lines, names and looks are taken apart", () => {
	const line = parseLine("@time=2026-01-02T03:04:05.678Z;x=a\\sb\\:;msgid=7 :bob!b@h PRIVMSG  #quay :hello :there\r\n");

	assert.deepEqual([line.nick, line.isPerson, line.verb, line.params, line.tags.get("x")], ["bob", true, "PRIVMSG", ["#quay", "hello :there"], "a b;"]);
	assert.deepEqual(parseLine("PING :").params, [""]);
	assert.deepEqual(parseLine("").verb, "");
	assert.equal(lineOf("PRIVMSG", "#quay", "one\r\nQUIT"), "PRIVMSG #quay :one QUIT");
	assert.equal(lineOf("TOPIC", "#quay", ""), "TOPIC #quay :");
	const fold = folder("rfc1459");

	assert.equal(fold("Nick[~]"), "nick{^}");
	assert.equal(folder("ascii")("Nick[~]"), "nick[~]");
	assert.ok(names("hey Ann, look", "ann", fold) && names("\x02ann\x02!", "ann", fold) && !names("annotate", "ann", fold) && !names("joann", "ann", fold) && !names("anything", "", fold));
	assert.deepEqual(runs("a \x02b\x1dc\x0f \x0304,01d https://x.example/y."), [
		{ text: "a ", look: [] }, { text: "b", look: ["bold"] }, { text: "c", look: ["bold", "italic"] }, { text: " d ", look: [] },
		{ text: "https://x.example/y", look: [], href: "https://x.example/y" }, { text: ".", look: [] }]);
	assert.ok(runs("javascript:alert(1) data:text/html,x https:// http://[").every((run) => !run.href));
	assert.deepEqual(portions("a\nb\nc\nlonger", 2, 100), [["a", "b"], ["c", "longer"]]);
	assert.deepEqual(portions("aaaa\nbbbb\ncc", 9, 10), [["aaaa", "bbbb"], ["cc"]]);
	assert.equal(saslPlain("u", "p".repeat(297)).at(-1), "+");
	assert.deepEqual(saslPlain("u", "grün"), [Buffer.from("\0u\0grün").toString("base64")]);
});

test("who is wrong about his password is told so", async () => {
	const page = await visit();

	await logIn(page, "not this");
	await page.waitForSelector(".irc-fault:text-is('Invalid username or password')");
	await expectWhole(page, "the door");
	await leave(page);
});

test("one reads, writes, and is told who is there", async () => {
	const page = await visit();

	await logIn(page);
	await enter(page, "#quay");
	assert.equal(await page.locator(".irc-topic a").getAttribute("href"), "https://far.example/quay");
	far.say(":bob!b@h PRIVMSG #quay :the tide is in", ":bob!b@h PRIVMSG #quay :\x02bold\x02 and https://tide.example/now.", ":carol!c@h PRIVMSG #quay :\x01ACTION waves\x01");
	await page.waitForSelector(said("the tide is in"));
	await page.waitForSelector(".irc-bold:text-is('bold')");
	assert.equal(await page.locator(".irc-text a").getAttribute("rel"), "noopener noreferrer nofollow");
	await page.waitForSelector(".irc-action:has-text('carol waves')");
	await page.fill("#irc-words", "so it is");
	await page.keyboard.press("Enter");
	await page.waitForSelector(said("so it is", "self"));
	await until(() => far.heard.includes("PRIVMSG #quay :so it is"), "the server heard it");
	await page.fill("#irc-words", "one");
	await page.keyboard.press("Shift+Enter");
	await page.keyboard.type("two");
	await page.keyboard.press("Enter");
	await until(() => far.heard.includes("PRIVMSG #quay :one") && far.heard.includes("PRIVMSG #quay :two"), "both lines went out");
	await page.waitForSelector(said("two"));
	await page.fill("#irc-words", "/me waves back");
	await page.keyboard.press("Enter");
	await until(() => far.heard.includes("PRIVMSG #quay :\x01ACTION waves back\x01"), "the deed was told");
	await page.fill("#irc-words", "/frobnicate");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".notice:has-text('There is no /frobnicate')");
	await page.fill("#irc-words", "car");
	await page.keyboard.press("Tab");
	assert.equal(await page.inputValue("#irc-words"), "carol: ");
	await page.fill("#irc-words", "");
	await page.click("button[title='Who is here']");
	await page.waitForSelector(".irc-people h2:text-is('4 here')");
	assert.deepEqual(await page.locator(".irc-person").allTextContents(), ["@bob", "+carol", "ann", "dave"]);
	far.say(":dave!d@h PART #quay :gone fishing", ":bob!b@h MODE #quay +o carol", ":eve!e@h JOIN #quay");
	await page.waitForSelector(".irc-event:has-text('dave left (gone fishing)')");
	await page.waitForFunction(() => [...document.querySelectorAll(".irc-person")].map((one) => one.textContent).join(" ") === "@bob @carol ann eve");
	await page.click("button:has-text('carol').irc-person");
	await page.waitForSelector("h2:text-is('carol')");
	far.say(":carol!c@h PRIVMSG ann :psst");
	await page.waitForSelector(said("psst"));
	await leave(page);
});

test("what is unread is marked, in each page, until it is seen", async () => {
	const page = await visit(), other = await visit();

	await logIn(page);
	await enter(page, "#quay");
	await logIn(other);
	await enter(other, "#lighthouse");
	far.say(":bob!b@h PRIVMSG #rope :first knot", ":bob!b@h PRIVMSG #rope :ann: second knot");
	for (const one of [page, other]) {
		await one.waitForSelector(`${talk("#rope")}[data-called] .irc-count:text-is('2')`);
		assert.match(await one.title(), /^\(1\)/);
	}
	await enter(page, "#rope");
	await page.waitForSelector(".irc-new");
	await page.waitForSelector(said("ann: second knot", "calls"));
	await page.bringToFront();
	for (const one of [page, other])
		await one.waitForSelector(`${talk("#rope")}:not([data-unread])`);
	await leave(page);
	await leave(other);
	// And it stays so for who comes later.
	far.say(":bob!b@h PRIVMSG #lighthouse :ann, the lamp is out");
	const later = await visit();

	await logIn(later);
	await later.waitForSelector(`${talk("#lighthouse")}[data-called] .irc-count:text-is('1')`);
	await later.waitForSelector(`${talk("#rope")}:not([data-unread])`);
	await leave(later);
});

test("what was said before comes while one goes up, and what is looked for is found", async () => {
	const page = await visit();

	for (let at = 0; at < 200; at++)
		far.say(`:bob!b@h PRIVMSG #lighthouse :watch ${at} and all is well`);
	await logIn(page);
	await enter(page, "#lighthouse");
	await page.waitForSelector(said("watch 199 and all is well"));
	assert.equal(await page.locator(said("watch 20 and all is well")).count(), 0);
	for (let turns = 0; turns < 10 && !await page.locator(said("watch 20 and all is well")).count(); turns++) {
		const count = await page.locator(".irc-line").count();

		await page.locator(".irc-log").evaluate((log) => { log.scrollTop = 0; });
		await page.waitForFunction((before) => document.querySelectorAll(".irc-line").length > before, count);
	}
	assert.equal(await page.locator(said("watch 150 and all is well")).count(), 1);
	await page.click("button[title='Search']");
	await page.fill("#irc-find-text", "watch 77");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".irc-hit:has-text('watch 77 and all')");
	await expectWhole(page, "search");
	await page.click(".irc-hit");
	await page.waitForSelector(said("watch 77 and all is well", "found"));
	await page.click("button:text-is('To the newest')");
	await page.waitForSelector(said("watch 199 and all is well"));
	await page.waitForSelector(said("watch 77 and all is well"), { state: "detached" });
	await leave(page);
});

test("whatever a server says stays text", async () => {
	const page = await visit();

	await logIn(page);
	await enter(page, "#quay");
	far.say(`:bob!b@h PRIVMSG #quay :${hostile}`, `:${hostile.replaceAll(" ", "")}!b@h PRIVMSG #quay :who am I`, `:bob!b@h TOPIC #quay :${hostile} javascript:alert(1)`,
		`:bob!b@h PRIVMSG #quay :https://x.example/"onmouseover="window.pwned=1`, ":bob!b@h PRIVMSG #quay :\u202egnirts desrever", `:far 403 ann #<b>quay :${hostile}`,
		":bob!b@h PRIVMSG", ":bob!b@h JOIN", ":bob!b@h KICK #quay", "::: :", ":bob!b@h MODE #quay +ooov", ":far 353", ":far 005 ann PREFIX= CHANMODES STATUSMSG :x", ":bob!b@h NICK", ":bob!b@h PRIVMSG #quay :");
	far.say(":bob!b@h PRIVMSG #quay :still here");
	await page.waitForSelector(said("still here"));
	await page.waitForFunction((text) => [...document.querySelectorAll(".irc-text")].some((one) => one.textContent === text), hostile);
	assert.equal(await page.locator(".irc-main img, .irc-main script, .irc-side img").count(), 0);
	await page.click("button[title='Who is here']");
	await expectWhole(page, "hostile");
	await leave(page);
});

test("the page comes again by itself, with what was said meanwhile", async () => {
	const page = await visit();

	await logIn(page);
	await enter(page, "#quay");
	far.say(":bob!b@h PRIVMSG #quay :before the storm");
	await page.waitForSelector(said("before the storm"));
	await studio.stopServer();
	await page.waitForSelector(".irc-bar:has-text('Not connected')");
	await page.fill("#irc-words", "nobody hears this");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".notice:has-text('it was not sent')");
	await page.fill("#irc-words", "");
	await studio.start();
	await until(() => far.sockets.size > 0 && far.heard.filter((line) => line.startsWith("JOIN")).length > 1, "the bouncer is back");
	await until(async () => (await studio.api("GET", "/irc/me")).networks[0].channels === 3, "it is in its channels");
	far.say(":bob!b@h PRIVMSG #quay :after the storm");
	await page.waitForSelector(said("after the storm"), { timeout: 90000 });
	await page.waitForSelector(".irc-bar", { state: "hidden" });
	assert.equal(await page.locator(said("before the storm")).count(), 1);
	await leave(page, /WebSocket|ERR_|Failed to load/);
});

test("a device stays logged in with a password of its own, until it logs out", async () => {
	const page = await visit();
	const passwords = async () => (await studio.api("GET", "/irc/me")).passwords.length;

	await page.check("#irc-stay");
	await logIn(page);
	await page.waitForSelector(talk("#quay"));
	await until(async () => await passwords() === 1, "it has a password of its own");
	await page.waitForFunction(() => localStorage.getItem("ringmain.irc") !== null);
	assert.ok(!(await page.evaluate(() => JSON.stringify(localStorage))).includes(PASSWORD));
	await page.reload();
	await page.waitForSelector(talk("#quay"));
	await page.click("button[title='Log out']");
	await page.waitForSelector("button:text-is('Log in')");
	await until(async () => await passwords() === 0, "it is revoked");
	await page.reload();
	await page.waitForSelector("button:text-is('Log in'):enabled");
	await leave(page);
});

test("networks and channels are added here; who is named is told", async () => {
	const page = await visit({ permissions: ["notifications"] });

	await page.addInitScript(() => {
		window.told = [];
		window.Notification = class { static permission = "granted"; constructor(title, { body }) { window.told.push(`${title}: ${body}`); } };
	});
	await page.reload();
	await logIn(page);
	await page.click("button:text-is('+ Add a network')");
	await page.fill("#ask-host", "127.0.0.1");
	await page.fill("#ask-port", String(far.port));
	await page.uncheck("#ask-tls");
	await page.fill("#ask-name", "pier");
	await page.click("dialog[open] .primary");
	await page.waitForSelector(".irc-network:has-text('pier')");
	const pier = page.locator(".irc-networks section", { hasText: "pier" });

	await pier.locator(".irc-state:text-is('')").waitFor({ state: "attached" });
	await pier.locator(".irc-join").click();
	await page.fill("#ask-name", "#nets");
	await page.click("dialog[open] .primary");
	await pier.locator(".irc-talk:has-text('#nets')").waitFor();
	await page.waitForSelector("h2:text-is('#nets')");
	await enter(page, "#quay");
	far.say(":bob!b@h PRIVMSG #nets :ann admin: mend them");
	await page.waitForFunction(() => window.told.length > 0);
	assert.match(await page.evaluate(() => window.told[0]), /^bob in #nets: ann admin: mend them$/);
	await pier.locator(".irc-talk:has-text('#nets')").click();
	await page.click("button[title='Leave']");
	await page.click("dialog[open] .danger");
	await pier.locator(".irc-talk:has-text('#nets')").waitFor({ state: "detached" });
	await leave(page);
	await order("network delete pier");
});

test("it is whole at both sizes, by day and by night, and goes without a mouse", async () => {
	for (const [size, viewport] of Object.entries(sizes))
		for (const colorScheme of ["light", "dark"]) {
			const page = await visit({ viewport, colorScheme, hasTouch: size === "phone" });

			await logIn(page);
			await page.waitForSelector(talk("#quay"));
			await expectWhole(page, `channels ${size} ${colorScheme}`);
			if (process.env.SHOTS)
				await page.screenshot({ path: `${process.env.SHOTS}/irc-list-${size}-${colorScheme}.png` });
			await enter(page, "#quay");
			far.say(`:carol!c@h PRIVMSG #quay :Good evening, the ferry is late again (${size}, ${colorScheme})`, ":dave!d@h PRIVMSG #quay :It always is. ann, did you see the timetable? https://ferry.example/times",
				":dave!d@h PRIVMSG #quay :They changed it on Monday", ":eve!e@h NOTICE #quay :Low water at 21:40");
			await page.waitForSelector(".irc-text:text-is('Low water at 21:40')");
			await page.waitForTimeout(size === "desk" ? 200 : 0);
			await expectWhole(page, `talk ${size} ${colorScheme}`);
			if (process.env.SHOTS)
				await page.screenshot({ path: `${process.env.SHOTS}/irc-talk-${size}-${colorScheme}.png` });
			await page.click("button[title='Who is here']");
			await page.waitForSelector(".irc-person");
			await expectWhole(page, `people ${size} ${colorScheme}`);
			if (process.env.SHOTS)
				await page.screenshot({ path: `${process.env.SHOTS}/irc-people-${size}-${colorScheme}.png` });
			await page.click(".irc-people button[title='Close']");
			if (size === "phone") {
				await page.click("button[title='Channels']");
				await page.waitForSelector(talk("#rope"));
			} else {
				await page.focus("#irc-words");
				const was = await page.textContent("h2.irc-title");

				await page.keyboard.press("Alt+ArrowDown");
				await page.waitForFunction((title) => document.querySelector("h2.irc-title").textContent !== title, was);
			}
			await leave(page);
		}
});
