// Dialogs: modal, closed with Escape, and the focus goes back to where it was.

import { h, name } from "./dom.js";

/**
 * Opens a dialog and resolves, when it is closed, to what its form returned, or null.
 * `content(close)` gives the nodes between heading and buttons; `submit(form)` may return a promise, and a text that it throws stays
 * in the dialog; `buttons` are added before the first one.
 */
export function open({ title, content, action, submit, cancel = "Cancel", kind = "" }) {
    return new Promise((resolve) => {
        const heading = name("dialog");
        const before = document.activeElement;
        const problem = h("p", { class: "problem", role: "alert" });
        let result = null;
        const close = (value) => {
            result = value;
            dialog.close();
        };
        const main = action && h("button", { type: "submit", class: "main" }, action);
        const form = h(
            "form",
            { method: "dialog", novalidate: true },
            h("h2", { id: heading, tabindex: "-1" }, title),
            content(close),
            problem,
            h("div", { class: "buttons" }, h("button", { type: "button", on: { click: () => close(null) } }, cancel), main),
        );
        form.addEventListener("submit", async (event) => {
            event.preventDefault();
            problem.textContent = "";
            if (main) main.disabled = true;
            try {
                close(await submit(form));
            } catch (error) {
                problem.textContent = [error.message, error.hint].filter(Boolean).join(" ");
            } finally {
                if (main) main.disabled = false;
            }
        });
        const dialog = h("dialog", { class: `dialog ${kind}`, "aria-labelledby": heading }, form);
        dialog.addEventListener("close", () => {
            dialog.remove();
            if (before?.isConnected) before.focus();
            resolve(result);
        });
        document.body.append(dialog);
        dialog.showModal();
        (form.querySelector("input, select, textarea") ?? form.querySelector("h2")).focus();
    });
}
