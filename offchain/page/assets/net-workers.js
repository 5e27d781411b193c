// Workers: what receipts and contracts say of each, and a reputation that is computed from receipts.

import { json } from "./api.js";
import { fill, h, table } from "./dom.js";
import { factor, grouped, long, moment, span } from "./format.js";
import { freshness } from "./notice.js";

export async function show(place) {
    const page = await json("/v1/cocoon/network/workers");
    fill(
        place,
        freshness(page.as_of),
        h("p", null, `Reputation is from 0 to 10 000, computed here for ${page.day} from the receipts that were read. 5 000 is that of a worker that nobody knows.`),
        table(
            "Workers",
            [
                { title: "Contract", cell: (row) => h("a", { href: `#/network/receipts/worker/${encodeURIComponent(row.contract)}` }, long(row.contract)) },
                { title: "Reputation", number: true, cell: (row) => reputation(row.reputation) },
                { title: "State", cell: (row) => row.state },
                { title: "Receipts", number: true, cell: (row) => grouped(row.receipts) },
                { title: "Failed", number: true, cell: (row) => grouped(row.failed) },
                { title: "Tokens", number: true, cell: (row) => grouped(row.tokens) },
                { title: "Price", number: true, cell: (row) => range(row.coefficient) },
                { title: "First token", number: true, cell: (row) => (row.first_token_ms ? span(row.first_token_ms.average) : "–") },
                { title: "Last answer", cell: (row) => moment(row.last_seen_ms) },
            ],
            page.workers,
            "No receipt names a worker yet.",
        ),
    );
}

/** Least and most of a price. */
export function range(coefficient) {
    if (!coefficient) return "–";
    const { least, most } = coefficient;
    return least === most ? factor(least) : `${factor(least)} to ${factor(most)}`;
}

function reputation(value) {
    if (typeof value !== "number") return "–";
    const bar = h("span", { class: "level", "aria-hidden": "true" }, h("span"));
    bar.firstElementChild.style.setProperty("width", `${Math.max(0, Math.min(100, value / 100))}%`);
    return [grouped(value), " ", bar];
}
