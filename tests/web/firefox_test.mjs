// firefox_test: the pages in Debian's Firefox, and video and voice between it and Chromium, on the real server.
//
//     RINGMAIN_BUILD=path/of/build node --test firefox_test.mjs
//
// Firefox gives WebRTC no loopback address: the test goes on in a network namespace with a bridge that leads nowhere.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { FIREFOX, openBrowser, openFirefox } from "./stage.mjs";
import { freePort, PASSWORD, Studio, until } from "./studio.mjs";
import { heading, leave, live as followed, turnTo, visit as visitAt } from "./visit.mjs";

const LAN = "10.78.0.1";
const TOKEN = "who may publish";
const inside = process.env.RINGMAIN_WEB_INSIDE === "1";
let studio, firefox, mute, chromium, card;

function enter() {
	if (!existsSync(FIREFOX))
		return `${FIREFOX} is not installed`;
	const script = `ip link set lo up && ip link add lan0 type bridge && ip addr add ${LAN}/24 dev lan0 && ip link set lan0 up &&
		ip route add default dev lan0 && exec "$@"`;
	const spaces = ["-n", "-rn"].map((flags) => [flags, "sh", "-c", script, "sh"]);
	const found = spaces.find((args) => spawnSync("unshare", [...args, "true"]).status === 0);

	if (!found)
		return "no network namespace with a bridge can be made here";
	const { status } = spawnSync("unshare", [...found, process.execPath, ...process.execArgv, process.argv[1]],
		{ stdio: "inherit", env: { ...process.env, RINGMAIN_WEB_INSIDE: "1" } });

	process.exit(status ?? 1);
}

const skip = inside ? false : enter();
const visit = (browser, path, options) => visitAt(browser, studio.url, path, { login: false, ...options });

// A loudspeaker that is none: without one Firefox's sound stands still. The environment to reach it.
async function soundCard() {
	const there = { PULSE_SERVER: `unix:${studio.directory}/sound`, XDG_RUNTIME_DIR: studio.directory };

	card = spawn("setpriv", ["--pdeathsig=KILL", "pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "-L", "module-null-sink",
		"-L", `module-native-protocol-unix socket=${studio.directory}/sound auth-anonymous=1`],
	{ stdio: "ignore", env: { ...process.env, ...there, HOME: studio.directory } });
	await until(() => spawnSync("pactl", ["info"], { env: { ...process.env, ...there } }).status === 0, "pulseaudio is there");
	return there;
}

before(async () => {
	if (skip)
		return;
	studio = new Studio({ "sfu.udp": `${LAN}:${await freePort()}`, "sfu.publish_token": TOKEN, "sfu.connect_timeout": "10m",
		"voice.listen": `127.0.0.1:${await freePort()}`, "irc.listen": `127.0.0.1:${await freePort()}` });
	await studio.start();
	[firefox, mute, chromium] = await Promise.all([openFirefox(await soundCard()), openFirefox({ PULSE_SERVER: "" }), openBrowser({ camera: true })]);
});

after(async () => {
	await Promise.all([firefox?.close(), mute?.close(), chromium?.close()]);
	card?.kill("SIGKILL");
	studio?.stop();
});

const live = (page) => page.waitForSelector("body[data-state=live]");
const moves = async (page) => {
	const from = await page.evaluate(() => document.querySelector("video").currentTime);

	await page.waitForFunction((then) => document.querySelector("video").currentTime > then + 0.5, from);
};

async function send(browser, room) {
	const page = await visit(browser, `/send/${room}`);

	await page.fill("input[type=password]", TOKEN);
	await page.selectOption("select >> nth=0", "VP8");
	await page.selectOption("select >> nth=1", "low");
	await page.click(".source:text-is('Camera')");
	await page.waitForSelector(".go:enabled");
	await page.click(".go");
	await live(page);
	return page;
}

test("video: Firefox is seen in Chromium, and Chromium in Firefox", { skip, timeout: 600000 }, async () => {
	const red = await send(firefox, "red"), blue = await send(chromium, "blue");
	const one = await visit(chromium, "/watch/red"), other = await visit(firefox, "/watch/blue");

	for (const page of [one, other]) {
		await live(page);
		await moves(page);
	}
	// Both send their camera in two sizes.
	for (const page of [red, blue])
		await page.waitForSelector(".send-stats:has-text('in 2 sizes')");
	// From Chromium's pictures to Firefox's own, in the same session.
	await other.click(".room:text-is('red')");
	await other.waitForSelector(".room[aria-current]:text-is('red')");
	await moves(other);
	await red.click(".go");
	await other.waitForSelector("body[data-state=waiting]");
	for (const page of [red, blue, one, other])
		await leave(page);
});

async function comeIn(page, name) {
	await page.fill("#voice-name", name);
	await page.click("button:text-is('Come in')");
	await page.waitForSelector(`.voice-name:text-is('${name} (you)')`);
}

test("voice: one hears the other", { skip, timeout: 600000 }, async () => {
	const one = await visit(firefox, "/voice"), other = await visit(chromium, "/voice", { permissions: ["microphone"] });

	await comeIn(one, "fox");
	await comeIn(other, "crow");
	for (const [page, friend, who] of [[one, other, "fox"], [other, one, "crow"]]) {
		await page.click("button:text-is('Open mic')");
		await friend.waitForSelector(`.voice-person[data-speaks] .voice-name:text-is('${who}')`);
		await page.click("button:text-is('Mute')");
		await friend.waitForSelector(`.voice-person:not([data-speaks]) .voice-name:text-is('${who}')`);
	}
	await one.fill("#voice-words", "from the den");
	await one.keyboard.press("Enter");
	await other.waitForSelector(".voice-said:text-is('from the den')");
	await leave(one);
	await leave(other);
});

test("voice: who has no loudspeaker is told so, and can read and write", { skip, timeout: 600000 }, async () => {
	const page = await visit(mute, "/voice");

	await comeIn(page, "deaf");
	await page.waitForSelector("text=no loudspeaker or headphones were found");
	await leave(page);
});

test("radio is heard, IRC read, and the control room in order", { skip, timeout: 600000 }, async () => {
	await studio.encode("/live");
	const radio = await visit(firefox, "/");

	await radio.click(".card .ring-button");
	await radio.waitForFunction(() => /^(?!0:00)\d+:\d\d$/.test(document.getElementById("elapsed").textContent));
	await leave(radio);

	const irc = await visit(firefox, "/irc");

	await irc.fill("#irc-user", "admin");
	await irc.fill("#irc-password", PASSWORD);
	await irc.click("button:text-is('Log in')");
	await irc.waitForSelector("text=You have no network yet");
	await leave(irc);

	const desk = await visit(firefox, "/admin", { login: true });

	await followed(desk);
	for (const [hash, title] of [["#/mounts", "Mounts"], ["#/video", "Video"], ["#/voice", "Voice"], ["#/irc", "IRC"]]) {
		await turnTo(desk, hash);
		assert.ok(await desk.textContent("h1"), title);
	}
	await leave(desk);
});
