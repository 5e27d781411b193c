// Operations on a channel: a plan that is shown first, sent once, and followed until the chain has it.

import { say } from "./announce.js";
import { json } from "./api.js";
import { open } from "./dialog.js";
import { fill, h, name, table } from "./dom.js";
import { count, parseTon, ton, worded } from "./format.js";

/** Pause between two questions about an operation. */
const EVERY = 1000;

const post = (path, body) => json(path, { method: "POST", body, headers: { "x-cocoon-confirm": "1" } });

/** What is asked before there can be a plan. */
const QUESTIONS = {
    topup: { title: "Top up the channel", label: "How much, TON", field: "amount", why: "From the runner’s wallet into the channel’s contract. It comes back with a withdrawal, less what was used." },
    stake: { title: "Raise the stake", label: "New stake, TON", field: "stake", why: "A stake is what a channel keeps paid in. It comes back only when the channel is closed." },
};

const ACTIONS = { topup: "Pay in", stake: "Raise the stake", withdraw: "Withdraw", close: "Begin to close" };

/**
 * Asks, plans, shows and confirms. Resolves to the operation that began, or null when the reader changed their mind. `planning` is
 * called where no dialog is open while the plan is made.
 */
export async function perform(channel, operation, planning) {
    const path = `/v1/cocoon/channel/${encodeURIComponent(channel.contract)}/${operation}`;
    const question = QUESTIONS[operation];
    if (!question) planning();
    const plan = await (question ? amountFirst(path, question) : post(path, {}));
    if (!plan) return null;
    return open({
        title: "Is this what you want?",
        kind: "wide",
        action: ACTIONS[operation] ?? "Do it",
        content: () => planView(plan),
        submit: () => post("/v1/cocoon/channel/confirm", { id: plan.id }),
    });
}

function amountFirst(path, { title, label, field, why }) {
    const id = name("amount");
    const input = h("input", { id, inputmode: "decimal", autocomplete: "off", "aria-describedby": `${id}-why`, placeholder: "5" });
    return open({
        title,
        action: "See what it would do",
        content: () => [h("p", { id: `${id}-why` }, why), h("label", { for: id }, label), input],
        submit: () => {
            const amount = parseTon(input.value);
            if (!amount) throw new Error("Write an amount of TON above zero, such as 5 or 0.25.");
            return post(path, { [field]: amount.toString() });
        },
    });
}

/** The plan in words: which contract changes how, and what it costs. */
function planView(plan) {
    return [
        plan.simulated && h("p", { class: "tag warn" }, "SIMULATED chain: these coins are worth nothing"),
        h("p", { class: "says" }, worded(plan.says)),
        plan.accounts.map((account) => [
            h("h3", null, account.name),
            h("p", null, h("code", null, account.address)),
            table(
                `Changes of ${account.name}`,
                [
                    { title: "What", cell: (change) => change.name },
                    { title: "Now", cell: (change) => change.old },
                    { title: "Then", cell: (change) => h("strong", null, change.new) },
                ],
                account.changes,
                "Nothing of it changes.",
            ),
        ]),
        h(
            "p",
            null,
            `${ton(plan.value)} leave the wallet with the message; what is neither paid in nor taken as fees comes back. Fees: `,
            h("strong", null, ton(plan.fees)),
            ` in ${count(plan.transactions, "transaction")}.`,
        ),
        h("p", { class: "fresh" }, `This was tried out on the chain as it is now. The plan holds for ${plan.expires_in_seconds} s.`),
    ];
}

/** How an operation stands, in words. */
export function statusWords(operation) {
    const words = {
        sending: "Sent, not executed by the wallet yet",
        following: "Executed, the contracts’ messages are under way",
        done: "Done, seen on chain",
        failed: `Failed: ${operation.problem ?? "no reason was given"}`,
        unknown: "The chain did not say in time: look at the balance before you try again",
    };
    return words[operation.status] ?? operation.status;
}

/** Follows an operation until it ends. `changed` is called when it has. */
export async function follow(operation, place, changed) {
    let last = null;
    for (let current = operation; ; current = await json(`/v1/cocoon/channel/operations/${encodeURIComponent(operation.id)}`)) {
        if (current.status !== last) {
            last = current.status;
            fill(place, progressView(current));
            say(statusWords(current));
            changed();
        }
        if (current.status !== "sending" && current.status !== "following") return;
        await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
}

function progressView(operation) {
    const order = ["sending", "following", "done"];
    const at = order.indexOf(operation.status);
    const steps = ["Sent by the wallet", "Executed", "Seen on chain to its end"];
    const mark = (index) => (at < 0 ? "" : index < at || operation.status === "done" ? "over" : index === at ? "now" : "");
    const kind = operation.status === "failed" ? "bad" : operation.status === "done" ? "good" : "";
    return h(
        "div",
        { class: `notice ${kind}`, "data-operation": operation.status },
        h("p", null, h("strong", null, worded(operation.says))),
        at < 0
            ? h("p", null, statusWords(operation), operation.hint && ` ${operation.hint}`)
            : h("ol", { class: "steps" }, steps.map((step, index) => h("li", { class: mark(index), "aria-current": mark(index) === "now" ? "step" : null }, step))),
    );
}
