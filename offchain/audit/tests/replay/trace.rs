//! One receipt traced, honest and not.

use crate::published::{block_on, bundle, settled};
use crate::stage::{Stage, person};
use cocoon_attest::{Endorsements, TrustRoots};
use cocoon_audit::{Bundle, Finding, Judging, Link, Step, Subject, Trace, TraceLog, TraceVerdict, trace};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::{Coefficient, ParamsVersion};
use cocoon_receipt::{Receipt, SignedReceipt};
use cocoon_store::LogRecord;
use cocoon_tlog::{InclusionPage, TlogError};
use std::path::Path;

const DAY: u32 = 86_400;

fn place(folder: &Path) -> TraceLog {
    TraceLog::open(folder.to_str().unwrap()).unwrap()
}

fn judging(stage: &Stage) -> Judging {
    let roots = TrustRoots::intel().unwrap();
    Judging {
        root: Some(stage.root.clone()),
        roots: roots.with_simulated(stage.platform.root_der()).unwrap(),
        endorsements: stage.platform.endorsements(u64::from(stage.now())).unwrap(),
        policy: None,
        strict: true,
    }
}

fn receipt(stage: &Stage, number: usize) -> SignedReceipt {
    match &stage.records[number] {
        LogRecord::Receipt(receipt) => receipt.clone(),
        LogRecord::WorkerSignature(..) => panic!("only receipts are served"),
    }
}

fn traced(stage: &Stage, subject: &Subject, log: &TraceLog, judging: &Judging) -> Trace {
    block_on(trace(subject, log, &stage.chain, judging)).unwrap()
}

/// Receipt `number`, found by its id in what the stage publishes.
fn by_id(stage: &Stage, number: usize, judging: &Judging) -> Trace {
    let published = stage.publish();
    let log = place(published.path());
    let id = receipt(stage, number).id();
    block_on(async {
        let subject = log.find(&id).await.unwrap().unwrap();
        trace(&subject, &log, &stage.chain, judging).await.unwrap()
    })
}

fn of(trace: &Trace, finding: Finding) -> Vec<Step> {
    let links = trace.links.iter().filter(|link| link.finding == finding);
    links.map(|link| link.step).collect()
}

fn link(trace: &Trace, step: Step) -> &Link {
    trace.link(step).unwrap()
}

#[test]
fn every_link_of_an_honest_receipt_is_proven() {
    let stage = settled();
    let trace = by_id(&stage, 41, &judging(&stage));
    assert_eq!(trace.verdict, TraceVerdict::Proven, "{}", trace.sentence());
    assert_eq!((of(&trace, Finding::Proven).len(), trace.exit_code()), (18, 0));
    assert_eq!(
        (trace.charged, trace.price.unwrap().get(), trace.earned.unwrap().get()),
        (42, 42 * 20, 42 * 19)
    );
    assert!(trace.simulated && trace.sentence().ends_with("in every link."));
    let says = |step| link(&trace, step).says.as_str();
    assert!(says(Step::Inclusion).starts_with("number 42 of 300 under root "));
    assert!(says(Step::Anchor).starts_with("checkpoint 1 over 200 receipts"));
    assert!(says(Step::WorkerQuote).starts_with("SIMULATED platform"));
    assert!(
        says(Step::WorkerImage).contains("listed from 2026-05-28"),
        "{}",
        says(Step::WorkerImage)
    );
    assert!(says(Step::ClientSettled).contains("settled 45150 tokens"));
}

#[test]
fn what_nobody_kept_is_unknown_and_only_the_strict_need_it() {
    let mut stage = Stage::new();
    stage.serve(10);
    let mut lenient = judging(&stage);
    lenient.strict = false;
    lenient.endorsements = Endorsements::none();
    let trace = by_id(&stage, 0, &lenient);
    assert_eq!(trace.verdict, TraceVerdict::Proven, "{}", trace.sentence());
    let unknown = of(&trace, Finding::Unknown);
    let expected = [
        Step::Anchor,
        Step::ProxyQuote,
        Step::ProxyImage,
        Step::WorkerQuote,
        Step::WorkerImage,
        Step::ClientSettled,
        Step::WorkerSettled,
    ];
    assert_eq!(unknown, expected);
    assert!(link(&trace, Step::ProxyQuote).says.contains("could not be checked"));
    assert!(
        link(&trace, Step::ProxyImage)
            .says
            .starts_with("by a quote that is not proven")
    );
    // Anybody can deploy a root contract: the reader says which one is meant.
    let mut nobody = lenient.clone();
    nobody.root = None;
    let trace = by_id(&stage, 0, &nobody);
    assert_eq!((trace.verdict, trace.exit_code()), (TraceVerdict::Incomplete, 1));
    assert!(
        trace.sentence().contains("nobody said which root"),
        "{}",
        trace.sentence()
    );
    lenient.strict = true;
    let trace = by_id(&stage, 0, &lenient);
    assert_eq!((trace.verdict, trace.exit_code()), (TraceVerdict::Incomplete, 1));
    assert!(trace.sentence().starts_with("Incomplete: "), "{}", trace.sentence());
}

