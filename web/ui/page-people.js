import { can } from "./api.js";
import { emptyNote } from "./table.js";

export const offered = () => can("GET", "/people");

export function show(place) {
	place.append(emptyNote("people", "…"));
}
