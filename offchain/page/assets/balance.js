// What is left to spend, in the mast.

import { json } from "./api.js";
import { fill, h } from "./dom.js";
import { ton } from "./format.js";

const EVERY = 15_000;

/** Shows it, and again after each answer and operation. */
export function watchBalance(place) {
    let timer = null;
    async function look() {
        clearTimeout(timer);
        try {
            const { left } = await json("/v1/cocoon/balance");
            fill(place, "Left: ", h("strong", null, ton(left)));
        } catch {
            // The wallet’s own page says why.
            fill(place, "Balance not known");
        }
        timer = setTimeout(look, EVERY);
    }
    addEventListener("cocoon:spent", look);
    look();
}
