// bar: the player at the bottom of the page: button, title, time, volume, and the system's own
// media controls.

import { setText } from "./mounts.js";
import { Ring } from "./ring.js";
import { clock, mountName, splitTitle, stateSounds } from "./text.js";

const byId = (id) => document.getElementById(id);
const words = {
	idle: "", connecting: "connecting…", playing: "", waiting: "broke off, trying again…",
};

// Volume and the last stream are kept for the next visit, where the browser lets us.
function remembered(key, otherwise) {
	try {
		return localStorage.getItem(`ringmain.${key}`) ?? otherwise;
	} catch {
		return otherwise;
	}
}

function remember(key, value) {
	try {
		localStorage.setItem(`ringmain.${key}`, value);
	} catch {
		// Private windows may refuse: nothing is lost but the convenience.
	}
}

export class Bar {
	#player;
	#ring;
	#last = remembered("mount", ""); // what the button plays when nothing is chosen
	#mounts = [];
	#muted = false;

	constructor(player, onToggle) {
		this.#player = player;
		this.#ring = new Ring(byId("spectrum"), player);
		byId("toggle").addEventListener("click", () => {
			const mount = this.#candidate();

			if (mount)
				onToggle(mount);
		});
		byId("volume").value = remembered("volume", "80");
		byId("volume").addEventListener("input", () => this.#volumeMoved());
		byId("mute").addEventListener("click", () => {
			this.#muted = !this.#muted;
			this.#applyVolume();
		});
		this.#applyVolume();
		setInterval(() => setText(byId("elapsed"), clock(player.heard)), 500);
		this.#mediaKeys(onToggle);
	}

	// mounts: those that this browser can play.
	update(mounts) {
		const player = this.#player;

		this.#mounts = mounts;
		if (player.mount && player.mount !== this.#last) {
			this.#last = player.mount;
			remember("mount", player.mount);
		}
		const mount = this.#candidate();
		const idle = player.state === "idle";
		const { song, artist } = splitTitle(mount?.title);
		const name = mount ? mountName(mount) : "";

		byId("player").hidden = !mount;
		byId("player").dataset.player = player.state;
		document.body.classList.toggle("with-player", Boolean(mount));
		byId("toggle").disabled = !mount || (idle && !stateSounds(mount.state));
		byId("toggle").setAttribute("aria-label", idle ? `Play ${name}` : `Stop ${name}`);
		setText(byId("now-title"), idle ? name : song || name);
		setText(byId("now-mount"), idle ? "Press play to listen" :
			artist && artist !== name ? `${artist} · ${name}` : song ? name : "Live");
		setText(byId("now-state"), words[player.state]);
		byId("elapsed").hidden = idle;
		document.title = idle || !song ? byId("station").textContent : `${song} · ${name}`;
		this.#mediaWords(idle, song || name, artist || name);
		this.#ring.update();
	}

	// What is listened to; else what was last time, if there is sound; else the first with sound.
	#candidate() {
		const named = (path) => this.#mounts.find((mount) => mount.mount === path);
		const last = named(this.#last);

		if (this.#player.mount)
			return named(this.#player.mount) ?? this.#player.target;
		if (last && stateSounds(last.state))
			return last;
		return this.#mounts.find((mount) => stateSounds(mount.state)) ?? this.#mounts[0];
	}

	#volumeMoved() {
		this.#muted = false;
		remember("volume", byId("volume").value);
		this.#applyVolume();
	}

	#applyVolume() {
		const volume = Number(byId("volume").value);

		byId("mute").setAttribute("aria-pressed", String(this.#muted));
		byId("volume").style.setProperty("--filled", `${this.#muted ? 0 : volume}%`);
		this.#player.setVolume(volume / 100, this.#muted);
	}

	#mediaKeys(onToggle) {
		if (!navigator.mediaSession)
			return;
		for (const action of ["play", "pause", "stop"])
			navigator.mediaSession.setActionHandler(action, () => {
				const mount = this.#candidate();

				if (mount && (action === "play") === (this.#player.state === "idle"))
					onToggle(mount);
			});
	}

	#mediaWords(idle, title, artist) {
		const session = navigator.mediaSession;

		if (!session)
			return;
		session.playbackState = idle ? "none" : "playing";
		if (idle)
			session.metadata = null;
		else if (session.metadata?.title !== title || session.metadata.artist !== artist)
			session.metadata = new MediaMetadata({
				title, artist, album: byId("station").textContent,
				artwork: [{ src: "/icon.svg", sizes: "any", type: "image/svg+xml" }],
			});
	}
}
