// Before anything is painted: the colours that were chosen here before. Without a choice they are those of the system.
{
    let chosen = "";
    try {
        chosen = localStorage.getItem("cocoon-theme") ?? "";
    } catch {
        // A browser that keeps nothing for this page shows the system's colours.
    }
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
