// The network: one page for each thing that there is in it.

import { fill, h } from "./dom.js";
import { failed, loading } from "./notice.js";

/** Pages by name: title and module. Each module has `show(place, rest)`, a promise. */
const PAGES = {
    root: { title: "Rules", load: () => import("./net-root.js") },
    proxies: { title: "Proxies", load: () => import("./net-proxies.js") },
    workers: { title: "Workers", load: () => import("./net-workers.js") },
    models: { title: "Models", load: () => import("./net-models.js") },
    receipts: { title: "Receipts", load: () => import("./net-receipts.js") },
    anchors: { title: "Anchors", load: () => import("./net-anchors.js") },
    feed: { title: "Settlements", load: () => import("./net-feed.js") },
};

const SOON = 1000;

export function show(place, [page = "root", ...rest]) {
    const known = Object.hasOwn(PAGES, page) ? page : "root";
    const body = h("div", { class: "network" });
    const link = ([name, { title }]) =>
        h("li", null, h("a", { href: `#/network/${name}`, "aria-current": name === known ? "page" : null }, title));
    let isShown = true;

    async function draw() {
        fill(body, loading("Reading"));
        const fresh = h("div");
        try {
            const module = await PAGES[known].load();
            await module.show(fresh, rest);
            if (isShown) fill(body, fresh);
        } catch (error) {
            if (!isShown) return;
            // The runner has just begun to read the chain.
            if (error.code === "reading") setTimeout(() => isShown && draw(), SOON);
            else fill(body, failed(error, draw));
        }
    }

    fill(
        place,
        h(
            "header",
            { class: "head" },
            h("h1", { tabindex: "-1" }, `Network: ${PAGES[known].title.toLowerCase()}`),
            h("button", { type: "button", class: "quiet", on: { click: draw } }, "Read again"),
        ),
        h("nav", { class: "pages", "aria-label": "Pages of the network" }, h("ul", null, Object.entries(PAGES).map(link))),
        body,
    );
    draw();
    return () => (isShown = false);
}
