// Receipts: a search, and one receipt with its proof.

import { json } from "./api.js";
import { fill, h, name, table } from "./dom.js";
import { grouped, long, moment, span, ton } from "./format.js";
import { mark } from "./mark.js";
import { failed } from "./notice.js";
import { pagedList } from "./pages.js";
import { showProof } from "./proof.js";

const KINDS = { proxy: "Proxy contract", worker: "Worker contract", client: "Client contract", model: "Model hash" };

/** `#/network/receipts`, `…/receipts/ID`, `…/receipts/worker/ADDRESS`. */
export async function show(place, [first, second]) {
    if (first && !Object.hasOwn(KINDS, first)) return one(place, first);
    const list = h("div", { class: "list" });
    const query = Object.hasOwn(KINDS, first) ? { [first]: second ?? "" } : {};
    fill(place, openForm(), filterForm(Object.hasOwn(KINDS, first) ? first : "worker", second ?? "", list), list);
    await search(list, query);
}

function openForm() {
    const id = name("receipt");
    const input = h("input", { id, autocomplete: "off", spellcheck: "false", placeholder: "64 hex digits", pattern: "\\s*[0-9a-fA-F]{64}\\s*", required: true });
    const form = h(
        "form",
        { class: "line", "aria-label": "Open a receipt" },
        h("label", { for: id }, "Receipt id"),
        input,
        h("button", { type: "submit" }, "Open"),
    );
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        location.hash = `#/network/receipts/${input.value.trim().toLowerCase()}`;
    });
    return form;
}

function filterForm(kind, value, list) {
    const id = name("filter");
    const select = h("select", { id: `${id}-kind`, "aria-label": "Search by" }, Object.entries(KINDS).map(([key, title]) => h("option", { value: key, selected: key === kind }, title)));
    const input = h("input", { id, value, autocomplete: "off", spellcheck: "false", "aria-label": "Address or hash", placeholder: "all" });
    const day = (key, label) => h("span", { class: "pair" }, h("label", { for: `${id}-${key}` }, label), h("input", { id: `${id}-${key}`, type: "date", name: key }));
    const form = h("form", { class: "line", "aria-label": "Search receipts" }, select, input, day("since", "from"), day("until", "to"), h("button", { type: "submit" }, "Search"));
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const at = (key) => form.elements[key].valueAsNumber;
        const [since, until] = [at("since"), at("until")];
        try {
            await search(list, {
                ...(input.value.trim() && { [select.value]: input.value.trim() }),
                ...(!Number.isNaN(since) && { since_ms: since }),
                // To the end of that day.
                ...(!Number.isNaN(until) && { until_ms: until + 86_399_999 }),
            });
        } catch (error) {
            fill(list, failed(error));
        }
    });
    return form;
}

function search(list, query) {
    return pagedList(list, "/v1/cocoon/network/receipts", query, "receipts", (rows, page) => [
        table(
            "Receipts",
            [
                { title: "Receipt", cell: (row) => h("a", { href: `#/network/receipts/${row.id}` }, long(row.id)) },
                { title: "Ended", cell: (row) => moment(row.finished_ms) },
                { title: "Took", number: true, cell: (row) => span(row.finished_ms - row.started_ms) },
                { title: "Tokens", number: true, cell: (row) => grouped(row.tokens_charged) },
                { title: "Cost", number: true, cell: (row) => ton(row.cost) },
                { title: "Ended by", cell: (row) => row.finish_reason },
                { title: "In the log", cell: (row) => mark(row.verified ? "proven" : "unknown") },
                { title: "Worker", cell: (row) => long(row.worker) },
            ],
            rows,
            "No receipt is like that.",
        ),
        page.window && h("p", { class: "fresh" }, `${grouped(page.window.receipts)} receipts can be searched here, ${page.window.is_complete ? "which are all" : "the newest ones"}.`),
    ]);
}

async function one(place, id) {
    const receipt = await json(`/v1/cocoon/network/receipts/${encodeURIComponent(id)}`);
    const verdict = h("p", { class: "verdict" });
    const body = h("div", { class: "inside" });
    fill(place, h("p", null, h("a", { href: "#/network/receipts" }, "All receipts")), h("section", { class: "card proof" }, h("h2", null, "Receipt"), verdict, body));
    await showProof(body, verdict, { receipt });
}
