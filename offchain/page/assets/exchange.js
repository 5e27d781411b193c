// What was asked and answered here, as the bytes that a receipt signs.

/** The boxed `http.request` in which a client carries a question, in base64. */
export function requestBytes(path, body) {
    const payload = new TextEncoder().encode(body);
    const headers = [
        ["Content-Type", "application/json"],
        ["Content-Length", String(payload.length)],
    ];
    return base64(
        joined([
            number(0x47492de5),
            text("POST"),
            text(path),
            text("HTTP/1.1"),
            number(headers.length),
            ...headers.flat().map(text),
            blob(payload),
        ]),
    );
}

/** Bytes as base64. */
export function base64(bytes) {
    let binary = "";
    // In pieces: a call takes only so many arguments.
    for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(binary);
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