#[test]
fn collateral_of_another_time_is_said_to_be_of_another_time() {
    let stage = settled();
    let mut later = judging(&stage);
    let then = u64::from(stage.now() + 400 * DAY);
    later.endorsements = stage.platform.endorsements(then).unwrap();
    let trace = by_id(&stage, 3, &later);
    let quote = link(&trace, Step::WorkerQuote);
    assert_eq!(quote.finding, Finding::Unknown);
    assert!(quote.says.contains("holds from 2027-"), "{}", quote.says);
    // Evidence of a platform that nobody named proves nothing, and refutes nothing.
    later.roots = TrustRoots::intel().unwrap();
    let trace = by_id(&stage, 3, &later);
    assert_eq!(link(&trace, Step::WorkerQuote).finding, Finding::Unknown);
}

#[test]
fn a_page_brings_its_proof_and_certificates_come_from_a_log() {
    let stage = settled();
    let published = stage.publish();
    let log = place(published.path());
    let id = receipt(&stage, 250).id();
    let found = block_on(log.find(&id)).unwrap().unwrap();
    let proof = found.proof.clone().unwrap();
    let boc = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(found.receipt.to_boc())
    };
    let page = serde_json::json!({"id": id.to_string(), "boc": boc, "inclusion": InclusionPage::from(&proof)});
    let subject = Subject::parse(page.to_string().as_bytes()).unwrap();
    assert_eq!(subject, Subject::parse(proof.to_text().as_bytes()).unwrap());
    assert_eq!(
        Subject::of(found.receipt.clone()),
        Subject::parse(boc.as_bytes()).unwrap()
    );
    let alone = traced(&stage, &subject, &TraceLog::Nowhere, &judging(&stage));
    assert_eq!(alone.verdict, TraceVerdict::Incomplete);
    assert_eq!(link(&alone, Step::Inclusion).finding, Finding::Proven);
    assert_eq!(link(&alone, Step::WorkerCertificate).finding, Finding::Unknown);
    let with_log = traced(&stage, &subject, &log, &judging(&stage));
    assert_eq!(
        link(&with_log, Step::Anchor).finding,
        Finding::Unknown,
        "200 are anchored"
    );
    assert!(of(&with_log, Finding::Refuted).is_empty());
    assert_eq!(of(&with_log, Finding::Unknown), [Step::Anchor]);
}

