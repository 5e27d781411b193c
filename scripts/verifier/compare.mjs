// Asks verifier.wasm, through verifier.js as a page loads it, what the native verifier was asked, and compares the answers.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, brotliCompressSync } from "node:zlib";

const assets = new URL("../../offchain/page/assets/", import.meta.url);
const { load, verifyEvidence, verifyReceipt } = await import(new URL("verifier.js", assets));
const bytes = readFileSync(new URL("verifier.wasm", assets));

const module = await WebAssembly.compile(bytes);
assert.deepEqual(WebAssembly.Module.imports(module), [], "the module imports nothing");
await load(bytes);

// One library writes into its errors where its source lay when it was compiled, and takes lengths for too large sooner where
// addresses have 32 bits: of its words only whose they are is compared.
const placeless = (answer) => JSON.parse(JSON.stringify(answer, (key, value) =>
    key === "says" && value.includes("asn1_der") ? value.slice(0, value.indexOf(":")) : value));

const folder = process.argv[2];
const names = readdirSync(folder).sort();
assert.ok(names.length > 100, `${names.length} cases are too few: the tests did not write them`);
let refuted = 0;
const begun = performance.now();
for (const name of names) {
    const { kind, question, answer } = JSON.parse(readFileSync(join(folder, name), "utf8"));
    const found = await (kind === "evidence" ? verifyEvidence : verifyReceipt)(question);
    assert.deepEqual(placeless(found), placeless(answer), name);
    refuted += found.verdict === "refuted";
}
const each = (performance.now() - begun) / names.length;

// Whatever a page gives, there is an answer.
const cyclic = {};
cyclic.self = cyclic;
for (const question of [undefined, null, 5, "", [], {}, cyclic, { receipt: 5 }, { receipt: "%" }, { certificate: "" }, 10n]) {
    for (const verify of [verifyEvidence, verifyReceipt]) {
        const { ok, error } = await verify(question);
        assert.equal(ok, false);
        assert.equal(error.code, "bad_input");
        assert.ok(error.message && error.hint);
    }
}
const large = await verifyReceipt({ receipt: "x".repeat(49 * 1024 * 1024) });
assert.equal(large.error.code, "too_large");

// Memory that is given back is used again.
const { memory } = await load();
const rounds = async (count) => {
    for (let round = 0; round < count; round++) await verifyReceipt({ receipt: "x".repeat(100_000) });
    return memory.buffer.byteLength;
};
const settled = await rounds(5);
assert.equal(await rounds(200), settled, "memory does not grow");

console.log(
    `verifier.wasm: ${names.length} answers are the native ones (${refuted} refusals, ${each.toFixed(1)} ms each); ` +
        `${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} by gzip, ${brotliCompressSync(bytes).length} by brotli`,
);
