// look_test: how often a page asks (web/ui/look.js), without a browser.
//
//     node --test look_test.mjs

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { looking } from "../../web/ui/look.js";

const timers = new Map();
let number = 0;
let asked = 0;
let answer, fail;

globalThis.document = { visibilityState: "visible" };
globalThis.setTimeout = (work, wait) => {
	assert.equal(wait, 2000);
	timers.set(++number, work);
	return number;
};
globalThis.clearTimeout = (timer) => timers.delete(timer);

const draw = () => {
	asked++;
	return new Promise((done, not) => [answer, fail] = [done, not]);
};

beforeEach(() => {
	timers.clear();
	asked = 0;
	document.visibilityState = "visible";
});

// What is due now.
function turn() {
	const [[timer, work]] = timers;

	timers.delete(timer);
	return work();
}

test("it asks again behind each answer, good or bad", async () => {
	const { load } = looking(draw, 2000);
	let done = load();

	assert.equal(timers.size, 0);
	answer();
	await done;
	assert.equal(timers.size, 1);
	done = turn();
	fail(new Error("the server is away"));
	await done;
	assert.equal(timers.size, 1);
	assert.equal(asked, 2);
});

test("who asks meanwhile does not ask twice as often from then on", async () => {
	const { load } = looking(draw, 2000);
	const one = load(), first = answer, two = load();

	first();
	await one;
	answer();
	await two;
	assert.equal(asked, 2);
	assert.equal(timers.size, 1);
});

test("a page that is left while it asks asks nothing more", async () => {
	const { load, end } = looking(draw, 2000);
	const done = load();

	end();
	answer();
	await done;
	assert.equal(timers.size, 0);
});

test("who does not look is not asked for, until he looks", async () => {
	const { load } = looking(draw, 2000);

	document.visibilityState = "hidden";
	await load();
	assert.equal(asked, 0);
	document.visibilityState = "visible";
	const done = turn();

	answer();
	await done;
	assert.equal(asked, 1);
	assert.equal(timers.size, 1);
});
