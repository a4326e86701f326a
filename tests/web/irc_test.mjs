// irc_test: the page of the channels, behind the real bouncer, on a server that the test plays.
//
//     RINGMAIN_BUILD=path/of/build node --test irc_test.mjs

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { foldedText } from "../../web/ui/irc-log.js";
import { answerOf, names, parseLine, portions, runs, folder, lineOf, saslPlain } from "../../web/ui/irc-wire.js";
import { prepare, pushService, workerOf } from "./push_service.mjs";
import { openBrowser } from "./stage.mjs";
import { freePort, PASSWORD, Studio, until } from "./studio.mjs";
import { expectWhole, leave, sizes, visit as visitAt } from "./visit.mjs";

const hostile = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;
let studio, browser, port, far, service;

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
				else if (line.startsWith("JOIN #locked"))
					socket.write(`:far 473 ${nick} #locked :Cannot join channel (+i)\r\n`);
				else if (verb === "JOIN" && first[0] !== "#")
					socket.write(`:far 403 ${nick} ${first} :No such channel\r\n`);
				else if (verb === "JOIN")
					for (const name of first.split(","))
						socket.write(`:${nick}!ann@h JOIN ${name}\r\n:far 332 ${nick} ${name} :All about ${name.slice(1)}, see https://far.example/${name.slice(1)}\r\n:far 353 ${nick} = ${name} :${nick} ${server.people}\r\n:far 366 ${nick} ${name} :End\r\n`);
				else if (verb === "WHOIS")
					socket.write(`:far 311 ${nick} ${first} rob boat.example * :Robert\r\n:far 317 ${nick} ${first} 300 1700000000 :seconds idle\r\n:far 318 ${nick} ${first} :End of /WHOIS list\r\n`);
				else if (verb === "AWAY")
					socket.write(first ? `:far 306 ${nick} :You have been marked as being away\r\n` : `:far 305 ${nick} :You are no longer marked as being away\r\n`);
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
	[port, far, service] = [await freePort(), await ircServer(), await pushService()];
	studio = new Studio({ "irc.listen": `127.0.0.1:${port}`, "irc.reconnect_first": "50ms", "irc.reconnect_most": "200ms", "irc.upload_max": "1M",
		"http.public_url": "https://irc.example/", "irc.push_delay": "0", "outgoing.internal": "127.0.0.0/8", "outgoing.ca_file": service.ca });
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
	service?.stop();
});

const visit = (options) => visitAt(browser, studio.url, "/irc", { login: false, ...options });
const talk = (name) => `.irc-talk:has(.irc-name:text-is('${name}'))`;
const said = (text, kind = "line") => `.irc-${kind} .irc-text:text-is('${text}')`;

async function logIn(page, password = PASSWORD) {
	await page.fill("#irc-user", "admin");
	await page.fill("#irc-password", password);
	await page.click("button:text-is('Log in')");
}

