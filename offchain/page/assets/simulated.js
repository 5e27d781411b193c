// The loud word where hardware, chain or both are simulated.

import { fill, h } from "./dom.js";

const place = document.getElementById("simulated");

/** Shows or hides the warning. What is not known is said too: silence would read as safety. */
export function warn(simulated) {
    if (simulated === false) {
        place.hidden = true;
        return;
    }
    const words =
        simulated === true
            ? "Test machines that protect nothing, test coins that are worth nothing. Send no secrets."
            : "It is not known yet whether hardware and chain are real. Send no secrets until it is.";
    fill(place, h("strong", null, simulated === true ? "SIMULATED" : "UNKNOWN"), h("span", null, words));
    place.hidden = false;
    // What is stuck below the warning stands below all of its lines.
    const measure = () => document.documentElement.style.setProperty("--warning", `${place.offsetHeight}px`);
    new ResizeObserver(measure).observe(place);
}
