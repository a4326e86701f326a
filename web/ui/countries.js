// countries: a code of two letters as its flag and in words.

const names = (() => {
	try {
		return new Intl.DisplayNames(["en"], { type: "region" });
	} catch {
		return null;
	}
})();

export function flag(code) {
	return /^[A-Z]{2}$/.test(code) ? String.fromCodePoint(...[...code].map((letter) => 0x1f1e6 + letter.charCodeAt(0) - 65)) : "·";
}

export function countryName(code) {
	if (!/^[A-Z]{2}$/.test(code))
		return "Unknown";
	return names?.of(code) ?? code;
}
