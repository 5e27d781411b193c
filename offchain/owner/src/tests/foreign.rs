//! What others say is not believed: addresses out of a chat, workers that answer, previews of what cannot be.

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::proxy_state_init;
use cocoon_bindings::ton::{Address, Cell, HashBytes, Store, to_cell};
use cocoon_bindings::types::{ChannelLink, StatementParties, StatementTiming, WorkStatement};
use cocoon_bindings::units::{Nanoton, ParamsVersion, PublicKey};
use cocoon_bindings::wallets::WalletContract;
use cocoon_chain::{ChainClient as _, ProxyAccount, WorkerAccount};
use ed25519_dalek::{Signer as _, SigningKey};

use super::{Stage, key, person, v5};
use crate::operation::{client, worker};
use crate::{Manner, Next, Origin, OwnerError, look_ahead, preview};

fn sign(key: &SigningKey, signed: &impl Store) -> [u8; 64] {
    key.sign(to_cell(signed).unwrap().repr_hash().as_slice()).to_bytes()
}

/// What a worker tells: a statement of the stage's proxy over so many tokens.
fn claim(stage: &Stage, contract: &Address, after: u64, key: &SigningKey) -> worker::Claim {
    let statement = WorkStatement {
        version: 1,
        params_version: ParamsVersion::new(1),
        coefficient: 1000,
        finish: 1,
        seed: 7,
        timing: StatementTiming {
            started: 1,
            first_token: 2,
            finished: 3,
        },
        client: HashBytes([0x32; 32]),
        request_id: HashBytes([0x33; 32]),
        parties: StatementParties {
            root: stage.root.clone(),
            proxy: stage.proxy.clone(),
            worker: contract.clone(),
        },
        channel: ChannelLink {
            seqno: 3,
            previous: HashBytes([0x31; 32]),
            before: after.saturating_sub(5),
            after,
        },
        hashes: Cell::default(),
        tokens: Cell::default(),
    };
    worker::Claim {
        proxy: stage.proxy.clone(),
        contract: contract.clone(),
        signature: sign(key, &statement),
        statement,
    }
}

async fn with_worker() -> (Stage, WalletContract, Address) {
    let stage = Stage::new();
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    stage.fund(&owner, 50);
    stage.stake(20);
    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = worker::contract_of(&owner, &at).unwrap();
    (stage, wallet, contract)
}

#[tokio::test]
async fn a_worker_that_names_another_receiver_gets_nothing() {
    let (stage, wallet, contract) = with_worker().await;
    let theirs = worker::Claim {
        contract: person(66),
        ..claim(&stage, &contract, 100, &stage.proxy_key)
    };
    let refused = stage.run(&wallet, 7, &theirs).await;
    assert!(matches!(refused, Err(OwnerError::State { .. })), "{refused:?}");
    assert_eq!(stage.balance(&person(66)).await, Nanoton::ZERO);
}

#[tokio::test]
async fn a_claim_is_settled_before_more_is_claimed_and_its_delay_does_not_begin_anew() {
    let (stage, wallet, contract) = with_worker().await;
    let claimed = |after| claim(&stage, &contract, after, &stage.proxy_key);
    let paid = async || {
        let worker = WorkerAccount::fetch(&stage.chain, &contract).await.unwrap();
        worker.tokens.get()
    };
    let begun = stage.run(&wallet, 7, &claimed(1000)).await.unwrap();
    let until = begun.awaits.unwrap().until.unwrap();
    stage.advance(100);
    // The proxy has signed more meanwhile, and pays nothing.
    let waiting = stage.run(&wallet, 7, &claimed(1500)).await.unwrap();
    assert_eq!(waiting.awaits.unwrap().until, Some(until), "the same delay");
    stage.advance(300);
    let next = stage.run(&wallet, 7, &claimed(1600)).await.unwrap();
    assert!(
        next.awaits.unwrap().until.unwrap() > until,
        "the rest has a delay of its own"
    );
    assert_eq!(paid().await, 1000);
    stage.advance(400);
    let ended = stage.run(&wallet, 7, &claimed(1600)).await.unwrap();
    assert!(ended.awaits.is_none(), "{ended:?}");
    assert_eq!(paid().await, 1600);
    let payouts = crate::earnings(&stage.chain, &contract).await.unwrap();
    assert_eq!(
        payouts.iter().map(|payout| payout.tokens.get()).collect::<Vec<_>>(),
        [1000, 1600]
    );
}

