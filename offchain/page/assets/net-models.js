// Models: those that the root contract lists and those that receipts name.

import { json } from "./api.js";
import { fill, h, terms } from "./dom.js";
import { grouped, long, moment } from "./format.js";
import { mark } from "./mark.js";
import { freshness } from "./notice.js";
import { priceFigures } from "./net-root.js";
import { range } from "./net-workers.js";

export async function show(place) {
    const page = await json("/v1/cocoon/network/models");
    fill(place, freshness(page.as_of), page.models.map(model));
    if (page.models.length === 0) place.append(h("p", { class: "empty" }, "The root contract lists no model."));
}

function model(model) {
    const listed = model.is_listed ? (model.is_valid ? "proven" : "refuted") : "refuted";
    const words = model.is_listed ? (model.is_valid ? "Listed, trusted now" : "Listed, not trusted now") : "Not listed by the root contract";
    return h(
        "section",
        { class: "card", "aria-label": `Model ${model.label ?? model.hash}` },
        h("header", null, h("h2", null, model.label ?? "Model ", model.label ? null : long(model.hash)), mark(listed, words)),
        terms(
            model.label && ["Hash", long(model.hash)],
            ["Workers seen", grouped(model.workers)],
            ["Receipts", `${grouped(model.receipts)}, ${grouped(model.tokens)} tokens`],
            ["Price", range(model.coefficient)],
            model.manifest_hash && ["Manifest", long(model.manifest_hash)],
            model.not_before && ["Trusted from", moment(model.not_before * 1000)],
            model.retire_after && ["Retired after", moment(model.retire_after * 1000)],
            model.last_seen_ms && ["Last answer", moment(model.last_seen_ms)],
        ),
        model.prices && [h("h3", null, "Prices of a million tokens"), priceFigures(model.prices)],
        h("p", null, h("a", { href: `#/network/receipts/model/${encodeURIComponent(model.hash)}` }, "Its receipts")),
    );
}
