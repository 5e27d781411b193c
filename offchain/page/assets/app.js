// The beginning: which parts there are, where the reader is among them, and what is said on every page.

import { json, key, onMissingKey } from "./api.js";
import { fill, h } from "./dom.js";
import { askForKey } from "./key.js";
import { failed } from "./notice.js";
import { warn } from "./simulated.js";
import { watchBalance } from "./balance.js";
import { chooseTheme } from "./appearance.js";

/** Parts by name. Each module has `show(place, rest)`, which fills the place and returns what ends it, if anything does. */
const PARTS = {
    chat: { title: "Chat", load: () => import("./chat.js") },
    wallet: { title: "Wallet", load: () => import("./wallet.js") },
    network: { title: "Network", load: () => import("./network.js") },
};

const main = document.getElementById("main");
let parts = [];
let leave = null;
let turn = 0;

/** The part and the rest of a place such as `#/network/receipts/ab12`. */
function here() {
    const [part, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
    return { part: parts.includes(part) ? part : parts[0], rest };
}

/** What is not encoded as it should be stays as it is. */
function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

async function go(isFirst) {
    const { part, rest } = here();
    for (const link of document.querySelectorAll("#parts a")) {
        if (link.dataset.part === part) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
    turn += 1;
    const mine = turn;
    leave?.();
    leave = null;
    document.title = `${PARTS[part].title} – Cocoon`;
    try {
        const module = await PARTS[part].load();
        if (mine !== turn) return;
        leave = module.show(main, rest) ?? null;
    } catch (error) {
        fill(main, failed(error, () => go(false)));
    }
    if (!isFirst) (main.querySelector("h1") ?? main).focus();
}

async function start() {
    try {
        const page = await json("/v1/cocoon/page");
        parts = page.parts.filter((part) => part in PARTS);
        warn(page.simulated);
    } catch (error) {
        fill(main, failed(error, start));
        return;
    }
    const link = (part) => h("li", null, h("a", { href: `#/${part}`, "data-part": part }, PARTS[part].title));
    fill(document.getElementById("parts"), parts.map(link));
    addEventListener("hashchange", () => {
        // `#main` is where the first link of the page leads, not a part.
        if (location.hash === "" || location.hash.startsWith("#/")) go(false);
    });
    if (parts.includes("wallet")) watchBalance(document.getElementById("state"));
    await go(true);
}

document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
    main.scrollIntoView();
});
const keyButton = document.getElementById("key");
const showKey = () => (keyButton.hidden = !key());
keyButton.addEventListener("click", async () => {
    await askForKey("The key of this tab. Forget it to go on without one.");
    showKey();
});
onMissingKey(async () => {
    const has = await askForKey("This runner answers only to who has an API key.");
    showKey();
    return has;
});
showKey();
chooseTheme(document.getElementById("theme"));
start();
