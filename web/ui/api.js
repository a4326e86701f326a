// api: asks /api/v1. A fault is an ApiError with the server's own words; who is not logged in (any
// more) is told so through onLoggedOut.

export class ApiError extends Error {
	constructor(status, code, message) {
		super(message);
		this.status = status;
		this.code = code;
	}
}

let loggedOut = () => {};

export function onLoggedOut(callback) {
	loggedOut = callback;
}

export function mountPath(mount) {
	return mount.split("/").map(encodeURIComponent).join("/");
}

export function csrfWord() {
	return /(?:^|;\s*)ringmain_csrf=([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

async function faultOf(answer) {
	try {
		const { error } = await answer.json();

		return new ApiError(answer.status, error.code, error.message);
	} catch {
		return new ApiError(answer.status, "", `The server answered ${answer.status}.`);
	}
}

export async function api(method, path, body, options = {}) {
	let answer;

	try {
		answer = await fetch(`/api/v1${path}`, {
			method,
			cache: "no-store",
			credentials: "same-origin",
			headers: {
				Accept: "application/json",
				// So that no browser asks for a password behind our back.
				"X-Requested-With": "ringmain",
				// Pages of other sites cannot read the cookie that holds this word.
				...(method === "GET" ? {} : { "X-CSRF-Token": csrfWord() }),
				...(body === undefined ? {} : { "Content-Type": "application/json" }),
			},
			body: body === undefined ? undefined : JSON.stringify(body),
			signal: AbortSignal.timeout(options.patience ?? 15000),
		});
	} catch {
		throw new ApiError(0, "unreachable", "The server does not answer.");
	}
	if (answer.status === 401 && !options.quiet)
		loggedOut();
	if (!answer.ok)
		throw await faultOf(answer);
	return answer.status === 204 ? null : answer.json();
}

export const get = (path, options) => api("GET", path, undefined, options);
export const post = (path, body) => api("POST", path, body);
export const put = (path, body) => api("PUT", path, body);
export const del = (path) => api("DELETE", path);

let operations = new Set();

// What this server can do: pages of what it cannot are not shown.
export async function learnOperations() {
	const answer = await get("/operations");

	operations = new Set(answer.operations.map((one) => `${one.method} ${one.path}`));
	return answer;
}

export function can(method, path) {
	return operations.has(`${method} /api/v1${path}`);
}
