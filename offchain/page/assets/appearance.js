// The switch between light and dark.

const KEPT = "cocoon-theme";

/** Makes a choice of colours work, and remembers it in this browser. */
export function chooseTheme(select) {
    select.value = document.documentElement.dataset.theme ?? "";
    select.addEventListener("change", () => {
        if (select.value) document.documentElement.dataset.theme = select.value;
        else delete document.documentElement.dataset.theme;
        try {
            if (select.value) localStorage.setItem(KEPT, select.value);
            else localStorage.removeItem(KEPT);
        } catch {
            // Then it holds until the page is left.
        }
    });
}
