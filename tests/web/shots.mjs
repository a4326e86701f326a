// shots: pictures of the page at a phone's and a desk's size, by day and by night.
//
//     node shots.mjs DIRECTORY [ringmain-demo]

import { mkdirSync } from "node:fs";
import { openBrowser, startServer } from "./stage.mjs";

const sizes = { phone: { width: 360, height: 740 }, desk: { width: 1280, height: 800 } };
const directory = process.argv[2] ?? "shots";
const server = await startServer(process.argv[3]);
const browser = await openBrowser();

mkdirSync(directory, { recursive: true });
for (const [size, viewport] of Object.entries(sizes)) {
	for (const colorScheme of ["light", "dark"]) {
		const page = await browser.newPage({ viewport, colorScheme });
		const shoot = (what, fullPage) => page.screenshot({
			path: `${directory}/${what}-${size}-${colorScheme}.png`, fullPage,
		});

		await fetch(`${server.url}control?mounts=many`);
		await page.goto(server.url);
		await page.waitForSelector(".card");
		await shoot("idle");
		await page.click(".card .ring-button");
		await page.waitForSelector(".player[data-player=playing]");
		await page.waitForTimeout(2500);
		await shoot("playing");
		await shoot("all", true);
		await fetch(`${server.url}control?mounts=one`);
		await page.waitForSelector(".mounts.single");
		await shoot("single");
		await page.click("#toggle");
		await fetch(`${server.url}control?mounts=none`);
		await page.waitForSelector("#hint:not([hidden])");
		await shoot("nobody", true);
		await page.close();
	}
}
await browser.close();
server.stop();
