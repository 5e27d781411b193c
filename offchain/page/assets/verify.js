// Receipts and evidence, judged by the verifier, which is loaded when it is first needed.

const NAMES = {
    form: "It can be read",
    proxy_signature: "Signed by the proxy",
    parties: "Between these parties",
    request_bytes: "Your question, byte for byte",
    response_bytes: "The answer, byte for byte",
    arithmetic: "The sum is right",
    price: "The price is the network’s",
    channel: "Follows the receipt before it",
    worker_signature: "Signed by the worker",
    proxy_evidence: "The proxy’s certificate",
    inclusion: "In the proxy’s published log",
    validity: "The certificate is valid now",
    named: "It is the one that the receipt names",
    key_in_quote: "Its key is in the machine’s quote",
    own_signature: "It is signed with that key",
    platform: "The maker vouches for the machine",
    policy: "The machine is as it was asked to be",
    image: "The network lists its program",
};

/** A receipt's checks. `answer` is what this tab asked and got, if it did. */
export async function receiptChecks(page, answer) {
    const told = page.verification ?? { receipt: page.boc, proxy_key: page.proxy_key ?? undefined, inclusion: page.inclusion ?? undefined };
    return judged("verifyReceipt", answer ? { ...told, ...exchanged(page, answer, told.expected) } : told);
}

/** A worker's certificate's checks, and its claims as the verifier reads them. */
export async function evidenceChecks(facts, sha256) {
    return judged("verifyEvidence", { ...facts.verification, sha256, role: "worker", now: Math.floor(Date.now() / 1000) });
}

/** What was posted and what came back. Of an answer that was stopped the end is not here. */
function exchanged(page, { asked, bytes, state, requestId }, expected) {
    const isWhole = state === "done" && bytes !== null;
    return {
        // The answer's head named its request.
        expected: { ...expected, ...(requestId && { request_id: requestId }) },
        request: { salt: page.request_salt, sent: { path: "/v1/chat/completions", body: asked } },
        response: { salt: page.response_salt, ...(isWhole && { received: base64(bytes) }) },
    };
}

async function judged(name, input) {
    try {
        const verifier = await import("./verifier.js");
        const result = await verifier[name](input);
        if (!result.ok) return { checks: [troubled(result.error.message)] };
        const simulated = result.claims?.simulated === true;
        const title = (name) => (simulated && name === "platform" ? "SIMULATED: no maker vouches for the machine" : (NAMES[name] ?? name.replaceAll("_", " ")));
        return { ...result, checks: result.checks.map(({ name, outcome, says }) => ({ id: name, name: title(name), fact: outcome, says })) };
    } catch (error) {
        console.error(error);
        return { checks: [troubled(error.message)] };
    }
}

const troubled = (why) => ({ id: "verifier", name: "The verifier", fact: "unknown", says: `Nothing could be checked here: ${why}.` });

function base64(bytes) {
    let binary = "";
    // In pieces: a call takes only so many arguments.
    for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(binary);
}
