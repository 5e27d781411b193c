"""The root contract's books, kept once more: what was on its lists when, and every version of its terms (contracts/Root.tolk)."""

from addresses import CLASSES, CODES, read_terms, state_hash
from fault import require
from ton import Bits, dictionary

DESCRIPTOR = 0x66B8AA06
PROXY, WORKER, MODEL = ROLES = ("proxy_image", "worker_image", "model")
ADD = {0x71860E80: PROXY, 0xE34B1C60: WORKER, 0xC146134D: MODEL}
DELETE = {0x3C41D0B2: PROXY, 0x8D94A79A: WORKER, 0x92B11C18: MODEL}
ADD_IMAGE, ADD_MODEL, DESCRIBE, SCHEDULE, RETIRE = 0x2F31927E, 0x6A1B4D35, 0x7050B6EF, 0x361952B6, 0x395D2AD9
RESET, UPGRADE_CODE, UPGRADE_FULL = 0x563C1D96, 0x11AEFD51, 0x4F7C5789
CHANGE_PRICES, CHANGE_PARAMS, CHANGE_ALL, CHANGE_CODES = 0xC52ED8D4, 0x022FA189, 0x9F1E69DC, 0xA2370F61


TOLD = ("version", "price_per_token", "worker_fee_per_token", "multipliers")


def params(terms):
    """Of the terms what the decoded half tells."""
    return {name: terms[name] for name in TOLD}


def times(entry):
    """First and last second in which a listed hash is trusted; 0 is no limit. What is no descriptor sets none."""
    if len(entry.bits) < 32 + 256 + 64 or entry.references or entry.uint(32) != DESCRIPTOR:
        return 0, 0
    entry.raw(32)
    return entry.uint(32), entry.uint(32)


def root_state(cell):
    """The lists, with the times of each hash, and the terms."""
    reader = Bits(cell)
    reader.text_address(), reader.uint(32)
    data, terms = reader.inside(), reader.reference()
    proxies = data.maybe(data.reference)
    data.maybe(data.reference), data.uint(32)
    lists = {"proxy_image": proxies, "worker_image": data.maybe(data.reference), "model": data.maybe(data.reference)}
    listed = {(kind, f"{int(key, 2):064x}"): times(entry) for kind, hashes in lists.items() if hashes for key, entry in dictionary(hashes, 256)}
    return listed, read_terms(terms)


class RootReplay:
    """Takes the contract's transactions in their order."""

    def __init__(self, transactions):
        self.listed, self.terms, self.code = {}, None, None
        # Since when each hash is listed with its present times; windows that are over; first second of each version.
        self.open, self.over, self.since, self.versions = {}, {}, {}, {}
        for transaction in transactions:
            self.take(transaction)
        require(self.terms is not None, "unreadable", "chain.json: the root contract's history does not begin with its deployment")

    def take(self, transaction):
        message = transaction.taken
        if transaction.deployed and message is not None and message.data is not None and message.code is not None:
            is_it = state_hash(message.code, message.data) == transaction.account
            require(is_it, "unreadable", "chain.json: the root contract was deployed with code and data of another address")
            (self.listed, self.terms), self.code = root_state(message.data), message.code
        elif self.terms is None:
            return
        if transaction.succeeded and message is not None and not message.bounced:
            self.obey(message.body(), transaction.now)
        self.note(transaction.now)

    def obey(self, body, now):
        opcode = body.opcode()
        if opcode is None:
            return
        body.uint(32), body.uint(64)
        if opcode in ADD:
            key = (ADD[opcode], body.raw(32).hex())
            # One that is listed keeps its times, unless they are over.
            last = self.listed.get(key, (0, 0))[1]
            if key not in self.listed or (last and now > last):
                self.listed[key] = (0, 0)
        elif opcode in DELETE:
            self.listed.pop((DELETE[opcode], body.raw(32).hex()), None)
        elif opcode == ADD_IMAGE:
            key = (ROLES[body.uint(8)], body.raw(32).hex())
            body.raw(32)
            self.listed[key] = times(body.inside())
        elif opcode == ADD_MODEL:
            self.listed[MODEL, body.raw(32).hex()] = times(body.inside())
        elif opcode == DESCRIBE:
            key = (ROLES[body.uint(8)], body.raw(32).hex())
            self.listed[key] = times(body.inside()) if body.uint(1) else (0, 0)
        elif opcode == SCHEDULE:
            key = (ROLES[body.uint(8)], body.raw(32).hex())
            self.listed[key] = (self.listed[key][0], body.uint(32))
        elif opcode == RETIRE:
            self.listed.pop((ROLES[body.uint(8)], body.raw(32).hex()), None)
        elif opcode == RESET:
            self.listed = {}
        elif opcode == UPGRADE_CODE:
            self.code = body.reference()
        elif opcode == UPGRADE_FULL:
            (self.listed, self.terms), self.code = root_state(body.reference()), body.reference()
        elif opcode in (CHANGE_PRICES, CHANGE_PARAMS, CHANGE_ALL, CHANGE_CODES):
            changed = {"version": self.terms["version"] + 1}
            if opcode != CHANGE_CODES:
                changed |= {"price_per_token": body.coins(), "worker_fee_per_token": body.coins()}
            if opcode == CHANGE_ALL:
                changed["multipliers"] = {name: body.uint(32) for name in CLASSES}
            if opcode in (CHANGE_PARAMS, CHANGE_ALL):
                changed |= {"proxy_delay": body.uint(32), "client_delay": body.uint(32)}
                changed |= {"min_proxy_stake": body.coins(), "min_client_stake": body.coins()}
            if opcode == CHANGE_CODES:
                changed |= {name: body.reference() for name in CODES}
            self.terms = self.terms | changed

    def note(self, now):
        version = self.terms["version"]
        if version not in self.versions:
            self.versions[version], self.since[version] = self.terms, now
        for key, (limits, since) in list(self.open.items()):
            if self.listed.get(key) != limits:
                del self.open[key]
                add_window(self.over.setdefault(key, []), since, now, limits)
        for key, limits in self.listed.items():
            self.open.setdefault(key, (limits, now))

    def state(self):
        return self.listed, self.terms

    def windows(self):
        """By list and hash, first and last second of each time in which it was listed."""
        found = {key: list(rows) for key, rows in self.over.items()}
        for key, (limits, since) in self.open.items():
            add_window(found.setdefault(key, []), since, None, limits)
        return {key: rows for key, rows in found.items() if rows}


def add_window(rows, begin, end, limits):
    """Within the entry's own limits; what follows at once is one window with what was before."""
    first, last = limits
    begin = max(begin, first)
    if last:
        end = last if end is None else min(end, last)
    if end is not None and end < begin:
        return
    if rows and rows[-1][1] is not None and rows[-1][1] >= begin:
        rows[-1] = (rows[-1][0], end)
    else:
        rows.append((begin, end))
