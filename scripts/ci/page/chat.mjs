// The chat.

import assert from "node:assert/strict";

import { forgive } from "./browser.mjs";

/// What a verified receipt of this network proves in the browser.
const PROVEN = ["proxy_signature", "request_bytes", "response_bytes", "arithmetic", "price", "worker_signature"];

/// Asks with the keyboard alone, watches the answer grow, opens its receipt. Returns the receipt's id.
export async function chats(browser, page) {
    await page.evaluate(() => {
        // Each length of the answer's text, and whether it was still being written.
        window.grown = [];
        new MutationObserver(() => {
            const answer = document.querySelector("[data-answer]");
            if (answer) window.grown.push([answer.textContent.length, answer.getAttribute("aria-busy")]);
        }).observe(document.getElementById("main"), { subtree: true, childList: true, characterData: true, attributes: true });
    });
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "Skip to the content");
    await page.keyboard.press("Enter");
    await tabTo(page, "Your question");
    await page.keyboard.type("What is Cocoon?");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("And why „receipts“?");
    // A line on which the pieces of an answer come one by one.
    const line = await slowed(page, 1500);
    await page.keyboard.press("Enter");
    await page.locator(".turn[data-state=done]").waitFor();
    await line.detach();

    const grown = await page.evaluate(() => window.grown);
    const whole = grown.at(-1)[0];
    const parts = new Set(grown.filter(([length, busy]) => busy === "true" && length > 0 && length < whole).map(([length]) => length));
    assert.ok(parts.size >= 2, `the text was seen while it was written: ${JSON.stringify(grown)}`);
    const question = await page.locator(".question").first().innerText();
    assert.ok(question.includes("And why „receipts“?"), question);
    assert.match(await page.locator(".meter").first().innerText(), /\d+ tokens? read.* · \d+ tokens? written · 0\.\d+ TON/);
    assert.match(await page.locator(".totals").innerText(), /0\.\d+ TON/);
    // Screen readers were told, in sentences.
    const spoken = await page.locator("#spoken").textContent();
    assert.ok(spoken.includes("The question is sent.") && spoken.includes("The answer is complete."), spoken);

    await tabTo(page, /^Receipt and proof/, "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.locator("[data-verdict]").waitFor();
    await proven(page, [...PROVEN]);
    // The log follows within seconds.
    for (let tries = 0; (await fact(page, "inclusion")) !== "proven"; tries += 1) {
        assert.ok(tries < 20, "the receipt is in the published log in time");
        await page.waitForTimeout(500);
        await page.getByRole("button", { name: "Check again" }).click();
        await page.locator("[data-check=inclusion]").waitFor();
    }
    const verdict = page.locator("[data-verdict]");
    assert.notEqual(await verdict.getAttribute("data-verdict"), "refuted", await verdict.innerText());
    // The machine's claims, and that this one is none.
    const claims = page.locator("[data-claims]");
    assert.match(await claims.innerText(), /SIMULATED platform/);
    assert.match(await claims.getByRole("row", { name: /^Real hardware/ }).innerText(), /Refuted/);
    assert.match(await page.locator("#simulated").innerText(), /SIMULATED/);
    await browser.picture(page, "chat-receipt");
    return page.locator("[data-receipt]").first().innerText();
}

/// A slow line, so that there is time to press the button.
export async function stopped(browser, page) {
    const line = await slowed(page, 1500);
    await page.getByRole("textbox", { name: "Your question" }).fill("Tell me all about channels.");
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".turn[data-state=writing]").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await line.detach();
    const turn = page.locator(".turn[data-state=stopped]");
    await turn.waitFor();
    assert.match(await turn.locator(".meter").innerText(), /stopped/);
    await turn.locator(".proof summary").click();
    for (let tries = 0; (await turn.locator("[data-receipt]").count()) === 0; tries += 1) {
        assert.ok(tries < 20, "what was delivered has a receipt in time");
        await page.waitForTimeout(500);
        const again = turn.getByRole("button", { name: "Look again" });
        if (await again.isVisible()) await again.click();
    }
    forgive(browser);
}

/// Whoever looks at another part meanwhile comes back to a whole answer, and may ask again.
export async function goesOn(page) {
    const line = await slowed(page, 1500);
    await page.getByRole("textbox", { name: "Your question" }).fill("What is a voucher?");
    await page.keyboard.press("Enter");
    await page.locator(".turn[data-state=writing]").waitFor();
    const parts = page.getByRole("navigation", { name: "Parts" });
    await parts.getByRole("link", { name: "Wallet" }).click();
    await page.getByRole("heading", { level: 1, name: "Wallet and channels" }).waitFor();
    await parts.getByRole("link", { name: "Chat" }).click();
    await page.locator(".turn").last().and(page.locator("[data-state=done]")).waitFor();
    await line.detach();
    assert.ok(await page.getByRole("button", { name: "Send" }).isVisible(), "another question may be asked");
    assert.ok((await page.locator("[data-answer]").last().innerText()).length > 20);
}

/// So many bytes in a second, until it is detached.
async function slowed(page, bytes) {
    const line = await page.context().newCDPSession(page);
    await line.send("Network.enable");
    await line.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: bytes, uploadThroughput: -1 });
    return line;
}

/// The runner's own page of a receipt is changed on its way: the verifier in the browser must notice.
export async function forged(browser) {
    const page = await browser.page();
    await page.route("**/v1/cocoon/receipts/*", async (route) => {
        const response = await route.fetch();
        const receipt = await response.json();
        receipt.response_salt = receipt.response_salt.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
        await route.fulfill({ response, json: receipt });
    });
    await page.getByRole("textbox", { name: "Your question" }).fill("What is a receipt?");
    await page.keyboard.press("Enter");
    await page.locator(".turn[data-state=done] .proof summary").click();
    await page.locator("[data-verdict=refuted]").waitFor();
    assert.equal(await fact(page, "response_bytes"), "refuted");
    assert.equal(await fact(page, "proxy_signature"), "proven");
    await page.close();
}

async function proven(page, checks) {
    const found = {};
    for (const check of checks) found[check] = await fact(page, check);
    assert.deepEqual(found, Object.fromEntries(checks.map((check) => [check, "proven"])));
}

const fact = (page, check) => page.locator(`[data-check=${check}]`).first().getAttribute("data-fact");

/// The name of what has the focus, as it is read out: its label, or its text.
function focused(page) {
    return page.evaluate(() => {
        const element = document.activeElement;
        return (element.labels?.[0]?.textContent ?? element.getAttribute("aria-label") ?? element.textContent).trim();
    });
}

/// Presses Tab until something of that name has the focus, and sees that the focus can be seen.
async function tabTo(page, name, key = "Tab") {
    const seen = [];
    for (let presses = 0; presses < 60; presses += 1) {
        await page.keyboard.press(key);
        const now = await focused(page);
        seen.push(now);
        if (typeof name === "string" ? now === name : name.test(now)) {
            const isSeen = await page.evaluate(() => {
                const shown = [document.activeElement, document.activeElement.closest(".box")].filter(Boolean);
                return shown.some((element) => getComputedStyle(element).outlineStyle !== "none");
            });
            assert.ok(isSeen, `the focus on ${now} is seen`);
            return;
        }
    }
    assert.fail(`no Tab leads to ${name}: ${JSON.stringify(seen)}`);
}
