//! Commands that are given again: after a kill, after something else happened, long after.

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_bindings::wallets::WalletContract;
use cocoon_chain::{ChainClient as _, ChainError, ClientAccount, ProxyAccount};

use super::{Stage, Yes, key, person, v5};
use crate::operation::{client, proxy};
use crate::{Journal, Manner, OwnerError, drive, operation_id};

fn ton(amount: u64) -> Nanoton {
    Nanoton::from_ton(amount)
}

/// A stage whose wallet 7 has a client contract.
async fn with_client() -> (Stage, WalletContract, Address) {
    let stage = Stage::new();
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    stage.fund(&owner, 100);
    let deploy = client::Deploy {
        root: stage.root.clone(),
        proxy: stage.proxy.clone(),
        top_up: None,
        secret_hash: None,
    };
    stage.run(&wallet, 7, &deploy).await.unwrap();
    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = client::contract_of(&owner, &at).unwrap();
    (stage, wallet, contract)
}

fn pay(contract: &Address, reopen: bool) -> client::TopUp {
    client::TopUp {
        contract: contract.clone(),
        amount: ton(4),
        secret_hash: None,
        reopen,
    }
}

/// Runs an operation as a command that is gone before it could tell its end.
async fn untold(stage: &Stage, wallet: &WalletContract, operation: &dyn crate::Operation) {
    let mut sender = stage.sender(wallet);
    let manner = Manner {
        through: None,
        does_not_wait: true,
    };
    drive(operation, &mut sender, &manner, &mut Yes::new(&key(7)))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_old_payment_whose_end_was_not_told_is_not_passed_off_as_a_new_one() {
    let (stage, wallet, contract) = with_client().await;
    let pay = pay(&contract, false);
    untold(&stage, &wallet, &pay).await;
    stage.advance(600);
    let soon = {
        let mut sender = stage.sender(&wallet);
        drive(&pay, &mut sender, &Manner::default(), &mut Yes::new(&key(7)))
            .await
            .unwrap()
    };
    assert_eq!(soon.earlier, None, "whoever comes back at once means the same payment");
    stage.advance(30 * 24 * 3600);
    let later = stage.run(&wallet, 7, &pay).await.unwrap();
    assert!(later.earlier.is_some() && later.sent.len() == 1, "{later:?}");
    let another = stage.run(&wallet, 7, &pay).await.unwrap();
    assert_eq!(another.earlier, None);
    let look = ClientAccount::fetch(&stage.chain, &contract).await.unwrap();
    assert_eq!(look.balance, ton(13), "two payments");
}

#[tokio::test]
async fn a_close_that_was_undone_by_a_reopening_is_begun_anew() {
    let (stage, wallet, contract) = with_client().await;
    stage.stake(20);
    let close = client::Close {
        contract: contract.clone(),
        accepts_less: false,
    };
    let state = async || ClientAccount::fetch(&stage.chain, &contract).await.unwrap().state;
    assert!(stage.run(&wallet, 7, &close).await.unwrap().awaits.is_some());
    // Somebody else ends it, and it is used again; the step is still in the journal.
    stage.advance(400);
    let other = stage.folder.path().join("other");
    let mut sender = crate::Sender::open(stage.shared(), wallet.clone(), &other).unwrap();
    drive(&close, &mut sender, &Manner::default(), &mut Yes::new(&key(7)))
        .await
        .unwrap();
    assert_eq!(state().await, Lifecycle::Closed);
    drop(sender);
    stage.run(&wallet, 7, &pay(&contract, true)).await.unwrap();
    let again = stage.run(&wallet, 7, &close).await.unwrap();
    assert!(again.awaits.unwrap().until.is_some(), "the delay runs again");
    assert_eq!(state().await, Lifecycle::Closing);
    stage.advance(400);
    assert!(stage.run(&wallet, 7, &close).await.unwrap().awaits.is_none());
    assert_eq!(state().await, Lifecycle::Closed);
}

#[tokio::test]
async fn a_deploy_of_other_terms_is_told_and_not_waited_for() {
    let stage = Stage::new();
    let wallet = v5(7);
    stage.fund(&wallet.address().unwrap(), 100);
    let deploy = |byte: u8| proxy::Deploy {
        root: stage.root.clone(),
        public_key: PublicKey::new([byte; 32]),
        stake: None,
    };
    // The same operation, but its step went to another address.
    untold(&stage, &wallet, &deploy(3)).await;
    let folder = stage.journals();
    let file = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let file = file
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "json"))
        .unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let (old, new) = (PublicKey::new([3; 32]).to_string(), PublicKey::new([4; 32]).to_string());
    assert!(text.contains(&old));
    std::fs::write(&file, text.replace(&old, &new)).unwrap();
    let elsewhere = stage.run(&wallet, 7, &deploy(4)).await;
    assert!(matches!(elsewhere, Err(OwnerError::Elsewhere { .. })), "{elsewhere:?}");
    assert_eq!(stage.run(&wallet, 7, &deploy(4)).await.unwrap().sent.len(), 1);
}

#[tokio::test]
async fn an_operation_through_a_runners_wallet_is_another_one() {
    let deploy = client::Deploy {
        root: person(1),
        proxy: person(2),
        top_up: None,
        secret_hash: None,
    };
    let through = Manner {
        through: Some(person(3)),
        does_not_wait: false,
    };
    assert_ne!(
        operation_id(&deploy, &through),
        operation_id(&deploy, &Manner::default())
    );
}

#[tokio::test(start_paused = true)]
async fn a_recovered_message_that_sent_nothing_is_no_payment() {
    let stage = Stage::new();
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    stage.fund(&owner, 10);
    // As the process left it: signed and written down, sent, and executed when the money was gone.
    let mut sender = stage.sender(&wallet);
    let payment = |value| InternalMessage {
        to: person(200),
        value,
        bounce: false,
        body: Cell::default(),
        state_init: None,
    };
    let account = stage.chain.account(&owner).await.unwrap();
    let valid_until = super::START + 180;
    let cell = wallet.external(
        0,
        valid_until,
        &crate::sender::with_modes(&[payment(ton(50))]),
        &key(7),
        true,
    );
    let message = cocoon_chain::SignedMessage {
        wallet: owner.clone(),
        kind: wallet.kind(),
        cell: cell.unwrap(),
        seqno: 0,
        valid_until,
        after: account.last.map_or(0, |last| last.lt),
    };
    sender.journal().begin("pay", "pay", &message, 1).unwrap();
    stage.chain.send_boc(&message.cell).await.unwrap();
    drop(sender);
    let mut sender = stage.sender(&wallet);
    let recovered = sender.recover().await;
    assert!(
        matches!(
            recovered,
            Err(OwnerError::Chain(ChainError::NotSent { sent: 0, asked: 1, .. }))
        ),
        "{recovered:?}"
    );
    assert!(sender.journal().steps("pay").is_empty());
    assert_eq!(sender.journal().unfinished().count(), 0);
    assert_eq!(Journal::look(&stage.journals(), &owner).unwrap().pending(), None);
}
