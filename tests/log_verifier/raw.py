"""Reads the raw half of chain.json: states and transactions of contracts as the chain gave them (contracts/cocoon.tlb), so that the
decoded half need not be believed.

Checked are: histories that are chains of hashes and end at the states; keys, terms, counters and balances in the states; every
settlement and anchor as it follows from the messages; what was on the root contract's lists when, and its terms (`roots.py`); that no
contract is left out: each version of the terms has one proxy contract, and clients and workers wrote to theirs (`addresses.py`). That
the chain is the real one is for the reader to compare, by the last transaction of each contract.
"""

from addresses import CODES, client_address, proxy_address, read_terms, worker_address, write_terms
from fault import Fault, require
from roots import RootReplay, params, root_state
from ton import Bits, Transaction, cell_of

CHARGE, GRANT_REFUND, PAYOUT, LAST_PAYOUT = 0xBB63FF93, 0xEFD711E1, 0xA040AD28, 0xF5F26A36
SETTLE_CLAIM, CLIENT_STEP, WORKER_STEP = 0x8CE57608, 0x65448FF4, 0x4D725D2C
ANCHOR, CHECKPOINT, RICH_BOUNCE = 0xD5331342, 0x405DF46E, 0xFFFFFFFE
WITHDRAW, TEXT, TOP_UP, REFUND, FORCED_REFUND = 0x7610E6EB, 0, 0x5CFC6B87, 0xC68EBC7B, 0xF4C354C9
CLOSED = 2
NOTHING = {"lt": 0, "hash": "0" * 64}


def proxy_state(cell):
    reader = Bits(cell)
    state = {"owner": reader.text_address(), "key": reader.raw(32), "root": reader.text_address(), "state": reader.uint(2)}
    state |= {"balance": reader.coins(), "stake": reader.coins(), "unlock": reader.uint(32), "terms": read_terms(reader.reference())}
    tail = reader.inside() if reader.references else None
    state["anchor"] = None
    if tail and (tail.uint(1), tail.uint(1))[1]:
        state["anchor"] = {"seqno": tail.uint(64), "size": tail.uint(64), "root": tail.raw(32).hex(), "time": tail.uint(64)}
    return state


def _books(reader):
    """What a client's data and its notices begin with."""
    return {"state": reader.uint(2), "balance": reader.coins(), "stake": reader.coins(), "tokens": reader.uint(64)}


def client_state(cell):
    reader = Bits(cell)
    state = {"books": _books(reader)}
    reader.uint(32), reader.raw(32)
    constants = reader.inside()
    state |= {"owner": constants.text_address(), "proxy": constants.text_address(), "key": constants.raw(32), "terms": read_terms(reader.reference())}
    return state | {"tokens": state["books"]["tokens"], "balance": state["books"]["balance"]}


def worker_state(cell):
    reader = Bits(cell)
    state = {"owner": reader.text_address(), "proxy": reader.text_address(), "key": reader.raw(32), "state": reader.uint(2)}
    return state | {"tokens": reader.uint(64), "terms": read_terms(reader.reference())}


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
            return _books(body.inside())["tokens"]
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
    if not step.uint(1) or not price:
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


def client_books(transactions, stake):
    """State, balance, stake and tokens as the contract told them last, with what the proxy contract refused since."""
    books = {"state": 0, "balance": 0, "stake": stake, "tokens": 0}
    for transaction in transactions:
        if not transaction.succeeded or transaction.taken is None:
            continue
        if transaction.taken.bounced:
            body = transaction.taken.body()
            step = (body.uint(32), body.inside())[1]
            step.uint(32), step.uint(64), step.text_address(), step.reference()
            payload = step.maybe(step.inside)
            asked = payload.uint(32) if payload else None
            if asked == TOP_UP:
                books["balance"] -= min(payload.coins(), books["balance"])
            elif asked in (REFUND, FORCED_REFUND):
                books["balance"] += payload.coins()
                # A close that came with it is undone as well: to what, the notices do not tell.
                books["state"] = None if books["state"] == CLOSED else books["state"]
            continue
        for message in transaction.sent:
            body = message.body()
            if body.opcode() == CLIENT_STEP:
                body.uint(32), body.uint(64), body.text_address()
                books = _books(body.inside())
    return books


