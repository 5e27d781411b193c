// The chat: a conversation in memory, one question at a time.

import { answerView } from "./answer.js";
import { say, Speaker } from "./announce.js";
import { json } from "./api.js";
import { Conversation } from "./conversation.js";
import { fill, h, name } from "./dom.js";
import { count, factor, ton } from "./format.js";
import { failed } from "./notice.js";

/** Outlives a visit to another part. */
let conversation = new Conversation();
let draft = "";
let chosen = "";
/** What shows the composer as it stands: that of the latest visit, also for an answer that began before. */
let changed = () => {};
const turns = h("ol", { class: "turns", "aria-label": "Conversation" });

export function show(place) {
    const field = name("question");
    const question = h("textarea", {
        id: field,
        rows: "1",
        value: draft,
        placeholder: "Ask something",
        "aria-describedby": `${field}-keys`,
        on: { input: () => (draft = question.value), keydown: (event) => onKey(event) },
    });
    const models = h("select", { id: `${field}-model`, on: { change: () => (chosen = models.value) } });
    const settings = settingsView(field);
    const send = h("button", { type: "submit", class: "main" }, "Send");
    const stop = h("button", { type: "button", hidden: true, on: { click: () => conversation.current?.stop() } }, "Stop");
    const totals = h("p", { class: "totals" });
    const trouble = h("div");
    const empty = h(
        "p",
        { class: "opening" },
        "Each answer comes from one worker whose program this network’s root contract lists, and each has a receipt that you can check here.",
    );
    const clear = h("button", { type: "button", class: "quiet", on: { click: () => begin() } }, "New conversation");
    const composer = h(
        "form",
        { class: "composer", "aria-label": "Question", on: { submit: (event) => (event.preventDefault(), ask()) } },
        h("label", { class: "unseen", for: field }, "Your question"),
        h(
            "div",
            { class: "box" },
            question,
            h(
                "div",
                { class: "row" },
                h("label", { class: "pick", for: `${field}-model` }, h("span", { class: "unseen" }, "Model"), models),
                settings.view,
                h("span", { class: "keys", id: `${field}-keys` }, "Enter sends, Shift+Enter begins a line, Escape stops."),
                stop,
                send,
            ),
        ),
        totals,
    );
    fill(
        place,
        h(
            "div",
            { class: "chat" },
            h("header", { class: "head" }, h("h1", { tabindex: "-1" }, "Chat"), clear),
            h("p", { class: "lede" }, "A conversation is in this tab’s memory only: it is gone when you close or reload it."),
            empty,
            turns,
            trouble,
            composer,
        ),
    );

    changed = () => {
        const isRunning = conversation.current !== null;
        send.hidden = isRunning;
        stop.hidden = !isRunning;
        clear.hidden = conversation.answers.length === 0 || isRunning;
        empty.hidden = conversation.answers.length > 0;
        const sums = conversation.totals();
        fill(totals, sums.answers > 0 ? totalsLine(sums) : "Nothing is spent yet.");
    };

    function onKey(event) {
        if (event.isComposing) return;
        if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            ask();
        } else if (event.key === "Escape" && conversation.current) {
            conversation.current.stop();
        }
    }

    function begin() {
        conversation = new Conversation();
        turns.replaceChildren();
        changed();
        question.focus();
    }

    async function ask() {
        const text = question.value.trim();
        const options = settings.read();
        if (!text || !models.value || !options || conversation.current) {
            if (!text) question.focus();
            return;
        }
        question.value = draft = "";
        const speaker = new Speaker();
        let view = null;
        // What asks and what is shown belong together, wherever the reader is by now.
        const running = conversation.ask(text, { model: models.value, options }, {
            grown: (answer, piece) => {
                speaker.add(piece);
                following(() => view.grown(piece));
            },
            changed: (answer) => {
                if (!view) turns.append((view = answerView(answer, text)).node);
                following(() => view.changed());
                changed();
            },
        });
        say("The question is sent.");
        scrollTo({ top: document.documentElement.scrollHeight });
        const answer = await running;
        speaker.end();
        say(ending(answer));
        dispatchEvent(new CustomEvent("cocoon:spent"));
    }

    loadModels(models, trouble);
    changed();
}

/** Keeps the end of the page in view if it was. */
function following(change) {
    const page = document.documentElement;
    const isAtEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 120;
    change();
    if (isAtEnd) scrollTo({ top: page.scrollHeight });
}

async function loadModels(select, trouble) {
    try {
        const { data } = await json("/v1/models");
        const label = (model) => {
            const prices = (model.workers ?? []).map((worker) => worker.coefficient);
            return prices.length > 0 ? `${model.id} ${factor(Math.min(...prices))}` : model.id;
        };
        fill(select, data.map((model) => h("option", { value: model.id }, label(model))));
        if (data.some((model) => model.id === chosen)) select.value = chosen;
        fill(trouble, data.length === 0 && h("p", { class: "notice" }, "No worker serves a model at present."));
    } catch (error) {
        fill(trouble, failed(error, () => loadModels(select, trouble)));
    }
}

function totalsLine(sums) {
    const untold = sums.untold > 0 ? `, ${count(sums.untold, "answer")} without a count` : "";
    return [
        "This conversation: ",
        h("span", null, `${count(sums.read, "token")} read`),
        " · ",
        h("span", null, `${count(sums.written, "token")} written`),
        " · ",
        h("strong", { id: "spent" }, ton(sums.cost)),
        untold,
    ];
}

function ending(answer) {
    if (answer.state === "done") return "The answer is complete.";
    if (answer.state === "stopped") return "The answer was stopped.";
    return `The answer failed. ${answer.problem?.message ?? ""}`;
}

/** Limits that a reader may set. */
const kept = { max_tokens: "", temperature: "" };

function settingsView(field) {
    const number = (key, label, attributes) => {
        const input = h("input", {
            id: `${field}-${key}`,
            type: "number",
            inputmode: "decimal",
            value: kept[key],
            ...attributes,
            on: { input: () => (kept[key] = input.value) },
        });
        return [h("label", { for: `${field}-${key}` }, label), input];
    };
    const view = h(
        "details",
        { class: "settings" },
        h("summary", null, "Settings"),
        h(
            "div",
            { class: "panel" },
            number("max_tokens", "Longest answer, tokens", { min: "1", max: "1000000", step: "1", placeholder: "as the model" }),
            number("temperature", "Temperature, 0 to 2", { min: "0", max: "2", step: "any", placeholder: "as the model" }),
        ),
    );
    const read = () => {
        const inputs = [...view.querySelectorAll("input")];
        const wrong = inputs.find((input) => !input.validity.valid);
        if (wrong) {
            view.open = true;
            wrong.reportValidity();
            return null;
        }
        const set = Object.entries(kept).filter(([, value]) => value !== "");
        return Object.fromEntries(set.map(([key, value]) => [key, Number(value)]));
    };
    return { view, read };
}
