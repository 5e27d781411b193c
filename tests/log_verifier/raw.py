"""Reads the raw half of chain.json: states and transactions of contracts as the chain gave them (`block.tlb` of TON,
contracts/cocoon.tlb), so that the decoded half need not be believed.

Checked are: histories that are chains of hashes and end at the states; keys, terms, counters and balances in the states; every
settlement and anchor as it follows from the messages; and what is on the lists now. When a hash was on a list in the past is taken
from the decoded half. That the chain is the real one is for the reader to compare, by the last transaction of each contract.
"""

import base64
import binascii

from fault import Fault, require
from cells import CellError, Reader, from_boc

CHARGE, GRANT_REFUND, PAYOUT, LAST_PAYOUT = 0xBB63FF93, 0xEFD711E1, 0xA040AD28, 0xF5F26A36
SETTLE_CLAIM, CLIENT_STEP, WORKER_STEP, WORKER_PAYOUT = 0x8CE57608, 0x65448FF4, 0x4D725D2C, 0x08E7D036
ANCHOR, CHECKPOINT, RICH_BOUNCE = 0xD5331342, 0x405DF46E, 0xFFFFFFFE
CLASSES = ("prompt", "cached", "completion", "reasoning")
PARAMS_LAYOUT = 3


class Bits(Reader):
    """Fields of TON's own types."""

    def coins(self):
        return self.uint(8 * self.uint(4)) if self.bits[:4] != "0000" else self.uint(4)

    def maybe(self, read):
        return read() if self.uint(1) else None

    def currencies(self):
        coins = self.coins()
        self.maybe(self.reference)
        return coins

    def text_address(self):
        workchain, account = self.address()
        return f"{workchain}:{account.hex()}"

    def any_address(self):
        """None, external or standard; only the last is given."""
        kind = self.bits[:2]
        if kind == "10":
            return self.text_address()
        self.take(2)
        if kind == "01":
            self.take(self.uint(9))
        elif kind != "00":
            raise CellError("an address of another kind")
        return None

    def inside(self):
        return Bits(self.reference())

    def opcode(self):
        """The first 32 bits, or None where there are fewer."""
        return int(self.bits[:32], 2) if len(self.bits) >= 32 else None


def dictionary(cell, width):
    """Key bits and the rest of each leaf of a Hashmap."""
    reader = Bits(cell)
    label = _label(reader, width)
    left = width - len(label)
    if left == 0:
        yield label, reader
        return
    for bit in "01":
        for key, value in dictionary(reader.reference(), left - 1):
            yield label + bit + key, value


def _label(reader, most):
    size = most.bit_length()
    if not reader.uint(1):
        length = 0
        while reader.uint(1):
            length += 1
    elif not reader.uint(1):
        length = reader.uint(size)
    else:
        bit, length = reader.take(1), reader.uint(size)
        return bit * length
    if length > most:
        raise CellError("a label is longer than its key")
    return reader.take(length)


class Message:
    """Where from, whether it came back, and its body."""

    def __init__(self, cell):
        reader = Bits(cell)
        self.bounced, self.source = False, None
        if not reader.uint(1):
            _, _, self.bounced = (bool(reader.uint(1)) for _ in range(3))
            self.source = reader.any_address()
            reader.any_address()
            reader.currencies()
            reader.coins(), reader.coins(), reader.uint(64), reader.uint(32)
        elif not reader.uint(1):
            reader.any_address(), reader.any_address(), reader.coins()
        else:
            reader.any_address(), reader.any_address(), reader.uint(64), reader.uint(32)
        if reader.uint(1):
            if reader.uint(1):
                reader.reference()
            else:
                reader.maybe(lambda: reader.uint(5))
                reader.maybe(lambda: reader.uint(2))
                for _ in range(3):
                    reader.maybe(reader.reference)
        self.body_cell = reader.reference() if reader.uint(1) else None
        self.rest = reader

    def body(self):
        if self.body_cell is not None:
            return Bits(self.body_cell)
        copy = Bits(_nothing)
        copy.bits, copy.references = self.rest.bits, list(self.rest.references)
        return copy


class _Nothing:
    bits, references = "", ()


_nothing = _Nothing()