async function shoot(page, name) {
	if (process.env.SHOTS)
		await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
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
	assert.equal(answerOf("311", ["ann", "bob", "rob", "boat.example", "*", "Robert \x02the\x02 Boat"]), "bob is rob@boat.example, Robert the Boat");
	assert.match(answerOf("317", ["ann", "bob", "300", "1700000000", "seconds idle, signon time"]), /^bob has said nothing for 5 minutes, and is here since .*2023/);
	assert.equal(answerOf("317", ["ann", "bob"]), "bob has said nothing for a while");
	assert.equal(answerOf("318", ["ann", "bob", "End"]), "");
	assert.equal(answerOf("404", ["ann", "#quay", "Cannot send"], "#quay"), "Cannot send");
	const events = (text) => text.split(" ").map((word) => ({ nick: word.slice(1), what: word[0] === "+" ? "came" : word[0] === "-" ? "left" : "other", text: `${word.slice(1)} did` }));

	assert.equal(foldedText(events("+a +b -c -d +e -e +d")), "a and b came; c left; d left and came again; e came and left");
	assert.equal(foldedText(events("+a -a +a !m")), "a came; m did");
	assert.equal(foldedText(events(Array.from({ length: 20 }, (_, i) => `-n${i}`).join(" "))), "n0, n1, n2, n3, n4, n5, n6, and 13 more left");
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
	for (const [key, wanted] of [["ArrowUp", "/me waves back"], ["ArrowUp", "one\ntwo"], ["ArrowUp", "so it is"], ["ArrowUp", "so it is"], ["ArrowDown", "one\ntwo"],
		["ArrowDown", "/me waves back"], ["ArrowDown", ""]]) {
		await page.keyboard.press(key);
		assert.equal(await page.inputValue("#irc-words"), wanted);
	}
	await page.fill("#irc-words", "/frobnicate");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".notice:has-text('There is no /frobnicate')");
	await page.fill("#irc-words", "car");
	await page.keyboard.press("Tab");
	assert.equal(await page.inputValue("#irc-words"), "carol: ");
	// Tab again: the next that fits, and round again.
	await page.fill("#irc-words", "/de");
	for (const wanted of ["/deop ", "/devoice ", "/deop "]) {
		await page.keyboard.press("Tab");
		assert.equal(await page.inputValue("#irc-words"), wanted);
	}
	await page.keyboard.press("Shift+Tab");
	assert.equal(await page.inputValue("#irc-words"), "/devoice ");
	await page.fill("#irc-words", "see #li");
	await page.keyboard.press("Tab");
	assert.equal(await page.inputValue("#irc-words"), "see #lighthouse ");
	await page.fill("#irc-words", "");
	await page.click(".irc-nick:text-is('bob') >> nth=0");
	assert.equal(await page.inputValue("#irc-words"), "bob: ");
	for (const [words, shown] of [["/help kick", "/kick NICK [WHY]: send somebody away"], ["/kick", "/kick NICK [WHY]"], ["/help", "/away [WHY]: say that you are away"],
		["/whois bob", "bob is rob@boat.example, Robert"], ["/away lunch", "You have been marked as being away"]]) {
		await page.fill("#irc-words", words);
		await page.keyboard.press("Enter");
		await page.waitForSelector(`.irc-info:has-text('${shown}')`);
	}
	await page.waitForSelector(".irc-bar:has-text('You are away')");
	await page.fill("#irc-words", "/back");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".irc-bar", { state: "hidden" });
	await page.fill("#irc-words", "");
	await page.evaluate(() => document.querySelector("#irc-words").focus());
	// What was written comes back, further and further, and goes again.
	for (const [key, wanted] of [["ArrowUp", "/back"], ["ArrowUp", "/away lunch"], ["ArrowDown", "/back"], ["ArrowDown", ""]]) {
		await page.keyboard.press(key);
		assert.equal(await page.inputValue("#irc-words"), wanted);
	}
	await page.click("button[title='Who is here']");
	await page.waitForSelector(".irc-people h2:text-is('4 here')");
	assert.deepEqual(await page.locator(".irc-person").allTextContents(), ["@bob", "+carol", "ann", "dave"]);
	far.say(":dave!d@h PART #quay :gone fishing", ":bob!b@h MODE #quay +o carol", ":eve!e@h JOIN #quay");
	await page.waitForFunction(() => [...document.querySelectorAll(".irc-person")].map((one) => one.textContent).join(" ") === "@bob @carol ann eve");
	// Many who come and go are one line, which opens.
	await page.waitForSelector("summary:has-text('dave left; eve came; bob set +o carol')");
	assert.equal(await page.locator(".irc-event:text-is('dave left (gone fishing)'):visible").count(), 0);
	await page.click("summary:has-text('dave left')");
	await page.waitForSelector(".irc-event:has-text('dave left (gone fishing)'):visible");
	far.say(":eve!e@h QUIT :bye");
	await page.waitForSelector("summary:has-text('dave left; eve came and left; bob set +o carol')");
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
	await other.waitForSelector(".irc-note:text-is('This is where it begins.')");
	far.say(":bob!b@h PRIVMSG #rope :first knot", ":bob!b@h PRIVMSG #rope :ann: second knot");
	for (const one of [page, other]) {
		await one.waitForSelector(`${talk("#rope")}[data-called] .irc-count:text-is('2')`);
		assert.match(await one.title(), /^\(1\)/);
	}
	// Also who comes now sees it, though nobody has read anything there before.
	const third = await visit();

	await logIn(third);
	await third.waitForSelector(`${talk("#rope")}[data-called] .irc-count:text-is('2')`);
	await leave(third);
	await enter(page, "#rope");
	await page.waitForSelector(".irc-new");
	await page.waitForSelector(said("ann: second knot", "calls"));
	await page.bringToFront();
	for (const one of [page, other])
		await one.waitForSelector(`${talk("#rope")}:not([data-unread])`);
	await leave(page);
	await leave(other);
	// And it stays so for who comes later. (Who is still there has been told of it.)
	await until(async () => (await studio.api("GET", "/irc/users")).users.every((one) => one.clients.length === 0), "the bouncer knows that both are gone");
	far.say(":bob!b@h PRIVMSG #lighthouse :ann, the lamp is out");
	// Where there is little room no channel is opened by itself, and read by that.
	const later = await visit({ viewport: sizes.phone });

	await logIn(later);
	await later.waitForSelector(`${talk("#lighthouse")}[data-called] .irc-count:text-is('1')`);
	await later.waitForSelector(`${talk("#rope")}:not([data-unread])`);
	await leave(later);
});

