#!/usr/bin/env python3
"""The verifier against bundles that it should believe and those that it should not.

    python3 -B tests/log_verifier/test_verifier.py
"""

import base64
import contextlib
import copy
import functools
import io
import json
import pathlib
import sys
import tempfile
import unittest

import fault
import certificates
import checkpoints
import ed25519
import make
import refusals
import tamper
import tree
from addresses import proxy_address
from cells import Cell, to_boc
from history import History
from published import Published, number
from raw import Raw
from roots import RootReplay
from ton import cell_of
import verify as command

# The same receipts are signed and checked over and over.
ed25519.sign, ed25519.verify = functools.cache(ed25519.sign), functools.cache(ed25519.verify)
# These bundles have no transactions.
verify = functools.partial(command.verify, told=True)
VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"


class GoldenLog(unittest.TestCase):
    """tests/vectors/log.json, which another implementation reads as well."""

    @classmethod
    def setUpClass(cls):
        cls.facts = json.loads((VECTORS / "log.json").read_text())
        cls.key = bytes.fromhex(cls.facts["proxy_key"])
        cls.log = Published(VECTORS / "log", cls.key)

    def test_its_roots_at_every_size_are_those_of_the_vectors(self):
        self.log.watch |= {int(size) for size in self.facts["roots"]}
        entries = [entry for batch in self.log.batches() for entry in batch]
        self.assertEqual([id_.hex() for id_, _, _ in entries], [row["id"] for row in self.facts["receipts"]])
        self.assertEqual({str(size): root.hex() for size, root in self.log.roots.items()}, self.facts["roots"])

    def test_every_proof_holds_and_none_for_another_leaf_size_or_root(self):
        hashes = lambda values: [bytes.fromhex(value) for value in values]
        roots = {int(size): bytes.fromhex(root) for size, root in self.facts["roots"].items()}
        for case in self.facts["inclusion"]:
            index, size, proof = case["index"], case["size"], hashes(case["proof"])
            leaf = tree.leaf_hash(bytes.fromhex(self.facts["receipts"][index]["id"]))
            self.assertTrue(tree.verify_inclusion(leaf, index, size, proof, roots[size]))
            self.assertFalse(tree.verify_inclusion(leaf, index, size, proof + [leaf], roots[size]))
            self.assertFalse(tree.verify_inclusion(roots[0], index, size, proof, roots[size]))
            self.assertFalse(tree.verify_inclusion(leaf, index + 1, size, proof, roots[size]))
        for case in self.facts["consistency"]:
            old, new, proof = case["old"], case["new"], hashes(case["proof"])
            self.assertTrue(tree.verify_consistency(old, roots[old], new, roots[new], proof), case)
            self.assertFalse(tree.verify_consistency(old, roots[old], new, roots[new], proof + [roots[0]]))
            self.assertEqual(old in (0, new), tree.verify_consistency(old, roots[old], new, roots[old], proof))

    def test_certificates_give_their_key_and_image(self):
        for hash_, told in self.facts["evidence"].items():
            key, image = certificates.read(self.log.certificate(hash_), hash_)
            self.assertEqual({"key": key.hex(), "image": image}, told)

    def test_no_certificate_with_a_flipped_bit_is_believed(self):
        hash_ = next(iter(self.facts["evidence"]))
        der = self.log.certificate(hash_)
        for at in range(0, len(der), 37):
            changed = der[:at] + bytes([der[at] ^ 4]) + der[at + 1 :]
            with self.assertRaises(fault.Fault):
                certificates.read(changed, hash_)
        for length in range(0, len(der), 41):
            with self.assertRaises(fault.Fault):
                certificates.read(der[:length], hash_)

    def test_witnesses_are_known_by_name_and_key(self):
        witness = self.facts["witness"]
        known = [(witness["name"], bytes.fromhex(witness["key"]))]
        self.assertEqual(checkpoints.witnesses(self.log.note, known), {witness["name"]: witness["time"]})
        self.assertEqual(checkpoints.witnesses(self.log.note, [(witness["name"], self.key)]), {})

    def test_checkpoints_of_the_list_are_refused(self):
        size, _ = checkpoints.open_checkpoint(self.facts["empty_checkpoint"].encode(), self.key)
        self.assertEqual(size, 0)
        for case in self.facts["refused_checkpoints"]:
            with self.assertRaises(fault.Fault, msg=case["name"]):
                checkpoints.open_checkpoint(case["note"].encode(), self.key)

    def test_lines_for_proxy_contracts_are_read_and_false_ones_refused(self):
        told = self.facts["bound"]
        expected = [(told["contract"], told["size"], bytes.fromhex(told["root"]))]
        self.assertEqual(checkpoints.cells(told["checkpoint"].encode(), self.key), expected)
        self.assertEqual(self.log.cells, expected)
        self.assertEqual(checkpoints.cells(self.facts["checkpoint"].encode(), self.key), [])
        roots = {int(size): bytes.fromhex(root) for size, root in self.facts["roots"].items()}
        for case in self.facts["refused_lines"]:
            with self.assertRaises(fault.Fault, msg=case["name"]):
                for contract, size, root in checkpoints.cells(case["note"].encode(), self.key):
                    fault.require(roots[size] == root, "log", f"{contract}: another root")

    def test_records_of_challenges_are_read_and_a_flipped_bit_is_noticed(self):
        self.assertEqual(self.log.challenges(), self.facts["challenges"])
        whole = (self.log.folder / "challenges/000").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            changed = Published(self.log.folder, self.key)
            changed.folder = pathlib.Path(folder)
            (changed.folder / "challenges").mkdir()
            for at in range(0, len(whole), 11):
                (changed.folder / "challenges/000").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
                with self.assertRaises(fault.Fault):
                    changed.challenges()

    def test_numbers_are_written_in_groups_of_three(self):
        written = {0: "000", 999: "999", 1000: "x001/000", 1234067: "x001/x234/067"}
        self.assertEqual({index: number(index) for index in written}, written)


