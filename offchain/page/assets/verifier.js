/**
 * Verifies evidence and receipts in this page, with the client's own verifier compiled to WebAssembly (docs/verifier.md).
 * No dependency, no network but the one file `verifier.wasm` beside this one, loaded at the first call. A page with a content
 * security policy needs `script-src 'wasm-unsafe-eval'`.
 *
 * Both functions resolve and never reject for what they are given: bad input gives `{ ok: false, error }`. They reject only when
 * `verifier.wasm` itself cannot be loaded.
 *
 * The usual way, with the client's pages as they come:
 *
 *     const page = await (await fetch(`/v1/cocoon/receipts/${id}`)).json();
 *     const { verification } = page;
 *     verification.request.sent = { path: "/v1/chat/completions", body };   // The very text that was posted.
 *     verification.response.received = base64(bytes);                       // All bytes that came back.
 *     const receipt = await verifyReceipt(verification);
 *     const facts = await (await fetch(`/v1/cocoon/attestation/${page.worker_evidence}`)).json();
 *     // Named by the signed receipt, not by the page about it.
 *     const worker = await verifyEvidence({ ...facts.verification, sha256: receipt.receipt?.worker_evidence, role: "worker" });
 *
 * @typedef {"proven" | "unknown" | "refuted"} Outcome
 *
 * One check, with a sentence for people.
 * @typedef {{ name: string, outcome: Outcome, says: string }} Check
 *
 * @typedef {{ code: "bad_input" | "too_large" | "defect", message: string, hint: string }} Failure
 *
 * What evidence is judged by. All but `certificate` and `now` may be left out; what is missing is unknown.
 * @typedef {object} EvidenceInput
 * @property {number} now                  Unix seconds.
 * @property {string} certificate          DER, in base64.
 * @property {string[]} [collateral]       Documents of the platforms' maker, each the text of a JSON object.
 * @property {string[]} [simulated_roots]  Roots of simulated platforms (DER, base64): only in networks that are tests.
 * @property {object} [policy]             What is asked of platforms (as `verification.policy`); strict when left out.
 * @property {{ proxies?: string[], workers?: string[] }} [images]  What the root contract lists, 64 hex digits each.
 * @property {"proxy" | "worker"} [role]   Which list counts; either when left out.
 * @property {string} [sha256]             Of the certificate, 64 hex digits: as a receipt names it.
 *
 * @typedef {object} EvidenceResult
 * @property {true} ok
 * @property {"proven" | "simulated" | "unknown" | "refuted"} verdict  `simulated`: everything holds, and no hardware protects it.
 * @property {Check[]} checks     `form`, `validity`, `named`, `key_in_quote`, `own_signature`, `platform`, `policy`, `image`.
 * @property {string} certificate_sha256
 * @property {string | null} leaf_key
 * @property {number | null} not_before
 * @property {number | null} not_after
 * @property {string | null} image_hash   As claimed; proven only if `platform` is.
 * @property {null | { table: object[], objections: string[], tcb_status: string, advisories: string[], tcb_evaluation: number,
 *                     fmspc: string, root_key_id: string, simulated: boolean, expires_at: number }} claims
 *
 * What a receipt is judged by. All but `receipt` may be left out; what is missing is unknown.
 * @typedef {object} ReceiptInput
 * @property {string} receipt              The signed receipt, a bag of cells in base64.
 * @property {string} [proxy_key]          Key of the proxy's contract, 64 hex digits.
 * @property {{ root?: string, proxy?: string, client?: string, request_id?: string }} [expected]  Addresses, and 64 hex digits.
 * @property {{ salt: string, sent?: { path: string, body: string }, bytes?: string }} [request]
 *                                         Salt: 64 hex digits. `sent`: what was posted to the client. Or `bytes` (base64): the boxed
 *                                         `http.request` that the client sent on.
 * @property {{ salt: string, received?: string, bytes?: string }} [response]
 *                                         `received` (base64): all bytes that the client answered with, comments at the end of a
 *                                         stream included. Or `bytes` (base64): the worker's own.
 * @property {number} [max_coefficient]    The highest that was accepted.
 * @property {{ version: number, prompt: number, cached: number, completion: number, reasoning: number }} [prices]
 *                                         Multipliers of the root contract, in ten-thousandths.
 * @property {string} [worker_certificate] DER, base64: whose key signed the statement. Judge it with `verifyEvidence` too.
 * @property {string} [proxy_certificate]  DER, base64.
 * @property {{ index: number, checkpoint: string, proof: string[] }} [inclusion]  As `inclusion` of the receipt's page.
 * @property {{ seqno: number | string, hash: string, total: number | string }} [previous]  Where the channel stood before.
 *
 * @typedef {object} ReceiptResult
 * @property {true} ok
 * @property {Outcome} verdict     `refuted` if a check is; `proven` if all that concern what was charged for are; else `unknown`.
 * @property {Check[]} checks      `form`, `proxy_signature`, `parties`, `request_bytes`, `response_bytes`, `arithmetic`, `price`,
 *                                 `channel`, `worker_signature`, `proxy_evidence`, `inclusion`; `form` alone if it cannot be read.
 * @property {object | null} receipt  What the receipt says: `id`, `request_id`, `root`, `proxy`, `worker`, `client`, `model_hash`,
 *                                 `coefficient`, `counts`, `tokens_used`, `tokens_charged`, `worker_evidence`,
 *                                 `proxy_evidence`, `started_ms`, `finished_ms`, `finish_reason`, `channel`, `worker_channel`.
 *                                 Numbers of channels come as text.
 * @property {null | { origin: string, size: string, root: string }} checkpoint  Of the log, once its signature holds.
 */

