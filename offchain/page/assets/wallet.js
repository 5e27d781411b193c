// The wallet and its channels: what is paid in, used and left, and the operations that change it.

import { json } from "./api.js";
import { fill, h, table, terms } from "./dom.js";
import { count, grouped, long, moment, nanoton, ton, worded } from "./format.js";
import { failed, freshness, loading } from "./notice.js";
import { follow, perform, statusWords } from "./operate.js";

const EVERY = 5000;

/** What each operation is called here. */
const TITLES = { topup: "Top up …", stake: "Raise the stake …", withdraw: "Withdraw …", close: "Close …" };

export function show(place) {
    const body = h("div", { class: "wallet" }, loading("Reading the channels"));
    const progress = h("div", { class: "progress", "aria-live": "polite" });
    fill(place, h("header", { class: "head" }, h("h1", { tabindex: "-1" }, "Wallet and channels")), progress, body);
    let isShown = true;
    let timer = null;

    async function refresh() {
        clearTimeout(timer);
        try {
            const [page, { operations }] = await Promise.all([json("/v1/cocoon/channel"), json("/v1/cocoon/channel/operations")]);
            if (isShown) draw(page, operations);
        } catch (error) {
            if (isShown) fill(body, failed(error, refresh));
            return;
        }
        if (isShown) timer = setTimeout(refresh, EVERY);
    }

    /** The buttons are made once for each channel: a redraw must not take the focus from one. */
    function draw(page, operations) {
        const focused = document.activeElement?.dataset?.act;
        fill(
            body,
            freshness(page.as_of),
            sums(page),
            page.channels.length === 0 && h("p", { class: "empty" }, "There is no channel yet: one is opened when the client meets a proxy."),
            page.channels.map((channel) => channelView(channel, page, act)),
            history(operations),
            closed(page.closed ?? []),
        );
        if (focused) body.querySelector(`[data-act="${CSS.escape(focused)}"]`)?.focus();
    }

    async function act(channel, operation) {
        clearTimeout(timer);
        const planning = () => fill(progress, h("div", { class: "notice" }, loading("Trying it out on the chain")));
        try {
            const started = await perform(channel, operation, planning);
            fill(progress);
            if (started) {
                await follow(started, progress, () => isShown && refresh());
                dispatchEvent(new CustomEvent("cocoon:spent"));
            }
        } catch (error) {
            fill(progress, failed(error));
        }
        if (isShown) refresh();
    }

    refresh();
    return () => {
        isShown = false;
        clearTimeout(timer);
    };
}

function sums(page) {
    const total = (key) => page.channels.reduce((sum, channel) => sum + (nanoton(channel[key]) ?? 0n), 0n);
    const tokens = page.channels.reduce((sum, channel) => sum + (channel.left_tokens ?? 0), 0);
    const figure = (label, value, more) => h("div", { class: "figure" }, h("dt", null, label), h("dd", null, h("strong", null, value), more && h("span", null, more)));
    return h(
        "dl",
        { class: "figures" },
        figure("Left to spend", ton(total("left")), `${count(tokens, "token")} at the plain price`),
        figure("Paid in", ton(total("balance")), `${ton(total("owed"))} of it is used and not charged yet`),
        figure("In the wallet", ton(page.wallet.balance), page.wallet.is_sending ? "a message of it is under way" : null),
    );
}

