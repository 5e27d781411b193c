//! The lives of contracts, from deployment to close.

use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_bindings::wallets::WalletContract;
use cocoon_chain::{ClientAccount, ProxyAccount, WorkerAccount};

use super::{Stage, Yes, key, person, v5};
use crate::operation::{client, proxy, runner_wallet, worker};
use crate::{Manner, Next, Origin, OwnerError, drive, look_ahead};

fn ton(amount: u64) -> Nanoton {
    Nanoton::from_ton(amount)
}

#[tokio::test]
async fn a_client_contract_lives_from_deploy_to_close_and_the_money_comes_back() {
    let stage = Stage::new();
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    stage.fund(&owner, 100);
    let deploy = client::Deploy {
        root: stage.root.clone(),
        proxy: stage.proxy.clone(),
        top_up: Some(ton(20)),
        secret_hash: Some([9; 32].into()),
    };
    let outcome = stage.run(&wallet, 7, &deploy).await.unwrap();
    assert_eq!(outcome.sent.len(), 1);
    let again = stage.run(&wallet, 7, &deploy).await.unwrap();
    assert!(again.says.contains("already") && again.sent.is_empty(), "{again:?}");

    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = client::contract_of(&owner, &at).unwrap();
    let look = async || ClientAccount::fetch(&stage.chain, &contract).await.unwrap();
    assert_eq!((look().await.balance, look().await.secret_hash.0), (ton(20), [9; 32]));

    let pay = client::TopUp {
        contract: contract.clone(),
        amount: ton(3),
        secret_hash: None,
        reopen: false,
    };
    stage.run(&wallet, 7, &pay).await.unwrap();
    stage.run(&wallet, 7, &pay).await.unwrap();
    assert_eq!(look().await.balance, ton(26), "two payments are two payments");

    let stake = |stake| client::Stake {
        contract: contract.clone(),
        stake,
    };
    stage.run(&wallet, 7, &stake(ton(8))).await.unwrap();
    assert!(stage.run(&wallet, 7, &stake(ton(8))).await.unwrap().sent.is_empty());
    let lower = stage.run(&wallet, 7, &stake(ton(7))).await;
    assert!(matches!(lower, Err(OwnerError::State { .. })));

    let withdraw = client::Withdraw {
        contract: contract.clone(),
    };
    stage.run(&wallet, 7, &withdraw).await.unwrap();
    assert_eq!(look().await.balance, ton(8));
    let nothing = stage.run(&wallet, 7, &withdraw).await;
    assert!(matches!(nothing, Err(OwnerError::State { .. })));

    let close = client::Close {
        contract: contract.clone(),
        accepts_less: false,
    };
    let begun = stage.run(&wallet, 7, &close).await.unwrap();
    let until = begun.awaits.unwrap().until.unwrap();
    assert_eq!(look().await.state, Lifecycle::Closing);
    // Forced refunds come out of the proxy's stake.
    let add = proxy::Stake {
        contract: stage.proxy.clone(),
        amount: ton(10),
    };
    let given_away = stage.run(&wallet, 7, &add).await;
    assert!(
        matches!(given_away, Err(OwnerError::OtherContract { .. })),
        "{given_away:?}"
    );
    stage.advance(until - super::START);
    let uncovered = stage.run(&wallet, 7, &close).await;
    assert!(
        matches!(&uncovered, Err(OwnerError::State { what, .. }) if what.contains("lost")),
        "{uncovered:?}"
    );
    stage.stake(10);
    let ended = stage.run(&wallet, 7, &close).await.unwrap();
    assert!(ended.awaits.is_none() && ended.sent.len() == 2, "{ended:?}");
    assert_eq!(look().await.state, Lifecycle::Closed);
    let left = stage.balance(&owner).await;
    assert!(left > ton(98) && left < ton(100), "all but the fees came back: {left}");
    assert!(stage.run(&wallet, 7, &close).await.unwrap().sent.is_empty());

    let closed = stage.run(&wallet, 7, &pay).await;
    assert!(matches!(closed, Err(OwnerError::State { .. })));
    let reopen = client::TopUp { reopen: true, ..pay };
    stage.run(&wallet, 7, &reopen).await.unwrap();
    assert_eq!((look().await.state, look().await.balance), (Lifecycle::Normal, ton(3)));
}

