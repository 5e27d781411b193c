"""What wallets and dashboards ask of version 3 of the HTTP API, with plain HTTP: a wallet is funded, deployed and emptied, and every
route tells the same of it. `tonutils` only signs. The first difference ends it with an error.

Usage: python index.py URL NETWORK_JSON
"""

import asyncio
import base64
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

from ton_core import Address, Cell, NetworkGlobalID, StateInit
from tonutils.clients import ToncenterClient
from tonutils.contracts import TONTransferBuilder, WalletV4R2

TON = 10**9

BLOCK = """workchain shard seqno root_hash file_hash global_id version after_merge before_split after_split want_merge want_split
    key_block vert_seqno_incr flags gen_utime start_lt end_lt master_ref_seqno masterchain_block_ref tx_count prev_blocks""".split()
STATE = """address balance extra_currencies status last_transaction_hash last_transaction_lt code_hash data_hash code_boc data_boc
    frozen_hash""".split()
INFORMATION = "balance code data frozen_hash last_transaction_hash last_transaction_lt status".split()
WALLET = "balance wallet_type seqno wallet_id last_transaction_hash last_transaction_lt status".split()
TRANSACTION = """account hash lt now mc_block_seqno prev_trans_hash prev_trans_lt orig_status end_status total_fees
    total_fees_extra_currencies description block_ref in_msg out_msgs emulated""".split()
MESSAGE = """hash source destination value value_extra_currencies fwd_fee ihr_fee created_lt created_at opcode ihr_disabled bounce
    bounced import_fee message_content init_state""".split()
TRACE = """trace_id external_hash mc_seqno_start mc_seqno_end start_lt start_utime end_lt end_utime is_incomplete trace_info trace
    transactions_order transactions""".split()


