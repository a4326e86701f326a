// text: what the page says, made from what the server says. Pure functions; no page, no network.

const states = {
	live: "On air",
	lingering: "Ending",
	fallback: "Fallback",
	stalled: "No signal",
	off: "Off air",
};

export function stateWord(state) {
	return states[state] ?? "Unknown";
}

// Whether a listener gets sound now.
export function stateSounds(state) {
	return state === "live" || state === "lingering" || state === "fallback";
}

// "Artist - Song" taken apart at its first dash; what has none is all song.
export function splitTitle(title) {
	const text = (title ?? "").trim();
	const at = text.indexOf(" - ");

	if (at <= 0 || at + 3 >= text.length)
		return { song: text, artist: "" };
	return { song: text.slice(at + 3).trim(), artist: text.slice(0, at).trim() };
}

const codecs = {
	mp3: "MP3", aac: "AAC", adts: "AAC", vorbis: "Ogg Vorbis", opus: "Opus", flac: "FLAC",
	speex: "Speex", theora: "Ogg Theora", vp8: "WebM VP8", vp9: "WebM VP9",
};

export function formatWords(mount) {
	const words = [];

	words.push(codecs[mount.codec] ?? mount.codec?.toUpperCase() ?? mount.content_type ?? "Stream");
	if (mount.bitrate > 0)
		words.push(`${mount.bitrate}\u00a0kbit/s`);
	if (mount.sample_rate > 0)
		words.push(`${mount.sample_rate / 1000}\u00a0kHz`);
	if (mount.channels > 0)
		words.push(mount.channels === 1 ? "mono" : mount.channels === 2 ? "stereo" :
			`${mount.channels}\u00a0channels`);
	return words.join(" · ");
}

export function mountName(mount) {
	return (mount.name ?? "").trim() || mount.mount;
}

// The mount's address on this very server, whatever host name the server knows itself by.
export function mountPath(mount, suffix = "") {
	return mount.mount.split("/").map(encodeURIComponent).join("/") + suffix;
}

export function countWords(count) {
	return (count ?? 0).toLocaleString("en");
}

export function plural(count, one, many) {
	return count === 1 ? one : many;
}

export function clock(seconds) {
	const all = Math.max(0, Math.floor(seconds));
	const two = (n) => String(n).padStart(2, "0");
	const hours = Math.floor(all / 3600);
	const minutes = Math.floor(all / 60) % 60;

	return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

export function sinceWords(then, now) {
	const minutes = Math.floor((now - then) / 60000);

	if (!(minutes >= 0))
		return "";
	if (minutes < 1)
		return "up for less than a minute";
	if (minutes < 120)
		return `up for ${minutes} ${plural(minutes, "minute", "minutes")}`;
	if (minutes < 48 * 60)
		return `up for ${Math.floor(minutes / 60)} hours`;
	return `up for ${Math.floor(minutes / 60 / 24)} days`;
}

// An address that strangers gave, if it is one that a link may have; else "".
export function webAddress(text) {
	try {
		const url = new URL(text);

		return url.protocol === "http:" || url.protocol === "https:" ? url.href : "";
	} catch {
		return "";
	}
}

// The type to ask the browser about: Ogg needs its codec named, and some names are not its own.
export function playableType(mount) {
	const type = (mount.content_type ?? "").split(";")[0].trim().toLowerCase();

	if (type === "application/ogg" || type === "audio/ogg")
		return `audio/ogg; codecs="${mount.codec || "vorbis"}"`;
	if (type === "audio/aacp" || type === "audio/x-aac")
		return "audio/aac";
	if (type === "audio/mp3" || type === "audio/x-mpeg" || type === "")
		return "audio/mpeg";
	return type;
}
