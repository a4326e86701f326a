// look: what is there is asked for again and again, as long as somebody looks.
//
//     const { load, end } = looking(draw, LOOK_MS);        draw: async, asks and shows; may fail
//
// load() asks at once, as after an order; end() is for when the page is left: nothing is asked any more.

export function looking(draw, often) {
	let timer = 0;
	let ended = false;

	async function load() {
		clearTimeout(timer);
		// Who does not look needs no pictures.
		if (document.visibilityState === "visible")
			await draw().catch(() => {}); // Asked again soon.
		// Somebody else may have asked meanwhile.
		clearTimeout(timer);
		if (!ended)
			timer = setTimeout(load, often);
	}

	function end() {
		ended = true;
		clearTimeout(timer);
	}
	return { load, end };
}
