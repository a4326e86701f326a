// feed: asks the server every two seconds what is on the air, while somebody looks at the page.

const EVERY_MS = 2000;
const PATIENCE_MS = 8000;

// Calls onData(answer) after each answer, onError() after each attempt that had none.
export function watchMounts(onData, onError) {
	let timer = 0;
	let asking = false;

	async function ask() {
		clearTimeout(timer);
		if (asking)
			return;
		asking = true;
		try {
			const answer = await fetch("/api/v1/station", {
				headers: { Accept: "application/json" },
				cache: "no-store",
				signal: AbortSignal.timeout(PATIENCE_MS),
			});

			if (!answer.ok)
				throw new Error(`status ${answer.status}`);
			onData(await answer.json());
		} catch {
			onError();
		}
		asking = false;
		if (!document.hidden)
			timer = setTimeout(ask, EVERY_MS);
	}

	document.addEventListener("visibilitychange", () => {
		if (!document.hidden)
			ask();
	});
	ask();
}
