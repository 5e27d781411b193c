// The network part, page by page.

import assert from "node:assert/strict";

import { forgive } from "./browser.mjs";

/// What each page must say of a network that has answered and settled something.
const PAGES = {
    Rules: [/Prices of a million tokens/, /A test network/, /Proposals/, /What a check of the contract says/],
    Proxies: [/Places that the root contract lists/, /Proxy contract/, /Yes, by its address/],
    Workers: [/Reputation/, /normal/],
    Models: [/Listed, trusted now/],
    Receipts: [/receipts can be searched here/],
    Anchors: [/head of a proxy’s log/],
    Settlements: [/client contract/],
};

export async function network(browser, page, receipt) {
    await page.getByRole("navigation", { name: "Parts" }).getByRole("link", { name: "Network" }).click();
    const pages = page.getByRole("navigation", { name: "Pages of the network" });
    for (const [title, expected] of Object.entries(PAGES)) {
        await pages.getByRole("link", { name: title, exact: true }).click();
        await page.getByRole("heading", { level: 1, name: `Network: ${title.toLowerCase()}` }).waitFor();
        for (const text of expected) await page.getByText(text).first().waitFor();
        assert.equal(await page.getByRole("alert").count(), 0, `${title} has nothing to complain of`);
        assert.match(await page.evaluate(() => document.activeElement.tagName), /^(H1|A|MAIN)$/);
        await browser.picture(page, `network-${title.toLowerCase()}`);
    }
    await pages.getByRole("link", { name: "Receipts", exact: true }).click();
    // What nobody has is said in words.
    const field = page.getByLabel("Receipt id");
    await field.fill("0".repeat(64));
    await page.getByRole("button", { name: "Open" }).click();
    await page.getByRole("alert").waitFor();
    forgive(browser);
    await pages.getByRole("link", { name: "Receipts", exact: true }).click();
    // The log comes within seconds.
    for (let tries = 0; (await page.locator(`a[href="#/network/receipts/${receipt}"]`).count()) === 0; tries += 1) {
        assert.ok(tries < 30, "the search finds the receipt in time");
        await page.waitForTimeout(1000);
        await page.getByRole("button", { name: "Read again" }).click();
        await page.getByText(/receipts can be searched here/).waitFor();
    }
    await page.getByLabel("Receipt id").fill(receipt);
    await page.getByRole("button", { name: "Open" }).click();
    await page.locator("[data-verdict]").waitFor();
    assert.equal(await page.locator("[data-receipt]").innerText(), receipt);
    for (const check of ["proxy_signature", "arithmetic", "inclusion"]) {
        assert.equal(await page.locator(`[data-check=${check}]`).getAttribute("data-fact"), "proven", check);
    }
    await browser.picture(page, "network-receipt");
}

