// countries: a code of two letters in words.

const names = (() => {
	try {
		return new Intl.DisplayNames(["en"], { type: "region" });
	} catch {
		return null;
	}
})();

export function countryName(code) {
	if (!/^[A-Z]{2}$/.test(code))
		return "Unknown";
	return names?.of(code) ?? code;
}
