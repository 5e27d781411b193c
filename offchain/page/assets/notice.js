// Things that went wrong, and things that take time.

import { h } from "./dom.js";

/** What failed, why, and what helps. `retry` is offered when it is given. */
export function failed(error, retry = null) {
    const known = error?.status !== undefined;
    if (!known) console.error(error);
    const again = retry && h("button", { type: "button", on: { click: retry } }, "Try again");
    return h(
        "div",
        { class: "notice bad", role: "alert" },
        h("p", null, h("strong", null, "That did not work. "), known ? error.message : "A defect of this page: it is in the browser’s console."),
        error?.hint && h("p", null, error.hint),
        again,
    );
}

/** Said while something is fetched. */
export function loading(what) {
    return h("p", { class: "loading", role: "status" }, `${what} …`);
}

/** How old data is, and why it is not newer. */
export function freshness(asOf) {
    if (!asOf) return null;
    const age = asOf.time === null ? "Nothing was read from the chain yet" : `The chain of ${asOf.age_seconds ?? "?"} s ago`;
    return h("p", { class: "fresh" }, asOf.problem ? `${age} – ${asOf.problem}` : age);
}
