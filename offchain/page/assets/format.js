// Numbers, times and names as people read them.

import { h } from "./dom.js";

const NANO = 1_000_000_000n;

/** An amount in nanoton (number, text or BigInt) as a BigInt; null for what is none. */
export function nanoton(value) {
    if (typeof value === "bigint") return value;
    if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
    return null;
}

/** `1.234 TON`, exact, without zeros at the end. */
export function ton(value) {
    const amount = nanoton(value);
    if (amount === null) return "–";
    const size = amount < 0n ? -amount : amount;
    const fraction = (size % NANO).toString().padStart(9, "0").replace(/0+$/, "");
    const whole = grouped(size / NANO);
    return `${amount < 0n ? "−" : ""}${whole}${fraction ? `.${fraction}` : ""} TON`;
}

/** What a person typed, in nanoton; null when it is no amount of TON. */
export function parseTon(text) {
    const read = /^(\d{1,9})(?:[.,](\d{1,9}))?$/.exec(text.trim());
    return read ? BigInt(read[1]) * NANO + BigInt((read[2] ?? "").padEnd(9, "0")) : null;
}

/** A whole number with thin spaces between thousands. */
export function grouped(value) {
    return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** `1 token`, `2 tokens`. */
export function count(number, noun, plural = `${noun}s`) {
    return `${grouped(number)} ${number === 1 || number === 1n ? noun : plural}`;
}

/** Thousandths of the network's price as a factor. */
export function factor(thousandths) {
    return typeof thousandths === "number" ? `×${(thousandths / 1000).toFixed(3).replace(/\.?0+$/, "")}` : "–";
}

/** A moment in milliseconds since 1970. */
export function moment(milliseconds) {
    const date = new Date(typeof milliseconds === "number" && milliseconds > 0 ? milliseconds : NaN);
    // Whoever signed a time may have written any number: beyond the calendar it is none.
    if (Number.isNaN(date.getTime())) return "–";
    const shown = date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
    return h("time", { datetime: date.toISOString() }, shown);
}

/** A span of time in milliseconds. */
export function span(milliseconds) {
    if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
    if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(1)} s`;
    if (milliseconds < 7_200_000) return `${Math.round(milliseconds / 60_000)} min`;
    return `${Math.round(milliseconds / 3_600_000)} h`;
}

/** A sentence in which long names are cut as everywhere. */
export function worded(text) {
    return String(text).split(/((?:-?\d+:)?\b[0-9a-fA-F]{64}\b)/).map((part, index) => (index % 2 ? long(part) : part));
}

/** A long name (address, hash): its beginning and end are seen, all of it is read and copied. */
export function long(text) {
    if (typeof text !== "string" || text === "") return "–";
    if (text.length <= 24) return h("code", { class: "long" }, text);
    const edge = text.startsWith("0:") || text.startsWith("-1:") ? 10 : 8;
    const middle = h("span", { class: "middle" }, text.slice(edge, -6));
    return h("code", { class: "long cut", title: text }, text.slice(0, edge), middle, text.slice(-6));
}
