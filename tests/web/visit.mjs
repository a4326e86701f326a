// visit: a browser on the real server, logged in or not, that fails the test when a page complains.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PASSWORD } from "./studio.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const sizes = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 } };

// Counts what a page has asked for and not got yet.
function countRequests() {
	const real = window.fetch;

	window.asked = 0;
	window.fetch = (...args) => {
		window.asked++;
		return real(...args).finally(() => { window.asked--; });
	};
}

// Options of the browser's context, and: login, user, password; before(page): what is done before it asks for anything.
export async function visit(browser, url, path, options = {}) {
	const { login = true, user = "admin", password = PASSWORD, before, ...rest } = options;
	const context = await browser.newContext({ viewport: sizes.desk, reducedMotion: "reduce", ...rest });

	await context.addInitScript(countRequests);
	if (login) {
		const answer = await context.request.post(`${url}/api/v1/login`, { data: { user, password } });

		assert.equal(answer.status(), 200);
	}
	const page = await context.newPage();

	page.complaints = [];
	page.on("console", (message) => {
		if (message.type() === "error")
			page.complaints.push(`${message.text()} ${message.location().url}`);
	});
	page.on("pageerror", (error) => page.complaints.push(String(error)));
	await before?.(page);
	await page.goto(`${url}${path}`);
	return page;
}

export async function leave(page, but = null) {
	assert.deepEqual(page.complaints.filter((text) => !but?.test(text)), []);
	assert.equal(await page.evaluate(() => window.pwned), undefined);
	await page.context().close();
}

export const live = (page) => page.waitForSelector(".line[data-state=up]");
export const heading = (page, text) => page.waitForFunction((wanted) => document.querySelector("h1")?.textContent === wanted, text);

// Goes to a page of the control room, until all that it asks for is there.
export async function turnTo(page, hash) {
	await page.evaluate((where) => { location.hash = where; }, hash);
	await page.waitForFunction(() => document.querySelector(".page")?.childElementCount > 0);
	await page.waitForFunction(() => window.asked === 0, null, { polling: 50 });
}

// Whole: nothing sticks out, and axe finds nothing (of these rules, or of all).
export async function expectWhole(page, where, rules = null) {
	const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

	assert.ok(wide <= 0, `${wide} px wider than the window: ${where}`);
	if (!await page.evaluate(() => Boolean(window.axe)))
		await page.evaluate(axe);
	const { violations } = await page.evaluate((only) => window.axe.run(document, { resultTypes: ["violations"], ...(only ? { runOnly: only } : {}) }), rules);

	assert.deepEqual(violations.map((v) => `${where} ${v.id}: ${v.nodes.map((node) => node.html).join(" ").slice(0, 400)}`), []);
}
