// Server-sent events of an answer, cut anywhere, and the bytes that they came as: the receipt signs those.

/** Beyond this the bytes are not kept, and an answer cannot be compared with its receipt. */
const MAX_KEPT_BYTES = 16 << 20;

/** Reads a stream. `on.data(text)` for each event, `on.comment(text)` for each comment. Returns all bytes, or null when they are too many. */
export async function read(stream, on) {
    const reader = stream.getReader();
    const decoder = new TextDecoder();
    const lines = new Lines(on);
    let kept = [];
    let length = 0;
    for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        length += value.length;
        if (length > MAX_KEPT_BYTES) kept = null;
        kept?.push(value);
        lines.add(decoder.decode(value, { stream: true }));
    }
    lines.add(decoder.decode());
    lines.end();
    return kept && joined(kept, length);
}

class Lines {
    #on;
    #rest = "";
    #data = [];

    constructor(on) {
        this.#on = on;
    }

    add(text) {
        this.#rest += text;
        // A carriage return at the end may be half of a line's end.
        const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
        this.#rest = lines.pop();
        for (const line of lines) this.#line(line);
    }

    end() {
        if (this.#rest) this.#line(this.#rest.replace(/\r$/, ""));
        this.#line("");
    }

    #line(line) {
        if (line === "") {
            if (this.#data.length > 0) this.#on.data(this.#data.join("\n"));
            this.#data = [];
        } else if (line.startsWith(":")) {
            this.#on.comment(line.slice(1).trim());
        } else if (line.startsWith("data:")) {
            this.#data.push(line.slice(5).replace(/^ /, ""));
        }
    }
}

function joined(parts, length) {
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
        whole.set(part, at);
        at += part.length;
    }
    return whole;
}
