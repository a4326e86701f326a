// copy: puts a text on the clipboard when a button is pressed, and says so on the button.

// Browsers give the clipboard only to secure pages; a radio server at home often is none, and there
// the old way, through a selection, still works.
async function copyText(text) {
	if (navigator.clipboard && window.isSecureContext)
		return navigator.clipboard.writeText(text);
	const area = document.createElement("textarea");

	area.value = text;
	area.className = "hidden-words";
	area.setAttribute("aria-hidden", "true");
	document.body.append(area);
	area.select();
	const copied = document.execCommand("copy");

	area.remove();
	if (!copied)
		throw new Error("no clipboard");
	return undefined;
}

export function copyOnClick(button, textNow) {
	const label = button.textContent;
	let timer = 0;

	button.addEventListener("click", async () => {
		try {
			await copyText(textNow());
			button.textContent = "Copied";
		} catch {
			button.textContent = "Select it by hand";
		}
		button.focus();
		clearTimeout(timer);
		timer = setTimeout(() => { button.textContent = label; }, 1600);
	});
}
