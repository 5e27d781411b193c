// What stands behind an answer or a receipt: checks that are made in this browser, what the receipt says, and what is known of the
// machine that worked.

import { json } from "./api.js";
import { claimsView } from "./claims.js";
import { fill, h, terms } from "./dom.js";
import { count, factor, grouped, long, moment, span, ton } from "./format.js";
import { checks, mark, summary } from "./mark.js";
import { failed, loading } from "./notice.js";
import { evidenceChecks, receiptChecks } from "./verify.js";

/** Fills `body` and `verdict`. `id` names a receipt that the client has; `receipt` is one already read; `answer` is what this tab got. */
export async function showProof(body, verdict, { id, receipt: known, answer }) {
    fill(body, loading("Fetching and checking the receipt"));
    let receipt;
    let evidence = null;
    try {
        receipt = known ?? (await json(`/v1/cocoon/receipts/${encodeURIComponent(id)}`));
        if (!known) evidence = await evidenceOf(receipt);
    } catch (error) {
        const again = () => showProof(body, verdict, { id, answer });
        if (error.status === 404) fill(body, h("p", null, "The receipt has not come yet. "), h("button", { type: "button", on: { click: again } }, "Look again"));
        else fill(body, failed(error, again));
        return;
    }
    const judged = await receiptChecks(receipt, answer);
    // The certificate that the signed bytes name, whatever the runner's page about them says.
    const machine = evidence?.verification ? await evidenceChecks(evidence, judged.receipt?.worker_evidence) : null;
    const simulated = machine?.verdict === "simulated" ? " – SIMULATED machine" : "";
    const list = [...judged.checks, ...(machine?.checks ?? [])];
    fill(verdict, h("span", { "data-verdict": judged.verdict ?? "unknown" }, `Checked in this browser: ${summary(list)}${simulated}.`));
    const again = () => showProof(body, verdict, { id, receipt: known, answer });
    fill(
        body,
        terms(["Receipt", h("code", { class: "long", "data-receipt": true }, judged.receipt?.id ?? receipt.id)]),
        h("section", { "data-checks": "receipt" }, h("h3", null, "The receipt, checked in this browser"), checks(judged.checks)),
        machine && h("section", { "data-checks": "machine" }, h("h3", null, "The worker’s machine, checked in this browser"), checks(machine.checks)),
        h("p", { class: "fresh" }, "The keys, prices and lists of the chain that these checks go by are the runner’s word; “cocoon verify receipt” reads them from the chain."),
        evidence && claimsView(evidence, machine),
        receiptView(receipt, judged.receipt),
        // A log that lags behind has the receipt later.
        !known && h("p", null, h("button", { type: "button", on: { click: again } }, "Check again")),
    );
}

/** What the client keeps of the worker's certificate; null where it keeps none. */
async function evidenceOf(receipt) {
    try {
        return await json(`/v1/cocoon/attestation/${encodeURIComponent(receipt.worker_evidence)}`);
    } catch (error) {
        if (error.status === 404) return null;
        throw error;
    }
}

/** As the signed bytes were read in this browser; where they could not be, as the runner tells them. */
function receiptView(page, read) {
    const receipt = { ...page, ...read };
    const used = receipt.tokens_used;
    const log = receipt.inclusion;
    const told = receipt.verified && !receipt.fault;
    return h(
        "section",
        null,
        h("h3", null, read ? "What the receipt says" : "What the runner says of the receipt"),
        terms(
            ["The runner’s own verdict", mark(told ? "proven" : "refuted", told ? "Verified" : (receipt.fault ?? "Not verified"))],
            ["Tokens", `${count(used.prompt, "token")} read, ${grouped(used.cached)} from the cache, ${grouped(used.completion)} written, ${grouped(used.reasoning)} of reasoning`],
            ["Charged", `${count(receipt.tokens_charged, "token")} at price ${factor(receipt.coefficient)}`, receipt.cost && `, ${ton(receipt.cost)}`],
            ["Channel", `${grouped(receipt.channel.before)} to ${grouped(receipt.channel.after)} tokens, receipt ${grouped(receipt.channel.seqno)} of it`],
            ["Time", moment(receipt.started_ms), `, first token after ${span(receipt.first_token_ms - receipt.started_ms)}, ended after ${span(receipt.finished_ms - receipt.started_ms)}`],
            ["Ended by", receipt.finish_reason],
            ["Signed by the worker", receipt.signed_by_worker ? "yes" : "no"],
            ["Worker", long(receipt.worker)],
            ["Proxy", long(receipt.proxy)],
            ["Client", long(receipt.client)],
            ["Model", long(receipt.model_hash)],
            ["Worker’s certificate", long(receipt.worker_evidence)],
            ["In the proxy’s log", log ? `place ${grouped(log.index)} of ${grouped(log.size)}` : (receipt.inclusion_unavailable ?? "not told")],
        ),
    );
}
