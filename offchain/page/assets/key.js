// The API key of this tab.

import { key, setKey } from "./api.js";
import { open } from "./dialog.js";
import { h, name } from "./dom.js";

/** Asks for a key. Resolves to whether there is one that was not there before. */
export async function askForKey(why) {
    const field = name("key");
    const input = h("input", {
        id: field,
        name: "key",
        type: "password",
        autocomplete: "off",
        spellcheck: "false",
        "aria-describedby": `${field}-why`,
    });
    const given = await open({
        title: "API key",
        action: "Use this key",
        content: (close) => [
            h("p", { id: `${field}-why` }, why, " It is kept in this tab until you close it, and sent to this page’s own server only."),
            h("label", { for: field }, "Key"),
            input,
            key() && h("p", null, h("button", { type: "button", on: { click: () => close("") } }, "Forget the key")),
        ],
        submit: () => {
            const value = input.value.trim();
            if (!/^[\x21-\x7e]+$/.test(value)) throw new Error("A key has letters, digits and signs, and no spaces.");
            return value;
        },
    });
    if (given === null) return false;
    setKey(given);
    return given !== "";
}