test("a file is shown by its address, which goes into what is being written", async () => {
	const page = await visit();

	await logIn(page);
	await enter(page, "#rope");
	await page.fill("#irc-words", "look:");
	await page.setInputFiles("input[type=file]", { name: "a rope.png", mimeType: "image/png", buffer: Buffer.from("of hemp") });
	await page.waitForFunction(() => /^look: https:\/\/irc\.example\/irc\/uploads\/\S+-a_rope\.png $/.test(document.querySelector("#irc-words").value));
	const address = (await page.inputValue("#irc-words")).trim().split(" ")[1];
	const given = await fetch(new URL(new URL(address).pathname, studio.url));

	assert.equal(await given.text(), "of hemp");
	assert.ok(!far.heard.some((line) => line.includes(address)), "nothing is sent by itself");
	await page.keyboard.press("Enter");
	await until(() => far.heard.some((line) => line.startsWith("PRIVMSG #rope") && line.includes(address)), "it is said");
	await page.setInputFiles("input[type=file]", { name: "long.bin", mimeType: "", buffer: Buffer.alloc(1100000) });
	await page.waitForSelector(".notice.bad:has-text('too large')");
	await leave(page, /413/);
});

test("one's files are listed, shown again, and deleted", async () => {
	for (const viewport of Object.values(sizes)) {
		const page = await visit({ viewport });
		const file = (name) => page.locator(".irc-files li", { has: page.locator(`a:text-is('${name}')`) });

		await logIn(page);
		await enter(page, "#rope");
		await page.setInputFiles("input[type=file]", [{ name: "knot.txt", mimeType: "text/plain", buffer: Buffer.from("a bowline") },
			{ name: `${"long_".repeat(12)}name.jpg`, mimeType: "image/jpeg", buffer: Buffer.alloc(123456) }]);
		await page.waitForFunction(() => /knot\.txt .*name\.jpg $/.test(document.querySelector("#irc-words").value));
		await page.fill("#irc-words", "");
		await page.click("button[title='Files']");
		await file("knot.txt").waitFor();
		assert.match(await file("knot.txt").locator(".quiet").textContent(), /^9\u00a0B · .*20\d\d/);
		await page.waitForSelector(".irc-files-ask .quiet:has-text(' files, 123\u00a0KB')");
		await expectWhole(page, `files ${viewport.width}`);
		if (process.env.SHOTS)
			await page.screenshot({ path: `${process.env.SHOTS}/irc-files-${viewport.width}.png` });
		await file("knot.txt").locator("button:text-is('Insert')").click();
		await page.waitForSelector("dialog", { state: "detached" });
		const address = (await page.inputValue("#irc-words")).trim();

		assert.match(address, /^https:\/\/irc\.example\/irc\/uploads\/\S+-knot\.txt$/);
		await page.fill("#irc-words", "");
		await page.click("button[title='Files']");
		for (const name of ["knot.txt", `${"long_".repeat(12)}name.jpg`]) {
			await page.click(`button[title='Delete ${name}']`);
			await page.click("dialog[open] .danger");
			await file(name).waitFor({ state: "detached" });
		}
		assert.equal((await fetch(new URL(new URL(address).pathname, studio.url))).status, 404);
		await page.keyboard.press("Escape");
		await page.waitForSelector("dialog", { state: "detached" });
		await leave(page);
	}
});

