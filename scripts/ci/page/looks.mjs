// How every part looks: both themes, wide, narrow and enlarged, each through axe-core and into a picture.

import assert from "node:assert/strict";

import { accessible, fits } from "./browser.mjs";

const PLACES = {
    chat: ["#/chat", "textarea"],
    wallet: ["#/wallet", "[data-balance]"],
    rules: ["#/network/root", ".card"],
    proxies: ["#/network/proxies", ".card"],
    workers: ["#/network/workers", ".data"],
    models: ["#/network/models", ".card"],
    receipts: ["#/network/receipts", ".data"],
    anchors: ["#/network/anchors", ".network p"],
    settlements: ["#/network/feed", ".feed"],
};

/// Of twice the size in a window of 1280 by 960: what a browser's zoom of 200 % leaves.
const WINDOWS = { wide: { width: 1280, height: 860 }, narrow: { width: 320, height: 700 }, enlarged: { width: 640, height: 480 } };

export async function looks(browser, receipt) {
    const page = await browser.page();
    const places = { ...PLACES, receipt: [`#/network/receipts/${receipt}`, "[data-verdict]"] };
    let seen = 0;
    for (const colorScheme of ["light", "dark"]) {
        for (const [size, viewport] of Object.entries(WINDOWS)) {
            await page.setViewportSize(viewport);
            await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
            for (const [name, [place, mark]] of Object.entries(places)) {
                await page.goto(`${browser.url}/${place}`);
                await page.locator(mark).first().waitFor();
                const what = `${name}, ${size}, ${colorScheme}`;
                await fits(page, what);
                if (size !== "enlarged") {
                    await accessible(page, what);
                    await browser.picture(page, `${name}-${size}-${colorScheme}`);
                }
                seen += 1;
            }
        }
    }
    await switched(page, browser);
    await page.close();
    return `${seen} views`;
}

/// The switch is stronger than the system, and is remembered.
async function switched(page, browser) {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.setViewportSize(WINDOWS.wide);
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(`${browser.url}/#/chat`);
    const light = await ground();
    await page.getByLabel("Colours").selectOption("dark");
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), dark);
    await page.getByLabel("Colours").selectOption("");
    assert.equal(await ground(), light);
}
