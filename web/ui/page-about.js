import { get } from "./api.js";
import { h, setChildren, setText } from "./dom.js";
import { mark } from "./icons.js";

export function show(place) {
	const version = h("p.about-version", null, "ringmain");
	const list = h("div.operations");

	place.append(h("section.card.about", null, mark(), h("div", null, version,
		h("p", null, "Live feeds over one ring: one writer, a bounded past, any number of readers."),
		h("p.about-links", null, h("a", { href: "/" }, "Station page"), h("a", { href: "/openapi.json" }, "OpenAPI document"), h("a", { href: "/metrics" }, "Metrics for Prometheus"), h("a", { href: "/status-json.xsl" }, "Icecast's status")))),
	h("section.card.flush", null, h("div.card-top", null, h("h2", null, "What programs can ask")), list));
	get("/operations").then((answer) => {
		setText(version, `ringmain ${answer.version}`);
		setChildren(list, answer.operations.map((one) => h("div.operation", null, h(`span.method.${one.method.toLowerCase()}`, null, one.method),
			h("code", null, one.path.replace("/api/v1", "")), h("p", null, one.summary), h("span.rank", null, one.rank === "none" ? "open" : one.rank))));
	}).catch(() => {});
}