test("who goes on speaking is named again", async () => {
	const page = await visit();

	await logIn(page);
	await enter(page, "#quay");
	far.say(...Array.from({ length: 26 }, (_, i) => `:dave!d@h PRIVMSG #quay :coil ${i}`));
	await page.waitForSelector(".irc-text:text-is('coil 25')");
	assert.equal(await page.locator(".irc-line:has(> .irc-nick:text-is('dave'))").count(), 3);
	await leave(page);
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
	await page.fill("#irc-find-text", "atch 7 all");
	await page.keyboard.press("Enter");
	await page.waitForSelector(".irc-hit:has-text('watch 77 and all')");
	assert.deepEqual(await page.locator(".irc-hit:has-text('watch 77 and all') mark").allTextContents(), ["atch", "7", "7", "all"]);
	await expectWhole(page, "search");
	if (process.env.SHOTS)
		await page.screenshot({ path: `${process.env.SHOTS}/irc-search.png` });
	await page.fill("#irc-find-text", "all is well");
	await page.keyboard.press("Enter");
	await page.waitForSelector("[role=status]:has-text('50 found')");
	// All were said at once, many in one millisecond: the newest first all the same.
	assert.deepEqual((await page.locator(".irc-hit-text").allTextContents()).map((text) => Number(/watch (\d+)/.exec(text)[1])),
		Array.from({ length: 50 }, (_, i) => 199 - i));
	await page.click("button:text-is('Look further back')");
	await page.waitForSelector(".irc-hit:has-text('watch 105 and all')");
	await page.fill("#irc-find-text", "watch 77");
	await page.keyboard.press("Enter");
	await page.click(".irc-hit:has-text('watch 77 and all')");
	await page.waitForSelector(said("watch 77 and all is well", "found"));
	// What came behind it comes while one goes down, to the end.
	assert.equal(await page.locator(said("watch 199 and all is well")).count(), 0);
	const down = () => page.locator(".irc-log").evaluate((log) => { log.scrollTop = log.scrollHeight; });

	for (let turns = 0; turns < 10 && !await page.locator(said("watch 199 and all is well")).count(); turns++) {
		const count = await page.locator(".irc-line").count();

		await down();
		await page.waitForFunction((before) => document.querySelectorAll(".irc-line").length > before, count);
	}
	await down();
	await page.waitForSelector("button:text-is('To the newest')", { state: "hidden" });
	far.say(":bob!b@h PRIVMSG #lighthouse :the last watch");
	await page.waitForSelector(said("the last watch"));
	// Who has gone up is told what comes, and gets there.
	await page.locator(".irc-log").evaluate((log) => { log.scrollTop = 300; });
	await page.waitForSelector("button:has-text('To the newest')");
	far.say(":bob!b@h PRIVMSG #lighthouse :one more watch");
	await page.waitForSelector("button:text-is('To the newest: 1 unread')");
	if (process.env.SHOTS)
		await page.screenshot({ path: `${process.env.SHOTS}/irc-up.png` });
	await page.click("button:has-text('To the newest')");
	await page.waitForSelector("button:has-text('To the newest')", { state: "hidden" });
	// From the past too, and with what is said there.
	await page.click("button[title='Search']");
	await page.fill("#irc-find-text", "watch 77");
	await page.keyboard.press("Enter");
	await page.click(".irc-hit:has-text('watch 77 and all')");
	await page.waitForSelector(said("watch 77 and all is well", "found"));
	await page.fill("#irc-words", "good watch");
	await page.click("button:text-is('Send')");
	assert.equal(await page.evaluate(() => document.activeElement.id), "irc-words", "the keyboard stays");
	await page.waitForSelector(said("good watch"));
	await page.waitForSelector(said("watch 199 and all is well"));
	await page.waitForSelector(said("watch 77 and all is well"), { state: "detached" });
	await leave(page);
});