#[test]
fn in_a_store_the_chain_proves_the_place() {
    let stage = settled();
    let folder = stage.write();
    let log = place(folder.path());
    for (number, finding) in [(7, Finding::Proven), (299, Finding::Unknown)] {
        let subject = block_on(log.find(&receipt(&stage, number).id())).unwrap().unwrap();
        let trace = traced(&stage, &subject, &log, &judging(&stage));
        assert_eq!(link(&trace, Step::Inclusion).finding, finding);
        assert_eq!(link(&trace, Step::Anchor).finding, finding);
        assert_eq!(link(&trace, Step::WorkerSignature).finding, Finding::Proven);
    }
    assert!(
        block_on(log.find(&cocoon_receipt::ReceiptId(HashBytes([1; 32]))))
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_bundle_is_enough_without_a_chain() {
    let mut stage = settled();
    stage.change_prices(30);
    stage.serve(4);
    let (folder, _) = bundle(&stage);
    let bundle = Bundle::open(folder.path()).unwrap();
    let log = TraceLog::Published(bundle.log());
    for number in [0, 300] {
        let id = receipt(&stage, number).id();
        let trace = block_on(async {
            let subject = log.find(&id).await.unwrap().unwrap();
            trace(&subject, &log, bundle.chain(), &judging(&stage)).await.unwrap()
        });
        let live = by_id(&stage, number, &judging(&stage));
        assert_eq!(trace, live, "{number}");
        assert!(of(&trace, Finding::Refuted).is_empty());
    }
}

/// The first thing that is refuted when the last of three receipts is changed and signed anew.
fn forged(change: impl FnOnce(&mut Receipt)) -> Option<Step> {
    let mut stage = Stage::new();
    for tokens in [10, 20, 30] {
        stage.serve(tokens);
    }
    let mut changed = receipt(&stage, 2).receipt;
    change(&mut changed);
    let mut signed = SignedReceipt::sign(changed, &stage.key);
    signed.worker_signature = Some(stage.sign_as_worker(&signed.receipt.statement.hash()));
    stage.records[2] = LogRecord::Receipt(signed);
    let trace = by_id(&stage, 2, &judging(&stage));
    of(&trace, Finding::Refuted).first().copied()
}

#[test]
fn each_lie_of_a_receipt_is_refuted_in_its_link() {
    assert_eq!(forged(|_| {}), None);
    let dearer = |receipt: &mut Receipt| receipt.statement.coefficient = Coefficient::new(500);
    assert_eq!(forged(dearer), Some(Step::Tokens));
    assert_eq!(
        forged(|receipt| receipt.statement.params_version = ParamsVersion::new(9)),
        Some(Step::Terms)
    );
    assert_eq!(
        forged(|receipt| receipt.statement.root = person(77)),
        Some(Step::Contract)
    );
    assert_eq!(forged(|receipt| receipt.client = person(77)), None);
    let before = |receipt: &mut Receipt| receipt.statement.timing.started_ms -= u64::from(DAY) * 1000;
    assert_eq!(forged(before), Some(Step::ProxyImage));
    let another = |receipt: &mut Receipt| receipt.statement.worker_evidence = receipt.proxy_evidence;
    assert_eq!(forged(another), Some(Step::WorkerImage));
}

#[test]
fn signatures_of_other_keys_are_refuted() {
    let stage = settled();
    let published = stage.publish();
    let log = place(published.path());
    let mut signed = receipt(&stage, 5);
    signed.worker_signature = Some(signed.receipt.statement.sign(&stage.key));
    let trace = traced(&stage, &Subject::of(signed.clone()), &log, &judging(&stage));
    assert_eq!(of(&trace, Finding::Refuted), [Step::WorkerSignature]);
    signed.proxy_signature.0[5] ^= 1;
    let trace = traced(&stage, &Subject::of(signed.clone()), &log, &judging(&stage));
    assert_eq!(of(&trace, Finding::Refuted)[0], Step::ProxySignature);
    // Without a charge nobody needs to say that it was done.
    let mut stage = Stage::new();
    stage.serve(0);
    let LogRecord::Receipt(only) = &mut stage.records[0] else {
        panic!("a receipt was served")
    };
    only.worker_signature = None;
    let mut lenient = judging(&stage);
    lenient.strict = false;
    assert_eq!(by_id(&stage, 0, &lenient).verdict, TraceVerdict::Proven);
    let mut stage = Stage::new();
    stage.serve(1);
    let LogRecord::Receipt(only) = &mut stage.records[0] else {
        panic!("a receipt was served")
    };
    only.worker_signature = None;
    assert_eq!(by_id(&stage, 0, &lenient).verdict, TraceVerdict::Incomplete);
}

#[test]
fn another_root_an_unlisted_image_and_a_receipt_outside_of_the_log_are_not_believed() {
    let stage = settled();
    let mut other = judging(&stage);
    other.root = Some(person(77));
    assert_eq!(of(&by_id(&stage, 0, &other), Finding::Refuted), [Step::Root]);
    let mut unlisted = Stage::with_worker_image("something else");
    unlisted.serve(10);
    let trace = by_id(&unlisted, 0, &judging(&unlisted));
    assert_eq!(of(&trace, Finding::Refuted), [Step::WorkerImage]);
    assert!(trace.sentence().contains("never listed"), "{}", trace.sentence());
    let published = stage.publish();
    let mut stage = stage;
    stage.serve(9);
    let newest = Subject::of(receipt(&stage, 300));
    let trace = traced(&stage, &newest, &place(published.path()), &judging(&stage));
    assert_eq!(link(&trace, Step::Inclusion).finding, Finding::Unknown);
    assert_eq!(trace.verdict, TraceVerdict::Incomplete);
    let away = Subject::of({
        let mut made_up = receipt(&stage, 300);
        made_up.receipt.statement.proxy = person(78);
        made_up
    });
    let trace = traced(&stage, &away, &place(published.path()), &judging(&stage));
    assert_eq!((trace.links.len(), trace.verdict), (1, TraceVerdict::Incomplete));
}

#[test]
fn a_log_that_shows_two_histories_is_refuted() {
    let mut stage = settled();
    let subject = {
        let published = stage.publish();
        let log = place(published.path());
        block_on(log.find(&receipt(&stage, 250).id())).unwrap().unwrap()
    };
    // The same key signs another order of what is not anchored yet.
    stage.records.swap(280, 281);
    stage.serve(1);
    let other = stage.publish();
    let trace = traced(&stage, &subject, &place(other.path()), &judging(&stage));
    assert_eq!(of(&trace, Finding::Refuted), [Step::Inclusion]);
    let says = &link(&trace, Step::Inclusion).says;
    let fork = TlogError::Fork {
        known: 300,
        root: HashBytes::ZERO,
    };
    assert_eq!(
        &says[..says.find("root").unwrap()],
        &fork.to_string()[..fork.to_string().find("root").unwrap()]
    );
    // And one of what is: the chain has another root.
    stage.records.swap(3, 4);
    let trace = by_id(&stage, 10, &judging(&stage));
    assert_eq!(of(&trace, Finding::Refuted), [Step::Anchor]);
    let store = stage.write();
    let log = place(store.path());
    let subject = block_on(log.find(&receipt(&stage, 10).id())).unwrap().unwrap();
    let trace = traced(&stage, &subject, &log, &judging(&stage));
    assert_eq!(of(&trace, Finding::Refuted), [Step::Inclusion, Step::Anchor]);
}

#[test]
fn a_platform_that_nobody_trusts_is_refuted_where_receipts_count() {
    let mut stage = Stage::in_production();
    stage.serve(10);
    let mut reader = judging(&stage);
    reader.strict = false;
    let quotes = [Step::ProxyQuote, Step::WorkerQuote];
    // A simulated one, also if the reader named it.
    let trace = by_id(&stage, 0, &reader);
    assert_eq!(
        (of(&trace, Finding::Refuted), trace.simulated),
        (quotes.to_vec(), false)
    );
    reader.roots = TrustRoots::intel().unwrap();
    let trace = by_id(&stage, 0, &reader);
    assert_eq!(of(&trace, Finding::Refuted), quotes);
    // Of a trusted maker without collateral it is unknown, and then nothing is proven.
    let mut reader = judging(&stage);
    reader.strict = false;
    reader.endorsements = Endorsements::none();
    let trace = by_id(&stage, 0, &reader);
    assert!(of(&trace, Finding::Refuted).is_empty(), "{}", trace.sentence());
    assert_eq!((trace.verdict, trace.exit_code()), (TraceVerdict::Incomplete, 1));
}

#[test]
fn a_proof_is_compared_with_the_chain_and_with_the_store_at_hand() {
    let mut stage = settled();
    let id = receipt(&stage, 250).id();
    let subject = {
        let published = stage.publish();
        block_on(place(published.path()).find(&id)).unwrap().unwrap()
    };
    // A good one proves the place where the chain says nothing yet.
    let store = stage.write();
    let trace = traced(&stage, &subject, &place(store.path()), &judging(&stage));
    assert_eq!(link(&trace, Step::Inclusion).finding, Finding::Proven);
    stage.records.swap(280, 281);
    let store = stage.write();
    let trace = traced(&stage, &subject, &place(store.path()), &judging(&stage));
    assert_eq!(of(&trace, Finding::Refuted), [Step::Inclusion]);
    // The chain has another root for its size, and the log at hand is older.
    stage.anchor(2, 300, HashBytes([5; 32]));
    stage.records.truncate(260);
    let early = stage.publish();
    let trace = traced(&stage, &subject, &place(early.path()), &judging(&stage));
    assert_eq!(of(&trace, Finding::Refuted), [Step::Anchor]);
}

#[test]
fn what_a_contract_of_other_terms_has_settled_pays_for_nothing() {
    let mut stage = settled();
    let (client, worker) = (stage.client.clone(), stage.worker.clone());
    stage.change_prices(30);
    stage.serve(4);
    let mut changed = receipt(&stage, 300).receipt;
    changed.client = client;
    changed.statement.worker = worker;
    let mut signed = SignedReceipt::sign(changed, &stage.key);
    signed.worker_signature = Some(stage.sign_as_worker(&signed.receipt.statement.hash()));
    stage.records[300] = LogRecord::Receipt(signed);
    let trace = by_id(&stage, 300, &judging(&stage));
    assert_eq!(of(&trace, Finding::Refuted), [Step::ClientSettled, Step::WorkerSettled]);
}
