// A verdict as a sign and a word: never as a colour alone.

import { h } from "./dom.js";

const SIGNS = { proven: "✓", unknown: "?", refuted: "✕" };
const WORDS = { proven: "Proven", unknown: "Unknown", refuted: "Refuted" };

/** `fact` is `proven`, `unknown` or `refuted`; everything else is shown as unknown. */
export function mark(fact, word = WORDS[fact] ?? WORDS.unknown) {
    const known = fact in SIGNS ? fact : "unknown";
    return h("span", { class: `mark ${known}` }, h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[known]), word);
}

/** A list of checks: `{ id, name, fact, says }`. */
export function checks(list) {
    const line = (check) => h("li", { "data-fact": check.fact, "data-check": check.id }, mark(check.fact), h("div", null, h("strong", null, check.name), h("p", null, check.says)));
    return h("ul", { class: "checks" }, list.map(line));
}

/** `7 proven, 2 unknown, none refuted`. */
export function summary(list) {
    const of = (fact) => list.filter((check) => check.fact === fact).length;
    return `${of("proven")} proven, ${of("unknown")} unknown, ${of("refuted") || "none"} refuted`;
}