test("a name that is no channel's is not joined, and what a server refuses stands where one looks", async () => {
	const page = await visit({ viewport: sizes.phone });
	const type = async (text) => {
		await page.fill("#irc-words", text);
		await page.keyboard.press("Enter");
	};

	await logIn(page);
	await enter(page, "#quay");
	await type("/join nochan");
	await page.waitForSelector(".irc-info:has-text('nochan is not the name of a channel: did you mean /join #nochan?')");
	assert.equal(await page.textContent("h2.irc-title"), "#quay");
	await type("/join");
	await page.waitForSelector(".irc-info:has-text('Which channel?')");
	await type("/raw JOIN nochan");
	await page.waitForSelector(".irc-info:has-text('nochan'):not(:has-text('did you mean'))");
	assert.equal(await page.textContent("h2.irc-title"), "#quay");
	await type("/join #locked");
	await page.waitForFunction(() => document.querySelector("h2.irc-title").textContent === "#locked");
	await page.waitForSelector(".irc-info:has-text('Cannot join')");
	// Errors are few and not over the field, however many there are; each once.
	const { texts, shown, bottom, top } = await page.evaluate(() => {
		const words = document.querySelector("#irc-words");

		for (const word of ["/one", "/two", "/three", "/three"]) {
			words.value = word;
			words.form.requestSubmit();
		}
		const notes = [...document.querySelectorAll(".notice")], boxes = notes.map((one) => one.getBoundingClientRect()).filter((box) => box.height > 0);

		return { texts: notes.map((one) => one.textContent.split(".")[0]), shown: boxes.length, bottom: boxes[0].bottom, top: words.form.getBoundingClientRect().top };
	});

	assert.deepEqual(texts, ["There is no /two", "There is no /three"]);
	assert.equal(shown, 1);
	assert.ok(bottom < top, `${bottom} is above ${top}`);
	await shoot(page, "irc-refused-phone");
	await leave(page);
});

test("who is here stands beside channels only, and not before them on a phone", async () => {
	const page = await visit();

	await logIn(page);
	await enter(page, "#quay");
	await page.click("button[title='Who is here']");
	await page.waitForSelector(".irc-person:has-text('bob')");
	await page.click(".irc-network");
	await page.waitForFunction(() => document.querySelector("h2.irc-title").textContent === "harbour");
	assert.equal(await page.locator(".irc-people").isVisible(), false);
	await shoot(page, "irc-network-desk");
	await enter(page, "#rope");
	await page.waitForSelector(".irc-person:has-text('bob')");
	await page.setViewportSize(sizes.phone);
	await page.waitForSelector(".irc-people", { state: "hidden" });
	await page.waitForSelector("#irc-words:visible");
	await page.click("button[title='Who is here']");
	await page.click(".irc-person:has-text('bob')");
	await page.waitForSelector("h2:text-is('bob'):visible");
	await shoot(page, "irc-person-phone");
	await leave(page);
});

