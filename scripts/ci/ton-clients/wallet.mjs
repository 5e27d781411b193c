// Two wallets' lives through the unmodified `@ton/ton`, `@ton/core` and `@ton/crypto`, against a local chain with Cocoon's
// contracts on it. The first difference ends it with an error. Usage: node wallet.mjs URL NETWORK_JSON

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

import { Address, Cell, beginCell, comment, external, internal, SendMode, storeMessage, toNano } from "@ton/core";
import { mnemonicNew, mnemonicToPrivateKey, mnemonicValidate } from "@ton/crypto";
import { TonClient, WalletContractV4, WalletContractV5R1 } from "@ton/ton";

const [url, networkFile] = process.argv.slice(2);
const network = JSON.parse(readFileSync(networkFile, "utf8"));
const client = new TonClient({ endpoint: `${url}/api/v2/jsonRPC`, timeout: 20_000 });

// Prices of the chain's configuration: nanoton times 65 536 for a bit and a cell.
const LUMP = 66_667n;
const BIT = 4_369_067n;
const CELL = 436_906_667n;

async function fund(address, amount) {
    const response = await fetch(`${url}/control/faucet`, {
        method: "POST",
        body: JSON.stringify({ address: address.toString(), amount: amount.toString() }),
    });
    assert.equal(response.status, 200, await response.text());
}

/// What forwarding a message costs: cells beside the root, each once.
function forwardFee(message) {
    const root = beginCell().store(storeMessage(message)).endCell();
    const seen = new Map();
    const visit = (cell) => {
        const hash = cell.hash().toString("hex");
        if (!seen.has(hash)) {
            seen.set(hash, cell.bits.length);
            cell.refs.forEach(visit);
        }
    };
    root.refs.forEach(visit);
    const bits = [...seen.values()].reduce((sum, bits) => sum + BigInt(bits), 0n);
    return LUMP + (BIT * bits + CELL * BigInt(seen.size) + 65_535n) / 65_536n;
}

/// All transactions of an account, newest first, page by page.
async function history(address, limit) {
    const { lastTransaction } = await client.getContractState(address);
    const found = [];
    let from = lastTransaction;
    for (let pages = 0; from !== null; pages += 1) {
        assert.ok(pages < 100, "the pages have no end");
        const page = await client.getTransactions(address, { limit, lt: from.lt, hash: from.hash, inclusive: pages === 0 });
        assert.ok(page.length <= limit, `${page.length} transactions on a page of ${limit}`);
        found.push(...page);
        const last = page.at(-1);
        from = page.length === limit ? { lt: last.lt.toString(), hash: last.hash().toString("base64") } : null;
    }
    return found;
}

/// The history is whole, none twice, and explains the balance to the nanoton.
async function reconcile(name, address) {
    const newest = await history(address, 50);
    for (const limit of [1, 2, 3]) {
        const again = await history(address, limit);
        assert.deepEqual(again.map((tx) => tx.lt), newest.map((tx) => tx.lt), `${name}: pages of ${limit}`);
    }
    assert.equal(new Set(newest.map((tx) => tx.lt)).size, newest.length, `${name}: a transaction came twice`);
    // Each names the one before it, up to the first.
    newest.forEach((tx, index) => {
        const before = newest[index + 1];
        assert.equal(tx.prevTransactionLt, before?.lt ?? 0n, `${name}: a transaction is missing`);
        const hash = before ? BigInt(`0x${before.hash().toString("hex")}`) : 0n;
        assert.equal(tx.prevTransactionHash, hash, `${name}: another transaction is named`);
    });
    let balance = 0n;
    for (const tx of newest) {
        balance += tx.inMessage?.info.type === "internal" ? tx.inMessage.info.value.coins : 0n;
        balance -= tx.totalFees.coins;
        for (const message of tx.outMessages.values()) {
            balance -= message.info.type === "internal" ? message.info.value.coins + message.info.forwardFee : 0n;
        }
    }
    assert.equal(await client.getBalance(address), balance, `${name}: the history does not explain the balance`);
    console.log(`${name}: ${newest.length} transactions explain ${balance} nanoton`);
    return newest;
}

