// A conversation: what was said, what runs, and what it has cost. It is in memory and nowhere else.

import { call } from "./api.js";
import { nanoton } from "./format.js";
import { read } from "./sse.js";

const RECEIPT = "cocoon-receipt-id ";

/** One answer, from its first byte to its receipt. */
export class Answer {
    text = "";
    reasoning = "";
    state = "waiting";
    model = "";
    usage = null;
    finish = null;
    problem = null;
    requestId = null;
    receiptId = null;
    /** What was asked, as it was sent; and what came, byte by byte: the receipt signs both. */
    asked = null;
    bytes = null;
    startedAt = performance.now();
    firstAt = null;
    endedAt = null;
    control = new AbortController();

    stop() {
        this.control.abort();
    }

    get isRunning() {
        return this.state === "waiting" || this.state === "writing";
    }
}

/** A conversation with one or several models, one answer at a time. */
export class Conversation {
    messages = [];
    answers = [];
    current = null;

    /** Asks. `on.grown(answer, text)` for each piece of text, `on.changed(answer)` for all else. */
    async ask(question, settings, on) {
        const answer = new Answer();
        answer.model = settings.model;
        this.current = answer;
        this.answers.push(answer);
        const messages = [...this.messages, { role: "user", content: question }];
        const body = { model: settings.model, messages, stream: true, stream_options: { include_usage: true }, ...settings.options };
        answer.asked = JSON.stringify(body);
        on.changed(answer);
        try {
            const response = await call("/v1/chat/completions", { method: "POST", body, signal: answer.control.signal });
            answer.requestId = response.headers.get("x-cocoon-request-id");
            answer.bytes = await read(response.body, {
                data: (data) => take(answer, data, on),
                comment: (comment) => {
                    if (comment.startsWith(RECEIPT)) answer.receiptId = comment.slice(RECEIPT.length);
                },
            });
            answer.state = answer.problem ? "failed" : "done";
        } catch (error) {
            if (error.name === "AbortError") {
                answer.state = "stopped";
            } else {
                answer.state = "failed";
                answer.problem = error;
            }
        }
        answer.endedAt = performance.now();
        this.current = null;
        // What was begun is part of the conversation; a question that got nothing is asked again by hand.
        if (answer.text) this.messages = [...messages, { role: "assistant", content: answer.text }];
        on.changed(answer);
        return answer;
    }

    /** Tokens and coins of all answers so far. */
    totals() {
        const told = this.answers.filter((answer) => answer.usage);
        const sum = (read) => told.reduce((total, answer) => total + read(answer.usage), 0);
        const cost = told.reduce((total, answer) => total + (costOf(answer.usage) ?? 0n), 0n);
        return {
            answers: this.answers.length,
            read: sum((usage) => usage.prompt_tokens ?? 0),
            written: sum((usage) => usage.completion_tokens ?? 0),
            cost,
            untold: this.answers.filter((answer) => !answer.isRunning && !answer.usage).length,
        };
    }
}

/** What an answer costs, nanoton; null when it does not say. */
export function costOf(usage) {
    return nanoton(usage?.total_cost ?? null);
}

function take(answer, data, on) {
    if (data === "[DONE]") return;
    let event;
    try {
        event = JSON.parse(data);
    } catch {
        return;
    }
    if (event.error) {
        // The stream ends behind it.
        answer.problem = { status: 0, message: event.error.message ?? "The answer broke off.", hint: null };
        return;
    }
    if (event.usage) answer.usage = event.usage;
    const choice = event.choices?.[0];
    if (choice?.finish_reason) answer.finish = choice.finish_reason;
    answer.reasoning += choice?.delta?.reasoning_content ?? choice?.delta?.reasoning ?? "";
    const text = choice?.delta?.content;
    if (text) {
        answer.firstAt ??= performance.now();
        answer.text += text;
        if (answer.state === "waiting") {
            answer.state = "writing";
            on.changed(answer);
        }
        on.grown(answer, text);
    } else {
        on.changed(answer);
    }
}