#[tokio::test]
async fn a_proxy_contract_is_staked_and_closed_with_its_key_but_not_over_the_money_of_clients() {
    let stage = Stage::new();
    let wallet = WalletContract::v4r2(PublicKey::from(&key(7)));
    stage.fund(&wallet.address().unwrap(), 200);
    let deploy = proxy::Deploy {
        root: stage.root.clone(),
        public_key: PublicKey::from(&stage.proxy_key),
        stake: None,
    };
    stage.run(&wallet, 7, &deploy).await.unwrap();
    let init = cocoon_bindings::proxy_state_init(
        &wallet.address().unwrap(),
        &deploy.public_key,
        &stage.root,
        &super::params(),
    )
    .unwrap();
    let contract = init.address().unwrap();
    let look = async || ProxyAccount::fetch(&stage.chain, &contract).await.unwrap();
    assert_eq!(look().await.stake, ton(10));
    let stake = proxy::Stake {
        contract: contract.clone(),
        amount: ton(2),
    };
    stage.run(&wallet, 7, &stake).await.unwrap();
    assert_eq!(look().await.stake, ton(12));
    let none = proxy::Withdraw {
        contract: contract.clone(),
    };
    assert!(matches!(
        stage.run(&wallet, 7, &none).await,
        Err(OwnerError::State { .. })
    ));

    // A client of another owner pays in.
    let theirs = v5(8);
    stage.fund(&theirs.address().unwrap(), 50);
    let client = client::Deploy {
        root: stage.root.clone(),
        proxy: contract.clone(),
        top_up: None,
        secret_hash: None,
    };
    stage.run(&theirs, 8, &client).await.unwrap();
    let (clients, _) = client::contract_of(&theirs.address().unwrap(), &look().await).unwrap();

    let close = |key| proxy::Close {
        contract: contract.clone(),
        key,
        takes_all: false,
    };
    let begun = stage.run(&wallet, 7, &close(None)).await.unwrap();
    assert_eq!(begun.awaits.unwrap().until, Some(look().await.unlock_ts));
    let give_back = client::Close {
        contract: clients,
        accepts_less: false,
    };
    stage.run(&theirs, 8, &give_back).await.unwrap();
    stage.advance(700);
    let held = stage
        .run(&wallet, 7, &close(Some(stage.proxy_key.clone())))
        .await
        .unwrap();
    assert!(
        held.awaits.unwrap().what.contains("clients"),
        "their coins are still there"
    );
    stage.run(&theirs, 8, &give_back).await.unwrap();
    let wrong = stage.run(&wallet, 7, &close(Some(key(91)))).await;
    assert!(matches!(wrong, Err(OwnerError::State { .. })));
    // The refund came out of the stake, so what the client had paid in is the owner's now.
    let take_all = proxy::Close {
        takes_all: true,
        ..close(Some(stage.proxy_key.clone()))
    };
    let ended = stage.run(&wallet, 7, &take_all).await.unwrap();
    assert!(ended.awaits.is_none(), "{ended:?}");
    assert_eq!(
        (look().await.state, look().await.stake),
        (Lifecycle::Closed, Nanoton::ZERO)
    );
}

#[tokio::test]
async fn the_stake_of_a_proxy_without_its_key_comes_back_after_half_a_year() {
    let stage = Stage::new();
    let wallet = v5(7);
    stage.fund(&wallet.address().unwrap(), 200);
    let deploy = proxy::Deploy {
        root: stage.root.clone(),
        public_key: PublicKey::new([3; 32]),
        stake: Some(ton(50)),
    };
    let says = stage.run(&wallet, 7, &deploy).await.unwrap().says;
    let contract = cocoon_bindings::ton::parse_address(says.split(' ').nth(2).unwrap()).unwrap();
    let close = proxy::Close {
        contract: contract.clone(),
        key: None,
        takes_all: false,
    };
    stage.run(&wallet, 7, &close).await.unwrap();
    stage.advance(601);
    let waiting = stage.run(&wallet, 7, &close).await.unwrap().awaits.unwrap();
    stage.advance(waiting.until.unwrap() - super::START);
    let ended = stage.run(&wallet, 7, &close).await.unwrap();
    assert!(ended.awaits.is_none(), "{ended:?}");
    let left = stage.balance(&wallet.address().unwrap()).await;
    assert!(left > ton(199), "{left}");
}