async function refused(what, promise, pattern) {
    try {
        await promise;
    } catch (error) {
        const told = JSON.stringify(error.response?.data ?? error.message);
        assert.match(told, pattern, `${what}: ${told}`);
        console.log(`${what}: refused`);
        return;
    }
    assert.fail(`${what} was accepted`);
}

/// A wallet's whole life. `make` gives the signed body of a transfer.
async function story(name, wallet, keys, peer) {
    const contract = client.open(wallet);
    const address = wallet.address;
    assert.equal(await client.isContractDeployed(address), false);
    assert.equal(await contract.getSeqno(), 0);
    await fund(address, toNano(20));
    assert.equal(await client.getBalance(address), toNano(20), "the faucet's coins arrive whole");
    assert.equal((await client.getContractState(address)).state, "uninitialized");

    const transfer = (seqno, messages) =>
        wallet.createTransfer({
            seqno,
            secretKey: keys.secretKey,
            sendMode: SendMode.PAY_GAS_SEPARATELY,
            messages,
        });

    // Deploy with the first transfer: it has a comment, and must not bounce, since nobody has deployed the peer.
    const text = `hello from ${name}, and enough words that they do not fit beside the message's head ${"…".repeat(30)}`;
    const gift = internal({ to: peer, value: toNano(1), bounce: false, body: comment(text) });
    const first = transfer(0, [gift]);
    const estimate = await client.estimateExternalMessageFee(address, {
        body: first,
        initCode: wallet.init.code,
        initData: wallet.init.data,
        ignoreSignature: true,
    });
    const before = await client.getBalance(peer);
    await contract.send(first);
    assert.equal(await client.isContractDeployed(address), true);
    assert.equal(await contract.getSeqno(), 1);
    const [received] = await client.getTransactions(peer, { limit: 1 });
    assert.equal(await client.getBalance(peer), before + toNano(1) - received.totalFees.coins, "the transfer arrives");
    if (!(await client.isContractDeployed(peer))) {
        assert.equal(received.totalFees.coins, 0n, "a transfer to nobody stays with them whole");
    }
    const [deploy, funding] = await history(address, 10);
    assert.equal(funding.totalFees.coins, 0n, "receiving the faucet's coins costs nothing");
    assert.equal(deploy.oldStatus, "uninitialized");
    assert.equal(deploy.endStatus, "active");
    const { description } = deploy;
    const sent = deploy.outMessages.get(0);
    const { source_fees: fees } = estimate;
    assert.equal(BigInt(fees.gas_fee), description.computePhase.gasFees, "gas was estimated");
    assert.equal(BigInt(fees.fwd_fee), description.actionPhase.totalFwdFees, "forwarding was estimated");
    const carried = sent.info.forwardFee;
    assert.equal(description.actionPhase.totalFwdFees, forwardFee(sent), "forwarding costs what the configuration says");
    assert.equal(carried, forwardFee(sent) - (forwardFee(sent) * 21_845n) / 65_536n, "a third stays with the sending side");
    const importFee = deploy.totalFees.coins - description.computePhase.gasFees - description.actionPhase.totalActionFees -
        description.storagePhase.storageFeesCollected;
    assert.equal(BigInt(fees.in_fwd_fee), importFee, "the import was estimated");
    const body = received.inMessage.body.beginParse();
    assert.equal(body.loadUint(32), 0);
    assert.equal(body.loadStringTail(), text, "the comment arrives");

    // Both ends are found by the message between them.
    const lt = sent.info.createdLt.toString();
    const end = await client.tryLocateResultTx(address, peer, lt);
    assert.equal(end.lt, received.lt);
    const start = await client.tryLocateSourceTx(address, peer, lt);
    assert.equal(start.lt, deploy.lt);

    // A message that may bounce comes back from an address where nobody is, less the fees of the way.
    const nowhere = new Address(0, randomBytes(32));
    await contract.send(transfer(1, [internal({ to: nowhere, value: toNano("0.5"), bounce: true })]));
    assert.equal((await client.getContractState(nowhere)).balance, 0n, "what bounces leaves nothing");
    const [back, out] = await history(address, 2);
    assert.equal(back.inMessage.info.bounced, true);
    assert.equal(back.inMessage.info.value.coins, toNano("0.5") - LUMP, "the way back costs one forwarding");
    assert.equal(out.outMessages.get(0).info.value.coins, toNano("0.5"));

    // Four at once, to see that pages hold together within one block.
    const four = [1n, 2n, 3n, 4n].map((n) => internal({ to: peer, value: toNano("0.1") + n, bounce: false }));
    const many = transfer(2, four);
    const file = beginCell().store(storeMessage(external({ to: address, body: many }))).endCell().toBoc();
    await client.sendFile(file);
    assert.equal(await contract.getSeqno(), 3);
    await refused(`${name}: the same file again`, client.sendFile(file), /exitcode=\d+/);
    await refused(`${name}: a bag of nothing`, client.sendFile(Buffer.from("nothing")), /cell|BoC|boc|magic/i);
    assert.equal(await contract.getSeqno(), 3, "what is refused changes nothing");

    const all = await reconcile(name, address);
    assert.equal(all.length, 5, "funded, deployed, sent, bounced, sent four");
    const one = await client.getTransaction(address, out.lt.toString(), out.hash().toString("base64"));
    assert.deepEqual(one.hash(), out.hash());
}