#[tokio::test]
async fn a_payout_that_came_back_is_not_earned() {
    let stage = Stage::new();
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    stage.fund(&owner, 50);
    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = worker::contract_of(&owner, &at).unwrap();
    // The proxy contract holds next to nothing, and the claim asks for eight hundred.
    let large = claim(&stage, &contract, 100_000_000, &stage.proxy_key);
    stage.run(&wallet, 7, &large).await.unwrap();
    stage.advance(400);
    let manner = Manner::default();
    let ahead = look_ahead(&large, &stage.chain, Origin::Wallet(&wallet), &manner, &[]).await;
    let (Next::Send(order), Some(tried)) = ahead.unwrap() else {
        unreachable!("a settlement is due")
    };
    assert!(tried.refused.is_some(), "{tried:?}");
    let mut sender = stage.sender(&wallet);
    sender.send("test", "settle", &[order.message], &key(7)).await.unwrap();
    stage.chain.with(cocoon_emulator::Emulator::run).unwrap();
    let history = cocoon_chain::history(&stage.chain, &contract, 0, 100).await.unwrap();
    let has_bounced =
        |transaction: &cocoon_chain::Transaction| transaction.in_msg.as_ref().is_some_and(|message| message.bounced);
    assert!(history.iter().any(has_bounced));
    assert!(crate::earnings(&stage.chain, &contract).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_signature_that_a_contract_would_refuse_is_refused_in_the_trial() {
    let (stage, wallet, contract) = with_worker().await;
    let forged = claim(&stage, &contract, 100, &key(66));
    let refused = stage.run(&wallet, 7, &forged).await;
    assert!(
        matches!(refused, Err(OwnerError::Refused { would: true, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn nothing_is_deployed_at_what_only_looks_like_a_proxy() {
    let stage = Stage::new();
    let wallet = v5(7);
    stage.fund(&wallet.address().unwrap(), 100);
    // Its terms, and so the code of the contracts at it, are its own.
    let mut terms = super::params();
    terms.unique_id += 1;
    let fake = proxy_state_init(&person(5), &PublicKey::from(&key(91)), &stage.root, &terms).unwrap();
    let proxy = fake.address().unwrap();
    stage.deploy(&fake);
    let deploy = client::Deploy {
        root: stage.root.clone(),
        proxy: proxy.clone(),
        top_up: None,
        secret_hash: None,
    };
    let root = stage.root.clone();
    let refused = [
        stage.run(&wallet, 7, &deploy).await,
        stage.run(&wallet, 7, &worker::Deploy { root, proxy }).await,
    ];
    for refused in refused {
        assert!(matches!(refused, Err(OwnerError::State { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_trial_says_what_the_sender_cannot_pay() {
    let stage = Stage::new();
    let (wallet, empty) = (v5(7), v5(8));
    stage.fund(&wallet.address().unwrap(), 5);
    stage.fund(&person(55), 5);
    let messages = [InternalMessage {
        to: person(9),
        value: Nanoton::from_ton(100),
        bounce: false,
        body: Cell::default(),
        state_init: None,
    }];
    let multisig = person(55);
    for origin in [
        Origin::Wallet(&wallet),
        Origin::Wallet(&empty),
        Origin::Address(&multisig),
    ] {
        let tried = preview(&stage.chain, origin, &messages, &[]).await.unwrap();
        assert!(matches!(tried.refused, Some(OwnerError::Balance { .. })), "{tried:?}");
        assert_eq!(tried.transactions, 0);
    }
    assert_eq!(stage.chain.account(&person(9)).await.unwrap().balance, Nanoton::ZERO);
}