#[tokio::test]
async fn a_worker_contract_is_deployed_once() {
    let stage = Stage::new();
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    stage.fund(&owner, 10);
    let deploy = worker::Deploy {
        root: stage.root.clone(),
        proxy: stage.proxy.clone(),
    };
    stage.run(&wallet, 7, &deploy).await.unwrap();
    assert!(stage.run(&wallet, 7, &deploy).await.unwrap().sent.is_empty());
    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = worker::contract_of(&owner, &at).unwrap();
    let account = WorkerAccount::fetch(&stage.chain, &contract).await.unwrap();
    assert_eq!((account.owner.clone(), account.state), (owner, Lifecycle::Normal));
    assert!(crate::earnings(&stage.chain, &contract).await.unwrap().is_empty());
    let close = worker::Close { contract };
    assert!(stage.run(&wallet, 7, &close).await.unwrap().awaits.is_some());
}

#[tokio::test]
async fn a_contract_of_a_runners_wallet_is_managed_through_it_and_the_wallet_is_emptied() {
    let stage = Stage::new();
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    let runner = WalletContract::node(PublicKey::from(&key(20)), owner.clone());
    let through = runner.address().unwrap();
    stage.fund(&owner, 100);
    stage.fund(&through, 30);
    stage.deploy(&runner.state_init().unwrap());
    let deploy = client::Deploy {
        root: stage.root.clone(),
        proxy: stage.proxy.clone(),
        top_up: None,
        secret_hash: None,
    };
    let manner = Manner {
        through: Some(through.clone()),
        does_not_wait: true,
    };
    let mut sender = stage.sender(&wallet);
    drive(&deploy, &mut sender, &manner, &mut Yes::new(&key(7)))
        .await
        .unwrap();
    drop(sender);
    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = client::contract_of(&through, &at).unwrap();
    let account = ClientAccount::fetch(&stage.chain, &contract).await.unwrap();
    assert_eq!(
        (account.constants.owner.clone(), account.balance),
        (through.clone(), ton(5))
    );

    let empty = runner_wallet::Empty {
        wallet: through.clone(),
    };
    stage.run(&wallet, 7, &empty).await.unwrap();
    assert!(stage.balance(&through).await < ton(1));
    assert!(stage.balance(&owner).await > ton(120));
    let foreign = stage.run(&v5(8), 8, &empty).await;
    assert!(matches!(foreign, Err(OwnerError::OtherContract { .. })), "{foreign:?}");
}

#[tokio::test]
async fn what_is_tried_out_is_what_happens_then() {
    let stage = Stage::new();
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    stage.fund(&owner, 100);
    let deploy = client::Deploy {
        root: stage.root.clone(),
        proxy: stage.proxy.clone(),
        top_up: Some(ton(20)),
        secret_hash: None,
    };
    stage.advance(100_000);
    let before = stage.balance(&owner).await;
    let manner = Manner::default();
    let (next, tried) = look_ahead(&deploy, &stage.chain, Origin::Wallet(&wallet), &manner, &[])
        .await
        .unwrap();
    assert!(matches!(next, Next::Send(_)));
    let tried = tried.unwrap();
    assert!(tried.refused.is_none(), "{tried:?}");
    assert_eq!(stage.balance(&owner).await, before, "nothing was sent");
    let outcome = stage.run(&wallet, 7, &deploy).await.unwrap();
    assert_eq!(outcome.sent[0].fees, tried.fees, "to the last nanoton");
    let told = tried
        .accounts
        .iter()
        .find(|account| account.address == owner.to_string())
        .unwrap();
    assert_eq!(told.changes[0].new, stage.balance(&owner).await.to_string());
    let json = serde_json::to_value(&tried).unwrap();
    assert!(json["accounts"].as_array().unwrap().len() >= 3, "{json}");
}

#[tokio::test]
async fn what_a_contract_would_refuse_is_not_sent() {
    let stage = Stage::new();
    let wallet = v5(7);
    stage.fund(&wallet.address().unwrap(), 100);
    let foreign = client::Deploy {
        root: stage.root.clone(),
        proxy: stage.proxy.clone(),
        top_up: Some(ton(20)),
        secret_hash: None,
    };
    stage.run(&wallet, 7, &foreign).await.unwrap();
    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = client::contract_of(&wallet.address().unwrap(), &at).unwrap();
    let theirs = v5(8);
    stage.fund(&theirs.address().unwrap(), 100);
    let withdraw = client::Withdraw { contract };
    let refused = stage.run(&theirs, 8, &withdraw).await;
    assert!(matches!(refused, Err(OwnerError::OtherContract { .. })));
    let from = person(55);
    stage.fund(&from, 3);
    let manner = Manner::default();
    let ahead = look_ahead(
        &withdraw,
        &stage.chain,
        Origin::Address(&wallet.address().unwrap()),
        &manner,
        &[],
    )
    .await;
    let (_, tried) = ahead.unwrap();
    assert!(tried.unwrap().refused.is_none());
}