/** Largest input of one call, in bytes of JSON: an answer and its request with room; the module refuses more. */
const MAX_INPUT_BYTES = 48 * 1024 * 1024;

/** @type {Promise<WebAssembly.Exports> | null} */
let loading = null;

/**
 * Loads the module; called by the others. Tests and pages that embed it pass its bytes.
 * @param {BufferSource} [bytes]
 */
export function load(bytes) {
    loading ??= instantiate(bytes).catch((error) => {
        // The next call tries again.
        loading = null;
        throw error;
    });
    return loading;
}

/**
 * @param {EvidenceInput} input
 * @returns {Promise<EvidenceResult | { ok: false, error: Failure }>}
 */
export function verifyEvidence(input) {
    return call("verify_evidence", input);
}

/**
 * @param {ReceiptInput} input
 * @returns {Promise<ReceiptResult | { ok: false, error: Failure }>}
 */
export function verifyReceipt(input) {
    return call("verify_receipt", input);
}

async function instantiate(bytes) {
    if (bytes) return (await WebAssembly.instantiate(bytes, {})).instance.exports;
    const response = await fetch(new URL("verifier.wasm", import.meta.url));
    if (!response.ok) throw new Error(`verifier.wasm: HTTP status ${response.status}`);
    return (await WebAssembly.instantiate(await response.arrayBuffer(), {})).instance.exports;
}

async function call(name, input) {
    const module = await load();
    let text;
    try {
        text = new TextEncoder().encode(JSON.stringify(input) ?? "");
    } catch (error) {
        return failure("bad_input", `the input cannot be written as JSON: ${error.message}`, "give a plain object");
    }
    if (text.length > MAX_INPUT_BYTES) {
        return failure("too_large", `the input has ${text.length} bytes of JSON, at most ${MAX_INPUT_BYTES} are read`,
            "leave out the bytes of the exchange");
    }
    try {
        const at = module.allocate(text.length);
        new Uint8Array(module.memory.buffer, at, text.length).set(text);
        // The result is its length in four bytes, little-endian, then as much JSON; the input is freed by the call.
        const result = module[name](at, text.length);
        const length = new DataView(module.memory.buffer).getUint32(result, true);
        const json = new TextDecoder().decode(new Uint8Array(module.memory.buffer, result + 4, length));
        module.release(result, length + 4);
        return JSON.parse(json);
    } catch (error) {
        // A trap leaves the module's memory as it is: it is not used again.
        loading = null;
        return failure("defect", `the verifier stopped: ${error.message}`, "report it, with the input");
    }
}

function failure(code, message, hint) {
    return { ok: false, error: { code, message, hint } };
}
