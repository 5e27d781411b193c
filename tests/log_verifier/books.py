"""Receipts against the chain: terms, prices, channels, evidence, sums (docs/receipt.md, docs/audit.md)."""

import certificates
import ed25519
import receipt as codec
from cells import CellError
from fault import Fault, require

ZERO = "00" * 32


class Channel:
    """One channel as its links come, and the settlements that a receipt must end at."""

    def __init__(self, contract):
        self.seqno, self.previous, self.total = 0, ZERO, 0
        self.contract = contract
        settlements = contract["settlements"] if contract else []
        self.awaited = {row["tokens"] for row in settlements} - {0}

    def extend(self, link, own, what):
        """Names what does not fit by the order of docs/receipt.md: reorder, gap, fork, total."""
        require(link["seqno"] > self.seqno, "channel", f"{what}: reorder, link {link['seqno']} was there already")
        require(link["seqno"] == self.seqno + 1, "channel", f"{what}: gap, link {self.seqno + 1} is missing")
        require(link["previous"] == self.previous, "channel", f"{what}: fork, link {link['seqno']} has another predecessor")
        require(link["before"] == self.total, "channel", f"{what}: link {link['seqno']} begins at another total")
        self.seqno, self.previous, self.total = link["seqno"], own, link["after"]
        self.awaited.discard(self.total)


class Books:
    """Takes receipts in the order of the log."""

    def __init__(self, history, log):
        self.history, self.log = history, log
        self.clients, self.workers = {}, {}
        self.known = {}
        self.receipts = self.tokens = self.signed = 0

    def take(self, id_, boc, worker_signature):
        name = f"receipt {id_.hex()}"
        try:
            receipt, proxy_signature, inside = codec.read(boc)
        except codec.Refused as error:
            raise Fault("price" if str(error) == "arithmetic" else "log", f"{name}: refused for its {error}") from error
        except CellError as error:
            raise Fault("log", f"{name}: {error}") from error
        require(inside is None, "log", f"{name}: its container has a worker's signature")
        cell, statement = codec.receipt_cell(receipt), receipt["statement"]
        work = codec.statement_cell(statement)
        require(cell.hash == id_, "log", f"{name}: the container is of receipt {cell.hash.hex()}")
        require(ed25519.verify(self.history.key, id_, proxy_signature), "signature", f"{name}: the proxy's signature does not hold")
        self.terms(receipt, name)
        self.price(statement, name)
        client = self.channel(self.clients, self.history.clients, receipt["client"], statement["proxy"], name)
        worker = self.channel(self.workers, self.history.workers, statement["worker"], statement["proxy"], name)
        client.extend(receipt["channel"], id_.hex(), f"{name}, client {receipt['client']}")
        worker.extend(statement["channel"], work.hash.hex(), f"{name}, worker {statement['worker']}")
        self.evidence(receipt, work.hash, worker_signature, name)
        self.receipts += 1
        self.tokens += receipt["channel"]["after"] - receipt["channel"]["before"]

    def terms(self, receipt, name):
        statement = receipt["statement"]
        proxy = self.history.proxies.get(statement["proxy"])
        require(proxy, "terms", f"{name}: {statement['proxy']} is no contract of this proxy")
        require(statement["root"] == self.history.root, "terms", f"{name}: it is of another root contract")
        version = proxy["params_version"]
        require(statement["params_version"] == version, "terms", f"{name}: priced by params {statement['params_version']}, its contract's are {version}")

    def price(self, statement, name):
        if statement["counts"] is None:
            return
        multipliers = self.history.terms(statement["proxy"])["multipliers"]
        expected = codec.adjust(statement["counts"], statement["coefficient"], multipliers)
        require(expected == statement["used"], "price", f"{name}: {expected['total']} tokens follow from its counts, it says {statement['used']['total']}")

    def channel(self, channels, contracts, address, proxy, name):
        contract = contracts.get(address)
        require(contract is None or contract["proxy"] == proxy, "contract", f"{name}: contract {address} is of another proxy contract")
        if (address, proxy) not in channels:
            channels[address, proxy] = Channel(contract)
        return channels[address, proxy]

    def evidence(self, receipt, work_hash, worker_signature, name):
        statement = receipt["statement"]
        time = statement["started_ms"]
        key = None
        for role, hash_ in (("proxy", receipt["proxy_evidence"]), ("worker", statement["worker_evidence"])):
            key, image = self.certificate(hash_)
            listed = self.history.listed(f"{role}_image", image, time)
            require(listed, "evidence", f"{name}: the {role}'s image {image} was not listed at that time")
        listed = not self.history.has_models or self.history.listed("model", statement["model"], time)
        require(listed, "evidence", f"{name}: model {statement['model']} was not listed at that time")
        if worker_signature:
            require(ed25519.verify(key, work_hash, worker_signature), "signature", f"{name}: the worker's signature does not hold")
            self.signed += 1

    def certificate(self, hash_):
        """Key and image, which must be those that the bundle tells."""
        if hash_ not in self.known:
            key, image = certificates.read(self.log.certificate(hash_), hash_)
            told = self.history.certificates.get(hash_)
            fits = told and (told["key"], told["image"]) == (key.hex(), image)
            require(fits, "evidence", f"certificate {hash_}: chain.json tells another key or image")
            self.known[hash_] = key, image
        return self.known[hash_]

    def close(self):
        """Contracts against their channels, after the last receipt. Gives the tokens that are not settled yet."""
        unsettled = 0
        for role, channels, contracts, price in (
            ("client", self.clients, self.history.clients, "price_per_token"),
            ("worker", self.workers, self.history.workers, "worker_fee_per_token"),
        ):
            for address, contract in contracts.items():
                channel = channels.get((address, contract["proxy"])) or Channel(contract)
                self.settled(f"{role} contract {address}", contract, channel, self.history.terms(contract["proxy"])[price])
            for (address, _), channel in channels.items():
                require(channel.contract or role == "worker" or channel.total == 0, "contract", f"client contract {address} does not exist, but receipts charge it")
                settled = channel.contract["tokens"] if channel.contract else 0
                unsettled += channel.total - settled
        return unsettled

    def settled(self, name, contract, channel, price):
        settled = 0
        for row in contract["settlements"]:
            begin, tokens = row["from"], row["tokens"]
            require(tokens <= channel.total, "settlement", f"{name}: {tokens} tokens were settled, its receipts sum to {channel.total}")
            require(tokens not in channel.awaited, "settlement", f"{name}: {tokens} tokens were settled, but no receipt ends there")
            require(begin <= tokens, "settlement", f"{name}: {tokens} tokens were settled after {begin}")
            require(row["amount"] == (tokens - begin) * price, "amount", f"{name}: {row['amount']} for {tokens - begin} tokens at {price}")
            settled += tokens - begin
        # A refused payout is not among them; the next one begins where the contract was put back to.
        require(contract["tokens"] == settled, "balance", f"{name}: it says {contract['tokens']} tokens, its history {settled}")
        require(settled <= channel.total, "settlement", f"{name}: {settled} tokens were settled, its receipts sum to {channel.total}")
