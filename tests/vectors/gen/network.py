"""A small network that never was: parties with keys, terms that change once, and receipts that continue their channels."""

import hashlib

import certificate
import ed25519
import receipt as codec

START_MS = 1_767_225_600_000  # 2026-01-01 00:00:00 UTC
ZERO = "00" * 32


def number(*name, below=1 << 64):
    """A number that looks random and is always the same."""
    return int.from_bytes(hashlib.sha256(repr(name).encode()).digest(), "big") % below


def secret(*name):
    return hashlib.sha256(repr(("secret", *name)).encode()).digest()


def hash_of(*name):
    return hashlib.sha256(repr(name).encode()).hexdigest()


def address(*name, workchain=0):
    return f"{workchain}:{hash_of('address', *name)}"


def multipliers(prompt, cached, completion, reasoning):
    return dict(zip(codec.CLASSES, (prompt, cached, completion, reasoning), strict=True))


TERMS = {
    7: {"price_per_token": 20, "worker_fee_per_token": 15, "multipliers": multipliers(10_000, 2_500, 30_000, 30_000)},
    8: {"price_per_token": 24, "worker_fee_per_token": 18, "multipliers": multipliers(10_000, 1_000, 40_000, 40_000)},
}


class Runner:
    """A proxy or a worker: its key of the contract, its certificate."""

    def __init__(self, role, name, image):
        self.role, self.name, self.image = role, name, image
        self.leaf = secret(role, name, "leaf")
        self.certificate = certificate.certificate(self.leaf, certificate.registers(image), number(role, name, below=1 << 60))

    @property
    def evidence(self):
        return hashlib.sha256(self.certificate).hexdigest()

    @property
    def image_hash(self):
        return certificate.image_hash(certificate.registers(self.image))


class Network:
    """Writes receipts. What it keeps are dictionaries as `receipt.py` reads and writes them."""

    def __init__(self, workers=("w1", "w2"), clients=("c1", "c2", "c3")):
        self.root = address("root", workchain=-1)
        self.proxy_secret = secret("proxy")
        self.proxy = Runner("proxy", "p", "proxy image 1")
        self.workers = {name: Runner("worker", name, "worker image 1") for name in workers}
        self.clients = clients
        self.model = hash_of("model")
        self.version = 7
        self.receipts, self.signers = [], []
        self.heads = {}
        self.now = START_MS

    def contract(self, *name):
        """Each version of the terms has its own contracts."""
        return address(self.version, *name)

    def head(self, contract):
        return self.heads.get(contract, (0, ZERO, 0))

    def link(self, contract, charged):
        seqno, previous, total = self.head(contract)
        return {"seqno": seqno + 1, "previous": previous, "before": total, "after": total + charged}

    def answer(self, client, worker, counts, coefficient=1000, finish="stop", charged=None, told=True, signed=True):
        """Adds one receipt. `charged` is less than was used when less was reserved; `told`: the worker gave raw counts."""
        at = len(self.receipts)
        counts = dict(zip(codec.CLASSES, counts, strict=True))
        used = codec.adjust(counts, coefficient, TERMS[self.version]["multipliers"])
        charged = used["total"] if charged is None else charged
        payer, payee = self.contract("client", client), self.contract("worker", worker)
        runner = self.workers[worker]
        started = self.now
        first, last = started + 40 + number(at, "first", below=200), started + 300 + number(at, "last", below=3000)
        self.now += 500 + number(at, "gap", below=2000)
        statement = {
            "root": self.root,
            "proxy": self.contract("proxy"),
            "worker": payee,
            "params_version": self.version,
            "coefficient": coefficient,
            "finish": finish,
            "seed": number(at, "seed") if told else 0,
            "started_ms": started,
            "first_token_ms": first,
            "finished_ms": last,
            "client": codec.blind_client(secret("blind"), payee, payer),
            "request_id": hash_of(at, "request of the worker"),
            "request_hash": hash_of(at, "request"),
            "response_hash": hash_of(at, "response"),
            "sampling_hash": hash_of(at, "sampling") if told else ZERO,
            "model": self.model,
            "worker_evidence": runner.evidence,
            "counts": counts if told else None,
            "used": used,
            "channel": self.link(payee, charged),
        }
        receipt = {
            "client": payer,
            "request_id": hash_of(at, "request of the client"),
            "proxy_evidence": self.proxy.evidence,
            "statement": statement,
            "channel": self.link(payer, charged),
        }
        self.receipts.append(receipt)
        self.signers.append(runner.leaf if signed else None)
        for contract, channel, cell in ((payee, statement["channel"], codec.statement_cell(statement)), (payer, receipt["channel"], codec.receipt_cell(receipt))):
            self.heads[contract] = (channel["seqno"], cell.hash.hex(), channel["after"])
        return receipt

    def run(self, count):
        """So many answers, of every kind, with one change of the terms and of the workers' image in the middle."""
        for at in range(count):
            if at == count * 2 // 3:
                self.change()
            client = self.clients[number(at, "client", below=len(self.clients))]
            worker = sorted(self.workers)[number(at, "worker", below=len(self.workers))]
            prompt, completion = 1 + number(at, "prompt", below=4000), number(at, "completion", below=1500)
            counts = (prompt, number(at, "cached", below=prompt + 1), completion, number(at, "reasoning", below=completion + 1))
            coefficient = 800 + number(at, "coefficient", below=600)
            match at % 16:
                case 5:
                    self.answer(client, worker, counts, coefficient, finish="length", charged=number(at, "charged", below=300))
                case 9:
                    self.answer(client, worker, (prompt, 0, 0, 0), coefficient, finish="worker_lost", charged=0, told=False, signed=False)
                case 12:
                    self.answer(client, worker, counts, coefficient, told=False)
                case 14:
                    self.answer(client, worker, (0, 0, 0, 0), coefficient, finish="failed")
                case _:
                    self.answer(client, worker, counts, coefficient)
        return self

    def change(self):
        """New terms, so new contracts; new certificates of new images."""
        self.version = 8
        self.proxy = Runner("proxy", "p again", "proxy image 1")
        self.workers = {name: Runner("worker", f"{name} again", "worker image 2") for name in self.workers}

    def entries(self, tiles):
        return [tiles.entry(receipt, self.proxy_secret, leaf) for receipt, leaf in zip(self.receipts, self.signers, strict=True)]

    def key(self):
        return ed25519.public_key(self.proxy_secret)
