//! Books that a proxy falsifies once all is settled. It has its key: everything is signed again. What gives it away is the
//! arithmetic, the chain, the root contract, or what others hold.

use std::collections::BTreeMap;

use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_audit::{DifferenceKind as Kind, Report, judge};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::{Coefficient, ParamsVersion, PublicKey};
use cocoon_ratls::{Identity, Simulated};
use cocoon_receipt::{Receipt, SignedReceipt};
use cocoon_store::{ClientStore, EvidenceFolder, files};

use super::{Cheat, Finding};
use crate::check;
use crate::host::Life;
use crate::nodes::Node;
use crate::setting::contract_key;
use crate::world::World;

const PROXY: Node = Node::Proxy(0);

/// Falsifies the books and audits them.
pub(super) fn found(world: &mut World<'_>, cheat: Cheat) -> Result<Option<Finding>, String> {
    let told = |error: &dyn std::fmt::Debug| format!("{error:?}");
    if cheat == Cheat::VoucherWithoutReceipts {
        world.chain.overcharge(&world.setting.client);
        (0..200).for_each(|_| world.step());
    }
    let mut log = check::log(world, PROXY).map_err(|e| told(&e))?;
    let mut evidence = certificates(world, &log)?;
    let kind = falsify(world, cheat, &mut log, &mut evidence)?;
    let contract = world.setting.proxies[0].clone();
    let history = check::history(world, &contract, &log).map_err(|e| told(&e))?;
    let report = judge(&log, &history, &evidence).map_err(|e| told(&e))?;
    match kind {
        Some(kind) => attributed(&report, kind, &log),
        // The log is in order by itself.
        None if report.difference.is_none() => twice(world, &log),
        None => Err(report.sentence()),
    }
}

/// Does it; returns what an audit must find, if it can.
fn falsify(
    world: &World<'_>,
    cheat: Cheat,
    log: &mut Vec<SignedReceipt>,
    evidence: &mut BTreeMap<HashBytes, Vec<u8>>,
) -> Result<Option<Kind>, String> {
    let middle = log.len() / 2;
    let kind = match cheat {
        Cheat::VoucherWithoutReceipts => Kind::Settlement,
        Cheat::MoreThanWasUsed => {
            change_last(log, |receipt| {
                receipt.channel.after += 1_000;
                receipt.statement.channel.after += 1_000;
            })?;
            Kind::Price
        }
        Cheat::AnotherPrice => {
            change_last(log, |receipt| receipt.statement.coefficient = Coefficient::new(500))?;
            Kind::Price
        }
        Cheat::OtherTerms => {
            change_last(log, |receipt| receipt.statement.params_version = ParamsVersion::new(9))?;
            Kind::Terms
        }
        Cheat::ReceiptLeftOut => {
            log.remove(middle);
            Kind::Channel
        }
        Cheat::ReceiptsReordered => {
            log.swap(middle, middle - 1);
            Kind::Channel
        }
        Cheat::TwoReceiptsOfOneNumber => {
            change_last(log, |receipt| receipt.statement.timing.finished_ms += 1)?;
            return Ok(None);
        }
        Cheat::WorkersSignatureForged => {
            let last = log.last_mut().ok_or("no receipt")?;
            last.worker_signature = Some(last.receipt.statement.sign(&contract_key(0)));
            Kind::Signature
        }
        Cheat::ImageNotListed => {
            let platform = std::fs::read_to_string(world.setting.file("platform.json")).unwrap();
            let platform = SimulatedPlatform::from_json(&platform).unwrap();
            let source = Simulated::for_role(platform, "something else");
            let other = Identity::issue(&source, world.time.ms() / 1000).map_err(|error| error.to_string())?;
            let hash: HashBytes = other.evidence_hash().into();
            evidence.insert(hash, other.certificate_der().to_vec());
            change_last(log, |receipt| receipt.statement.worker_evidence = hash)?;
            Kind::Evidence
        }
        _ => return Err("it is not a proxy's".into()),
    };
    Ok(Some(kind))
}

/// Changes the last receipt and signs it again; its worker does not.
fn change_last(log: &mut Vec<SignedReceipt>, change: impl FnOnce(&mut Receipt)) -> Result<(), String> {
    let mut receipt = log.pop().ok_or("no receipt")?.receipt;
    change(&mut receipt);
    log.push(SignedReceipt::sign(receipt, &contract_key(0)));
    Ok(())
}

/// The certificates that receipts name.
fn certificates(world: &World<'_>, log: &[SignedReceipt]) -> Result<BTreeMap<HashBytes, Vec<u8>>, String> {
    let life = Life::new([10, 0, 0, 4].into(), &world.time);
    let disk = world.place_of(PROXY).platter.disk(&life);
    let folder = EvidenceFolder::open_on(disk, &world.setting.file("proxy").join(files::EVIDENCE));
    let folder = folder.map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    for signed in log {
        for hash in [signed.receipt.proxy_evidence, signed.receipt.statement.worker_evidence] {
            if let Some(certificate) = folder.get(&hash).map_err(|error| error.to_string())? {
                found.insert(hash, certificate);
            }
        }
    }
    Ok(found)
}

/// Whose the difference is: what the proxy's key signed is the proxy's, a receipt as well as a voucher that a contract took.
fn attributed(report: &Report, kind: Kind, log: &[SignedReceipt]) -> Result<Option<Finding>, String> {
    let Some(difference) = &report.difference else {
        return Ok(None);
    };
    if difference.kind != kind {
        return Err(format!("not {kind:?} but {}", report.sentence()));
    }
    let key = PublicKey::from(&contract_key(0));
    let named = |signed: &&SignedReceipt| difference.receipt == Some(signed.id().to_string());
    let has_signed = log
        .iter()
        .find(named)
        .is_some_and(|signed| signed.verify_proxy(&key).is_ok());
    let finding = Finding {
        whose: PROXY,
        sentence: difference.sentence.clone(),
    };
    Ok((has_signed || difference.transaction.is_some()).then_some(finding))
}

/// Two receipts of one number, both signed by the proxy: one in its log, one with its client.
fn twice(world: &World<'_>, log: &[SignedReceipt]) -> Result<Option<Finding>, String> {
    let life = Life::new([10, 0, 0, 4].into(), &world.time);
    let disk = world.place_of(Node::Client).platter.copy().disk(&life);
    let store = ClientStore::open_on(disk, &world.setting.file("client")).map_err(|error| error.to_string())?;
    let key = PublicKey::from(&contract_key(0));
    for held in store.latest_receipts().map_err(|error| error.to_string())? {
        let place = |signed: &SignedReceipt| (signed.receipt.client.clone(), signed.receipt.channel.seqno);
        let is_other =
            |signed: &&SignedReceipt| place(signed) == place(&held.receipt) && signed.id() != held.receipt.id();
        if let Some(logged) = log.iter().find(is_other)
            && logged.verify_proxy(&key).is_ok()
            && held.receipt.verify_proxy(&key).is_ok()
        {
            let sentence = format!(
                "receipts {} and {} have one number in one channel",
                logged.id(),
                held.receipt.id()
            );
            return Ok(Some(Finding { whose: PROXY, sentence }));
        }
    }
    Ok(None)
}
