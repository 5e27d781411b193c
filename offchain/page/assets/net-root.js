// The rules: what the root contract says, who may change it, and what is proposed.

import { json } from "./api.js";
import { fill, h, table, terms } from "./dom.js";
import { grouped, long, moment, span, ton, worded } from "./format.js";
import { freshness } from "./notice.js";
import { mark } from "./mark.js";

export async function show(place) {
    const [page, proposals, status] = await Promise.all(
        ["root", "proposals", "status"].map((name) => json(`/v1/cocoon/network/${name}`)),
    );
    fill(place, freshness(page.as_of), prices(page), open(proposals), rules(page), governor(page.governor), lists(page.root), findings(page.findings ?? []), reader(status));
}

/** Prices for a million raw tokens of each class. */
export function priceFigures(prices) {
    const figures = [
        ["Prompt", prices.prompt],
        ["Prompt from a cache", prices.cached],
        ["Answer", prices.completion],
        ["Reasoning", prices.reasoning],
    ];
    return h("dl", { class: "figures small" }, figures.map(([term, value]) => h("div", { class: "figure" }, h("dt", null, term), h("dd", null, h("strong", null, ton(value))))));
}

function prices(page) {
    return h(
        "section",
        { class: "card" },
        h("h2", null, "Prices of a million tokens"),
        priceFigures(page.prices),
        h("p", { class: "fresh" }, "At the plain price. A worker may ask for a multiple of it, which each answer’s receipt names."),
    );
}

function open({ proposals, governor }) {
    if (!governor) {
        const says = "The owner of the root contract is no governor: it may change the rules at any time, and nothing is proposed before.";
        return h("section", { class: "card" }, h("h2", null, "Proposals"), h("p", { class: "empty" }, says));
    }
    return h(
        "section",
        { class: "card" },
        h("h2", null, "Proposals"),
        proposals.length === 0 && h("p", { class: "empty" }, "Nothing is proposed: the rules stay as they are."),
        proposals.map((proposal) =>
            h(
                "article",
                { class: "proposal" },
                h("h3", null, worded(proposal.says ?? "A proposal that this program cannot read")),
                h("p", null, h("span", { class: "tag" }, proposal.state.replaceAll("_", " ")), h("span", { class: "tag" }, proposal.class), ` ${proposal.standing}`),
                proposal.refused && h("p", { class: "notice bad" }, `The root contract would refuse it: ${proposal.refused}`),
                proposal.unreadable && h("p", { class: "notice bad" }, `It cannot be read: ${proposal.unreadable}`),
                (proposal.warnings ?? []).map((warning) => h("p", { class: "notice" }, warning)),
                table(
                    "What it changes",
                    [
                        { title: "What", cell: (row) => worded(row.what) },
                        { title: "Now", cell: (row) => worded(row.old) },
                        { title: "Then", cell: (row) => worded(row.new) },
                    ],
                    proposal.differences ?? [],
                    "It changes nothing that this page reads.",
                ),
                terms(
                    ["Proposer", long(proposal.proposer)],
                    ["Approvals", `${proposal.approvals.length} of ${proposal.needed}`],
                    proposal.ready_at && ["May be executed from", moment(proposal.ready_at * 1000)],
                    proposal.expires_at && ["Expires", moment(proposal.expires_at * 1000)],
                ),
            ),
        ),
    );
}

function rules({ root }) {
    return h(
        "section",
        { class: "card" },
        h("h2", null, "The root contract"),
        terms(
            ["Address", long(root.address)],
            ["Owner", long(root.owner)],
            ["Kind", root.is_test ? "A test network: coins are worth nothing" : "A real network"],
            ["Version", `${root.version}, terms ${root.params_version}`],
            ["Price of a token", ton(root.price_per_token)],
            ["Of it to the worker", ton(root.worker_fee_per_token)],
            ["Least stake of a proxy", ton(root.min_proxy_stake)],
            ["Least stake of a client", ton(root.min_client_stake)],
            ["Delay before a proxy closes", span(root.proxy_delay_before_close_seconds * 1000)],
            ["Delay before a client closes", span(root.client_delay_before_close_seconds * 1000)],
        ),
    );
}

function governor(governor) {
    if (!governor) return h("section", { class: "card" }, h("h2", null, "Who may change it"), h("p", null, "One wallet owns the root contract: whoever holds its key changes the rules at once."));
    return h(
        "section",
        { class: "card" },
        h("h2", null, "Who may change it"),
        terms(
            ["Governor", long(governor.address)],
            ["Its code", governor.is_known_code ? "is the one that this program knows" : "is not known to this program"],
            ["Signers", `${governor.threshold} of ${governor.signers.length} for a change, ${governor.revoke_threshold} to revoke`],
            ["Delay of a change", span(governor.change_delay * 1000)],
            ["Delay of a critical one", span(governor.critical_delay * 1000)],
            governor.paused_until && ["Paused until", moment(governor.paused_until * 1000)],
        ),
    );
}

function lists(root) {
    const of = (title, rows) =>
        h(
            "section",
            { class: "card" },
            h("h2", null, title),
            table(
                title,
                [
                    { title: "Hash", cell: (row) => long(row.hash) },
                    { title: "Name", cell: (row) => row.label ?? "–" },
                    { title: "Trusted now", cell: (row) => mark(row.is_valid === false ? "refuted" : "proven", row.is_valid === false ? "No" : "Yes") },
                    { title: "Retired after", cell: (row) => (row.retire_after ? moment(row.retire_after * 1000) : "–") },
                ],
                rows ?? [],
                "None is listed.",
            ),
        );
    return [of("Images of proxies that are trusted", root.proxy_images), of("Images of workers that are trusted", root.worker_images)];
}

function findings(findings) {
    if (findings.length === 0) return null;
    const line = (finding) => h("li", null, mark(finding.is_fine ? "proven" : "refuted", finding.is_fine ? "Fine" : "Look here"), ` ${finding.check}: `, worded(finding.seen));
    return h("section", { class: "card" }, h("h2", null, "What a check of the contract says"), h("ul", { class: "checks" }, findings.map(line)));
}

function reader(status) {
    return h(
        "section",
        { class: "card" },
        h("h2", null, "What this page has read"),
        terms(
            ["Contracts", grouped(status.counts.contracts)],
            ["Receipts", grouped(status.counts.receipts)],
            ["Transactions", grouped(status.counts.transactions)],
            ["All of it", status.is_complete ? "yes" : "no: sums are of a part"],
            ...status.logs.map((log) => ["Log", long(log.origin), log.problem ? ` – ${log.problem}` : ` – ${grouped(log.read)} of ${grouped(log.size)} receipts read`]),
        ),
    );
}
