"""A wallet's life through the unmodified `tonutils`, over version 2 of the HTTP API; the first difference ends it with an error.

Usage: python http_wallet.py URL NETWORK_JSON
"""

import asyncio
import json
import os
import sys
import urllib.request

from ton_core import Address, NetworkGlobalID
from tonutils.clients import ToncenterClient
from tonutils.contracts import TONTransferBuilder, WalletV4R2, WalletV5R1
from tonutils.exceptions import ProviderResponseError, RunGetMethodError

TON = 10**9


def fund(url: str, address: Address, amount: int) -> None:
    body = json.dumps({"address": address.to_str(), "amount": str(amount)}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/control/faucet", data=body), timeout=10) as answer:
        assert json.load(answer)["ok"]


def reconcile(name: str, balance: int, newest: list) -> None:
    """The history is whole and explains the balance to the nanoton."""
    for newer, older in zip(newest, newest[1:]):
        assert (newer.prev_trans_lt, newer.prev_trans_hash) == (older.lt, older.cell.hash), f"{name}: a gap"
    assert newest[-1].prev_trans_lt == 0, f"{name}: the history does not reach its beginning"
    held = 0
    for tx in newest:
        if tx.in_msg.is_internal:
            held += tx.in_msg.info.value_coins
        held -= tx.total_fees.grams
        held -= sum(out.info.value_coins + out.info.fwd_fee for out in tx.out_msgs if out.is_internal)
    assert held == balance, f"{name}: the history explains {held}, not {balance}"
    print(f"{name}: {len(newest)} transactions explain {balance} nanoton")


async def story(name: str, kind: type, client: ToncenterClient, url: str) -> None:
    wallet, _, _, words = kind.create(client)
    assert len(words) == 24
    await wallet.refresh()
    assert wallet.is_nonexit, wallet.state
    fund(url, wallet.address, 10 * TON)
    await wallet.refresh()
    assert wallet.is_uninit and wallet.balance == 10 * TON, wallet.info

    somebody = Address((0, os.urandom(32)))
    await wallet.transfer(somebody, TON, body="from Python, Привет", bounce=False)
    await wallet.refresh()
    assert wallet.is_active, wallet.state
    assert await wallet.seqno() == 1
    info = await client.get_info(somebody)
    assert info.balance == TON, info
    (received,) = await client.get_transactions(somebody)
    body = received.in_msg.body.begin_parse()
    assert body.load_uint(32) == 0
    assert body.load_snake_string() == "from Python, Привет"

    # What may bounce comes back from where nobody is.
    nobody = Address((0, os.urandom(32)))
    await wallet.transfer(nobody, TON, bounce=True)
    assert (await client.get_info(nobody)).balance == 0
    back = (await wallet.get_transactions(limit=1))[0]
    assert back.in_msg.info.bounced and TON - 100_000 < back.in_msg.info.value_coins < TON, back.in_msg.info

    # Three at once.
    batch = [TONTransferBuilder(somebody, TON // 10 + n, bounce=False) for n in range(3)]
    sent = await wallet.batch_transfer_message(batch)
    try:
        await client.send_message(sent.as_hex)
    except ProviderResponseError as error:
        assert "exitcode=" in str(error), error
    else:
        raise AssertionError("the same message was accepted twice")
    await wallet.refresh()
    history = await wallet.get_transactions()
    assert len(history) == 5, len(history)
    reconcile(name, wallet.balance, history)
    newest = history[0].lt
    assert [tx.lt for tx in await wallet.get_transactions(limit=2)] == [tx.lt for tx in history[:2]]
    older = await wallet.get_transactions(from_lt=newest - 1)
    assert [tx.lt for tx in older] == [tx.lt for tx in history[1:]]
    newer = await wallet.get_transactions(to_lt=history[2].lt)
    assert [tx.lt for tx in newer] == [tx.lt for tx in history[:2]]


async def contracts(client: ToncenterClient, network: dict) -> None:
    root = Address(network["root"])
    stack = await client.run_get_method(root, "get_cocoon_data")
    assert len(stack) == 10 and stack[1] == 1, stack
    assert stack[9] == Address(network["governor"]), stack[9]
    try:
        await client.run_get_method(root, "no_such_method")
    except RunGetMethodError as error:
        assert error.exit_code == 11, error
    else:
        raise AssertionError("an unknown method ran")
    config = await client.get_config()
    assert {0, 8, 18, 20, 21, 24, 25, 31} <= set(config), sorted(config)
    forward = config[25]
    assert forward.lump_price == 66_667, vars(forward)
    for name in ("root", "proxy_contract"):
        address = Address(network[name])
        info = await client.get_info(address)
        reconcile(name, info.balance, await client.get_transactions(address))


async def main() -> None:
    url, network = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
    client = ToncenterClient(NetworkGlobalID.MAINNET, base_url=f"{url}/api/v2", rps_limit=1000, rps_period=1.0)
    async with client:
        await story("wallet v4", WalletV4R2, client, url)
        await story("wallet v5", WalletV5R1, client, url)
        await contracts(client, network)
    print("tonutils: passed")


asyncio.run(main())
