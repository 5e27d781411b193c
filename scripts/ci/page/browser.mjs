// The browser, and what is watched in every page that it opens: nothing may be asked of another origin, and nothing may be
// complained of in the console.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Rules of accessibility: WCAG 2.2 at the levels A and AA, and what is good practice beyond.
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// A browser whose pages are watched: they may ask `origins` and nobody else.
export class Browser {
    constructor(context, url, pictures) {
        this.context = context;
        this.url = url;
        this.pictures = pictures;
        this.complaints = [];
    }

    static async open(url, origins, executablePath, profile, pictures) {
        const context = await chromium.launchPersistentContext(profile, {
            executablePath,
            args: FLAGS,
            viewport: { width: 1280, height: 860 },
            colorScheme: "light",
        });
        const browser = new Browser(context, url, pictures);
        context.setDefaultTimeout(20_000);
        context.on("request", (request) => {
            if (!origins.includes(new URL(request.url()).origin)) browser.complaints.push(`asked ${request.url()}`);
        });
        context.on("console", (message) => {
            if (["error", "warning"].includes(message.type())) browser.complaints.push(`${message.type()}: ${message.text()}`);
        });
        context.on("weberror", (error) => browser.complaints.push(`thrown: ${error.error().message}`));
        for (const page of context.pages()) await page.close();
        return browser;
    }

    /// A page that says what it transfers: `sizes` has the bytes on the wire of each file.
    async page(path = "/", origin = this.url) {
        const page = await this.context.newPage();
        const wire = await this.context.newCDPSession(page);
        const names = new Map();
        page.sizes = new Map();
        await wire.send("Network.enable");
        wire.on("Network.responseReceived", ({ requestId, response }) => names.set(requestId, new URL(response.url).pathname));
        wire.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => page.sizes.set(names.get(requestId), encodedDataLength));
        await page.goto(origin + path);
        return page;
    }

    async close() {
        await this.context.close();
    }

    /// Whether there was anything to complain of; what was expected is taken out before.
    assertQuiet() {
        assert.deepEqual(this.complaints, [], "the page asked elsewhere or complained");
    }

    async picture(page, name) {
        await page.screenshot({ path: join(this.pictures, `${name}.png`), animations: "disabled" });
    }
}

/// Browsers write every refused request into the console: those for what is not there, not yet or never, were wanted.
export function forgive(browser) {
    browser.complaints = browser.complaints.filter((line) => !/^error: Failed to load resource.*\b(404|503)\b/.test(line));
}

/// Runs axe-core over a page as it stands. Contrast is part of it.
export async function accessible(page, what) {
    await page.evaluate(axe);
    const { passes, violations } = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
    const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`);
    assert.deepEqual(told, [], `axe-core finds fault with ${what}`);
    assert.ok(passes.length >= 15, `axe-core looked at ${what} (${passes.length} rules passed)`);
}

/// Nothing is wider than the window: nobody has to scroll sideways to read.
export async function fits(page, what) {
    const wide = await page.evaluate(() => {
        if (document.documentElement.scrollWidth <= innerWidth) return [];
        const beyond = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1);
        return beyond.slice(0, 5).map((element) => `${element.tagName}.${element.className}`);
    });
    assert.deepEqual(wide, [], `${what} is wider than its window`);
}
