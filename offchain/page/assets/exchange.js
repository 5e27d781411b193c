// Whether a receipt signs what was asked and what was answered here: `SHA-256(salt ‖ bytes)` of both, over the bytes that this tab
// sent and got.

/** The boxed `http.request` in which a client carries a question, as bytes. */
export function requestBytes(path, body) {
    const payload = new TextEncoder().encode(body);
    const headers = [
        ["Content-Type", "application/json"],
        ["Content-Length", String(payload.length)],
    ];
    return joined([
        number(0x47492de5),
        text("POST"),
        text(path),
        text("HTTP/1.1"),
        number(headers.length),
        ...headers.flat().map(text),
        blob(payload),
    ]);
}

/** Both comparisons as checks. `digest` is SHA-256, null where the browser has none. */
export async function exchangeChecks(receipt, { asked, bytes, state }, digest = subtle()) {
    const salted = async (salt, content) => hex(await digest(joined([fromHex(salt), content])));
    const compared = async (name, salt, content, expected, words) => {
        if (!digest) return { name, fact: "unknown", says: "This browser computes hashes only on a page from this machine or over TLS." };
        if (!salt || !content) return { name, fact: "unknown", says: words.missing };
        const isSame = (await salted(salt, content)) === expected;
        return { name, fact: isSame ? "proven" : words.other, says: isSame ? words.same : words.differs };
    };
    const question = await compared("Your question", receipt.request_salt, asked && requestBytes("/v1/chat/completions", asked), receipt.request_hash, {
        same: "The receipt signs exactly the bytes that this page sent.",
        // Clients may carry a question in other bytes without changing what it says.
        other: "unknown",
        differs: "The client sent the question on in other bytes than this page can rebuild.",
        missing: "The question’s bytes are not here.",
    });
    const isWhole = state === "done";
    const answer = await compared("The answer", receipt.response_salt, isWhole ? bytes : null, receipt.response_hash, {
        same: "The receipt signs exactly the bytes from which the text above was made.",
        other: "refuted",
        differs: "The receipt signs other bytes than this page got.",
        missing: isWhole ? "The answer’s bytes are not here." : "The answer was not received to its end here, so its bytes cannot be compared.",
    });
    return [question, answer];
}

function subtle() {
    const { subtle } = globalThis.crypto ?? {};
    return subtle ? async (bytes) => new Uint8Array(await subtle.digest("SHA-256", bytes)) : null;
}

function number(value) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return bytes;
}

const text = (value) => blob(new TextEncoder().encode(value));

/** A TL string: its length, its bytes, zeros to a multiple of four. */
function blob(bytes) {
    const { length } = bytes;
    const head = length < 254 ? [length] : [254, length & 255, (length >> 8) & 255, (length >> 16) & 255];
    const padding = (4 - ((head.length + length) % 4)) % 4;
    return joined([Uint8Array.from(head), bytes, new Uint8Array(padding)]);
}

function joined(parts) {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
        whole.set(part, at);
        at += part.length;
    }
    return whole;
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const fromHex = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