test("what was said in any network is found from each", async () => {
	const page = await visit();

	await order(`network create -addr irc+insecure://127.0.0.1:${far.port} -name jetty -nick jan`);
	await order("channel create #planks -network jetty");
	await until(() => far.heard.some((line) => line.startsWith("JOIN #planks")), "it is joined");
	await logIn(page);
	await enter(page, "#planks");
	await enter(page, "#quay");
	far.say(":bob!b@h PRIVMSG #planks :a gannet sits on the planks", ":bob!b@h PRIVMSG #quay :the gannet flew off");
	await page.waitForSelector(said("the gannet flew off"));
	await page.click("button[title='Search']");
	await page.fill("#irc-find-text", "gannet");
	const found = async (where, texts) => {
		await page.selectOption("#irc-find-where", { label: where });
		await page.keyboard.press("Tab");
		await page.click(".irc-find-form button:text-is('Search')");
		await page.waitForSelector(`[role=status]:has-text('${texts.length} found')`);
		const seen = await page.locator(".irc-hit").allTextContents();

		assert.equal(seen.length, texts.length);
		for (const text of texts)
			assert.ok(seen.some((one) => one.includes(text)), `${text} in ${seen}`);
	};

	await found("Here", ["flew off"]);
	await found("Everywhere", ["flew off", "on the planks"]);
	await expectWhole(page, "everywhere");
	await shoot(page, "irc-everywhere");
	await page.click(".irc-hit:has-text('jetty'):has-text('on the planks')");
	await page.waitForFunction(() => document.querySelector("h2.irc-title").textContent === "#planks");
	await page.waitForSelector(said("a gannet sits on the planks", "found"));
	await leave(page);
	await order("network delete jetty");
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
	await page.waitForSelector(said("after the storm"));
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
	// The first try fails, as while the server begins: it is not its password that is wrong.
	let tries = 0;

	await page.routeWebSocket(/\/irc\/ws/, (socket) => tries++ ? socket.connectToServer() : socket.close());
	await page.reload();
	await page.waitForSelector(talk("#quay"));
	await page.click("button[title='Log out']");
	await page.waitForSelector("button:text-is('Log in')");
	await until(async () => await passwords() === 0, "it is revoked");
	await page.reload();
	await page.waitForSelector("button:text-is('Log in'):enabled");
	await leave(page);
});

// One whose browser has a push service, and lets it be told.
const visitTold = (options) => visit({ permissions: ["notifications"], before: (page) => prepare(page, service), ...options });
const pushes = async () => (await studio.api("GET", "/irc/me")).pushes.length;

async function turn(page, which, isOn) {
	await page.click("button[title='Being told']");
	await page.setChecked(`#irc-tell-${which}`, isOn);
	await page.waitForSelector(`#irc-tell-${which}:enabled`);
}

