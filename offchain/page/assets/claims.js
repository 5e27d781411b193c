// The claims about a machine, one by one: what is known, from which document, and what this client asks of it.

import { h, table } from "./dom.js";
import { long } from "./format.js";
import { mark } from "./mark.js";

const NAMES = {
    hardware: "Real hardware",
    debug_off: "Cannot be debugged",
    profiling_off: "Cannot be profiled",
    not_migratable: "Cannot be moved to another machine",
    sept_ve_disabled: "Memory faults stay inside",
    no_service_td: "No service guest may change it",
    production_module: "Production TDX module",
    module_unchanged: "Module unchanged since the start",
    not_revoked: "Not revoked",
    tcb_up_to_date: "Firmware up to date",
    no_advisories: "No open advisories",
    static_platform: "Platform cannot be extended",
    keys_not_cached: "Platform keys not cached",
    smt_off: "No threads shared",
    gpu_confidential: "GPU in confidential mode",
    gpu_measured: "GPU measured",
};

const RULINGS = { met: "Met", tolerated: "Tolerated", not_asked: "Not asked", refused: "Refused" };

/** The table of an answer of `/v1/cocoon/attestation…`; as this browser has read it from the evidence, if it has. */
export function claimsView(page, machine) {
    const judged = page.certificate ?? page;
    const claims = machine?.claims ?? judged.claims;
    return h(
        "section",
        { "data-claims": true },
        h("h3", null, "What is known of the worker’s machine"),
        (judged.simulated || machine?.claims?.simulated) && h("p", { class: "tag warn" }, "SIMULATED platform: nothing here is protected by hardware"),
        judged.refusal && h("p", { class: "notice bad" }, `The certificate is refused: ${judged.refusal}`),
        claims && !machine?.claims && h("p", { class: "fresh" }, "As the runner tells it: this browser could not read it from the evidence."),
        claims && table(
            "Claims about the worker’s machine",
            [
                { title: "Claim", cell: (row) => NAMES[row.name] ?? row.name.replaceAll("_", " ") },
                { title: "Known", short: true, cell: (row) => mark(row.fact) },
                { title: "Policy", short: true, cell: (row) => RULINGS[row.ruling] ?? row.ruling.replaceAll("_", " ") },
                { title: "What is behind it", cell: (row) => [value(row.value), h("span", { class: "behind" }, source(row))] },
            ],
            claims.table,
        ),
        judged.image_hash && h("p", { class: "fresh" }, "Image ", long(judged.image_hash), judged.listed_for_workers ? ", listed for workers by the root contract." : ", not listed for workers by the root contract."),
    );
}

function value(text) {
    const parts = text.split(" ").flatMap((word) => [" ", word.length > 40 ? long(word) : word]);
    return text ? parts.slice(1) : "–";
}

function source({ source }) {
    if (!source || source.document === "nothing") return "no document";
    const where = source.document.replaceAll("_", " ");
    return source.field ? `${where}, ${source.field}` : where;
}