function channelView(channel, page, act) {
    const button = (operation) =>
        h(
            "button",
            {
                type: "button",
                class: operation === "topup" ? "main" : null,
                "data-act": `${operation}-${channel.contract}`,
                on: { click: () => act(channel, operation) },
            },
            TITLES[operation] ?? operation,
        );
    const allowed = channel.operations.filter((operation) => operation in TITLES);
    const where = channel.proxy_address ? ` at ${channel.proxy_address}` : "";
    return h(
        "section",
        { class: "card channel", "aria-label": `Channel to the proxy${where}`, "data-contract": channel.contract },
        h(
            "header",
            null,
            h("h2", null, `Channel to the proxy${where}`),
            h("p", { class: `tag ${channel.is_connected ? "good" : ""}` }, channel.is_connected ? "Connected" : "Not connected"),
            h("p", { class: "tag" }, stateWords(channel)),
        ),
        gauge(channel),
        terms(
            ["Left", h("span", { "data-left": true }, ton(channel.left)), ` – ${count(channel.left_tokens ?? 0, "token")}`],
            ["Paid in", h("span", { "data-balance": true }, ton(channel.balance))],
            ["Stake", ton(channel.stake), " – stays paid in until the channel is closed"],
            ["Used", `${count(channel.tokens_used, "token")}, ${grouped(channel.tokens_signed)} of them in the proxy’s latest voucher, ${grouped(channel.tokens_charged)} charged on chain`],
            ["Owed", ton(channel.owed), " – used and not charged yet"],
            channel.reserved !== null && ["Reserved", ton(channel.reserved), " – for requests that run now"],
            ["Price", `${ton(channel.price_per_token)} for a token`],
            channel.unlocks_at && ["Closes", moment(channel.unlocks_at * 1000)],
            ["Contract", long(channel.contract)],
            ["Proxy", long(channel.proxy)],
        ),
        page.operations_allowed
            ? h("div", { class: "buttons" }, allowed.map(button))
            : h("p", { class: "notice" }, "This client lets no page move its coins: its owner does it at the command line."),
    );
}

function stateWords(channel) {
    const words = { normal: "Open", closing: "Closing", closed: "Closed", absent: "Not on chain yet" };
    return words[channel.state] ?? channel.state;
}

/** How much of what is paid in is used up, is left beyond the stake, and is stake: as a bar whose words are beside it. */
function gauge(channel) {
    const [balance, left, stake] = [channel.balance, channel.left, channel.stake].map((value) => nanoton(value) ?? 0n);
    if (balance <= 0n) return null;
    const part = (value) => Number((value * 10_000n) / balance) / 100;
    const bar = h("div", { class: "gauge", role: "img", "aria-label": `${part(left).toFixed(1)} % of what is paid in is left` });
    const piece = (kind, share) => {
        const element = h("span", { class: kind });
        element.style.setProperty("width", `${Math.max(0, Math.min(100, share))}%`);
        bar.append(element);
    };
    const free = left > stake ? left - stake : 0n;
    piece("free", part(free));
    piece("stake", part(left < stake ? left : stake));
    const legend = h(
        "p",
        { class: "legend", "aria-hidden": "true" },
        h("span", { class: "free" }, "can be spent or withdrawn"),
        h("span", { class: "stake" }, "stake"),
        h("span", { class: "used" }, "used"),
    );
    return [bar, legend];
}

function history(operations) {
    if (operations.length === 0) return null;
    return h(
        "section",
        { class: "card" },
        h("h2", null, "Operations since the client started"),
        table(
            "Operations",
            [
                { title: "What", cell: (row) => worded(row.says) },
                { title: "How it stands", cell: (row) => statusWords(row) },
                { title: "Began", cell: (row) => moment(row.started_at * 1000) },
                { title: "Fees", number: true, cell: (row) => ton(row.fees) },
                { title: "Transaction", cell: (row) => long(row.transaction) },
            ],
            operations,
        ),
    );
}

function closed(contracts) {
    if (contracts.length === 0) return null;
    return h(
        "section",
        { class: "card" },
        h("h2", null, "Closed channels"),
        table(
            "Closed channels",
            [
                { title: "Contract", cell: (row) => long(row.contract) },
                { title: "Tokens charged", number: true, cell: (row) => grouped(row.tokens_charged) },
                { title: "Tokens of receipts", number: true, cell: (row) => grouped(row.tokens_of_receipts) },
                { title: "Unexplained", number: true, cell: (row) => grouped(row.unexplained) },
            ],
            contracts,
        ),
    );
}
