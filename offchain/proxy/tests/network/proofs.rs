//! An old database that the chain does not contradict is found by what clients and workers hold; and by nothing else.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{HashBytes, boc_bytes};
use cocoon_bindings::units::{Nanoton, QueryId, TokenCount};
use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::extension::{CompareProof, Proof, ProofCompared};
use cocoon_proxy::{ProxyConfig, RunningProxy, Timers};
use cocoon_receipt::{Signature, SignedReceipt};
use cocoon_runner::link::{LinkError, LinkHandle};
use ed25519_dalek::SigningKey;
use tokio_util::sync::CancellationToken;

use crate::recovery::{copy_folder, eventually, get};
use crate::support::{Act, Client, Network, Worker, address, until};

/// What was signed for one request.
struct Signed {
    receipt: SignedReceipt,
    statement: Proof,
}

fn network() -> Network {
    let network = Network::new();
    network.add_client(address(3), Nanoton::from_ton(50));
    network
}

/// A proxy that notes nothing on chain after its start.
async fn start(network: &Network) -> (RunningProxy, CancellationToken) {
    let config = network.config();
    let timers = Timers {
        commit_min: 600.0,
        commit_max: 600.0,
        ..config.timers
    };
    network.try_start(ProxyConfig { timers, ..config }).await.unwrap()
}

/// One request; what its client and its worker hold then.
async fn ask(network: &Network, proxy: &RunningProxy, id: u8) -> Signed {
    let worker = Worker::connect(network, proxy.workers, address(4), Act::Answer).await;
    let mut client = Client::connect(network, proxy.clients, address(3)).await;
    let receipt = client.ask(id).await.receipt.unwrap();
    let hash = receipt.receipt.statement.hash().0;
    let signed = || {
        let signed = worker.countersigned.lock().unwrap();
        signed.iter().find(|signed| signed.statement_hash == hash).cloned()
    };
    until("countersigned", || signed().is_some()).await;
    worker.link.close().await;
    let statement = Proof::Statement {
        statement: receipt.receipt.statement.to_boc().into(),
        signature: signed().unwrap().signature,
    };
    Signed { receipt, statement }
}

/// A proxy on a copy of its database from after the first of two requests; what was signed for both.
async fn rolled_back(network: &Network) -> (RunningProxy, CancellationToken, [Signed; 2]) {
    let (proxy, stop) = start(network).await;
    let first = ask(network, &proxy, 1).await;
    stop.cancel();
    proxy.join().await.unwrap();
    let (proxy, stop) = start(network).await;
    let (copy, store) = (network.folder.path().join("copy"), network.store_dir());
    copy_folder(&store, &copy);
    let second = ask(network, &proxy, 2).await;
    stop.cancel();
    proxy.join().await.unwrap();
    fs::remove_dir_all(&store).unwrap();
    fs::rename(&copy, &store).unwrap();
    let (proxy, stop) = start(network).await;
    assert!(get(proxy.http, "/health").await.contains("\"status\":\"ready\""));
    (proxy, stop, [first, second])
}

async fn show(link: &LinkHandle, proof: Proof) -> Result<Bytes, LinkError> {
    let question = encode(&CompareProof { proof });
    link.query(question, Duration::from_secs(10)).await
}

fn receipt(receipt: &SignedReceipt) -> Proof {
    Proof::Receipt {
        receipt: receipt.to_boc().into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_receipt_that_the_database_lacks_ends_all_service() {
    let network = network();
    let (proxy, _stop, [first, second]) = rolled_back(&network).await;
    let client = Client::connect(&network, proxy.clients, address(3)).await;
    let other = Client::connect(&network, proxy.clients, address(3)).await;
    let known = show(&client.link, receipt(&first.receipt)).await.unwrap();
    assert_eq!(decode::<ProofCompared>(&known).unwrap(), ProofCompared);
    show(&client.link, receipt(&second.receipt)).await.unwrap_err();
    let page = get(proxy.http, "/health").await;
    assert!(page.contains("\"status\":\"recovering\""), "{page}");
    assert!(page.contains("receipt number 2, this database knows 1"), "{page}");
    other.link.closed().await;
    let again = Client::connect_as(
        &network,
        proxy.clients,
        address(3),
        cocoon_protocol::version::VersionRange::OFFERED,
    );
    assert!(again.await.map(drop).unwrap_err().contains("recovering"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workers_countersigned_statement_that_the_database_lacks_ends_all_service() {
    let network = network();
    let (proxy, _stop, [first, second]) = rolled_back(&network).await;
    // Of an old statement nothing follows, whatever the worker claims beside it.
    let claims = Worker::connect_showing(&network, proxy.workers, address(4), 1_000_000, first.statement).await;
    assert!(claims.map(drop).unwrap_err().contains("went back"));
    assert!(get(proxy.http, "/health").await.contains("\"status\":\"ready\""));
    let shown = Worker::connect_showing(&network, proxy.workers, address(4), 26, second.statement).await;
    shown.map(drop).unwrap_err();
    eventually("recovering", || get(proxy.http, "/health"), "\"status\":\"recovering\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_proxys_key_did_not_sign_for_this_contract_changes_nothing() {
    let network = network();
    let (proxy, _stop) = start(&network).await;
    let signed = ask(&network, &proxy, 1).await;
    let beyond = |change: &dyn Fn(&mut SignedReceipt)| {
        let mut receipt = signed.receipt.clone();
        receipt.receipt.channel.seqno += 1;
        receipt.receipt.channel.previous = HashBytes([1; 32]);
        change(&mut receipt);
        receipt
    };
    let foreign_key = SigningKey::from_bytes(&[77; 32]);
    let voucher = |tokens| {
        let to = network.client_contract(&address(3));
        let (op, tokens) = (VoucherOp::ClientCharge, TokenCount::new(tokens));
        let voucher = SignedVoucher::sign(op, QueryId::new(1), tokens, &to, &to, &foreign_key).unwrap();
        boc_bytes(&voucher.to_cell().unwrap())
    };
    let Proof::Statement { statement, .. } = signed.statement.clone() else {
        panic!();
    };
    let proofs = [
        receipt(&beyond(&|_| {})),
        receipt(&beyond(&|receipt| {
            *receipt = SignedReceipt::sign(receipt.receipt.clone(), &foreign_key)
        })),
        receipt(&beyond(&|receipt| receipt.proxy_signature = Signature([0; 64]))),
        // Good, but of the worker's contract.
        signed.statement.clone(),
        Proof::Voucher {
            voucher: voucher(1_000_000).into(),
        },
        Proof::Receipt {
            receipt: Bytes::from_static(b"garbage"),
        },
        Proof::Receipt {
            receipt: vec![0; 1 << 20].into(),
        },
    ];
    for proof in proofs {
        let client = Client::connect(&network, proxy.clients, address(3)).await;
        let said = format!("{proof:?}");
        show(&client.link, proof).await.map(drop).expect_err(&said);
        client.link.closed().await;
    }
    let unsigned = Proof::Statement {
        statement: statement.clone(),
        signature: vec![7; 64].into(),
    };
    for proof in [
        unsigned,
        receipt(&signed.receipt),
        Proof::Statement {
            statement,
            signature: Bytes::new(),
        },
    ] {
        let worker = Worker::connect_showing(&network, proxy.workers, address(4), 1_000_000, proof).await;
        worker.map(drop).unwrap_err();
    }
    assert!(get(proxy.http, "/health").await.contains("\"status\":\"ready\""));
    assert_eq!(ask(&network, &proxy, 2).await.receipt.receipt.channel.seqno, 2);
}