class Bundles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.base = pathlib.Path(cls.folder.name)
        cls.bundle = cls.base / "honest"
        cls.secret = make.make(cls.bundle, 40)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_an_honest_bundle_is_equal(self):
        # Of the larger one the tiles have a second level.
        make.make(self.base / "large", 261)
        for bundle, receipts in ((self.bundle, 40), (self.base / "large", 261)):
            report = verify(bundle)
            self.assertEqual((report["verdict"], report["receipts"], report["anchors"]), ("equal", receipts, 4))

    def test_a_bundle_without_transactions_is_believed_only_on_demand(self):
        with self.assertRaises(fault.Fault) as caught:
            command.verify(self.bundle)
        self.assertEqual(caught.exception.kind, "unreadable")
        for flags, code in (([], 3), (["--json"], 3), (["--told"], 0), (["--json", "--told"], 0), (["--other"], 2)):
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                self.assertEqual(command.main([*flags, str(self.bundle)]), code, flags)

    def test_every_tampering_is_refused_for_its_reason(self):
        for way, (class_, kinds, _) in tamper.WAYS.items():
            with self.subTest(way.__name__, of=class_):
                target = self.base / way.__name__
                if not kinds:
                    self.assertRaises(tamper.Impossible, tamper.tamper, self.bundle, self.secret, way, target)
                    continue
                tamper.tamper(self.bundle, self.secret, way, target)
                with self.assertRaises(fault.Fault) as caught:
                    verify(target)
                self.assertIn(caught.exception.kind, kinds, caught.exception.sentence)

    def test_no_bit_of_the_log_may_flip(self):
        small = self.base / "small"
        make.make(small, 9)
        draw = lambda *name, below: make.made_up.number("flip", *name, below=below)
        files = sorted(path for path in (small / "log").rglob("*") if path.is_file() and path.name != "log.json")
        for file in files:
            honest = file.read_bytes()
            for at in range(24):
                changed = bytearray(honest)
                changed[draw(file.name, at, below=len(honest))] ^= 1 << draw(file.name, at, "bit", below=8)
                file.write_bytes(changed)
                with self.subTest(file=file.name, at=at), self.assertRaises(fault.Fault):
                    verify(small)
            file.write_bytes(honest)
        self.assertEqual(verify(small)["verdict"], "equal")

    def test_a_damaged_chain_is_refused_or_read_but_never_breaks_the_verifier(self):
        text = (self.bundle / "chain.json").read_bytes()
        for at in range(60):
            place = make.made_up.number("damage", at, below=len(text))
            for damaged in (text[:place], text[:place] + b"7" + text[place + 1 :], text[:place] + b"[" + text[place:]):
                try:
                    History(damaged)
                except fault.Fault as caught:
                    self.assertEqual(caught.kind, "unreadable")

    def test_what_is_not_settled_is_open_and_not_equal(self):
        target = self.base / "open"
        tamper.shutil.copytree(self.bundle, target)
        chain = json.loads((target / "chain.json").read_text())
        client = chain["facts"]["clients"][0]
        client["settlements"].pop()
        client["tokens"] = client["settlements"][-1]["tokens"]
        (target / "chain.json").write_text(json.dumps(chain))
        self.assertEqual(verify(target)["verdict"], "open")


