// Proxies: the places that the root contract lists, and the contracts that logs name.

import { json } from "./api.js";
import { fill, h, table, terms } from "./dom.js";
import { grouped, long, moment, ton, worded } from "./format.js";
import { mark } from "./mark.js";
import { freshness } from "./notice.js";

export async function show(place) {
    const page = await json("/v1/cocoon/network/proxies");
    const others = page.strangers ?? [];
    fill(place, freshness(page.as_of), listed(page.listed), page.contracts.map(contract), others.length > 0 && strangers(others));
    if (page.contracts.length + others.length === 0) place.append(h("p", { class: "empty" }, "No published log names a proxy contract yet."));
}

function listed(rows) {
    return h(
        "section",
        { class: "card" },
        h("h2", null, "Places that the root contract lists"),
        table(
            "Places of proxies",
            [
                { title: "Number", cell: (row) => row.seqno },
                { title: "For clients", cell: (row) => h("code", null, row.for_clients) },
                { title: "For workers", cell: (row) => h("code", null, row.for_workers) },
            ],
            rows,
            "None is listed.",
        ),
    );
}

function strangers(rows) {
    return h(
        "section",
        { class: "card" },
        h("h2", null, "Not proxies of this network"),
        h("p", null, "Logs name these contracts. Nothing of them is counted."),
        table(
            "Contracts that are not proxies of this network",
            [
                { title: "Contract", cell: (row) => long(row.contract) },
                { title: "Why not", cell: (row) => worded(row.reason) },
                { title: "Log", cell: (row) => row.log },
            ],
            rows,
        ),
    );
}

function contract(proxy) {
    const anchor = proxy.anchor;
    const earlier = `By its code; its terms are those of version ${proxy.params_version}, not today's`;
    return h(
        "section",
        { class: "card", "aria-label": `Proxy contract ${proxy.contract}` },
        h(
            "header",
            null,
            h("h2", null, "Proxy contract ", long(proxy.contract)),
            h("p", { class: "tag" }, proxy.state),
            proxy.is_slashed && h("p", { class: "tag warn" }, "Slashed"),
        ),
        terms(
            ["Of this network", mark(proxy.is_of_root ? "proven" : "unknown", proxy.is_of_root ? "Yes, by its address" : earlier)],
            ["Receipts read", `${grouped(proxy.receipts)}, ${grouped(proxy.tokens)} tokens`],
            ["Workers and clients", `${proxy.workers} and ${proxy.clients}`],
            ["Stake", ton(proxy.stake)],
            ["Earned, not withdrawn", ton(proxy.earned)],
            ["Coins of the contract", ton(proxy.coins)],
            anchor && ["Latest anchor", `receipt ${grouped(anchor.size)} of the log, `, moment(anchor.time * 1000)],
            proxy.unlocks_at && ["Closes", moment(proxy.unlocks_at * 1000)],
            ["Owner", long(proxy.owner)],
            ["Key", long(proxy.key)],
        ),
        h("p", null, h("a", { href: `#/network/receipts/proxy/${encodeURIComponent(proxy.contract)}` }, "Its receipts")),
    );
}
