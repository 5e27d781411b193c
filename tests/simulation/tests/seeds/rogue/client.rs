//! A client that pays and lies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, friendly};
use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::client::{
    AuthorizeWithProxyShort, GetWorkerTypesV2, RequestRefund, RunQueryEx, UpdatePaymentStatus,
};
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::{Cancel, GetEvidence};
use cocoon_protocol::handshake::{ClientConnecting, ClientOffer, ProofStep};
use cocoon_protocol::http::Request;
use cocoon_protocol::message::ProxyToClient;
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::SessionBinding;
use cocoon_runner::link::{LinkEvent, LinkHandle, prove_session};
use rand::Rng as _;

use super::{Facts, Liar, Over, SECRET, STEP};
use crate::cheats::Cheat;
use crate::nodes::Node;
use crate::setting::liars_owner;

/// One connection, until the proxy has enough of it.
pub(super) async fn connection(liar: &mut Liar, files: &Facts) -> Option<()> {
    // Its contract is one of the first proxy's.
    let [_, clients] = Node::Proxy(0).ports();
    let connection = liar.dial(&clients, None).await?;
    if liar.one_in(6) {
        liar.babble(connection).await;
        return None;
    }
    let session = connection.session.clone();
    let (link, mut events) = Liar::open(connection).await?;
    shake_hands(liar, &link, session.as_ref(), files).await.ok()?;
    loop {
        while let Ok(event) = events.try_recv() {
            hear(liar, &event);
        }
        match liar.cheat {
            None => something(liar, &link).await.ok()?,
            Some(cheat) => cheat_by(cheat, liar, &link).await.ok()?,
        }
        let pause = liar.rng.random_range(10..2_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Keeps the errors of what it was sent.
fn hear(liar: &Liar, event: &LinkEvent) {
    if let LinkEvent::Packet(data) = event
        && let Ok(packet) = ProxyToClient::decode(data)
        && let Ok(answer) = Answer::from_proxy(packet)
        && let AnswerBody::Error { message, .. } = answer.body
    {
        liar.hear(message);
    }
}

async fn shake_hands(
    liar: &mut Liar,
    link: &LinkHandle,
    session: Option<&SessionBinding>,
    files: &Facts,
) -> Result<(), Over> {
    let heard = Arc::clone(&liar.heard);
    let ask = async |question: Bytes| {
        let answer = link.query(question, STEP).await;
        answer.inspect_err(|error| heard.lock().unwrap().push(error.to_string()))
    };
    // Somebody else's wallet needs somebody else's secret.
    let owner: Address = if liar.one_in(5) || liar.cheat == Some(Cheat::WalletOfAnother) {
        files.honest.clone()
    } else {
        liars_owner()
    };
    let versions = if liar.one_in(3) {
        VersionRange { min: 1, max: 2 }
    } else {
        VersionRange::OFFERED.with_session_proof()
    };
    let (state, question) = ClientConnecting::start(ClientOffer {
        owner_address: friendly(&owner, false, true),
        is_test: true,
        min_config_version: if liar.one_in(10) { i32::MAX } else { 1 },
        versions,
    });
    if liar.one_in(10) {
        // A request before it is let in.
        let early = encode(&query(liar));
        link.send_packet(early).await?;
    }
    if liar.one_in(10) {
        ask(encode(&AuthorizeWithProxyShort {
            data: Bytes::from_static(SECRET),
        }))
        .await?;
    }
    let step = state.connected(&ask(question).await?)?;
    let state = match step {
        ProofStep::Owed(owed) if liar.one_in(10) => {
            let (_, question) = owed.prove(&[7; 64]);
            ask(question).await?;
            return Err(Over);
        }
        step => prove_session::<_, Over>(link, step, session, Role::Client).await?,
    };
    if liar.cheat == Some(Cheat::WalletOfAnother) {
        // As if it were the secret of that wallet: without it, only the wallet's own message on chain would let it in.
        let data = Bytes::from_static(SECRET);
        ask(encode(&AuthorizeWithProxyShort { data })).await?;
        return Err(Over);
    }
    let (state, question) = state.authorize(SECRET);
    let finished = state.finished(&ask(question).await?);
    finished.inspect_err(|error| liar.hear(error))?;
    Ok(())
}

/// A request that is mostly acceptable.
fn query(liar: &mut Liar) -> RunQueryEx {
    let rng = &mut liar.rng;
    let asked = rng.random_range(1..100);
    let body = format!(
        "{{\"model\":\"parrot\",\"stream\":{},\"max_tokens\":{asked},\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]}}",
        rng.random::<bool>()
    );
    let one_of = |rng: &mut rand::rngs::StdRng, good: i32| match rng.random_range(0..12) {
        0 => i32::MAX,
        1 => i32::MIN,
        2 => 0,
        3 => -1,
        _ => good,
    };
    let path = [
        "/v1/chat/completions",
        "/v1/chat/completions",
        "/v1/embeddings",
        "/../x",
    ][rng.random_range(0..4)];
    RunQueryEx {
        model_name: if rng.random_range(0..8) == 0 {
            "parakeet"
        } else {
            "parrot"
        }
        .to_owned(),
        query: Request::post_json(path, Bytes::from(body)).encode(),
        max_coefficient: one_of(rng, 4000),
        max_tokens: one_of(rng, asked),
        timeout: [10.0, 10.0, 10.0, 0.0, -5.0, f64::NAN, f64::INFINITY, 1e300][rng.random_range(0..8)],
        // Few enough that some come twice.
        request_id: [rng.random_range(0..20); 32],
        min_config_version: one_of(rng, 1),
        flags: (),
        enable_debug: Some(rng.random()),
    }
}

/// A request without a fault.
fn order(request_id: [u8; 32], max_tokens: i32) -> RunQueryEx {
    let body = format!(
        "{{\"model\":\"parrot\",\"stream\":true,\"max_tokens\":{max_tokens},\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]}}"
    );
    RunQueryEx {
        model_name: "parrot".to_owned(),
        query: Request::post_json("/v1/chat/completions", Bytes::from(body)).encode(),
        max_coefficient: 4000,
        max_tokens,
        timeout: 10.0,
        request_id,
        min_config_version: 1,
        flags: (),
        enable_debug: None,
    }
}

/// What a client does that cheats in one way only.
async fn cheat_by(cheat: Cheat, liar: &mut Liar, link: &LinkHandle) -> Result<(), Over> {
    let id = [liar.rng.random(); 32];
    match cheat {
        Cheat::OneRequestTwice => {
            for _ in 0..2 {
                link.send_packet(encode(&order(id, 50))).await?;
            }
        }
        Cheat::MoreThanItPaid => link.send_packet(encode(&order(id, 1_000_000_000))).await?,
        _ => link.send_packet(encode(&order(id, 50))).await?,
    }
    Ok(())
}

async fn something(liar: &mut Liar, link: &LinkHandle) -> Result<(), Over> {
    match liar.rng.random_range(0..12) {
        0..5 => {
            let query = encode(&query(liar));
            liar.say(link, query).await
        }
        5 => {
            // Ordered and sent back at once.
            let query = query(liar);
            let request_id = query.request_id;
            liar.say(link, encode(&query)).await?;
            liar.say(link, encode(&Cancel { request_id })).await
        }
        6 => {
            let request_id = [liar.rng.random_range(0..20); 32];
            liar.say(link, encode(&Cancel { request_id })).await
        }
        7 => {
            for _ in 0..liar.rng.random_range(1..100) {
                let query = encode(&query(liar));
                link.send_packet(query).await?;
            }
            Ok(())
        }
        8 => {
            let hash = [liar.rng.random(); 32];
            let _ = link.query(encode(&GetEvidence { hash }), STEP).await;
            Ok(())
        }
        9 => {
            let refund = encode(&RequestRefund {});
            let _ = link.query(refund, STEP).await;
            Ok(())
        }
        10 => {
            // Never reads the answers: nobody waits for them.
            for _ in 0..50 {
                let _ = link.ask(encode(&GetWorkerTypesV2 {})).await?;
                let _ = link.ask(encode(&UpdatePaymentStatus {})).await?;
            }
            Ok(())
        }
        _ => {
            let bytes: Vec<u8> = (0..liar.rng.random_range(0..64)).map(|_| liar.rng.random()).collect();
            let _ = link.query(bytes.clone(), STEP).await;
            Ok(link.send_packet(bytes).await?)
        }
    }
}
