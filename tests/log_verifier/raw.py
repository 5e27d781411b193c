"""Reads the raw half of chain.json: states and transactions of contracts as the chain gave them (contracts/cocoon.tlb), so that the
decoded half need not be believed.

Checked are: histories that are chains of hashes and end at the states; keys, terms, counters and balances in the states; every
settlement and anchor as it follows from the messages; what was on the root contract's lists when, and its terms (`roots.py`). That
the chain is the real one is for the reader to compare, by the last transaction of each contract.
"""

from fault import Fault, require
from roots import RootReplay, params, root_state
from ton import Bits, Transaction, cell_of

CHARGE, GRANT_REFUND, PAYOUT, LAST_PAYOUT = 0xBB63FF93, 0xEFD711E1, 0xA040AD28, 0xF5F26A36
SETTLE_CLAIM, CLIENT_STEP, WORKER_STEP = 0x8CE57608, 0x65448FF4, 0x4D725D2C
ANCHOR, CHECKPOINT, RICH_BOUNCE = 0xD5331342, 0x405DF46E, 0xFFFFFFFE


def proxy_state(cell):
    reader = Bits(cell)
    state = {"owner": reader.text_address(), "key": reader.raw(32), "root": reader.text_address(), "state": reader.uint(2)}
    state |= {"balance": reader.coins(), "stake": reader.coins(), "unlock": reader.uint(32), "params": params(reader.reference())}
    return state


def client_state(cell):
    reader = Bits(cell)
    state = {"state": reader.uint(2), "balance": reader.coins(), "stake": reader.coins(), "tokens": reader.uint(64)}
    reader.uint(32), reader.raw(32)
    constants = reader.inside()
    return state | {"owner": constants.text_address(), "proxy": constants.text_address(), "key": constants.raw(32), "params": params(reader.reference())}


def worker_state(cell):
    reader = Bits(cell)
    state = {"owner": reader.text_address(), "proxy": reader.text_address(), "key": reader.raw(32), "state": reader.uint(2)}
    return state | {"tokens": reader.uint(64), "params": params(reader.reference())}


def _signed_tokens(body):
    """The cumulative count in a voucher."""
    payload = (body.uint(32), body.uint(64), body.any_address(), body.raw(64), body.inside())[-1]
    payload.uint(32), payload.uint(64)
    return payload.uint(64)


def _step(transaction, opcode):
    """The count that a contract told its proxy contract."""
    for message in transaction.sent:
        body = message.body()
        if body.opcode() == opcode:
            body.uint(32), body.uint(64), body.text_address()
            if opcode == WORKER_STEP:
                body.uint(2)
                return body.uint(64)
            state = body.inside()
            state.uint(2), state.coins(), state.coins()
            return state.uint(64)
    return None


def _refused(body, price):
    """Tokens of a payout that the proxy contract did not pay."""
    if body.opcode() != RICH_BOUNCE:
        return 0
    body.uint(32)
    step = body.inside()
    if step.opcode() != WORKER_STEP:
        return 0
    step.uint(32), step.uint(64), step.text_address(), step.uint(2), step.uint(64)
    if not step.uint(1):
        return 0
    payload = step.inside()
    payload.uint(32)
    return (payload.coins() + payload.coins()) // price


def settlements(transactions, role, price):
    """Charges or payouts that held: (from, tokens, lt, time)."""
    counted, held = 0, []
    vouchers = (CHARGE, GRANT_REFUND) if role == "client" else (PAYOUT, LAST_PAYOUT)
    for transaction in transactions:
        if not transaction.succeeded or transaction.taken is None:
            continue
        body = transaction.taken.body()
        if transaction.taken.bounced:
            refused = _refused(body, price) if role == "worker" else 0
            if refused:
                counted -= refused
                held.remove(next(row for row in reversed(held) if row[1] - row[0] == refused))
            continue
        tokens = None
        if body.opcode() in vouchers:
            tokens = _signed_tokens(body)
        elif body.opcode() == SETTLE_CLAIM:
            tokens = _step(transaction, CLIENT_STEP if role == "client" else WORKER_STEP)
        if tokens is not None and tokens > counted:
            held.append((counted, tokens, transaction.lt, transaction.now))
            counted = tokens
    return held


