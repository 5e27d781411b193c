// One question and its answer: the text as it comes, what it used, and behind a disclosure its receipt and the proof of it.

import { costOf } from "./conversation.js";
import { fill, h, name } from "./dom.js";
import { count, span, ton } from "./format.js";
import { failed } from "./notice.js";
import { prose } from "./prose.js";

/** The view of one answer: `node`, `grown(piece)` for more text, `changed()` for all else. */
export function answerView(answer, question) {
    const title = name("turn");
    const text = h("div", { class: "prose", "data-answer": true });
    const reasoning = h("details", { class: "reasoning", hidden: true }, h("summary", null, "Reasoning"), h("div", { class: "prose" }));
    const meter = h("p", { class: "meter" });
    const proof = h("div");
    const node = h(
        "li",
        { class: "turn" },
        h(
            "article",
            { "aria-labelledby": title },
            h("h2", { class: "question", id: title }, h("span", { class: "unseen" }, "You asked: "), question),
            h("div", { class: "answer" }, h("h3", { class: "who" }, answer.model), reasoning, text, meter, proof),
        ),
    );

    function changed() {
        node.dataset.state = answer.state;
        text.setAttribute("aria-busy", String(answer.isRunning));
        if (answer.reasoning) {
            reasoning.hidden = false;
            reasoning.lastElementChild.textContent = answer.reasoning;
        }
        fill(meter, parts(answer));
        if (!answer.isRunning) finish();
    }

    function finish() {
        if (answer.text) fill(text, prose(answer.text));
        if (answer.problem) fill(proof, failure(answer));
        const id = answer.receiptId ?? answer.requestId;
        if (id && !node.querySelector(".proof")) proof.append(disclosure(answer, id));
    }

    return { node, changed, grown: (piece) => text.append(piece) };
}

function failure(answer) {
    const { message, hint } = answer.problem;
    return h("div", { class: "notice bad" }, h("p", null, h("strong", null, "No answer. "), message), hint && h("p", null, hint));
}

/** Tokens, coins and times of an answer, as far as they are known. */
function parts(answer) {
    if (answer.state === "waiting") return "Waiting for the first word …";
    if (answer.state === "writing") return "Writing …";
    const usage = answer.usage;
    const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0;
    const told = [
        usage && `${count(usage.prompt_tokens ?? 0, "token")} read${cached > 0 ? ` (${cached} from the cache)` : ""}`,
        usage && `${count(usage.completion_tokens ?? 0, "token")} written`,
        usage && costOf(usage) !== null && h("strong", { "data-cost": true }, ton(costOf(usage))),
        answer.firstAt && `first word after ${span(answer.firstAt - answer.startedAt)}`,
        `${span(answer.endedAt - answer.startedAt)} in all`,
        answer.finish === "length" && "cut at the limit",
        answer.state === "stopped" && "stopped",
    ];
    return told.filter(Boolean).flatMap((part, index) => (index > 0 ? [" · ", part] : [part]));
}

/** Closed until it is asked for: the verifier is loaded then. */
function disclosure(answer, id) {
    const verdict = h("span", { class: "verdict" });
    const body = h("div", { class: "inside" });
    const details = h("details", { class: "proof" }, h("summary", null, "Receipt and proof ", verdict), body);
    details.addEventListener("toggle", async () => {
        if (!details.open || details.dataset.loaded) return;
        details.dataset.loaded = "yes";
        try {
            const { showProof } = await import("./proof.js");
            await showProof(body, verdict, { id, answer });
        } catch (error) {
            delete details.dataset.loaded;
            fill(body, failed(error));
        }
    });
    return details;
}
