// Lists that come in pages.

import { json } from "./api.js";
import { fill, h } from "./dom.js";
import { failed, freshness } from "./notice.js";

/** Fills a place with a list: `view(rows)` shows all rows so far; older ones come when they are asked for. */
export async function pagedList(place, path, query, key, view) {
    const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined));
    let rows = [];

    async function more(before) {
        if (before) search.set("before", before);
        const page = await json(`${path}?${search}`);
        rows = [...rows, ...page[key]];
        const status = h("div");
        const older = async (event) => {
            event.target.disabled = true;
            try {
                const seen = rows.length;
                await more(page.next);
                // The reader goes on where the new rows begin.
                const first = place.querySelectorAll("tbody tr, .feed > li")[seen];
                first?.setAttribute("tabindex", "-1");
                first?.focus({ preventScroll: true });
            } catch (error) {
                event.target.disabled = false;
                fill(status, failed(error));
            }
        };
        const button = page.next && h("button", { type: "button", on: { click: older } }, "Older");
        fill(place, freshness(page.as_of), view(rows, page), button, status);
    }

    await more(null);
}
