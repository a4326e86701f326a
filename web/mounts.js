// mounts: the list of streams, one card each.
//
// A card stays the same element while its mount exists, and only text that changed is written:
// keyboard focus stays where it is and screen readers are not told everything every two seconds.
// All that comes from encoders is set as text, never as markup.

import { copyOnClick } from "./copy.js";
import { Ring } from "./ring.js";
import {
	countWords, formatWords, mountName, mountPath, playableType, splitTitle, stateSounds, stateWord,
	webAddress,
} from "./text.js";

const list = document.getElementById("mounts");
const template = document.getElementById("card");
const probe = document.createElement("audio");
const cards = new Map(); // mount path → card

export function setText(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

function setLink(link, href) {
	link.hidden = !href;
	if (href && link.getAttribute("href") !== href)
		link.setAttribute("href", href);
}

export function canPlay(mount) {
	return probe.canPlayType(playableType(mount)) !== "";
}

function createCard(onToggle) {
	const root = template.content.firstElementChild.cloneNode(true);
	const find = (name) => root.querySelector(`.${name}`);
	const card = {
		root, mount: null, ring: null, spectrum: find("ring-spectrum"),
		play: find("ring-button"), open: find("ring-open"),
		format: find("card-format"), genre: find("card-genre"), word: find("state-word"), title: find("card-title"),
		artist: find("card-artist"), about: find("card-about"), count: find("count"), listeners: find("card-listeners"), page: find("card-page"),
		countWord: find("count-word"), m3u: find("link-m3u"), pls: find("link-pls"),
		xspf: find("link-xspf"), site: find("link-site"), address: find("address-text"),
		copy: find("copy"),
	};

	card.play.addEventListener("click", () => onToggle(card.mount));
	copyOnClick(card.copy, () => card.address.textContent);
	return card;
}

function fillTitle(card, mount, sounds) {
	const { song, artist } = splitTitle(mount.title);

	setText(card.title, sounds ? song || "Live" : "Silent for now");
	setText(card.artist, sounds ? artist : "");
	card.title.classList.toggle("untitled", !sounds || !song);
}

function fillCard(card, mount, player) {
	const name = mountName(mount);
	const sounds = stateSounds(mount.state);
	const playable = canPlay(mount);
	const wanted = player.mount === mount.mount;

	card.mount = mount;
	card.root.dataset.state = mount.state;
	card.root.dataset.player = wanted ? player.state : "";
	setText(card.page, name);
	setLink(card.page, mountPath({ mount: `/player${mount.mount}` }));
	setText(card.format, formatWords(mount) + (playable ? "" : " · opens in your own player"));
	setText(card.genre, mount.genre ?? "");
	setText(card.word, stateWord(mount.state));
	fillTitle(card, mount, sounds);
	setText(card.about, mount.description ?? "");
	card.about.hidden = !mount.description;
	card.listeners.hidden = mount.listeners === undefined;
	setText(card.count, countWords(mount.listeners));
	setText(card.countWord, "listening");
	setText(card.address, mount.listen_url || new URL(mountPath(mount), location.href).href);
	card.copy.setAttribute("aria-label", `Copy the address of ${name}`);
	for (const kind of ["m3u", "pls", "xspf"]) {
		setLink(card[kind], mountPath(mount, `.${kind}`));
		card[kind].setAttribute("aria-label", `${kind.toUpperCase()} playlist of ${name}`);
	}
	setLink(card.site, webAddress(mount.url));
	card.site.setAttribute("aria-label", `Website of ${name}`);
	card.play.hidden = !playable;
	card.play.disabled = !sounds && !wanted;
	card.play.setAttribute("aria-label", wanted ? `Stop ${name}` : `Play ${name}`);
	setLink(card.open, playable ? "" : mountPath(mount, ".m3u"));
	card.open.setAttribute("aria-label", `Open ${name} in your player`);
	card.open.title = "This browser cannot play the format: open it in your player";
}

// Shows these mounts and no others.
export function showMounts(mounts, player, onToggle) {
	const gone = new Set(cards.keys());
	let place = list.firstElementChild;

	list.classList.toggle("single", mounts.length === 1);

	for (const mount of mounts) {
		let card = cards.get(mount.mount);

		gone.delete(mount.mount);
		if (!card) {
			card = createCard(onToggle);
			cards.set(mount.mount, card);
		}
		fillCard(card, mount, player);
		if (mounts.length === 1)
			card.ring ??= new Ring(card.spectrum, player);
		card.ring?.update();
		if (card.root === place)
			place = place.nextElementSibling;
		else
			list.insertBefore(card.root, place);
	}
	for (const path of gone) {
		cards.get(path).root.remove();
		cards.delete(path);
	}
	list.hidden = mounts.length === 0;
}
