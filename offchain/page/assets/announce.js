// What screen readers are told: whole sentences, not each token.

const PAUSE = 1500;
const KEPT = 20;

/** Says one thing once. */
export function say(text) {
    const place = document.getElementById("spoken");
    const line = document.createElement("p");
    line.textContent = text;
    place.append(line);
    while (place.childElementCount > KEPT) place.firstElementChild.remove();
}

/** Says a text that grows, sentence by sentence and not faster than it can be followed. */
export class Speaker {
    #waiting = "";
    #timer = null;

    add(text) {
        this.#waiting += text;
        this.#timer ??= setTimeout(() => this.#speak(false), PAUSE);
    }

    end() {
        clearTimeout(this.#timer);
        this.#speak(true);
    }

    #speak(isAll) {
        this.#timer = null;
        const end = isAll ? this.#waiting.length : lastSentence(this.#waiting);
        const said = this.#waiting.slice(0, end).trim();
        this.#waiting = this.#waiting.slice(end);
        if (said) say(said);
        if (!isAll && this.#waiting) this.#timer = setTimeout(() => this.#speak(false), PAUSE);
    }
}

/** Where the last whole sentence ends. */
function lastSentence(text) {
    let end = 0;
    for (const found of text.matchAll(/[.!?:;]\s|\n/g)) end = found.index + found[0].length;
    return end;
}
