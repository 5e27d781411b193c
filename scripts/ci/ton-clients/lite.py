"""A wallet's life through the unmodified `pytoniq`, over the lite server, whose proofs that package checks by code of its own: from the
key block of the configuration to the newest block, from there to states, and from states to accounts. The first difference ends it
with an error.

Usage: python lite.py URL NETWORK_JSON
"""

import asyncio
import json
import os
import sys
import urllib.request

from pytoniq import LiteClient, WalletV4R2
from pytoniq.liteclient.client import LiteServerError
from pytoniq_core import Address
from pytoniq_core.proof.check_proof import ProofError

TON = 10**9


def post(url: str, control: str, order: dict) -> dict:
    request = urllib.request.Request(f"{url}/control/{control}", data=json.dumps(order).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["result"]


async def caught_up(client: LiteClient) -> None:
    """The newest block, proven from the key block of the configuration."""
    await client.update_last_blocks()


async def story(client: LiteClient, url: str) -> None:
    words, wallet = await WalletV4R2.create(client, wc=0, version="v4r2")
    assert len(words) == 24
    address = wallet.address
    state, _ = await client.raw_get_account_state(address)
    assert state is None, state
    post(url, "faucet", {"address": address.to_str(), "amount": str(5 * TON)})
    await caught_up(client)
    assert (await client.get_account_state(address)).balance == 5 * TON

    somebody = Address((0, os.urandom(32)))
    await wallet.send_init_external()
    await caught_up(client)
    await wallet.update()
    assert wallet.is_active, wallet
    seqno = wallet.seqno
    transfer = WalletV4R2.create_wallet_internal_message(somebody, send_mode=3, value=TON, body="over ADNL", bounce=False)
    assert await wallet.raw_transfer([transfer], seqno_from_get_meth=False) == 1
    await caught_up(client)
    await wallet.update()
    assert wallet.seqno == seqno + 1, (wallet.seqno, seqno)
    assert (await client.get_account_state(somebody)).balance == TON

    # Each transaction names the one before it, from the last one of the proven state to the first.
    history = await client.get_transactions(address, 16)
    assert len(history) == 3, len(history)
    held = 0
    for tx in history:
        held += tx.in_msg.info.value_coins if tx.in_msg.is_internal else 0
        held -= tx.total_fees.grams
        held -= sum(out.info.value_coins + out.info.fwd_fee for out in tx.out_msgs if out.is_internal)
    assert held == (await client.get_account_state(address)).balance
    (received,) = await client.get_transactions(somebody, 16)
    body = received.in_msg.body.begin_parse()
    assert body.load_uint(32) == 0
    assert body.load_snake_string() == "over ADNL"
    older = await client.get_transactions(address, 2, from_lt=history[1].lt, from_hash=history[1].cell.hash)
    assert [tx.lt for tx in older] == [tx.lt for tx in history[1:]]
    print(f"lite server: {len(history)} transactions, proven from block {client.init_key_block.seqno} to {client.last_mc_block.seqno}")


async def contracts(client: LiteClient, network: dict) -> None:
    for name in ("root", "proxy_contract", "client_contract", "worker_contract"):
        account, shard_account = await client.raw_get_account_state(network[name])
        history = await client.get_transactions(network[name], 16)
        assert history[0].lt == shard_account.last_trans_lt and history[-1].prev_trans_lt == 0, name
    root = await client.get_account_state(network["root"])
    owner = root.state.state_init.data.begin_parse().load_address()
    assert owner == Address(network["governor"]), owner


class LiedTo(LiteClient):
    """The package behind a server that changes one thing in its answers; what it checks is as it is."""

    lie = None

    async def liteserver_request(self, tl_schema_name: str, data: dict) -> dict:
        answer = await super().liteserver_request(tl_schema_name, data)
        return self.lie(tl_schema_name, answer) if self.lie else answer


async def refused(config: dict, url: str, network: dict) -> None:
    """What the package proves must be able to fail: states, shards and blocks that are not what the validators signed."""
    address = network["root"]
    async with LiedTo.from_config(config, trust_level=0) as client:
        other = await client.liteserver_request(
            "getAccountState",
            {"id": client.last_mc_block.to_dict(), "account": Address(network["governor"]).to_tl_account_id()},
        )
        older = await client.liteserver_request(
            "getAccountState", {"id": client.last_mc_block.to_dict(), "account": Address(address).to_tl_account_id()}
        )
        post(url, "faucet", {"address": address, "amount": "1"})
        await caught_up(client)
        assert (await client.raw_get_account_state(address))[0] is not None

        def answers(question: str, **changed: object):
            return lambda name, answer: {**answer, **changed} if name == question else answer

        def unsigned(name: str, answer: dict) -> dict:
            for step in answer.get("steps", []) if name == "getBlockProof" else []:
                for signed in step["signatures"]["signatures"]:
                    signed["signature"] = bytes(64) if isinstance(signed["signature"], bytes) else "00" * 64
            return answer

        lies = {
            "another account's state": (answers("getAccountState", state=other["state"]), client.raw_get_account_state, address),
            "a proof of an older state": (answers("getAccountState", proof=older["proof"]), client.raw_get_account_state, address),
            "a proof of an older shard": (answers("getAccountState", shard_proof=older["shard_proof"]), client.raw_get_account_state, address),
            "a block that nobody signed": (unsigned, client.update_last_blocks),
        }
        for name, (lie, question, *arguments) in lies.items():
            if name.startswith("a block"):
                post(url, "faucet", {"address": address, "amount": "1"})
            client.lie = lie
            try:
                await question(*arguments)
            except ProofError as error:
                print(f"{name}: refused ({error})")
            else:
                raise AssertionError(f"{name} was believed")
            finally:
                client.lie = None

        # A server that waits in vain says so.
        try:
            await client.wait_masterchain_seqno(client.last_mc_block.seqno + 1000, 500, "getMasterchainInfo")
        except LiteServerError as error:
            assert error.code == 652, error
        else:
            raise AssertionError("a block that is not there was waited for, and something came")


async def main() -> None:
    url, network = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
    with urllib.request.urlopen(f"{url}/global.config.json", timeout=10) as answer:
        config = json.load(answer)
    # Level 0: nothing that the server says is believed without a proof.
    async with LiteClient.from_config(config, trust_level=0) as client:
        await story(client, url)
        await contracts(client, network)
        # A question that waits for a block is answered by what makes one.
        next_block = client.last_mc_block.seqno + 1
        waiting = client.wait_masterchain_seqno(next_block, 8_000, "getMasterchainInfo")
        told, _ = await asyncio.gather(waiting, asyncio.to_thread(post, url, "faucet", {"address": network["root"], "amount": "1"}))
        assert told["last"]["seqno"] >= next_block, told
    await refused(config, url, network)
    print("pytoniq: passed")


asyncio.run(main())
