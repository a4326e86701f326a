import { can } from "./api.js";
import { emptyNote } from "./table.js";

export const offered = () => can("GET", "/history");

export function show(place) {
	place.append(emptyNote("history", "…"));
}
