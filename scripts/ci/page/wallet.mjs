// The wallet: a top-up from its question to the chain.

import assert from "node:assert/strict";

import { accessible } from "./browser.mjs";

const amount = (text) => Number(/-?[\d.]+/.exec(text.replace(/\u202f/g, ""))[0]);

export async function wallet(browser, page) {
    await page.getByRole("navigation", { name: "Parts" }).getByRole("link", { name: "Wallet" }).click();
    const balance = page.locator("[data-balance]").first();
    // Both follow the chain by clocks of their own, and the questions before are being charged.
    let before = 0;
    let left = 0;
    for (let tries = 0; !(before > 0 && left > 0 && left <= before); tries += 1) {
        assert.ok(tries < 30, `paid in ${before}, left ${left}`);
        await page.waitForTimeout(500);
        before = amount(await balance.innerText());
        left = amount(await page.locator("#state strong").innerText());
    }

    await page.getByRole("button", { name: /^Top up/ }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("How much, TON").fill("none");
    await dialog.getByRole("button", { name: "See what it would do" }).click();
    assert.match(await dialog.getByRole("alert").innerText(), /amount of TON/);
    await dialog.getByLabel("How much, TON").fill("5");
    await page.keyboard.press("Enter");

    // What it would do, before anything is done.
    const plan = page.getByRole("dialog", { name: "Is this what you want?" });
    await plan.waitFor();
    assert.match(await plan.innerText(), /Fees: 0\.\d+ TON/);
    assert.match(await plan.innerText(), /SIMULATED/);
    assert.ok((await plan.getByRole("row").count()) >= 2, "old and new values are shown");
    await accessible(page, "the plan of a top-up");
    await browser.picture(page, "wallet-plan");
    // Escape leaves everything as it was, and the focus where it came from.
    await page.keyboard.press("Escape");
    await plan.waitFor({ state: "detached" });
    assert.ok(amount(await balance.innerText()) <= before, "nothing was paid in");
    assert.match(await page.evaluate(() => document.activeElement.textContent), /^Top up/);

    await page.keyboard.press("Enter");
    await page.getByLabel("How much, TON").fill("5");
    await page.keyboard.press("Enter");
    await plan.getByRole("button", { name: "Pay in" }).click();
    await page.locator("[data-operation=done]").waitFor({ timeout: 60_000 });
    await page.waitForFunction(
        (least) => Number(/[\d.]+/.exec(document.querySelector("[data-balance]").textContent)[0]) > least,
        before + 4.9,
    );
    const after = amount(await balance.innerText());
    assert.ok(after <= before + 5, `${before} and 5 make ${after}`);
    await page.getByRole("heading", { name: "Operations since the client started" }).waitFor();
    // The mast follows.
    await page.waitForFunction((least) => Number(/[\d.]+/.exec(document.querySelector("#state strong").textContent)[0]) > least, left + 4.9);
    await browser.picture(page, "wallet-done");
    return `${before} TON became ${after} TON`;
}