class Transaction:
    """What an account took and sent, and whether it came to pass."""

    def __init__(self, cell):
        self.hash = cell.hash.hex()
        reader = Bits(cell)
        if reader.take(4) != "0111":
            raise CellError("not a transaction")
        self.account, self.lt = reader.raw(32).hex(), reader.uint(64)
        self.previous = (reader.uint(64 * 4), reader.uint(64))
        self.now, _, _, _ = reader.uint(32), reader.uint(15), reader.uint(2), reader.uint(2)
        messages = reader.inside()
        taken = messages.maybe(messages.reference)
        sent = messages.maybe(messages.reference)
        reader.currencies()
        reader.reference()
        description = reader.inside()
        self.taken = Message(taken) if taken else None
        self.sent = [Message(value.reference()) for _, value in dictionary(sent, 15)] if sent else []
        self.succeeded = _succeeded(description)


def _succeeded(reader):
    """Of an ordinary transaction: not aborted."""
    if reader.take(4) != "0000":
        return False
    reader.uint(1)
    if reader.uint(1):  # storage phase
        reader.coins(), reader.maybe(reader.coins)
        if reader.uint(1):
            reader.uint(1)
    if reader.uint(1):  # credit phase
        reader.maybe(reader.coins), reader.currencies()
    if reader.uint(1):  # compute phase
        reader.uint(3), reader.coins(), reader.reference()
    elif reader.uint(2) == 3:
        reader.uint(1)
    reader.maybe(reader.reference)
    return not reader.uint(1)


# What contracts hold and say.


def params(cell):
    """Version and prices of the terms."""
    reader = Bits(cell)
    if reader.uint(8) != PARAMS_LAYOUT:
        raise CellError("terms of another layout")
    version, _, _ = reader.uint(32), reader.uint(32), reader.uint(1)
    price, fee = reader.coins(), reader.coins()
    multipliers = {name: reader.uint(32) for name in CLASSES}
    return {"version": version, "price_per_token": price, "worker_fee_per_token": fee, "multipliers": multipliers}


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


def root_state(cell):
    """The lists as they are now, and the terms."""
    reader = Bits(cell)
    reader.text_address(), reader.uint(32)
    data, terms = reader.inside(), reader.reference()
    proxies = data.maybe(data.reference)
    data.maybe(data.reference), data.uint(32)
    lists = {"proxy_image": proxies, "worker_image": data.maybe(data.reference), "model": data.maybe(data.reference)}
    listed = {(kind, f"{int(key, 2):064x}") for kind, hashes in lists.items() if hashes for key, _ in dictionary(hashes, 256)}
    return listed, params(terms)


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


def cell_of(text, what):
    try:
        return from_boc(base64.b64decode(text, validate=True))
    except (binascii.Error, TypeError, CellError) as error:
        raise Fault("bundle", f"chain.json: {what} is no bag of cells") from error


class Raw:
    """The contracts of a bundle."""

    def __init__(self, history):
        self.history = history
        require(isinstance(history.accounts, dict) and isinstance(history.transactions, dict), "bundle", "chain.json: accounts and transactions are no objects")
        self.transactions = {address: self.chain(address) for address in history.transactions}

    def chain(self, address):
        """A contract's history, which must be a chain of hashes from the first transaction to the state."""
        rows = [Transaction(cell_of(text, f"a transaction of {address}")) for text in self.history.transactions[address]]
        last = {"lt": 0, "hash": "0" * 64}
        for row in rows:
            whole = row.account == address.partition(":")[2] and row.lt > last["lt"]
            whole &= row.previous == (int(last["hash"], 16), last["lt"])
            require(whole, "bundle", f"chain.json: transaction {row.lt} of {address} does not follow the one before")
            last = {"lt": row.lt, "hash": row.hash}
        state = self.history.accounts.get(address)
        ends = isinstance(state, dict) and (state.get("last") or {"lt": 0, "hash": "0" * 64}) == last
        require(ends, "bundle", f"chain.json: the history of {address} does not end at its state")
        return rows

    def data(self, address):
        state = self.history.accounts.get(address)
        require(isinstance(state, dict) and state.get("status") == "active" and address in self.transactions, "bundle", f"chain.json: the state or history of {address} is missing")
        return cell_of(state["data"], f"the data of {address}")

    def check(self):
        """The decoded half follows from this one. Gives the number of contracts."""
        try:
            return self.compare()
        except CellError as error:
            raise Fault("bundle", f"chain.json: a cell has another form: {error}") from error

    def compare(self):
        history = self.history
        fits = lambda condition, what: require(condition, "bundle", f"chain.json: {what} is not what follows from its transactions")
        listed, terms = root_state(self.data(history.root))
        told = {key for key, windows in history.windows.items() if windows[-1][1] is None}
        fits(told <= listed <= set(history.windows), "what is listed now")
        fits(terms == self.terms(terms["version"]), "the newest version of the terms")
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
