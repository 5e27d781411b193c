// The page as `cocoon explorer` serves it.

import assert from "node:assert/strict";

import { accessible, fits } from "./browser.mjs";

export async function explores(browser, explorer, receipt) {
    const page = await browser.page("/", explorer);
    await page.getByRole("heading", { level: 1, name: "Network: rules" }).waitFor();
    assert.deepEqual(await page.locator("#parts a").allInnerTexts(), ["Network"]);
    assert.match(await page.locator("#simulated").innerText(), /SIMULATED/);
    await page.getByText(/Prices of a million tokens/).first().waitFor();
    await accessible(page, "the explorer");
    await fits(page, "the explorer");
    await browser.picture(page, "explorer");
    await page.goto(`${explorer}/#/network/receipts/${receipt}`);
    await page.locator("[data-verdict]").waitFor();
    for (const check of ["proxy_signature", "inclusion"]) {
        assert.equal(await page.locator(`[data-check=${check}]`).getAttribute("data-fact"), "proven", check);
    }
    await page.close();
}