test("who is named while the page is closed is called, and led there", async () => {
	const page = await visitTold({ viewport: sizes.phone }), from = service.opened.length;
	const heard = async (text) => until(() => service.opened.slice(from).find((one) => one.includes(text)), `the service was told of ${text}`);

	await page.check("#irc-stay");
	await logIn(page);
	await page.waitForSelector(talk("#quay"));
	await turn(page, "closed", true);
	await page.waitForSelector("#irc-tell-closed:checked");
	await expectWhole(page, "being told");
	await shoot(page, "irc-told-phone");
	await page.click("dialog[open] button:text-is('Done')");
	assert.equal(await pushes(), 1);
	const { visible, key } = await page.evaluate(() => window.asked);

	const script = await fetch(`${studio.url}/irc-worker.js`);

	assert.match(script.headers.get("content-type"), /^text\/javascript/);
	assert.match(script.headers.get("content-security-policy"), /default-src 'none'/);
	assert.match(script.headers.get("cache-control"), /no-cache|max-age=0/);
	assert.equal(visible, true);
	assert.equal(Buffer.from(key, "base64url").length, 65);
	await heard("NOTE WEBPUSH REGISTERED");
	const device = await workerOf(page);

	await page.goto("about:blank");
	far.say(":bob!b@h PRIVMSG #rope :ann: is it \x02strong\x02?", ":carol!c@h PRIVMSG ann :\x01ACTION whispers\x01", ":bob!b@h PRIVMSG #rope :not for you");
	for (const text of ["strong", "whispers"])
		await device.push(await heard(text));
	assert.deepEqual((await device.notes()).sort(), ["bob in #rope: ann: is it strong?", "carol: whispers"]);
	// What is read elsewhere is told here no more.
	const other = await visit();

	await logIn(other);
	await enter(other, "carol");
	await device.push(await heard("MARKREAD carol"));
	assert.equal((await device.notes()).length, 1);
	await leave(other);
	const address = await device.click("bob in #rope");

	assert.equal(address, "/irc#harbour/%23rope");
	assert.deepEqual(await device.notes(), []);
	await page.goto(`${studio.url}${address}`);
	await page.waitForFunction(() => document.querySelector("h2.irc-title")?.textContent === "#rope");
	await page.waitForSelector(".irc-calls .irc-text:has-text('is it strong?')");
	// A page that is there is led too.
	await device.push("@time=2026-01-02T03:04:05.678Z;ringmain/network=harbour;ringmain/buffer=dave :dave!d@h PRIVMSG ann :hello");
	assert.equal(await device.click("dave"), "");
	await page.waitForFunction(() => document.querySelector("h2.irc-title").textContent === "dave");
	// Who logs out is called no more.
	await page.click("button[title='Channels']");
	await page.click("button[title='Log out']");
	await until(async () => await pushes() === 0, "the bouncer knows");
	await page.waitForFunction(() => !localStorage.getItem("test.subscribed") && !localStorage.getItem("ringmain.irc.push"));
	await leave(page);
});

test("what a page tells is not told again; what was read is not told at all", async () => {
	const page = await visitTold(), from = service.opened.length;
	const heard = async (text) => until(() => service.opened.slice(from).find((one) => one.includes(text)), `the service was told of ${text}`);

	await logIn(page);
	await enter(page, "#quay");
	await turn(page, "closed", true);
	await page.waitForSelector("#irc-tell-closed:checked");
	await page.click("dialog[open] button:text-is('Done')");
	const device = await workerOf(page);

	const told = () => page.evaluate(() => window.shown.map((note) => `${note.title}: ${note.body}`));

	far.say(":bob!b@h PRIVMSG #rope :ann, twice?");
	await until(async () => (await told()).join() === "bob in #rope: ann, twice?", "the page tells it");
	far.say(":bob!b@h PRIVMSG #quay :ann, you see it");
	await page.bringToFront();
	await page.waitForSelector(said("ann, you see it", "calls"));
	await device.push(await heard("twice?"));
	await device.push("@time=2026-01-02T03:04:05.678Z;ringmain/network=harbour;ringmain/buffer=#quay :bob!b@h PRIVMSG #quay :ann, you see it");
	assert.deepEqual(await device.notes(), []);
	// A rule of his, that the page does not know.
	await device.push("@time=2026-01-02T03:04:06.678Z;ringmain/network=harbour;ringmain/buffer=#rope :bob!b@h PRIVMSG #rope :lunch");
	assert.deepEqual(await device.notes(), ["bob in #rope: lunch"]);
	assert.equal((await told()).length, 1);
	await enter(page, "#rope");
	await until(async () => (await told()).length === 0, "it is read");
	// Turned off it is quiet, and the bouncer knows.
	await turn(page, "open", false);
	await page.waitForSelector("#irc-tell-closed:not(:checked)");
	await until(async () => await pushes() === 0, "the bouncer knows");
	await leave(page);
});

