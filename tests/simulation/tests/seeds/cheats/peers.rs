//! Workers and clients that cheat: what the proxy says of it, what the liar hears, and what the client holds.

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::worker_state_init;
use cocoon_receipt::SignedReceipt;
use cocoon_store::ClientStore;

use super::{Cheat, Finding};
use crate::check;
use crate::ears::{self, Ears};
use crate::host::Life;
use crate::nodes::Node;
use crate::setting::{contract_key, liars_owner};
use crate::world::World;

/// What was found, and whose it is.
pub(super) fn found(world: &World<'_>, cheat: Cheat, ears: &Ears) -> Result<Option<Finding>, String> {
    let log = check::log(world, Node::Proxy(0)).map_err(|error| format!("{error:?}"))?;
    Ok(match cheat {
        Cheat::MoreThanWasReserved => of_receipt(world, &log, ears, "used beyond the reservation"),
        Cheat::AnotherStatementSigned => of_receipt(world, &log, ears, "the worker does not sign"),
        Cheat::ClaimsNeverEarned => ears
            .heard("claims totals that this database does not have")
            .pop()
            .and_then(|line| {
                let contract = ears::field(&line, "contract")?.to_owned();
                (contract == liars_contract(world).to_string()).then_some(of_worker(line))
            }),
        Cheat::AnotherAnswerHashed => held(world, &log)?,
        Cheat::WalletOfAnother => refused(world, "sha256 mismatch"),
        Cheat::OneRequestTwice => refused(world, "this request id is in use"),
        Cheat::MoreThanItPaid => refused(world, "balance"),
        _ => return Err("it is not a peer's".into()),
    })
}

/// The lying worker's contract.
fn liars_contract(world: &World<'_>) -> Address {
    let (setting, key) = (world.setting, PublicKey::from(&contract_key(0)));
    let state = worker_state_init(&liars_owner(), &setting.proxies[0], &key, &setting.params);
    state.unwrap().address().unwrap()
}

fn of_worker(sentence: String) -> Finding {
    let whose = Node::LyingWorker;
    Finding { whose, sentence }
}

/// A line of the proxy that names a receipt, whose statement names the worker.
fn of_receipt(world: &World<'_>, log: &[SignedReceipt], ears: &Ears, phrase: &str) -> Option<Finding> {
    let lines = ears.heard(phrase);
    let worker = |line: &String| {
        let id = ears::field(line, "receipt")?;
        let signed = log.iter().find(|signed| signed.id().to_string() == id)?;
        Some(signed.receipt.statement.worker.clone())
    };
    // Each of them is the liar's.
    let liar = liars_contract(world);
    let are_its = lines.iter().all(|line| worker(line).as_ref() == Some(&liar));
    lines.first().filter(|_| are_its).cloned().map(of_worker)
}

/// A receipt that the client keeps with what is wrong with it, and that its worker signed.
fn held(world: &World<'_>, log: &[SignedReceipt]) -> Result<Option<Finding>, String> {
    let life = Life::new([10, 0, 0, 4].into(), &world.time);
    let disk = world.place_of(Node::Client).platter.copy().disk(&life);
    let store = ClientStore::open_on(disk, &world.setting.file("client")).map_err(|error| error.to_string())?;
    let (liar, mut finding) = (liars_contract(world), None);
    for signed in log {
        let held = store.receipt(&signed.id()).map_err(|error| error.to_string())?;
        let Some(fault) = held.and_then(|held| held.fault) else {
            continue;
        };
        if signed.receipt.statement.worker != liar || signed.worker_signature.is_none() {
            return Err(format!("receipt {} of an honest worker: {fault}", signed.id()));
        }
        finding = Some(of_worker(format!("receipt {}: {fault}", signed.id())));
    }
    Ok(finding)
}

/// What the lying client heard on its own connection.
fn refused(world: &World<'_>, phrase: &str) -> Option<Finding> {
    let heard = world.heard.lock().unwrap();
    let sentence = heard.iter().find(|line| line.contains(phrase))?.clone();
    let whose = Node::LyingClient;
    Some(Finding { whose, sentence })
}
