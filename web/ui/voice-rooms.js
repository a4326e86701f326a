// voice-rooms: the tree of rooms with who is in them. Drawn anew in place: what stays keeps its focus.

import { h, setText } from "./dom.js";

// Children of each room, in the order that Mumble shows them in.
export function tree(channels) {
	const below = new Map();

	for (const channel of channels.values()) {
		const parent = channel.id === 0 ? null : channel.parent ?? 0;

		below.set(parent, [...(below.get(parent) ?? []), channel]);
	}
	for (const list of below.values())
		list.sort((a, b) => a.position - b.position || a.name.localeCompare(b.name));
	return below;
}

export const states = [["recording", "records"], ["self_deaf", "deaf"], ["deaf", "deafened"], ["self_mute", "muted"], ["mute", "silenced"], ["suppress", "may not speak"]];

// The server itself says so that a room is recorded: with a user who is none.
const isSign = (user) => user.session >= 0x40000000;

export function roomList({ enter, volume, volumeOf }) {
	const root = h("ul.voice-tree", {});
	const rooms = new Map(), people = new Map();

	function makeRoom(id) {
		const name = h("span.voice-room-name"), count = h("span.voice-count");
		const button = h("button.voice-room", { type: "button", onclick: () => enter(id) }, name, count);
		const users = h("ul.voice-people"), children = h("ul.voice-tree");

		return { item: h("li", {}, button, users, children), button, name, count, users, children };
	}

	function makePerson(session) {
		const name = h("span.voice-name"), state = h("span.voice-state");
		const slider = h("input", {
			type: "range", min: 0, max: 2, step: .05, value: volumeOf(session), oninput: () => volume(session, Number(slider.value)),
		});
		const more = h("details.voice-volume", {}, h("summary", {}, "Volume"), slider);

		return { item: h("li.voice-person", {}, h("span.voice-dot", { "aria-hidden": "true" }), h("span.voice-who", {}, name, state), more), name, state, slider, more };
	}

	function keep(map, key, make) {
		if (!map.has(key))
			map.set(key, make(key));
		return map.get(key);
	}

	// Only what is not where it belongs is moved, so that nothing loses its focus.
	function place(parent, items) {
		items.forEach((item, i) => {
			if (parent.children[i] !== item)
				parent.insertBefore(item, parent.children[i] ?? null);
		});
		while (parent.childElementCount > items.length)
			parent.lastElementChild.remove();
	}

	function fillPerson(person, user, own) {
		const sign = isSign(user), words = sign ? ["this room is recorded"] : states.filter(([key]) => user[key]).map(([, word]) => word);

		setText(person.name, own ? `${user.name} (you)` : user.name);
		setText(person.state, user.speaks ? ["speaks", ...words].join(", ") : words.join(", "));
		person.item.toggleAttribute("data-speaks", user.speaks);
		person.item.toggleAttribute("data-recording", Boolean(user.recording));
		person.slider.setAttribute("aria-label", `Volume of ${user.name}`);
		person.item.toggleAttribute("data-sign", sign);
		person.more.hidden = own || sign;
	}

	function fillRoom(channel, below, client) {
		const room = keep(rooms, channel.id, makeRoom), here = client.me?.channel === channel.id;
		const users = [...client.users.values()].filter((user) => user.channel === channel.id).sort((a, b) => isSign(b) - isSign(a) || a.name.localeCompare(b.name));
		const count = users.filter((user) => !isSign(user)).length;

		setText(room.name, channel.name);
		setText(room.count, channel.max_users ? `${count} of ${channel.max_users}` : count || "");
		room.button.toggleAttribute("data-here", here);
		room.button.toggleAttribute("data-closed", channel.can_enter === false && !here);
		if (here)
			room.button.setAttribute("aria-current", "true");
		else
			room.button.removeAttribute("aria-current");
		place(room.users, users.map((user) => {
			const person = keep(people, user.session, makePerson);

			fillPerson(person, user, user.session === client.session);
			return person.item;
		}));
		place(room.children, (below.get(channel.id) ?? []).map((child) => fillRoom(child, below, client)));
		room.users.hidden = users.length === 0;
		room.children.hidden = room.children.childElementCount === 0;
		return room.item;
	}

	return {
		root,
		show(client) {
			const below = tree(client.channels);

			for (const session of [...people.keys()])
				if (!client.users.has(session))
					people.delete(session);
			for (const id of [...rooms.keys()])
				if (!client.channels.has(id))
					rooms.delete(id);
			place(root, (below.get(null) ?? []).map((top) => fillRoom(top, below, client)));
		},
	};
}