test("a renewal that the server is not there for costs nobody his calls, and is made up for at a later look", async () => {
	let away = false, asked = 0;
	const page = await visitTold({ before: async (one) => {
		await prepare(one, service);
		await one.routeWebSocket(/\/irc\/ws/, (socket) => {
			if (away) {
				socket.close();
				return;
			}
			const server = socket.connectToServer();

			socket.onMessage((line) => {
				if (!away) {
					server.send(line);
					return;
				}
				asked += line.startsWith("WEBPUSH REGISTER");
				server.close();
				socket.close();
			});
		});
	} }), from = service.opened.length;
	const renewed = () => service.opened.slice(from).filter((one) => one.includes("NOTE WEBPUSH REGISTERED")).length - 1;
	const look = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
	const kept = () => page.evaluate(() => JSON.parse(localStorage.getItem("ringmain.irc.push")));

	await logIn(page);
	await page.waitForSelector(talk("#quay"));
	await turn(page, "closed", true);
	await page.waitForSelector("#irc-tell-closed:checked");
	await page.click("dialog[open] button:text-is('Done')");
	const { endpoint } = await kept();

	// It was long ago; and the server goes when it is asked.
	await page.evaluate((own) => localStorage.setItem("ringmain.irc.push", JSON.stringify({ ...own, at: 1 })), await kept());
	away = true;
	await look();
	await page.waitForSelector(".irc-bar:has-text('Not connected')");
	await look();
	assert.deepEqual([asked, renewed(), await pushes()], [1, 0, 1]);
	assert.deepEqual([(await kept()).endpoint, (await kept()).at], [endpoint, 1]);
	assert.notEqual(await page.evaluate(() => localStorage.getItem("test.subscribed")), null);
	assert.equal(await page.locator(".notice").count(), 0);
	away = false;
	await until(async () => {
		await look();
		return (await kept()).at > 1;
	}, "it is renewed");
	assert.deepEqual([renewed(), await pushes(), (await kept()).endpoint], [1, 1, endpoint]);
	await turn(page, "closed", false);
	await until(async () => await pushes() === 0, "the bouncer knows");
	await leave(page);
});

test("why one cannot be called is said", async () => {
	let hears = null;
	const page = await visitTold({ before: async (one) => {
		await prepare(one, service);
		await one.routeWebSocket(/\/irc\/ws/, (socket) => {
			socket.connectToServer();
			hears ??= (line) => socket.send(line);
		});
	} });
	const refused = (words) => page.waitForSelector(`.irc-tell .irc-fault:has-text('${words}')`);

	await logIn(page);
	await page.waitForSelector(talk("#quay"));
	await page.evaluate(() => { window.refuses = "push service error"; });
	await page.click("button[title='Being told']");
	await page.click("#irc-tell-closed");
	await refused("push service refused: push service error");
	await page.evaluate(() => { window.refuses = ""; });
	service.status = 403;
	await page.click("#irc-tell-closed");
	await refused("did not take a first message");
	service.status = 201;
	assert.equal(await page.isChecked("#irc-tell-closed"), false);
	assert.equal(await page.isChecked("#irc-tell-open"), true);
	assert.equal(await page.evaluate(() => localStorage.getItem("test.subscribed")), null);
	hears(":x 005 admin -VAPID :are supported by this server");
	await page.click("#irc-tell-closed");
	await refused("calls nobody while the page is closed");
	await page.context().clearPermissions();
	await page.click("#irc-tell-closed");
	await refused("does not allow it");
	assert.equal(await page.isChecked("#irc-tell-open"), false);
	assert.equal(await pushes(), 0);
	await leave(page);
});

test("networks and channels are added here; who is named is told", async () => {
	const page = await visitTold();

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
	// Before it is there the page tells by itself, which nobody sees here.
	await page.evaluate(async () => { await navigator.serviceWorker.ready; });
	far.say(":bob!b@h PRIVMSG #nets :ann admin: mend them");
	await page.waitForFunction(() => window.shown.some((note) => note.title === "bob in #nets" && note.body === "ann admin: mend them"));
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
			await page.waitForFunction(() => document.getAnimations().every((one) => one.playState !== "running"));
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
