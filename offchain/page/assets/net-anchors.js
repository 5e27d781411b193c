// Anchors: heads of logs that proxies have put on chain.

import { fill, h, table } from "./dom.js";
import { grouped, long, moment } from "./format.js";
import { mark } from "./mark.js";
import { pagedList } from "./pages.js";

const IN_LOG = {
    proven: ["proven", "The published log had this head"],
    contradicted: ["refuted", "The published log had another head"],
    ahead: ["unknown", "The published log is shorter"],
    unchecked: ["unknown", "Not checked: there is no log"],
};

export async function show(place) {
    const list = h("div", { class: "list" });
    await pagedList(list, "/v1/cocoon/network/anchors", {}, "anchors", (rows) =>
        table(
            "Anchors",
            [
                { title: "Receipts", number: true, cell: (row) => grouped(row.size) },
                { title: "In the log", cell: (row) => mark(...(IN_LOG[row.in_log] ?? ["unknown", row.in_log])) },
                { title: "Made", cell: (row) => moment(row.time * 1000) },
                { title: "Proxy", cell: (row) => long(row.proxy) },
                { title: "Head", cell: (row) => long(row.root) },
                { title: "Transaction", cell: (row) => long(row.transaction) },
            ],
            rows,
            "No proxy has anchored its log yet.",
        ),
    );
    fill(place, h("p", null, "An anchor is the head of a proxy’s log of receipts, put on chain: what stood in the log then cannot be taken out of it without being noticed."), list);
}
