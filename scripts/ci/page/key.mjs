// The field for an API key: asked for when the runner answers 401, sent with every request, kept for the tab.

import assert from "node:assert/strict";

const KEY = "sk-cocoon-of-this-test";

export async function asksForKey(browser) {
    const page = await browser.page("/#/none");
    // A client of this machine asks for none: here each request without the key is refused on its way, the others go through.
    await page.route("**/v1/**", async (route) => {
        const headers = await route.request().allHeaders();
        if (headers.authorization === `Bearer ${KEY}`) {
            delete headers.authorization;
            await route.continue({ headers });
        } else {
            await route.fulfill({ status: 401, json: { error: { message: "A key is needed.", type: "x", param: null, code: null } } });
        }
    });
    await page.reload();
    const dialog = page.getByRole("dialog", { name: "API key" });
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("alert").getByText("A key is needed.").waitFor();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByLabel("Key", { exact: true }).fill(KEY);
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Your question" }).waitFor();
    const kept = await page.evaluate(() => [Object.values(sessionStorage), Object.values(localStorage)]);
    assert.deepEqual(kept, [[KEY], []], "the key is kept for the tab only");
    await page.getByRole("button", { name: "API key" }).click();
    await page.getByRole("button", { name: "Forget the key" }).click();
    await page.waitForFunction(() => sessionStorage.length === 0);
    await page.close();
    // The console names what was refused.
    browser.complaints = browser.complaints.filter((line) => !line.includes("401"));
}