class Network(unittest.TestCase):
    """The bundle of a local network, as `cocoon audit bundle` wrote it: with transactions."""

    FOLDER = pathlib.Path(__file__).resolve().parent / "network"

    def setUp(self):
        self.chain = json.loads((self.FOLDER / "bundle" / "chain.json").read_text())
        self.facts = self.chain["facts"]
        self.addresses = {side: self.facts[side][0]["address"] for side in ("proxies", "clients", "workers")} | {"root": self.chain["root"]}

    def fault_of(self, chain):
        """The kind of what is wrong with the chain's halves, None if nothing is."""
        try:
            Raw(History(json.dumps(chain))).check()
        except fault.Fault as caught:
            return caught.kind
        return None

    def test_it_is_equal_and_its_contracts_are_replayed(self):
        report = command.verify(self.FOLDER / "bundle")
        counted = report["verdict"], report["receipts"], report["anchors"], report["contracts"]
        self.assertEqual(counted, ("equal", 8, 1, 4))

    def test_every_tampering_is_refused_for_its_reason(self):
        secret = bytes.fromhex((self.FOLDER / "proxy.key").read_text().strip())
        with tempfile.TemporaryDirectory() as folder:
            for way, (class_, _, kinds) in tamper.WAYS.items():
                with self.subTest(way.__name__, of=class_):
                    target = pathlib.Path(folder) / way.__name__
                    if way is tamper.omitted_proxy:
                        self.assertRaises(tamper.Impossible, tamper.tamper, self.FOLDER / "bundle", secret, way, target)
                        continue
                    tamper.tamper(self.FOLDER / "bundle", secret, way, target)
                    with self.assertRaises(fault.Fault) as caught:
                        command.verify(target)
                    self.assertIn(caught.exception.kind, kinds, caught.exception.sentence)

    def test_no_contract_may_be_left_out(self):
        for side, folder in (("clients", "client"), ("workers", "worker")):
            address = self.addresses[side]
            omitted = copy.deepcopy(self.chain)
            omitted["facts"][side] = []
            self.assertEqual(self.fault_of(omitted), "bundle", folder)
            for halves in (("accounts",), ("transactions",), ("accounts", "transactions")):
                less = copy.deepcopy(omitted)
                for half in halves:
                    del less[half][address]
                self.assertEqual(self.fault_of(less), "unreadable", (folder, halves))

    def test_each_version_of_the_terms_has_its_proxy_contract(self):
        raw = Raw(History(json.dumps(self.chain)))
        raw.check()
        root = RootReplay(raw.transactions[self.chain["root"]])
        states = raw.proxies(root)
        self.assertEqual(list(states), [self.addresses["proxies"]])
        (version, terms), = root.versions.items()
        root.versions[version + 1] = terms | {"version": version + 1}
        with self.assertRaises(fault.Fault) as caught:
            raw.proxies(root)
        self.assertEqual(caught.exception.kind, "unreadable")
        # Said to be not there.
        owner = states[self.addresses["proxies"]]["owner"]
        other = proxy_address(owner, raw.history.key, self.chain["root"], root.versions[version + 1])
        raw.transactions[other] = []
        raw.proxies(root)
        # Without the code of a proxy contract there was none.
        del raw.transactions[other]
        root.versions[version + 1] |= {"proxy_code": None}
        raw.proxies(root)

    def test_a_state_is_whole_and_ends_its_history(self):
        for name, address in self.addresses.items():
            other = self.addresses["root" if name != "root" else "proxies"]
            changes = {
                "no code": {"code": None},
                "no data": {"data": None},
                "another's code": {"code": self.chain["accounts"][other]["code"]},
                "another's data": {"data": self.chain["accounts"][other]["data"]},
                "not active": {"status": "frozen"},
                "never there": {"status": "none", "code": None, "data": None, "last": None},
                "no word at all": {"status": ["active"]},
                "no last transaction": {"last": None},
            }
            for what, change in changes.items():
                chain = copy.deepcopy(self.chain)
                chain["accounts"][address] |= change
                self.assertIn(self.fault_of(chain), {"unreadable", "bundle"}, (name, what))
            for shorter in (slice(0, -1), slice(1, None), slice(0, 0)):
                chain = copy.deepcopy(self.chain)
                chain["transactions"][address] = chain["transactions"][address][shorter]
                self.assertEqual(self.fault_of(chain), "unreadable", (name, shorter))

    def test_data_must_follow_from_the_history_even_when_the_facts_say_the_same(self):
        def changed(address, at, width, by):
            """That number in an account's data, so much larger."""
            chain = copy.deepcopy(self.chain)
            cell = cell_of(chain["accounts"][address]["data"], "it")
            value = int(cell.bits[at : at + width], 2) + by
            cell = Cell(cell.bits[:at] + format(value, f"0{width}b") + cell.bits[at + width :], cell.references)
            chain["accounts"][address]["data"] = base64.b64encode(to_boc(cell)).decode()
            return chain, value

        proxy, client, worker = (self.addresses[side] for side in ("proxies", "clients", "workers"))
        # Owner, key, root and state come before a proxy's balance; state before a client's.
        for side, address, at in (("proxies", proxy, 267 + 256 + 267 + 2), ("clients", client, 2)):
            length = 8 * int(cell_of(self.chain["accounts"][address]["data"], "it").bits[at : at + 4], 2)
            chain, value = changed(address, at + 4, length, 1)
            self.assertEqual(int(self.facts[side][0]["balance"]) + 1, value)
            chain["facts"][side][0]["balance"] = str(value)
            self.assertEqual(self.fault_of(chain), "balance", side)
        chain, value = changed(worker, 267 + 267 + 256 + 2, 64, 1)
        chain["facts"]["workers"][0]["tokens"] = value
        self.assertEqual(self.fault_of(chain), "balance")

    def test_whatever_stands_there_the_verifier_does_not_break(self):
        for half in ("accounts", "transactions"):
            for address in self.addresses.values():
                for value in (None, 7, "x", [], {}, [None], [7], {"status": 7}, {"status": "active", "last": 3}):
                    chain = copy.deepcopy(self.chain)
                    chain[half][address] = value
                    self.assertEqual(self.fault_of(chain), "unreadable", (half, value))
            for value in (None, 7, [], {}, "x"):
                self.assertEqual(self.fault_of(self.chain | {half: value}), "unreadable", (half, value))


