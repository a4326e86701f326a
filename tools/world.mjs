// world: makes web/ui/world.js, the map of the control room, from Natural Earth's countries.
//
//     npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
//     node tools/world.mjs package/countries-110m.json package/countries-50m.json > web/ui/world.js
//
//     topology: arcs ─▶ projected, on a grid of whole numbers ─▶ thinned ─▶ rings of countries ─▶ "m…l…z"
//
// Borders that two countries share are one arc, which is thinned once: no gap opens between them.
// Countries too small for the coarse set become dots, at the middle of what the finer one has.

import { readFileSync } from "node:fs";

const WIDTH = 2000;
const LEAST_AREA = 3; // of the triangle that a point makes with its neighbours: less is left out
const LEAST_RING = 8; // islands smaller than this are left out where the country has others

// The seam of the map lies in the Bering Strait, so that no country is cut in two.
const SEAM = -168.4;

// Equal Earth (Šavrič, Patterson, Jenny 2018): areas are true, which shares of listeners are read by.
function project([longitude, latitude]) {
	const [a1, a2, a3, a4] = [1.340264, -0.081106, 0.000893, 0.003796];
	const lambda = ((longitude < SEAM ? longitude + 360 : longitude) - SEAM - 180) * Math.PI / 180;
	const theta = Math.asin(Math.sqrt(3) / 2 * Math.sin(latitude * Math.PI / 180));
	const t2 = theta * theta, t6 = t2 ** 3;

	return [2 * Math.sqrt(3) * lambda * Math.cos(theta) / (3 * (9 * a4 * t6 * t2 + 7 * a3 * t6 + 3 * a2 * t2 + a1)),
		theta * (a4 * t6 * t2 + a3 * t6 + a2 * t2 + a1)];
}

const [right] = project([SEAM + 359.999, 0]);
const [, top] = project([0, 84]);
const toGrid = (place) => {
	const [x, y] = project(place);

	return [Math.round((x / right + 1) * WIDTH / 2), Math.round((top - y) * WIDTH / 2 / right)];
};

function area([ax, ay], [bx, by], [cx, cy]) {
	return Math.abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2;
}

// Visvalingam: the point that matters least goes, until all matter.
function thin(points) {
	const kept = points.filter((point, i) => i === 0 || point[0] !== points[i - 1][0] || point[1] !== points[i - 1][1]);

	for (;;) {
		let least = LEAST_AREA, at = 0;

		for (let i = 1; i < kept.length - 1; i++) {
			const here = area(kept[i - 1], kept[i], kept[i + 1]);

			if (here < least)
				[least, at] = [here, i];
		}
		if (!at || kept.length <= 4)
			return kept;
		kept.splice(at, 1);
	}
}

function degrees(topology) {
	const { scale, translate } = topology.transform;

	return topology.arcs.map((arc) => {
		let x = 0, y = 0;

		return arc.map(([dx, dy]) => [(x += dx) * scale[0] + translate[0], (y += dy) * scale[1] + translate[1]]);
	});
}

// The points of a ring of arcs; an arc that is ~n is walked backwards.
function ringOf(arcs, numbers) {
	return numbers.flatMap((number, i) => {
		const arc = number < 0 ? [...arcs[~number]].reverse() : arcs[number];

		return i ? arc.slice(1) : arc;
	});
}

const polygonsOf = (shape) => shape.type === "Polygon" ? [shape.arcs] : shape.type === "MultiPolygon" ? shape.arcs : [];

function size(ring) {
	return Math.abs(ring.reduce((sum, [x, y], i) => {
		const [nextX, nextY] = ring[(i + 1) % ring.length];

		return sum + x * nextY - nextX * y;
	}, 0)) / 2;
}

const pair = (x, y) => `${x}${y < 0 ? "" : " "}${y}`;

function draw(ring) {
	const points = ring.slice(0, -1);
	let [x, y] = points[0];
	let text = `M${pair(x, y)}`;

	points.slice(1).forEach((point, i) => {
		const step = pair(point[0] - x, point[1] - y);

		text += i === 0 ? `l${step}` : step.startsWith("-") ? step : ` ${step}`;
		[x, y] = point;
	});
	return `${text}z`;
}

// Numbers of ISO 3166-1 are aliases of its letters; Kosovo has none, and XK wherever it is named.
function codeOf(shape) {
	if (shape.properties.name === "Kosovo")
		return "XK";
	return shape.id ? new Intl.Locale(`und-${shape.id}`).region : "";
}

const [coarse, fine] = process.argv.slice(2, 4).map((path) => JSON.parse(readFileSync(path, "utf8")));
const arcs = degrees(coarse).map((arc) => thin(arc.map(toGrid)));
const shapes = new Map();

for (const shape of coarse.objects.countries.geometries) {
	const code = codeOf(shape);

	if (code === "AQ")
		continue;
	const rings = polygonsOf(shape).flat().map((numbers) => ringOf(arcs, numbers)).filter((ring) => ring.length > 3);
	const most = Math.max(...rings.map(size));
	const text = rings.filter((ring) => size(ring) >= LEAST_RING || size(ring) === most).map(draw).join("");

	shapes.set(code, (shapes.get(code) ?? "") + text);
}

const fineArcs = degrees(fine);
const dots = [];

for (const shape of fine.objects.countries.geometries) {
	const code = codeOf(shape);
	const rings = polygonsOf(shape).flat().map((numbers) => ringOf(fineArcs, numbers));

	if (!code || code === "AQ" || shapes.has(code) || !rings.length)
		continue;
	const ring = rings.sort((a, b) => size(b) - size(a))[0].slice(1);
	const middle = [0, 1].map((axis) => ring.reduce((sum, point) => sum + point[axis], 0) / ring.length);

	dots.push(`${code} ${toGrid(middle).join(" ")}`);
}

const [, height] = toGrid([0, -56]);

process.stdout.write(`// world: the countries of the map, by their code of ISO 3166-1; "" is land that has none there. Made by
// tools/world.mjs from Natural Earth (naturalearthdata.com), which is in the public domain, as the npm
// package world-atlas 2.0.2 carries it. Equal Earth projection. Change the script, not this.
//
// world-atlas: Copyright 2013-2019 Michael Bostock. Permission to use, copy, modify, and/or distribute this
// software for any purpose with or without fee is hereby granted, provided that the above copyright notice and
// this permission notice appear in all copies. THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL
// WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO
// EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
// WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER
// TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.

export const box = { width: ${WIDTH}, height: ${height + 10} };

// Each an outline, as the attribute d of a path.
export const shapes = {
${[...shapes].sort().map(([code, text]) => `\t"${code}": "${text}",`).join("\n")}
};

// Too small to be drawn: where their middle is.
export const dots = \`${dots.sort().join(",")}\`.split(",").map((dot) => {
	const [code, x, y] = dot.split(" ");

	return { code, x: Number(x), y: Number(y) };
});
`);