class Api:
    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, route: str, **params: object) -> dict:
        query = urllib.parse.urlencode(params, doseq=True)
        with urllib.request.urlopen(f"{self.url}/api/v3/{route}?{query}", timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, body: dict) -> dict:
        request = urllib.request.Request(
            f"{self.url}{path}", data=json.dumps(body).encode(), headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def refused(self, path: str, body: dict, status: int) -> str:
        try:
            self.post(path, body)
        except urllib.error.HTTPError as error:
            told = json.load(error)
            assert (error.code, told["code"]) == (status, status), (error.code, told)
            return told["error"]
        raise AssertionError(f"{path} accepted {body}")


def has(fields: list[str], found: dict, what: str) -> dict:
    missing = [name for name in fields if name not in found]
    assert not missing, f"{what} has no {missing}"
    return found


def transaction(found: dict) -> dict:
    has(TRANSACTION, found, "a transaction")
    for message in filter(None, [found["in_msg"], *found["out_msgs"]]):
        has(MESSAGE, message, "a message")
        has(["hash", "body", "decoded"], message["message_content"], "a body")
        body = Cell.one_from_boc(base64.b64decode(message["message_content"]["body"]))
        assert base64.b64encode(body.hash).decode() == message["message_content"]["hash"]
    return found


def raw(address: Address) -> str:
    return address.to_str(is_user_friendly=False).upper()


def states(api: Api, address: Address, status: str) -> dict:
    """Three routes tell the same of an account."""
    name = address.to_str()
    answer = has(["accounts", "address_book"], api.get("accountStates", address=[name, name]), "the answer")
    state = has(STATE, answer["accounts"][0], "a state")
    information = has(INFORMATION, api.get("addressInformation", address=name), "the information")
    wallet = has(WALLET, api.get("walletInformation", address=name), "the wallet")
    for other in (information, wallet):
        for field in ("balance", "status", "last_transaction_hash", "last_transaction_lt"):
            assert other[field] == state[field], (field, other[field], state[field])
    assert (state["address"], state["status"]) == (raw(address), status), state
    return state | {"seqno": wallet["seqno"], "wallet_type": wallet["wallet_type"]}


def pages(api: Api, **params: object) -> list[dict]:
    """All transactions by pages of two, none twice."""
    found: list[dict] = []
    while True:
        page = api.get("transactions", limit=2, offset=len(found), **params)["transactions"]
        found += [transaction(tx) for tx in page]
        if len(page) < 2:
            break
    assert len({tx["hash"] for tx in found}) == len(found), "a transaction came twice"
    return found


async def story(api: Api) -> None:
    client = ToncenterClient(NetworkGlobalID.MAINNET, base_url=f"{api.url}/api/v2", rps_limit=1000, rps_period=1.0)
    async with client:
        wallet, *_ = WalletV4R2.create(client)
        name = wallet.address.to_str()
        assert states(api, wallet.address, "nonexist")["balance"] == "0"
        api.post("/control/faucet", {"address": name, "amount": str(5 * TON)})
        assert states(api, wallet.address, "uninit")["balance"] == str(5 * TON)

        somebody = Address((0, os.urandom(32)))
        transfers = [TONTransferBuilder(somebody, TON, body="rent", bounce=False), TONTransferBuilder(somebody, 7, bounce=False)]
        message = await wallet.build_external_message(transfers)
        init: StateInit = message.init
        estimate = api.post(
            "/api/v3/estimateFee",
            {
                "address": name,
                "body": base64.b64encode(message.body.to_boc()).decode(),
                "init_code": base64.b64encode(init.code.to_boc()).decode(),
                "init_data": base64.b64encode(init.data.to_boc()).decode(),
                "ignore_chksig": True,
            },
        )
        fees = has("in_fwd_fee storage_fee gas_fee fwd_fee".split(), estimate["source_fees"], "the fees")
        boc = {"boc": message.as_b64}
        sent = api.post("/api/v3/message", boc)
        assert bytes.fromhex(message.normalized_hash) == base64.b64decode(sent["message_hash_norm"]), sent
        assert message.to_cell().hash == base64.b64decode(sent["message_hash"]), sent
        assert "exitcode=" in api.refused("/api/v3/message", boc, 500)

    # Both names of the message lead to the transaction, its trace, and the wallet's state.
    for hash_ in (sent["message_hash"], sent["message_hash_norm"], message.normalized_hash):
        (deployed,) = api.get("transactionsByMessage", msg_hash=hash_)["transactions"]
        (known,) = api.get("messages", msg_hash=hash_)["messages"]
        assert (known["in_msg_tx_hash"], known["hash_norm"]) == (deployed["hash"], sent["message_hash_norm"])
        (trace,) = api.get("traces", msg_hash=hash_)["traces"]
        assert trace["trace_id"] == deployed["hash"]
    transaction(deployed)
    has(TRACE, trace, "a trace")
    state = states(api, wallet.address, "active")
    assert (state["seqno"], state["last_transaction_hash"]) == (1, deployed["hash"])
    assert state["wallet_type"] == "wallet v4 r2", state
    phases = deployed["description"]
    assert phases["compute_ph"]["gas_fees"] == str(fees["gas_fee"]), (phases, fees)
    assert phases["action"]["total_fwd_fees"] == str(fees["fwd_fee"]), (phases, fees)
    out = sum(int(message["value"]) + int(message["fwd_fee"]) for message in deployed["out_msgs"])
    assert int(state["balance"]) == 5 * TON - int(deployed["total_fees"]) - out
    assert states(api, somebody, "uninit")["balance"] == str(TON + 7)

    # The trace is the transfer and its two ends, none of it pending.
    assert not trace["is_incomplete"] and len(trace["trace"]["children"]) == 2, trace
    assert sorted(trace["transactions_order"]) == sorted(trace["transactions"])
    assert [child["in_msg_hash"] for child in trace["trace"]["children"]] == [m["hash"] for m in deployed["out_msgs"]]
    received = pages(api, account=somebody.to_str(), sort="asc")
    assert [tx["in_msg"]["value"] for tx in received] == [str(TON), "7"]
    assert received[0]["in_msg"]["opcode"] == "0x00000000", "a comment has the operation 0"
    (one,) = api.get("messages", source=name, destination=somebody.to_str(), opcode="0x00000000")["messages"]
    assert one["hash"] == received[0]["in_msg"]["hash"]

    # Lists by account, block and time agree.
    mine = pages(api, account=name)
    assert [tx["hash"] for tx in mine] == [deployed["hash"], mine[-1]["hash"]] and len(mine) == 2
    block = deployed["mc_block_seqno"]
    of_block = api.get("transactionsByMasterchainBlock", seqno=block, limit=100)["transactions"]
    assert {tx["hash"] for tx in of_block} == set(trace["transactions"])
    (listed,) = api.get("blocks", workchain=0, seqno=block)["blocks"]
    has(BLOCK, listed, "a block")
    assert (listed["tx_count"], listed["gen_utime"]) == (len(of_block), str(deployed["now"]))
    since = api.get("transactions", start_lt=deployed["lt"], end_lt=deployed["lt"])["transactions"]
    assert [tx["hash"] for tx in since] == [deployed["hash"]]
    print(f"version 3: a wallet's {len(mine)} transactions, a trace of {len(of_block)}")


def contracts(api: Api, network: dict) -> None:
    info = api.get("masterchainInfo")
    has(BLOCK, info["last"], "the last block")
    has(BLOCK, info["first"], "the first block")
    assert int(info["first"]["gen_utime"]) <= int(info["last"]["gen_utime"])
    root = network["root"]
    ran = api.post("/api/v3/runGetMethod", {"address": root, "method": "get_cocoon_data", "stack": []})
    assert ran["exit_code"] == 0 and ran["gas_used"] > 0, ran
    assert [entry["type"] for entry in ran["stack"]] == ["num"] * 9 + ["slice"], ran
    owner = Cell.one_from_boc(base64.b64decode(ran["stack"][9]["value"])).begin_parse().load_address()
    assert owner == Address(network["governor"]), owner
    arguments = [{"type": "num", "value": "0"}, {"type": "num", "value": "0x" + "f" * 64}]
    ran = api.post("/api/v3/runGetMethod", {"address": root, "method": "get_hash_entry", "stack": arguments})
    assert (ran["exit_code"], ran["stack"][0]) == (0, {"type": "num", "value": "0x0"}), ran
    for name in ("root", "proxy_contract"):
        history = pages(api, account=network[name])
        held = sum(int(tx["in_msg"]["value"] or 0) - int(tx["total_fees"]) for tx in history)
        held -= sum(int(out["value"] or 0) + int(out["fwd_fee"] or 0) for tx in history for out in tx["out_msgs"])
        assert held == int(states(api, Address(network[name]), "active")["balance"]), name
    assert "address" in api.refused("/api/v3/runGetMethod", {"method": "x", "stack": []}, 422)


def main() -> None:
    api, network = Api(sys.argv[1]), json.load(open(sys.argv[2], encoding="utf-8"))
    contracts(api, network)
    asyncio.run(story(api))
    print("version 3: passed")


main()