class Refusals(unittest.TestCase):
    """What refusals.py takes for a refusal."""

    def test_only_the_expected_difference_or_named_damage_is_a_refusal(self):
        different = lambda kind: json.dumps({"verdict": "different", "difference": {"kind": kind, "sentence": "It is."}})
        judge = refusals.judge
        self.assertIsNone(judge({"log"}, 1, different("log"), ""))
        self.assertIsNone(judge({"unreadable"}, 3, "", "error: chain.json is damaged"))
        for kinds, code, out, err in (
            ({"log"}, 0, different("log"), ""),
            ({"log"}, 1, different("price"), ""),
            ({"log"}, 1, different("log"), "Traceback (most recent call last):"),
            ({"log"}, 1, json.dumps({"verdict": "open", "difference": None}), ""),
            ({"log"}, 1, "", "error: no"),
            ({"log"}, 1, "[]", ""),
            ({"log"}, 2, "", "usage"),
            ({"log"}, 3, "", "error: chain.json is damaged"),
            ({"unreadable"}, 3, "", ""),
            ({"unreadable"}, 4, "", "error: try another chain server"),
            ({"unreadable"}, 70, "", "error: a defect"),
            ({"unreadable"}, 101, "", "thread 'main' panicked"),
        ):
            self.assertIsNotNone(judge(kinds, code, out, err), (kinds, code, out, err))


class Chains(unittest.TestCase):
    """chain.json as it must not be."""

    @classmethod
    def setUpClass(cls):
        network = make.made_up.Network().run(6)
        cls.chain, _ = make.chain(network, [bytes(32)] * 6)

    def test_another_form_is_refused(self):
        History(json.dumps(self.chain))
        changes = {
            "another version": lambda chain: chain.update(version=2),
            "an unknown field": lambda chain: chain.update(more=1),
            "a missing field": lambda chain: chain.pop("key"),
            "a number with a point": lambda chain: chain.update(time=1.5),
            "a truth for a number": lambda chain: chain.update(time=True),
            "a negative number": lambda chain: chain.update(time=-1),
            "a number beyond 64 bits": lambda chain: chain.update(time=1 << 64),
            "a hash in capitals": lambda chain: chain.update(key=chain["key"].upper()),
            "an amount that is a number": lambda chain: chain["facts"]["proxies"][0].update(balance=1),
            "an amount with a leading zero": lambda chain: chain["facts"]["proxies"][0].update(balance="01"),
            "another grace": lambda chain: chain["facts"].update(grace=3601),
            "one client twice": lambda chain: chain["facts"]["clients"].append(chain["facts"]["clients"][0]),
            "a proxy without params": lambda chain: chain["facts"]["params"].pop(),
            "an unknown list": lambda chain: chain["facts"]["listings"][0].update(kind="guest_image"),
            "a proxy that is none": lambda chain: chain.update(proxy=chain["root"]),
        }
        for name, change in changes.items():
            chain = copy.deepcopy(self.chain)
            change(chain)
            with self.assertRaises(fault.Fault, msg=name) as caught:
                History(json.dumps(chain))
            self.assertEqual(caught.exception.kind, "unreadable", name)

    def test_text_that_is_no_object_is_refused(self):
        for text in ("", "[]", "{", '{"version":1,"version":1}', "NaN", "\xff"):
            with self.assertRaises(fault.Fault, msg=text):
                History(text.encode("latin-1"))


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())
