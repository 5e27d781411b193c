"""Terms in full, and the addresses that follow from them: of contracts that have the code that the terms name and the data that a new
contract has (contracts/cocoon.tlb). A proxy contract believes only what comes from such an address; so does a reader of its history."""

from cells import Builder, Cell, CellError
from ton import Bits

CLASSES = ("prompt", "cached", "completion", "reasoning")
PARAMS_LAYOUT = 3
CODES = ("proxy_code", "worker_code", "client_code")
WORKCHAIN = 0


def read_terms(cell):
    """Every field of NetworkParams."""
    reader = Bits(cell)
    if reader.uint(8) != PARAMS_LAYOUT:
        raise CellError("terms of another layout")
    terms = {"version": reader.uint(32), "id": reader.uint(32), "is_test": reader.uint(1)}
    terms |= {"price_per_token": reader.coins(), "worker_fee_per_token": reader.coins()}
    terms["multipliers"] = {name: reader.uint(32) for name in CLASSES}
    terms |= {"proxy_delay": reader.uint(32), "client_delay": reader.uint(32)}
    terms |= {"min_proxy_stake": reader.coins(), "min_client_stake": reader.coins()}
    terms |= {name: reader.maybe(reader.reference) for name in CODES}
    reader.end()
    return terms


def write_terms(terms, codes):
    """The cell, with these codes of it only."""
    builder = Builder().uint(PARAMS_LAYOUT, 8).uint(terms["version"], 32).uint(terms["id"], 32).uint(terms["is_test"], 1)
    coins(coins(builder, terms["price_per_token"]), terms["worker_fee_per_token"])
    for name in CLASSES:
        builder.uint(terms["multipliers"][name], 32)
    builder.uint(terms["proxy_delay"], 32).uint(terms["client_delay"], 32)
    coins(coins(builder, terms["min_proxy_stake"]), terms["min_client_stake"])
    for name in CODES:
        code = terms[name] if name in codes else None
        builder.uint(int(code is not None), 1)
        if code is not None:
            builder.reference(code)
    return builder.cell()


def coins(builder, amount):
    length = -(-amount.bit_length() // 8)
    return builder.uint(length, 4).uint(amount, 8 * length) if length else builder.uint(0, 4)


def text_address(builder, address):
    workchain, _, account = address.partition(":")
    return builder.address(int(workchain), bytes.fromhex(account))


def state_hash(code, data):
    """Of a StateInit with code and data and nothing else."""
    return Cell("00110", (code, data)).hash.hex()


def _address(code, builder):
    if code is None:
        raise CellError("the terms have no code for such a contract")
    return f"{WORKCHAIN}:{state_hash(code, builder.cell())}"


def proxy_address(owner, key, root, terms):
    builder = text_address(text_address(Builder(), owner).raw(key), root).uint(0, 2 + 4 + 4 + 32)
    return _address(terms["proxy_code"], builder.reference(write_terms(terms, ("worker_code", "client_code"))))


def client_address(owner, proxy, key, terms):
    constants = text_address(text_address(Builder(), owner), proxy).raw(key).cell()
    builder = coins(Builder().uint(0, 2 + 4), terms["min_client_stake"]).uint(0, 64 + 32 + 256)
    return _address(terms["client_code"], builder.reference(constants).reference(write_terms(terms, ())))


def worker_address(owner, proxy, key, terms):
    builder = text_address(text_address(Builder(), owner), proxy).raw(key).uint(0, 2 + 64)
    return _address(terms["worker_code"], builder.reference(write_terms(terms, ())))
