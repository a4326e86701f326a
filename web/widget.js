// widget: "now playing" for any web page:
//
//     <script async src="https://radio.example/widget.js"></script>
//     <span data-ringmain="/live"></span>
//     <span data-ringmain="/live" data-ringmain-show="listeners"></span>
//
// Each such element gets the text of its mount: title (the default), song, artist, name, listeners or
// state; and the attribute data-ringmain-state. Texts are set as text, never as markup. Without this
// script, the same is at /api/v1/station as JSON, which any site may read.
(() => {
	const base = new URL(document.currentScript.src).origin;
	const words = { live: "On air", lingering: "Ending", fallback: "Fallback", stalled: "No signal", off: "Off air" };

	function part(mount, show) {
		const title = mount.title ?? "";
		const at = title.indexOf(" - ");

		switch (show) {
		case "song": return at > 0 ? title.slice(at + 3) : title;
		case "artist": return at > 0 ? title.slice(0, at) : "";
		case "name": return mount.name || mount.mount;
		case "listeners": return String(mount.listeners ?? "");
		case "state": return words[mount.state] ?? "";
		default: return title;
		}
	}

	function show(mounts) {
		for (const element of document.querySelectorAll("[data-ringmain]")) {
			const mount = mounts.find((one) => one.mount === element.dataset.ringmain) ?? { mount: element.dataset.ringmain, state: "off" };
			const text = part(mount, element.dataset.ringmainShow);

			element.dataset.ringmainState = mount.state;
			if (element.textContent !== text)
				element.textContent = text;
		}
	}

	async function ask() {
		try {
			show((await (await fetch(`${base}/api/v1/station`)).json()).mounts);
		} catch {
			// The server is away: what was shown stays.
		}
		setTimeout(ask, document.hidden ? 30000 : 5000);
	}
	if (document.readyState === "loading")
		document.addEventListener("DOMContentLoaded", ask);
	else
		ask();
})();
