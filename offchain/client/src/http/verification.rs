//! What whoever asks needs to judge a receipt or a certificate again without believing this client: the member `verification` of
//! both pages, in the form that the verifier reads here and in a browser (docs/verifier.md), and what it says here.

use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::HashList;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::ImageHash;

use cocoon_receipt::{ChannelHead, ReceiptId};
use cocoon_runner::off_thread;
use cocoon_store::{ClientStore, StoredReceipt};
use cocoon_verifier::PolicyDocument;
use cocoon_verifier::evidence::Role;
use cocoon_verifier::json::{
    Count, EvidenceDocument, ExpectedDocument, HeadDocument, ImagesDocument, PricesDocument, ReceiptDocument,
    RequestDocument, ResponseDocument,
};
use serde_json::{Value, json};

use super::{App, inclusion};

/// What a receipt is judged by that lies on this disk.
struct Kept {
    worker_certificate: Option<Vec<u8>>,
    proxy_certificate: Option<Vec<u8>>,
    previous: Option<ChannelHead>,
}

/// Adds `verification` and `checks` to a receipt's page, which has its `inclusion` already. Of request and answer only the salts
/// are in it: their bytes are with whoever asked.
pub(super) async fn add(app: &Arc<App>, stored: &StoredReceipt, page: &mut Value) {
    let (store, wanted) = (Arc::clone(&app.context.store), stored.clone());
    let kept = off_thread(move || look_up(&store.lock().unwrap_or_else(PoisonError::into_inner), &wanted));
    let kept = kept.await.unwrap_or(Kept {
        worker_certificate: None,
        proxy_certificate: None,
        previous: None,
    });
    let document = of_receipt(app, stored, &kept, page.get("inclusion"));
    let report = document.judge();
    if let Value::Object(members) = page {
        let checks = report.map_or(Value::Null, |report| json!(report.checks));
        members.insert("checks".to_owned(), checks);
        members.insert("verification".to_owned(), json!(document));
    }
}

fn look_up(store: &ClientStore, stored: &StoredReceipt) -> Kept {
    let receipt = &stored.receipt.receipt;
    let certificate = |hash: &HashBytes| store.evidence().get(hash).ok().flatten();
    let link = &receipt.channel;
    let before = match link.seqno {
        1 => Some(ChannelHead::GENESIS),
        _ => store
            .receipt(&ReceiptId(link.previous))
            .ok()
            .flatten()
            .map(|before| ChannelHead {
                seqno: before.receipt.receipt.channel.seqno,
                hash: link.previous,
                total: before.receipt.receipt.channel.after,
            }),
    };
    Kept {
        worker_certificate: certificate(&receipt.statement.worker_evidence),
        proxy_certificate: certificate(&receipt.proxy_evidence),
        previous: before,
    }
}

fn of_receipt(app: &App, stored: &StoredReceipt, kept: &Kept, inclusion: Option<&Value>) -> ReceiptDocument {
    let (receipt, root) = (&stored.receipt.receipt, app.context.root());
    let proxy = &receipt.statement.proxy;
    let connections = app.upstream.borrow().connections.clone();
    let connected = connections.iter().find(|known| known.proxy.contract == *proxy);
    // The one that is connected shows it; an earlier one may be kept.
    let shown = connected
        .map(|known| &known.peer)
        .filter(|peer| peer.evidence_hash() == receipt.proxy_evidence.0);
    let proxy_certificate = shown.map(|peer| &peer.certificate).or(kept.proxy_certificate.as_ref());
    ReceiptDocument {
        receipt: STANDARD.encode(stored.receipt.to_boc()),
        proxy_key: inclusion::known_key(app, proxy).map(|key| key.to_string()),
        expected: ExpectedDocument {
            root: Some(root.address.to_string()),
            proxy: connected.map(|known| known.proxy.contract.to_string()),
            client: connected.map(|known| known.client_contract.to_string()),
            request_id: None,
        },
        request: Some(RequestDocument {
            salt: hex::encode(stored.request_salt),
            ..RequestDocument::default()
        }),
        response: Some(ResponseDocument {
            salt: hex::encode(stored.response_salt),
            ..ResponseDocument::default()
        }),
        max_coefficient: stored.max_coefficient,
        prices: Some(PricesDocument {
            version: root.params_version().get(),
            multipliers: root.params.multipliers,
        }),
        worker_certificate: kept.worker_certificate.as_ref().map(|der| STANDARD.encode(der)),
        proxy_certificate: proxy_certificate.map(|der| STANDARD.encode(der)),
        inclusion: inclusion.and_then(|page| serde_json::from_value(page.clone()).ok()),
        previous: kept.previous.map(|head| HeadDocument {
            seqno: Count::Text(head.seqno.to_string()),
            hash: hex::encode(head.hash.0),
            total: Count::Text(head.total.to_string()),
        }),
    }
}

/// The question about a certificate, by what is believed here at present.
pub(super) fn of_certificate(app: &App, der: &[u8], role: Option<Role>) -> EvidenceDocument {
    let (trust, root) = (app.context.trust.store(), app.context.root());
    let listed = |list: &HashList<ImageHash>| {
        let valid = list.iter().filter(|image| list.is_valid(image, root.time));
        valid.map(ToString::to_string).collect()
    };
    EvidenceDocument {
        now: app.context.clock.now(),
        certificate: STANDARD.encode(der),
        sha256: None,
        collateral: trust.endorsements().texts().map(str::to_owned).collect(),
        simulated_roots: trust.roots().simulated().map(|der| STANDARD.encode(der)).collect(),
        policy: Some(PolicyDocument::from(&trust.policy())),
        images: Some(ImagesDocument {
            proxies: listed(&root.data.proxy_hashes),
            workers: listed(&root.data.worker_hashes),
        }),
        role,
    }
}