/// What the API says of blocks agrees with the transactions.
async function blocks(address) {
    const info = await client.getMasterchainInfo();
    assert.equal(info.workchain, -1);
    const shards = await client.getWorkchainShards(info.latestSeqno);
    assert.equal(shards.length, 1);
    const { workchain, shard, seqno } = shards[0];
    const listed = await client.getShardTransactions(workchain, seqno, shard);
    const [newest] = await client.getTransactions(address, { limit: 1 });
    const mine = listed.filter((tx) => tx.account.equals(address)).map((tx) => tx.hash);
    assert.ok(mine.includes(newest.hash().toString("base64")), "the last block has the last transaction");
    console.log(`blocks: ${info.latestSeqno}, the last with ${listed.length} transactions`);
}

/// Cocoon's own contracts, as anybody reads them.
async function contracts() {
    const root = Address.parse(network.root);
    const state = await client.getContractState(root);
    assert.equal(state.state, "active");
    const data = Cell.fromBoc(state.data)[0].beginParse();
    const owner = data.loadAddress();
    const version = data.loadUint(32);
    assert.ok(owner.equals(Address.parse(network.governor)), "the governor governs");

    const { stack } = await client.runMethod(root, "get_cocoon_data");
    assert.equal(stack.remaining, 10);
    assert.equal(stack.readNumber(), version, "getter and data agree");
    assert.equal(stack.readNumber(), 1, "one proxy was registered");
    stack.skip(7);
    assert.ok(stack.readAddress().equals(owner));

    const absent = await client.runMethod(root, "get_hash_entry", [
        { type: "int", value: 0n },
        { type: "int", value: (1n << 256n) - 1n },
    ]);
    assert.equal(absent.stack.readBoolean(), false, "a hash that nobody listed is on no list");
    const unknown = await client.runMethodWithError(root, "no_such_method");
    assert.equal(unknown.exit_code, 11);

    const proxy = Address.parse(network.proxy_contract);
    const proxyData = await client.runMethod(proxy, "get_cocoon_proxy_data");
    assert.ok(proxyData.stack.readAddress().equals(Address.parse(network.proxy_owner)));
    proxyData.stack.skip(1);
    assert.ok(proxyData.stack.readAddress().equals(root), "the proxy belongs to this root");
    await reconcile("root contract", root);
    await reconcile("proxy contract", proxy);
}

const words = await mnemonicNew(24);
assert.ok(await mnemonicValidate(words));
const keys = await mnemonicToPrivateKey(words);
const v4 = WalletContractV4.create({ workchain: 0, publicKey: keys.publicKey });
const v5 = WalletContractV5R1.create({ workchain: 0, publicKey: keys.publicKey });

await story("wallet v4", v4, keys, new Address(0, randomBytes(32)));
await story("wallet v5", v5, keys, v4.address);
await reconcile("wallet v4", v4.address);
await blocks(v4.address);
await contracts();
console.log("@ton/ton: passed");
