// Checks of a receipt and its evidence by the verifier that this page loads when it is first needed.

/** Its checks as `{ name, fact, says }`. */
export async function verifierChecks(receipt, evidence) {
    return [];
}
