// station: what is on the air, as it changes: over the public event stream, or, where that is refused
// or broken by something in between, by asking every two seconds.
//
//     /events ── snapshot, deltas (RFC 7396) ──▶ onData({ server, mounts })
//     /api/v1/station, each 2 s ────────────────▶

import { watchMounts } from "./feed.js";

function merge(target, patch) {
	for (const [key, value] of Object.entries(patch)) {
		if (value === null)
			delete target[key];
		else if (typeof value === "object" && !Array.isArray(value))
			target[key] = merge(typeof target[key] === "object" && target[key] ? target[key] : {}, value);
		else
			target[key] = value;
	}
	return target;
}

export function watchStation(onData, onError) {
	let state = null;
	let failures = 0;
	const source = new EventSource("/events");
	const tell = () => onData({ server: state.station, mounts: Object.values(state.mounts) });

	source.addEventListener("snapshot", (event) => {
		state = JSON.parse(event.data);
		failures = 0;
		tell();
	});
	source.addEventListener("delta", (event) => {
		merge(state, JSON.parse(event.data));
		tell();
	});
	source.addEventListener("error", () => {
		failures++;
		if (source.readyState === EventSource.CLOSED || (!state && failures > 2)) {
			source.close();
			watchMounts(onData, onError);
		} else {
			onError();
		}
	});
}
