// format: numbers and times in words. Pure functions.

export function number(value) {
	return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en");
}

export function short(value) {
	if (value === null || value === undefined)
		return "–";
	if (value < 10000)
		return number(value);
	const [divisor, unit] = value < 1e6 ? [1e3, "k"] : value < 1e9 ? [1e6, "M"] : [1e9, "G"];

	return `${(value / divisor).toPrecision(3)}${unit}`;
}

export function share(value, all) {
	return all ? `${number(value)} · ${(100 * value / all).toFixed(value * 10 < all ? 1 : 0)}\u00a0%` : number(value);
}

const sizes = ["B", "KB", "MB", "GB", "TB", "PB"];

export function bytes(value) {
	let unit = 0;

	if (value === null || value === undefined)
		return "–";
	while (value >= 1000 && unit < sizes.length - 1) {
		value /= 1000;
		unit++;
	}
	return `${unit === 0 ? value : value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) :
		Math.round(value)}\u00a0${sizes[unit]}`;
}

export function bits(value) {
	let unit = 0;
	const units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"];

	while (value >= 1000 && unit < units.length - 1) {
		value /= 1000;
		unit++;
	}
	return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)}\u00a0${units[unit]}`;
}

// Bits a second, of bytes a second.
export const rate = (bytesPerSecond) => bits((bytesPerSecond ?? 0) * 8);

export function duration(seconds) {
	const all = Math.max(0, Math.floor(seconds));
	const days = Math.floor(all / 86400);
	const hours = Math.floor(all / 3600) % 24;
	const minutes = Math.floor(all / 60) % 60;
	const two = (n) => String(n).padStart(2, "0");

	if (days)
		return `${days}\u00a0d ${hours}\u00a0h`;
	return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

export function since(then, now = Date.now() / 1000) {
	return then ? duration(now - then) : "–";
}

export function ago(then, now = Date.now() / 1000) {
	const seconds = Math.max(0, now - then);

	if (seconds < 60)
		return "just now";
	if (seconds < 7200)
		return `${Math.round(seconds / 60)} min ago`;
	if (seconds < 172800)
		return `${Math.round(seconds / 3600)} h ago`;
	return `${Math.round(seconds / 86400)} days ago`;
}

export function clockTime(seconds, withSeconds = false) {
	return new Date(seconds * 1000).toLocaleTimeString([], {
		hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(withSeconds ? { second: "2-digit" } : {}),
	});
}

export function dayMonth(seconds) {
	return new Date(seconds * 1000).toLocaleDateString([], { day: "numeric", month: "short" });
}

export function dateTime(seconds) {
	if (!seconds)
		return "–";
	const date = new Date(seconds * 1000);

	return date.toLocaleString([], {
		day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
		...(date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" }),
	});
}

// "Mozilla/5.0 (…) Firefox/128.0" is Firefox: who listens, in a word.
export function agentName(agent) {
	const known = [[/\bEdg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chromium\/|HeadlessChrome/, "Chromium"],
		[/Chrome\//, "Chrome"], [/iPhone|iPad/, "iOS"], [/AppleCoreMedia/, "Apple player"], [/Safari\//, "Safari"],
		[/VLC|LibVLC/i, "VLC"], [/Lavf/, "FFmpeg"], [/Winamp/i, "Winamp"], [/foobar2000/i, "foobar2000"],
		[/mpv/i, "mpv"], [/MPlayer/, "MPlayer"], [/GStreamer|souphttpsrc/i, "GStreamer"], [/TuneIn/i, "TuneIn"],
		[/Sonos/i, "Sonos"], [/Alexa|Echo/i, "Alexa"], [/curl\//, "curl"], [/Icecast/i, "Icecast"], [/ringmain/i, "ringmain"]];

	for (const [pattern, name] of known)
		if (pattern.test(agent))
			return name;
	return (agent || "").split(/[/\s(]/)[0] || "unknown";
}
