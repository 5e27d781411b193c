// Requests to the runner that served this page, and to nobody else.

const KEY = "cocoon-api-key";
let waiting = null;
let askForKey = async () => false;

/** A refusal, in the runner's words. */
export class Refused extends Error {
    constructor(status, message, hint = null, code = null) {
        super(message);
        this.status = status;
        this.hint = hint;
        this.code = code;
    }
}

/** How a person is asked for a key: resolves to whether there is one to try. */
export function onMissingKey(ask) {
    askForKey = ask;
}

/** Where the key is while a browser gives no storage: until the page is left. */
let kept = "";

/** The key of this tab. */
export function key() {
    try {
        return sessionStorage.getItem(KEY) ?? kept;
    } catch {
        return kept;
    }
}

/** Keeps a key until this tab is closed; an empty one forgets it. */
export function setKey(value) {
    kept = value;
    try {
        if (value) sessionStorage.setItem(KEY, value);
        else sessionStorage.removeItem(KEY);
    } catch {
        // It is kept above.
    }
}

/** A response with a good status. Asks for a key when one is wanted, once for all requests that miss it. */
export async function call(path, { method = "GET", body, headers = {}, signal } = {}) {
    for (let isRetry = false; ; isRetry = true) {
        const response = await fetch(path, {
            method,
            signal,
            cache: "no-store",
            credentials: "omit",
            headers: {
                ...(key() && { authorization: `Bearer ${key()}` }),
                ...(body !== undefined && { "content-type": "application/json" }),
                ...headers,
            },
            body: body === undefined ? undefined : JSON.stringify(body),
        }).catch((error) => {
            if (error.name === "AbortError") throw error;
            throw new Refused(0, "The runner of this page does not answer.", "Is it still running?");
        });
        if (response.ok) return response;
        if (response.status === 401 && !isRetry) {
            waiting ??= askForKey().finally(() => (waiting = null));
            if (await waiting) continue;
        }
        throw await refusal(response);
    }
}

/** The JSON of a good response. */
export async function json(path, options) {
    const response = await call(path, options);
    return response.json();
}

/** The runner's words, in OpenAI's shape or its own. */
async function refusal(response) {
    const text = await response.text();
    let said = null;
    try {
        said = JSON.parse(text);
    } catch {
        // Not JSON: the status has to do.
    }
    const error = said?.error ?? {};
    const message = typeof error === "string" ? error : error.message;
    const hint = said?.hint ?? error.hint ?? null;
    return new Refused(response.status, message || `The runner answered with status ${response.status}.`, hint, error.code ?? null);
}
