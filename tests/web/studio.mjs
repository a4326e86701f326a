// studio: the real server with encoders, listeners and frames, for the tests of the control room.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
export const PASSWORD = "hand on the desk";
const SOURCE = "source-of-sound";

// Each test process takes ports of its own, below those that the kernel gives to outgoing connections: what is free
// now is free a moment later too. For TCP and UDP.
const FIRST = 10000 + process.pid % 400 * 20;
let taken = 0;

function isFree(port) {
	return new Promise((resolve) => {
		const server = createServer().once("error", () => resolve(false)).listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});
}

export async function freePort() {
	for (let tries = 0; tries < 20; tries++) {
		const port = FIRST + taken++ % 20;

		if (await isFree(port))
			return port;
	}
	throw new Error("no free port");
}

export async function until(condition, what, seconds = 120) {
	const end = Date.now() + seconds * 1000;

	for (;;) {
		const value = await condition();

		if (value)
			return value;
		if (Date.now() > end)
			throw new Error(`not within ${seconds} s: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

export class Studio {
	#build = process.env.RINGMAIN_BUILD ?? join(here, "../../build");
	#directory = mkdtempSync(join(tmpdir(), "ringmain-studio-"));
	#children = [];
	#listeners = [];
	#settings;

	// A setting that is null is not said, not even as here.
	constructor(settings = {}) {
		this.#settings = settings;
	}

	#start(program, args, environment = {}) {
		const child = spawn("setpriv", ["--pdeathsig=KILL", join(this.#build, program), ...args.map(String)],
			{ stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...environment } });

		child.said = "";
		child.stderr.on("data", (text) => { child.said += text; });
		// Once all that it said is here.
		child.ended = false;
		child.on("close", () => { child.ended = true; });
		this.#children.push(child);
		return child;
	}

	async start() {
		this.port ??= await freePort();
		this.url = `http://127.0.0.1:${this.port}`;
		const settings = {
			"http.listen": `127.0.0.1:${this.port}`, "admin.password": PASSWORD, "radio.source_password": SOURCE, "radio.shoutcast_port": "no",
			"http.trusted_proxies": "127.0.0.1", ...this.#settings,
		};

		this.server = this.#start("ringmain", ["--data", join(this.#directory, "data"),
			...Object.entries(settings).filter(([, value]) => value !== null).flatMap(([name, value]) => ["--set", `${name}=${value}`])]);
		await until(async () => (await fetch(`${this.url}/readyz`).catch(() => null))?.ok, "the server is ready");
	}

	async stopServer() {
		const ended = new Promise((resolve) => this.server.once("exit", resolve));

		this.server.kill("SIGTERM");
		await ended;
	}

	async api(method, path, body) {
		const answer = await fetch(`${this.url}/api/v1${path}`, { method, body: body && JSON.stringify(body), headers: {
			Authorization: `Basic ${Buffer.from(`admin:${PASSWORD}`).toString("base64")}`, "Content-Type": "application/json",
		} });

		if (!answer.ok)
			throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
		return answer.status === 204 ? null : answer.json();
	}

	// A program of clients/, until the test ends it.
	run(program, args, environment = {}) {
		return this.#start(program, args, environment);
	}

	get directory() {
		return this.#directory;
	}

	mount(name) {
		return this.api("GET", `/mounts${name}`).catch(() => null);
	}

	async encode(name) {
		const encoder = this.#start("clients/ringmain-encoder", ["--url", `http://source:${SOURCE}@127.0.0.1:${this.port}${name}`, "--seconds", 36000]);

		await until(async () => (await this.mount(name))?.state === "live", `${name} on the air: ${encoder.said}`);
		return encoder;
	}

	// A listener who seems to come from this address; gone: whether he was sent away.
	async listen(name, address, agent = "VLC/3.0.20 LibVLC/3.0.20") {
		const socket = connect(this.port, "127.0.0.1");
		const listener = { socket, gone: false };

		socket.on("error", () => {});
		socket.on("data", () => {});
		socket.on("close", () => { listener.gone = true; });
		socket.write(`GET ${name} HTTP/1.0\r\nUser-Agent: ${agent}\r\nX-Forwarded-For: ${address}\r\n\r\n`);
		this.#listeners.push(listener);
		await until(async () => (await this.api("GET", `/listeners?find=${address}`)).total > 0, `${address} listens`);
		return listener;
	}

	hangUp() {
		for (const listener of this.#listeners.splice(0))
			listener.socket.destroy();
	}

	stop() {
		this.hangUp();
		for (const child of this.#children)
			child.kill("SIGKILL");
		rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
	}
}
