"""Reads chain.json, the part of a bundle that says what the chain says (docs/audit.md). Only its decoded half is used here."""

import json

from fault import require

SKEW, GRACE = 300, 3600
KINDS = ("proxy_image", "worker_image", "model")
CLASSES = ("prompt", "cached", "completion", "reasoning")
MAX_NUMBER = (1 << 64) - 1


def _unreadable(what):
    require(False, "unreadable", f"chain.json: {what}")


def _unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        _unreadable("a field comes twice")
    return found


# Forms: each takes a value and gives what it means, or refuses it.


def number(value, at):
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        _unreadable(f"{at} is no number")
    return value


def amount(value, at):
    if not (isinstance(value, str) and value.isascii() and value.isdigit() and str(int(value)) == value):
        _unreadable(f"{at} is no amount")
    return int(value)


def flag(value, at):
    if not isinstance(value, bool):
        _unreadable(f"{at} is neither true nor false")
    return value


def hash_(value, at):
    if not (isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")):
        _unreadable(f"{at} is no hash")
    return value


def address(value, at):
    chain, _, account = value.partition(":") if isinstance(value, str) else ("", "", "")
    hash_(account, at)
    if chain not in {str(number) for number in range(-128, 128)}:
        _unreadable(f"{at} is no address")
    return value


def kind(value, at):
    if value not in KINDS:
        _unreadable(f"{at} is an unknown kind")
    return value


def anything(value, at):
    return value


def maybe(form):
    return lambda value, at: None if value is None else form(value, at)


def rows(form):
    def read(value, at):
        if not isinstance(value, list):
            _unreadable(f"{at} is no list")
        return [form(row, f"{at}[{place}]") for place, row in enumerate(value)]

    return read


def fields(**forms):
    def read(value, at):
        if not isinstance(value, dict) or set(value) != set(forms):
            _unreadable(f"{at} has other fields than {', '.join(sorted(forms))}")
        return {name: form(value[name], f"{at}.{name}") for name, form in forms.items()}

    return read


SETTLEMENTS = rows(fields(**{"from": number}, tokens=number, amount=amount, lt=number, time=number))
FACTS = fields(
    test_network=flag,
    grace=number,
    skew=number,
    listings=rows(fields(kind=kind, hash=hash_, **{"from": number}, until=maybe(number))),
    params=rows(
        fields(
            version=number,
            **{"from": number},
            price_per_token=amount,
            worker_fee_per_token=amount,
            multipliers=fields(**dict.fromkeys(CLASSES, number)),
        )
    ),
    proxies=rows(
        fields(
            address=address,
            params_version=number,
            balance=amount,
            anchors=rows(fields(seqno=number, size=number, root=hash_, time=number)),
        )
    ),
    clients=rows(fields(address=address, proxy=address, tokens=number, balance=amount, settlements=SETTLEMENTS)),
    workers=rows(fields(address=address, proxy=address, tokens=number, settlements=SETTLEMENTS)),
    certificates=rows(fields(hash=hash_, key=hash_, image=hash_)),
)
CHAIN = fields(version=number, time=number, root=address, proxy=address, key=hash_, accounts=anything, transactions=anything, facts=FACTS)


def by(table, name, what):
    """Rows by one of their fields, which tells them apart."""
    found = {row[name]: row for row in table}
    if len(found) != len(table):
        _unreadable(f"{what} come twice")
    return found


class History:
    """What the chain says, as far as it can be checked without replaying transactions."""

    def __init__(self, text):
        try:
            value = json.loads(text, object_pairs_hook=_unique, parse_float=lambda _: _unreadable("a number is not whole"))
        except ValueError as error:
            _unreadable(str(error))
        chain = CHAIN(value, "it")
        if chain["version"] != 1:
            _unreadable(f"version {chain['version']} is unknown")
        facts = chain["facts"]
        self.time, self.root, self.proxy, self.key = chain["time"], chain["root"], chain["proxy"], bytes.fromhex(chain["key"])
        self.accounts, self.transactions = chain["accounts"], chain["transactions"]
        if (facts["skew"], facts["grace"]) != (SKEW, GRACE):
            _unreadable(f"skew and grace are not {SKEW} and {GRACE} seconds")
        self.params = by(facts["params"], "version", "params")
        self.proxies = by(facts["proxies"], "address", "proxies")
        self.clients = by(facts["clients"], "address", "clients")
        self.workers = by(facts["workers"], "address", "workers")
        self.certificates = by(facts["certificates"], "hash", "certificates")
        self.windows = {}
        for row in facts["listings"]:
            self.windows.setdefault((row["kind"], row["hash"]), []).append((row["from"], row["until"]))
        self.has_models = any(row["kind"] == "model" for row in facts["listings"])
        if self.proxy not in self.proxies:
            _unreadable("the proxy contract that serves is not among the proxies")
        for proxy in self.proxies.values():
            if proxy["params_version"] not in self.params:
                _unreadable(f"the params of proxy {proxy['address']} are missing")
        for row in [*self.clients.values(), *self.workers.values()]:
            if row["proxy"] not in self.proxies:
                _unreadable(f"contract {row['address']} is of an unknown proxy")

    def anchors(self):
        return [(proxy["address"], anchor) for proxy in self.proxies.values() for anchor in proxy["anchors"]]

    def terms(self, proxy):
        return self.params[self.proxies[proxy]["params_version"]]

    def listed(self, kind, hash_, milliseconds):
        """Whether the root contract listed it then, with the page's allowances."""
        time = milliseconds // 1000
        windows = self.windows.get((kind, hash_), [])
        return any(begin - SKEW <= time and (end is None or time <= end + GRACE) for begin, end in windows)
