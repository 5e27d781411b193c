//! What every backend must do.

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::message::{InternalMessage, wallet_external};
use cocoon_bindings::root::AddWorkerHashFromOwner;
use cocoon_bindings::ton::{Address, Cell, CellFamily, HashBytes, StackValue, to_cell};
use cocoon_bindings::units::{Nanoton, PublicKey, QueryId};
use cocoon_bindings::wallet::{GetOwnerAddress, GetPublicKey, Seqno};
use cocoon_bindings::{
    ContractKind, ImageHash, Multipliers, Params, ParamsVersion, RootData, STRUCT_VERSION, StateInit, root_state_init,
};
use ed25519_dalek::SigningKey;

use super::Network;
use crate::limits::MAX_PAGE;
use crate::{
    AccountStatus, ChainError, NodeWallet, Retry, RootView, TransactionId, call_get_method, transactions_after,
    watch_root,
};

/// Every claim for every backend.
macro_rules! suite {
    ($($claim:ident),+ $(,)?) => {
        mod emulated {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::Network::emulated()).await; })+
        }
        mod version_2 {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::Network::local("").await).await; })+
        }
        mod version_3 {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::Network::local("/api/v3").await).await; })+
        }
        mod lite_server {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::Network::lite().await).await; })+
        }
        mod pooled {
            $(#[tokio::test] async fn $claim() { super::$claim(&super::Network::pooled().await).await; })+
        }
    };
}

suite!(
    an_account_that_nobody_wrote_to_is_empty,
    a_wallet_deploys_itself_and_sends_four_messages,
    a_message_is_executed_once_however_often_it_is_sent,
    many_senders_of_one_wallet_wait_for_their_turn,
    a_poor_wallet_says_what_it_needs,
    a_wallet_that_cannot_pay_for_all_messages_says_so,
    too_many_messages_are_refused,
    get_methods_are_read,
    history_is_read_over_many_pages,
    the_root_contract_is_read_and_watched,
    the_fees_of_a_message_are_estimated,
);

const OWNER: Address = Address::new(0, HashBytes([0xaa; 32]));

fn somebody(n: u8) -> Address {
    Address::new(0, HashBytes([n; 32]))
}

fn transfer(to: &Address, value: Nanoton) -> InternalMessage {
    InternalMessage {
        to: to.clone(),
        value,
        bounce: false,
        body: Cell::empty_cell(),
        state_init: None,
    }
}

fn wallet(network: &Network) -> NodeWallet {
    NodeWallet::new(network.chain(), SigningKey::from_bytes(&[7; 32]), OWNER).unwrap()
}

fn rich_wallet(network: &Network) -> NodeWallet {
    let wallet = wallet(network);
    network.fund(wallet.address(), Nanoton::from_ton(100));
    wallet
}

async fn an_account_that_nobody_wrote_to_is_empty(network: &Network) {
    let chain = network.chain();
    let account = chain.account(&somebody(1)).await.unwrap();
    assert_eq!(account.status, AccountStatus::NotExists);
    assert_eq!((account.balance, account.last), (Nanoton::ZERO, None));
    assert!(chain.transactions(&somebody(1), 10, None).await.unwrap().is_empty());
    let getter = chain.run_get_method(&somebody(1), "seqno", vec![]).await;
    assert!(matches!(getter, Err(ChainError::NotDeployed { .. })), "{getter:?}");
    assert!(chain.now().await.unwrap() > 1_700_000_000);
}

async fn a_wallet_deploys_itself_and_sends_four_messages(network: &Network) {
    let wallet = rich_wallet(network);
    wallet.ensure_deployed().await.unwrap();
    wallet.ensure_deployed().await.unwrap();
    let receivers = [1, 2, 3, 4].map(somebody);
    let messages = receivers.iter().map(|to| transfer(to, Nanoton::from_ton(1))).collect();
    let transaction = wallet.send(messages).await.unwrap();
    assert_eq!(transaction.out_msgs.len(), 4);
    for receiver in &receivers {
        let account = network.chain().account(receiver).await.unwrap();
        assert_eq!(
            (account.status, account.balance),
            (AccountStatus::Uninit, Nanoton::from_ton(1))
        );
    }
    assert_eq!(
        call_get_method(network.chain().as_ref(), wallet.address(), &Seqno)
            .await
            .unwrap(),
        2
    );
    let account = network.chain().account(wallet.address()).await.unwrap();
    assert_eq!(account.code, Some(ContractKind::Wallet.code().unwrap()));
    assert_eq!(account.last, Some(TransactionId::from(&transaction)));
}

