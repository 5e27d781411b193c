// The settlement feed: transactions of the contracts, with their messages in words.

import { fill, h, name } from "./dom.js";
import { long, moment, ton, worded } from "./format.js";
import { mark } from "./mark.js";
import { failed } from "./notice.js";
import { pagedList } from "./pages.js";

const KINDS = { "": "All contracts", root: "Root", governor: "Governor", proxy: "Proxies", client: "Clients", worker: "Workers" };

export async function show(place, [kind = "", contract = ""]) {
    const list = h("div", { class: "list" });
    const id = name("feed");
    const select = h("select", { id: `${id}-kind` }, Object.entries(KINDS).map(([key, title]) => h("option", { value: key, selected: key === kind }, title)));
    const input = h("input", { id, value: contract, autocomplete: "off", spellcheck: "false", placeholder: "any address" });
    const form = h(
        "form",
        { class: "line", "aria-label": "Choose transactions" },
        h("label", { for: `${id}-kind` }, "Of"),
        select,
        h("label", { for: id }, "with"),
        input,
        h("button", { type: "submit" }, "Show"),
    );
    const read = () => pagedList(list, "/v1/cocoon/network/feed", { kind: select.value, contract: input.value.trim() }, "feed", view);
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        read().catch((error) => fill(list, failed(error)));
    });
    fill(place, form, list);
    await read();
}

function view(rows) {
    if (rows.length === 0) return h("p", { class: "empty" }, "No transaction is like that.");
    return h("ol", { class: "feed" }, rows.map(item));
}

function item(row) {
    const outcome = row.success ? null : mark("refuted", row.bounced ? "Came back" : `Refused, exit code ${row.exit_code}`);
    const from = row.from ? who(row.from) : "From outside";
    return h(
        "li",
        null,
        h("p", { class: "when" }, moment(row.time * 1000), outcome),
        h("p", { class: "says" }, worded(row.says)),
        h("p", { class: "path" }, from, " → ", who(row.account)),
        h("details", null, h("summary", null, `More: ${row.message ?? row.opcode ?? "message"}`), more(row)),
    );
}

function more(row) {
    return h(
        "div",
        { class: "inside" },
        h("p", null, `Came with ${ton(row.value)}, fees ${ton(row.fees)}. Transaction `, long(row.transaction), "."),
        row.sent.length > 0 && h("p", null, "It sent:"),
        row.sent.length > 0 && h("ul", null, row.sent.map((message) => h("li", null, worded(message.says), " → ", who(message.to), `, with ${ton(message.value)}`))),
    );
}

function who(account) {
    return h("span", { class: "account" }, account.name, " ", long(account.address));
}
