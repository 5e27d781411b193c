// Drives the web page of a client in a browser. The first difference ends it with an error.
// Usage: node page.mjs URL EXPLORER CHROMIUM PROFILE PICTURES

import assert from "node:assert/strict";

import { Browser } from "./browser.mjs";
import { chats, forged, goesOn, stopped } from "./chat.mjs";
import { explores } from "./explorer.mjs";
import { asksForKey } from "./key.mjs";
import { looks } from "./looks.mjs";
import { network } from "./network.mjs";
import { wallet } from "./wallet.mjs";

/// All that is loaded until the chat stands, bytes on the wire.
const BUDGET = 200 << 10;

const [url, explorer, executable, profile, pictures] = process.argv.slice(2);
const browser = await Browser.open(url, [url, explorer], executable, profile, pictures);

async function step(name, run) {
    const begun = Date.now();
    try {
        const said = await run();
        console.log(`${name}${said ? `: ${said}` : ""} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
        for (const [index, page] of browser.context.pages().entries()) await browser.picture(page, `failed-${index}`).catch(() => {});
        console.error(`${name} failed`);
        throw error;
    }
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const files = (page) => [...page.sizes].filter(([name]) => name === "/" || name.startsWith("/assets/"));
const sum = (list) => list.reduce((total, [, bytes]) => total + bytes, 0);

let page;
await step("the page is small", async () => {
    page = await browser.page();
    await page.getByRole("textbox", { name: "Your question" }).waitFor();
    await page.waitForLoadState("networkidle");
    const start = sum(files(page));
    assert.ok(files(page).length > 10, "the files were counted");
    assert.ok(start < BUDGET, `${start} bytes are loaded at the start`);
    return `${kib(start)} in ${files(page).length} files until the chat stands`;
});
let receipt;
await step("a question by keyboard alone, its answer as it comes, its receipt verified", async () => {
    receipt = await chats(browser, page);
    const verifier = sum(files(page).filter(([name]) => name.endsWith(".wasm")));
    assert.ok(verifier > 0, "the verifier was loaded");
    return `the verifier is ${kib(verifier)}, all files ${kib(sum(files(page)))}`;
});
await step("an answer is stopped and has its receipt", () => stopped(browser, page));
await step("an answer goes on while another part is looked at", () => goesOn(page));
await step("a forged receipt is refuted", () => forged(browser));
await step("a top-up with its plan, seen on chain", () => wallet(browser, page));
await step("the network, page by page, and a receipt by its id", () => network(browser, page, receipt));
await step("an explorer has the network and nothing else", () => explores(browser, explorer, receipt));
await step("a key is asked for and used", () => asksForKey(browser));
await page.close();
await step("accessible and whole in both themes, wide, narrow and enlarged", () => looks(browser, receipt));
browser.assertQuiet();
await browser.close();