async fn a_message_is_executed_once_however_often_it_is_sent(network: &Network) {
    let wallet = rich_wallet(network);
    wallet.ensure_deployed().await.unwrap();
    let key = SigningKey::from_bytes(&[7; 32]);
    let until = network.chain().now().await.unwrap() + 60;
    let messages = [(3, transfer(&somebody(1), Nanoton::from_ton(1)))];
    let message = wallet_external(wallet.address(), 1, until, 0, &messages, &key, None).unwrap();
    network.chain().send_boc(&message).await.unwrap();
    let again = network.chain().send_boc(&message).await;
    assert!(
        matches!(
            again,
            Err(ChainError::MessageRefused {
                exit_code: Some(1032),
                ..
            })
        ),
        "{again:?}"
    );
    assert_eq!(
        network.chain().account(&somebody(1)).await.unwrap().balance,
        Nanoton::from_ton(1)
    );
}

async fn many_senders_of_one_wallet_wait_for_their_turn(network: &Network) {
    let wallet = Arc::new(rich_wallet(network));
    let senders: Vec<_> = (1..=8)
        .map(|n| {
            let wallet = wallet.clone();
            tokio::spawn(async move { wallet.send(vec![transfer(&somebody(n), Nanoton::from_ton(1))]).await })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap().unwrap();
    }
    for n in 1..=8 {
        assert_eq!(
            network.chain().account(&somebody(n)).await.unwrap().balance,
            Nanoton::from_ton(1)
        );
    }
    assert_eq!(
        call_get_method(network.chain().as_ref(), wallet.address(), &Seqno)
            .await
            .unwrap(),
        8
    );
}

async fn a_poor_wallet_says_what_it_needs(network: &Network) {
    let wallet = wallet(network);
    network.fund(wallet.address(), Nanoton::from_ton(2));
    let error = wallet
        .send(vec![transfer(&somebody(1), Nanoton::new(1))])
        .await
        .unwrap_err();
    assert!(matches!(error, ChainError::WalletBalance { .. }), "{error}");
    assert_eq!(error.retry(), Retry::Later);
    assert_eq!(
        network.chain().account(wallet.address()).await.unwrap().status,
        AccountStatus::Uninit
    );
}

async fn a_wallet_that_cannot_pay_for_all_messages_says_so(network: &Network) {
    let wallet = rich_wallet(network);
    let messages = vec![
        transfer(&somebody(1), Nanoton::from_ton(1)),
        transfer(&somebody(2), Nanoton::from_ton(1000)),
    ];
    let error = wallet.send(messages).await.unwrap_err();
    assert!(
        matches!(error, ChainError::NotSent { sent: 1, asked: 2, .. }),
        "{error}"
    );
    assert_eq!(error.retry(), Retry::Never);
    wallet
        .send(vec![transfer(&somebody(3), Nanoton::from_ton(1))])
        .await
        .unwrap();
}

async fn too_many_messages_are_refused(network: &Network) {
    let wallet = rich_wallet(network);
    for count in [0, 5] {
        let refused = wallet.send(vec![transfer(&somebody(1), Nanoton::new(1)); count]).await;
        assert!(matches!(refused, Err(ChainError::TooManyMessages { .. })));
    }
}

async fn get_methods_are_read(network: &Network) {
    let wallet = rich_wallet(network);
    wallet.ensure_deployed().await.unwrap();
    let chain = network.chain();
    let key = PublicKey::from(&SigningKey::from_bytes(&[7; 32]));
    assert_eq!(
        call_get_method(chain.as_ref(), wallet.address(), &GetPublicKey)
            .await
            .unwrap(),
        key
    );
    assert_eq!(
        call_get_method(chain.as_ref(), wallet.address(), &GetOwnerAddress)
            .await
            .unwrap(),
        OWNER
    );
    let missing = chain
        .run_get_method(wallet.address(), "no_such_method", vec![StackValue::int(-5)])
        .await
        .unwrap();
    assert_eq!(missing.exit_code, 11);
    let failed = call_get_method(chain.as_ref(), wallet.address(), &cocoon_bindings::root::GetCocoonData).await;
    assert!(
        matches!(failed, Err(ChainError::GetMethod { exit_code: 11, .. })),
        "{failed:?}"
    );
}

async fn history_is_read_over_many_pages(network: &Network) {
    let count = 2 * MAX_PAGE + 7;
    for n in 1..=count {
        network.fund(&somebody(1), Nanoton::new(u128::try_from(n).unwrap()));
    }
    let chain = network.chain();
    let all = transactions_after(chain.as_ref(), &somebody(1), 0).await.unwrap();
    let values: Vec<_> = all
        .iter()
        .map(|transaction| transaction.in_msg.as_ref().unwrap().value.get())
        .collect();
    assert_eq!(values, (1..=u128::try_from(count).unwrap()).collect::<Vec<_>>());
    for after in [0, 1, 100, count - 1] {
        let later = transactions_after(chain.as_ref(), &somebody(1), all[after].lt)
            .await
            .unwrap();
        assert_eq!(later, all[after + 1..], "after {after}");
    }
    let page = chain
        .transactions(&somebody(1), 3, Some(TransactionId::from(&all[50])))
        .await
        .unwrap();
    assert_eq!(page, [all[50].clone(), all[49].clone(), all[48].clone()]);
}

fn params() -> Params {
    Params {
        struct_version: STRUCT_VERSION,
        params_version: ParamsVersion::new(1),
        unique_id: 13,
        is_test: true,
        price_per_token: Nanoton::new(20),
        worker_fee_per_token: Nanoton::new(18),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: Nanoton::from_ton(1),
        min_client_stake: Nanoton::from_ton(1),
        proxy_code: Some(ContractKind::Proxy.code().unwrap()),
        worker_code: Some(ContractKind::Worker.code().unwrap()),
        client_code: Some(ContractKind::Client.code().unwrap()),
    }
}

fn to_root(address: &Address, body: Cell, state_init: Option<StateInit>) -> InternalMessage {
    InternalMessage {
        to: address.clone(),
        value: Nanoton::from_ton(1),
        bounce: false,
        body,
        state_init,
    }
}

async fn the_root_contract_is_read_and_watched(network: &Network) {
    let wallet = rich_wallet(network);
    let (data, params) = (RootData::default(), params());
    let state = root_state_init(wallet.address(), 0, &data, &params).unwrap();
    let root = state.address().unwrap();
    let missing = RootView::fetch(network.chain().as_ref(), &root).await;
    assert!(matches!(missing, Err(ChainError::NotDeployed { .. })), "{missing:?}");

    wallet
        .send(vec![to_root(&root, Cell::empty_cell(), Some(state))])
        .await
        .unwrap();
    let view = RootView::fetch(network.chain().as_ref(), &root).await.unwrap();
    assert_eq!(
        (&view.owner, &view.params, &view.data),
        (wallet.address(), &params, &data)
    );
    assert!(view.is_test());

    let mut watched = watch_root(network.chain(), root.clone(), Duration::from_millis(20))
        .await
        .unwrap();
    assert_eq!(watched.borrow_and_update().version, 0);
    let image = ImageHash::new([5; 32]);
    let add = AddWorkerHashFromOwner {
        query_id: QueryId::new(1),
        hash: image.to_hash_bytes(),
    };
    wallet
        .send(vec![to_root(&root, to_cell(&add).unwrap(), None)])
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(10), watched.changed())
        .await
        .unwrap()
        .unwrap();
    let view = watched.borrow_and_update().clone();
    assert_eq!(view.version, 1);
    assert!(view.allows_worker_image(&image) && !view.allows_proxy_image(&image));
}

async fn the_fees_of_a_message_are_estimated(network: &Network) {
    let wallet = rich_wallet(network);
    wallet.ensure_deployed().await.unwrap();
    let chain = network.chain();
    let key = SigningKey::from_bytes(&[7; 32]);
    let until = chain.now().await.unwrap() + 60;
    let messages = [(3, transfer(&somebody(1), Nanoton::from_ton(1)))];
    let message = wallet_external(wallet.address(), 1, until, 0, &messages, &key, None).unwrap();
    let before = chain.account(wallet.address()).await.unwrap();
    let estimate = chain.estimate_fee(&message).await.unwrap();
    assert_eq!(
        chain.account(wallet.address()).await.unwrap().last,
        before.last,
        "nothing is executed"
    );
    chain.send_boc(&message).await.unwrap();
    let after = chain.account(wallet.address()).await.unwrap().balance;
    let paid = before.balance.get() - after.get() - Nanoton::from_ton(1).get();
    assert!(estimate.get().abs_diff(paid) <= 1000, "{estimate} for {paid}");
    let refused = chain.estimate_fee(&message).await;
    assert!(matches!(refused, Err(ChainError::MessageRefused { .. })), "{refused:?}");
}