def earned(transactions):
    """What a proxy contract kept of payouts and did not withdraw."""
    balance = 0
    for transaction in transactions:
        if not transaction.succeeded or transaction.taken is None or transaction.taken.bounced:
            continue
        body = transaction.taken.body()
        opcode = body.opcode()
        if opcode == WORKER_STEP:
            body.uint(32), body.uint(64), body.text_address(), body.uint(2), body.uint(64)
            payout = body.maybe(body.inside)
            if payout:
                payout.uint(32), payout.coins()
                balance += payout.coins()
        elif opcode == WITHDRAW or opcode == TEXT and body.bits[32:] == f"{ord('w'):08b}":
            balance = 0
    return balance


def heard_of(transactions, proxy, state):
    """Client and worker contracts that wrote to a proxy contract. Anybody may send such a message; only they have the addresses that
    follow from its terms and its key."""
    found = {"client": set(), "worker": set()}
    for transaction in transactions:
        message = transaction.taken
        if message is None or message.bounced or message.source is None:
            continue
        body = message.body()
        opcode = body.opcode()
        for role, step, address in (("client", CLIENT_STEP, client_address), ("worker", WORKER_STEP, worker_address)):
            if opcode != step or message.source in found[role]:
                continue
            try:
                owner = (body.uint(32), body.uint(64), body.text_address())[2]
            except ValueError:
                continue
            if message.source == address(owner, proxy, state["key"], state["terms"]):
                found[role].add(message.source)
    return found


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
        texts, state = self.history.transactions.get(address, []), self.history.accounts.get(address)
        require(isinstance(texts, list), "unreadable", f"chain.json: the transactions of {address} are no list")
        require(isinstance(state, dict), "unreadable", f"chain.json: the state of {address} is missing")
        rows = [Transaction(cell_of(text, f"a transaction of {address}")) for text in texts]
        last = NOTHING
        for row in rows:
            whole = row.account == address.partition(":")[2] and row.lt > last["lt"]
            whole &= row.previous == (int(last["hash"], 16), last["lt"])
            require(whole, "unreadable", f"chain.json: transaction {row.lt} of {address} does not follow the one before")
            last = {"lt": row.lt, "hash": row.hash}
        require((state.get("last") or NOTHING) == last, "unreadable", f"chain.json: the history of {address} does not end at its state")
        # Servers have two words for what is not there.
        told, found = state.get("status"), rows[-1].status if rows else "none"
        same = told == found or (told, found) in (("none", "uninit"), ("uninit", "none"))
        require(same, "unreadable", f"chain.json: {address} is said to be {told}, its history leaves it {found}")
        is_whole = all(isinstance(state.get(name), str) == (told == "active") for name in ("code", "data"))
        require(is_whole, "unreadable", f"chain.json: code or data of {address} is missing")
        return rows

    def account(self, address):
        """Code and data of a contract that is there."""
        state = self.history.accounts.get(address)
        require(isinstance(state, dict) and state.get("status") == "active", "unreadable", f"chain.json: the state of {address} is missing")
        return cell_of(state["code"], f"the code of {address}"), cell_of(state["data"], f"the data of {address}")

    def check(self):
        """The decoded half follows from this one. Gives the number of contracts."""
        try:
            addresses = sorted({*self.history.accounts, *self.history.transactions})
            self.transactions = {address: self.chain(address) for address in addresses}
            return self.compare()
        except (ValueError, LookupError, StopIteration, RecursionError) as error:
            raise Fault("unreadable", f"chain.json: a cell has another form: {error}") from error

    def compare(self):
        history = self.history
        require(history.root in self.transactions, "unreadable", "chain.json: the root contract is missing")
        root = RootReplay(self.transactions[history.root])
        code, data = self.account(history.root)
        (listed, terms), (own_listed, own_terms) = root.state(), root_state(data)
        leads = listed == own_listed and same_terms(terms, own_terms) and root.code.hash == code.hash
        require(leads, "unreadable", "chain.json: the root contract's history does not lead to its state")
        fits(root.windows() == history.windows, "what was listed when")
        versions = {version: params(terms) for version, terms in root.versions.items()}
        fits({version: self.terms(version) for version in history.params} == versions, "a version of the terms")
        fits({version: row["from"] for version, row in history.params.items()} == root.since, "since when there are terms")
        states = self.proxies(root)
        found = {"client": set(), "worker": set()}
        for address, state in states.items():
            for role, contracts in heard_of(self.transactions[address], address, state).items():
                found[role] |= contracts
        for role, rows, read in (("client", history.clients, client_state), ("worker", history.workers, worker_state)):
            for address in sorted(found[role]):
                require(self.transactions.get(address), "unreadable", f"chain.json: {role} {address} wrote to its proxy contract, its history is missing")
                is_there = self.transactions[address][-1].status == "active"
                require(address in rows or not is_there, "bundle", f"chain.json: {role} {address} wrote to its proxy contract, the facts leave it out")
            for address, row in rows.items():
                self.child(role, address, row, read, states)
        named = {history.root, *history.proxies, *history.clients, *history.workers}
        there = {address for address in self.transactions if history.accounts[address]["status"] == "active"}
        fits(named == there, "which contracts there are")
        return len(named)

    def proxies(self, root):
        """States of the proxy contracts, each of which has the address that follows from its version of the terms."""
        history, states = self.history, {}
        for address, row in history.proxies.items():
            code, data = self.account(address)
            state = states[address] = proxy_state(data)
            whole, version = root.versions.get(row["params_version"]), row["params_version"]
            fits((state["key"], state["root"]) == (history.key, history.root), f"the key or root of proxy {address}")
            fits(same_terms(state["terms"], whole, CODES[1:]), f"the terms of proxy {address}")
            expected = proxy_address(state["owner"], history.key, history.root, whole)
            fits(expected == address and code.hash == whole["proxy_code"].hash, f"the address or code of proxy {address}")
            fits(state["balance"] == row["balance"], f"the balance of proxy {address}")
            balance = 0 if state["state"] == CLOSED else earned(self.transactions[address])
            require(balance == state["balance"], "balance", f"proxy {address}: its history earned {balance}, it holds {state['balance']}")
            held = anchors(self.transactions[address])
            fits(held == row["anchors"], f"the anchors of proxy {address}")
            require(state["anchor"] == (held[-1] if held else None), "anchor", f"proxy {address}: it holds another checkpoint than its history anchored")
        # Of the same owner under each version; one that was never made is among the accounts, too: as not there.
        owner = states[history.proxy]["owner"]
        for version, whole in root.versions.items():
            if whole["proxy_code"] is None:
                continue
            expected = proxy_address(owner, history.key, history.root, whole)
            require(expected in self.transactions, "unreadable", f"chain.json: proxy {expected} of version {version} of the terms is missing")
        return states

    def child(self, role, address, row, read, states):
        """A client or worker contract against its facts."""
        code, data = self.account(address)
        state, proxy, own = read(data), states[row["proxy"]], self.transactions[address]
        fits((state["key"], state["proxy"]) == (self.history.key, row["proxy"]), f"the key or proxy of {role} {address}")
        fits(same_terms(state["terms"], proxy["terms"], ()), f"the terms of {role} {address}")
        address_of = client_address if role == "client" else worker_address
        expected = address_of(state["owner"], row["proxy"], self.history.key, proxy["terms"])
        fits(expected == address and code.hash == proxy["terms"][f"{role}_code"].hash, f"the address or code of {role} {address}")
        fits(state["tokens"] == row["tokens"], f"the tokens of {role} {address}")
        fits(role == "worker" or state["balance"] == row["balance"], f"the balance of {role} {address}")
        held = settlements(own, role, state["terms"]["price_per_token"])
        said = [(one["from"], one["tokens"], one["lt"], one["time"]) for one in row["settlements"]]
        fits(held == said, f"a settlement of {role} {address}")
        follows = state["tokens"] == sum(tokens - begin for begin, tokens, _, _ in held)
        if role == "client":
            books = client_books(own, state["terms"]["min_client_stake"])
            follows &= all(value in (None, state["books"][name]) for name, value in books.items())
        require(follows, "balance", f"{role} {address}: its history does not lead to its state")

    def terms(self, version):
        row = self.history.params.get(version, {})
        return {name: value for name, value in row.items() if name != "from"}


def fits(condition, what):
    require(condition, "bundle", f"chain.json: {what} is not what follows from its transactions")


def same_terms(terms, others, codes=CODES):
    """`terms` have these codes of the others' and no more, and all else is the same."""
    return others is not None and write_terms(terms, CODES).hash == write_terms(others, codes).hash
