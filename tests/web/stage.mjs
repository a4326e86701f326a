// stage: what the page's tests and pictures stand on: the invented radio and a browser.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import playwright, { chromium } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
// Before anybody is blamed: a busy machine may leave a page out for seconds at a time.
export const PATIENCE = 120000;

// A browser whose pages wait so long for what is awaited.
async function patient(launched) {
	const browser = await launched, real = browser.newContext.bind(browser);

	browser.newContext = async (options) => {
		const context = await real(options);

		context.setDefaultTimeout(PATIENCE);
		return context;
	};
	return browser;
}

// Chromium with these arguments.
export function openChromium(args) {
	return patient(chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--mute-audio", ...args], timeout: PATIENCE }));
}

// demo: path of ringmain-demo, which makes what the mounts play.
export async function startServer(demo = join(here, "../../build/helpers/ringmain-demo/ringmain-demo")) {
	const directory = mkdtempSync(join(tmpdir(), "ringmain-web-"));
	const mp3 = join(directory, "demo.mp3");

	execFileSync(demo, ["--mp3", mp3, "--seconds", "20", "--seed", "1"], { stdio: "ignore" });
	const child = spawn("python3", [join(here, "dev_server.py"), "--port", "0", "--mp3", mp3],
		{ stdio: ["ignore", "pipe", "inherit"] });
	const lines = createInterface({ input: child.stdout });
	const url = await new Promise((resolve, reject) => {
		lines.once("line", resolve);
		child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
	});

	child.removeAllListeners("exit");
	return {
		url,
		stop() {
			child.kill();
			rmSync(directory, { recursive: true });
		},
	};
}

// camera: with one, and a microphone, that are made up.
export function openBrowser({ camera = false } = {}) {
	// Without a sound card Chromium plays into nothing, at the right speed.
	return openChromium(camera ? ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
		"--autoplay-policy=no-user-gesture-required", "--disable-features=WebRtcHideLocalIpsWithMdns", "--allow-loopback-in-peer-connection"] : []);
}

export const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

// Debian's own, over WebDriver BiDi (Playwright's firefox is a build of its own, which Debian does not have), with a
// camera and a microphone that are made up. environment: more variables.
export function openFirefox(environment = {}) {
	return patient(playwright._bidiFirefox.launch({
		executablePath: FIREFOX,
		timeout: PATIENCE,
		env: { ...process.env, ...environment },
		firefoxUserPrefs: {
			"media.navigator.streams.fake": true,
			"media.navigator.permission.disabled": true,
			"media.autoplay.default": 0,
			"media.peerconnection.ice.obfuscate_host_addresses": false,
		},
	}));
}