def anchors(transactions):
    """Checkpoints that the proxy contract took."""
    taken = []
    for transaction in transactions:
        if not transaction.succeeded or transaction.taken is None or transaction.taken.bounced:
            continue
        body = transaction.taken.body()
        if body.opcode() == ANCHOR:
            body.uint(32), body.uint(64), body.any_address(), body.raw(64)
            checkpoint = body.inside()
            if checkpoint.uint(32) == CHECKPOINT:
                checkpoint.text_address()
                row = {"seqno": checkpoint.uint(64), "size": checkpoint.uint(64), "root": checkpoint.raw(32).hex(), "time": checkpoint.uint(64)}
                taken.append(row)
    return taken


class Raw:
    """The contracts of a bundle."""

    def __init__(self, history):
        self.history = history
        require(isinstance(history.accounts, dict) and isinstance(history.transactions, dict), "unreadable", "chain.json: accounts and transactions are no objects")
        self.transactions = {}

    def chain(self, address):
        """A contract's history, which must be a chain of hashes from the first transaction to the state."""
        texts = self.history.transactions[address]
        require(isinstance(texts, list), "unreadable", f"chain.json: the transactions of {address} are no list")
        rows = [Transaction(cell_of(text, f"a transaction of {address}")) for text in texts]
        last = {"lt": 0, "hash": "0" * 64}
        for row in rows:
            whole = row.account == address.partition(":")[2] and row.lt > last["lt"]
            whole &= row.previous == (int(last["hash"], 16), last["lt"])
            require(whole, "unreadable", f"chain.json: transaction {row.lt} of {address} does not follow the one before")
            last = {"lt": row.lt, "hash": row.hash}
        state = self.history.accounts.get(address)
        ends = isinstance(state, dict) and (state.get("last") or {"lt": 0, "hash": "0" * 64}) == last
        require(ends, "unreadable", f"chain.json: the history of {address} does not end at its state")
        return rows

    def data(self, address):
        state = self.history.accounts.get(address)
        require(isinstance(state, dict) and state.get("status") == "active" and address in self.transactions, "unreadable", f"chain.json: the state or history of {address} is missing")
        return cell_of(state["data"], f"the data of {address}")

    def check(self):
        """The decoded half follows from this one. Gives the number of contracts."""
        try:
            self.transactions = {address: self.chain(address) for address in self.history.transactions}
            return self.compare()
        except (ValueError, LookupError, StopIteration, RecursionError) as error:
            raise Fault("unreadable", f"chain.json: a cell has another form: {error}") from error

    def compare(self):
        history = self.history
        fits = lambda condition, what: require(condition, "bundle", f"chain.json: {what} is not what follows from its transactions")
        root = RootReplay(self.transactions.get(history.root, []))
        require(root.state() == root_state(self.data(history.root)), "unreadable", "chain.json: the root contract's history does not lead to its state")
        fits(root.windows() == history.windows, "what was listed when")
        fits({version: self.terms(version) for version in history.params} == root.versions, "a version of the terms")
        fits({version: row["from"] for version, row in history.params.items()} == root.since, "since when there are terms")
        for address, row in history.proxies.items():
            state = proxy_state(self.data(address))
            fits((state["key"], state["root"]) == (history.key, history.root), f"the key or root of proxy {address}")
            fits(state["params"] == self.terms(row["params_version"]), f"the terms of proxy {address}")
            fits(state["balance"] == row["balance"], f"the balance of proxy {address}")
            fits(anchors(self.transactions[address]) == row["anchors"], f"the anchors of proxy {address}")
        for role, rows, read in (("client", history.clients, client_state), ("worker", history.workers, worker_state)):
            for address, row in rows.items():
                state = read(self.data(address))
                fits((state["key"], state["proxy"]) == (history.key, row["proxy"]), f"the key or proxy of {role} {address}")
                fits(state["params"]["version"] == history.proxies[row["proxy"]]["params_version"], f"the terms of {role} {address}")
                fits(state["tokens"] == row["tokens"], f"the tokens of {role} {address}")
                fits(role == "worker" or state["balance"] == row["balance"], f"the balance of {role} {address}")
                price = state["params"]["price_per_token"]
                held = settlements(self.transactions[address], role, price)
                said = [(one["from"], one["tokens"], one["lt"], one["time"]) for one in row["settlements"]]
                fits(held == said, f"a settlement of {role} {address}")
        return 1 + len(history.proxies) + len(history.clients) + len(history.workers)

    def terms(self, version):
        row = self.history.params.get(version, {})
        return {name: value for name, value in row.items() if name != "from"}
