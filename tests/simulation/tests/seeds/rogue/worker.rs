//! An attested worker that lies: about its work, its price, what it earned before, and in what it signs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::friendly;
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::{ReceiptSignature, TokenCounts, WorkProgress, WorkReport};
use cocoon_protocol::handshake::{ProofStep, WorkerBalances, WorkerConnecting, WorkerOffer};
use cocoon_protocol::http::Response;
use cocoon_protocol::message::{ProxyQuery, ProxyToWorker, WorkerPacket};
use cocoon_protocol::proxy::TokensUsed;
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::version::{Version, VersionRange};
use cocoon_protocol::worker::{CompareBalanceWithProxy, EnabledDisabled, NewCoefficient, UpdatePaymentStatus};
use cocoon_ratls::{Identity, SessionBinding};
use cocoon_receipt::{WorkStatement, salted_hash};
use cocoon_runner::link::{LinkEvent, LinkHandle, prove_session};
use rand::Rng as _;

use super::{Facts, Liar, Over, STEP};
use crate::cheats::Cheat;
use crate::nodes::Node;
use crate::setting::{MODEL, liars_owner};

/// A request to work on.
struct Work {
    request_id: [u8; 32],
    query: Bytes,
}

/// Requests that the proxy wants no more of.
type Cancelled = Arc<Mutex<BTreeSet<[u8; 32]>>>;

/// One connection, until the proxy has enough of it.
pub(super) async fn connection(liar: &mut Liar, facts: &Facts) -> Option<()> {
    let proxy = Node::Proxy(liar.rng.random_range(0..facts.proxies));
    let [workers, _] = proxy.ports();
    let connection = liar.dial(&workers, Some("worker")).await?;
    if liar.one_in(6) {
        liar.babble(connection).await;
        return None;
    }
    let (session, identity) = (connection.session.clone(), Arc::clone(&connection.identity));
    let (link, mut events) = Liar::open(connection).await?;
    let version = shake_hands(liar, &link, session.as_ref()).await.ok()?;
    let cancelled = Cancelled::default();
    while let Some(event) = events.recv().await {
        let work = match event {
            LinkEvent::Query { id, data } => {
                sign(liar, &link, &identity, id, &data).await.ok()?;
                continue;
            }
            LinkEvent::Packet(data) => match ProxyToWorker::decode(&data).ok()? {
                ProxyToWorker::RunFor(query) => Work {
                    request_id: query.request_id,
                    query: query.query,
                },
                ProxyToWorker::RunQueryEx(query) => Work {
                    request_id: query.request_id,
                    query: query.query,
                },
                ProxyToWorker::Cancel(cancel) => {
                    cancelled.lock().unwrap().insert(cancel.request_id);
                    continue;
                }
                _ => continue,
            },
            LinkEvent::Closed(_) => return None,
        };
        if liar.one_in(4) {
            chatter(liar, &link).await.ok()?;
        }
        answer(liar, &link, work, version).await.ok()?;
    }
    None
}

async fn shake_hands(liar: &mut Liar, link: &LinkHandle, session: Option<&SessionBinding>) -> Result<Version, Over> {
    let ask = async |question: Bytes| link.query(question, STEP).await;
    let (state, question) = WorkerConnecting::start(WorkerOffer {
        owner_address: friendly(&liars_owner(), false, true),
        model: if liar.one_in(10) { "@:" } else { MODEL }.to_owned(),
        coefficient: if liar.one_in(10) { -1 } else { 1000 },
        is_test: true,
        proxy_cnt: if liar.one_in(10) { 0 } else { 1 },
        max_active_requests: if liar.one_in(5) { i32::MAX } else { 3 },
        versions: if liar.one_in(3) {
            VersionRange { min: 1, max: 2 }
        } else {
            VersionRange::OFFERED.with_session_proof()
        },
    });
    let step = state.connected(&ask(question).await?)?;
    let state = match step {
        ProofStep::Owed(owed) if liar.one_in(10) => {
            let (_, question) = owed.prove(&[7; 64]);
            ask(question).await?;
            return Err(Over);
        }
        step => prove_session::<_, Over>(link, step, session, Role::Worker).await?,
    };
    let version = state.proxy.version;
    if liar.one_in(3) || liar.cheat == Some(Cheat::ClaimsNeverEarned) {
        // Totals that nobody ever owed it.
        let claimed =
            [i64::MAX, -1, i64::MIN, 1_000_000_000_000][liar.lie(4, &[(Cheat::ClaimsNeverEarned, 3)]) as usize];
        let compare = CompareBalanceWithProxy {
            tokens_committed_to_blockchain: claimed,
            tokens_committed_to_db: claimed,
            max_tokens: claimed,
        };
        ask(encode(&compare)).await?;
    }
    let (state, question) = state.compare(WorkerBalances::default());
    let state = match state.compared(&ask(question).await?)? {
        Ok(state) => state,
        Err((state, question)) => state.extended(&ask(question).await?)?,
    };
    let (state, question) = state.complete(liar.one_in(10));
    state.completed(&ask(question).await?)?;
    Ok(version)
}

/// What nobody asked for.
async fn chatter(liar: &mut Liar, link: &LinkHandle) -> Result<(), Over> {
    let number = liar.rng.random_range(-3..3) * liar.rng.random_range(1..2_000);
    let packet: WorkerPacket = match liar.rng.random_range(0..4) {
        0 => NewCoefficient {
            new_coefficient: number,
        }
        .into(),
        1 => EnabledDisabled { disabled: number }.into(),
        2 => WorkProgress {
            request_id: [9; 32],
            counts: counts(i64::from(number)),
        }
        .into(),
        _ => {
            for _ in 0..50 {
                let _ = link.ask(encode(&UpdatePaymentStatus {})).await?;
            }
            return Ok(());
        }
    };
    liar.say(link, packet.encode()).await
}

fn counts(completion: i64) -> TokenCounts {
    TokenCounts {
        prompt: 10,
        cached: 4,
        completion,
        reasoning: 0,
    }
}

/// Says what it worked, or something else.
async fn answer(liar: &mut Liar, link: &LinkHandle, work: Work, version: Version) -> Result<(), Over> {
    let Work { request_id, query } = work;
    let lie = liar.lie(16, &[(Cheat::MoreThanWasReserved, 9), (Cheat::AnotherAnswerHashed, 11)]);
    let id = if lie == 0 { [liar.rng.random(); 32] } else { request_id };
    let message = |body, final_info| {
        let request_id = id;
        Answer {
            request_id,
            body,
            final_info,
        }
        .to_proxy(version)
        .encode()
    };
    match lie {
        1 => return Ok(()),
        2 => {
            let text = "x".repeat(liar.rng.random_range(0..100_000));
            let refusal = Answer::error(request_id, liar.rng.random(), text, liar.one_in(2));
            return liar.say(link, refusal.to_proxy(version).encode()).await;
        }
        _ => {}
    }
    let streams = query.windows(13).any(|bytes| bytes == b"\"stream\":true");
    let kind = if streams {
        "text/event-stream"
    } else {
        "application/json"
    };
    let header = cocoon_protocol::http::Header {
        name: "Content-Type".to_owned(),
        value: kind.to_owned(),
    };
    let head = Response::new(200, "OK", vec![header]).encode();
    for _ in 0..if lie == 3 { 2 } else { 1 } {
        liar.say(link, message(AnswerBody::Head(head.clone()), None)).await?;
    }
    let mut body = Vec::new();
    let count = match lie {
        // Far more than anybody asked for.
        4 => 3_000,
        _ => liar.rng.random_range(1..8),
    };
    let size = if lie == 5 { 100_000 } else { 1 };
    let usage = "\"usage\":{\"prompt_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens\":3,\"total_tokens\":13}";
    for number in 0..count {
        let text = "y".repeat(size);
        let part = match streams {
            true => format!(
                "data: {{\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
            ),
            false if number == 0 => {
                format!("{{\"id\":\"a\",\"object\":\"chat.completion\",{usage},\"choices\":[],\"x\":\"{text}\"}}\n")
            }
            false => continue,
        };
        body.extend_from_slice(part.as_bytes());
        liar.say(link, message(AnswerBody::Part(part.into()), None)).await?;
        if version.has_extensions() && lie == 6 {
            let told = liar.rng.random_range(-100..1_000_000);
            let progress = WorkProgress {
                request_id,
                counts: counts(told),
            };
            liar.say(link, WorkerPacket::from(progress).encode()).await?;
        }
        if number % 16 == 15 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let last = if streams {
        format!(
            "data: {{\"id\":\"a\",\"object\":\"chat.completion.chunk\",{usage},\"choices\":[]}}\n\ndata: [DONE]\n\n"
        )
    } else {
        String::new()
    };
    body.extend_from_slice(last.as_bytes());
    let completion = match lie {
        7 => i64::MAX,
        8 => i64::MIN,
        9 => 1_000_000,
        _ => 3,
    };
    if version.has_extensions() && lie != 10 {
        let (request_salt, response_salt) = ([1; 32], [2; 32]);
        let told = if lie == 11 { b"something else" } else { &body[..] };
        let report = WorkReport {
            request_id: id,
            counts: counts(completion),
            request_salt,
            request_hash: salted_hash(&request_salt, &query).0,
            response_salt,
            response_hash: salted_hash(&response_salt, told).0,
            sampling_hash: [3; 32],
            seed: 42,
            first_token_time: if lie == 12 { f64::NAN } else { 0.0 },
            finish_reason: if lie == 12 { "x".repeat(70_000) } else { "stop".into() },
        };
        let report = WorkerPacket::from(report).encode();
        for _ in 0..if lie == 13 { 3 } else { 1 } {
            liar.say(link, report.clone()).await?;
        }
    }
    let total = completion.saturating_add(10);
    let tokens = TokensUsed {
        prompt: 6,
        cached: 4,
        completion,
        reasoning: 0,
        total: if lie == 14 { 0 } else { total },
    };
    let final_info = FinalInfo {
        tokens,
        ..FinalInfo::default()
    };
    let end = message(AnswerBody::Part(last.into()), Some(final_info));
    for _ in 0..if lie == 15 { 3 } else { 1 } {
        liar.say(link, end.clone()).await?;
    }
    Ok(())
}

/// Signs what it is shown, or something else, or does not answer.
async fn sign(liar: &mut Liar, link: &LinkHandle, identity: &Identity, id: i64, data: &[u8]) -> Result<(), Over> {
    let Ok(ProxyQuery::SignReceipt(question)) = ProxyQuery::decode(data) else {
        return Ok(());
    };
    let Ok(statement) = WorkStatement::from_boc(&question.statement) else {
        return Ok(());
    };
    let lie = liar.lie(12, &[(Cheat::AnotherStatementSigned, 4)]);
    let signature = match lie {
        0 => return Ok(()),
        1 => return Ok(link.answer_error(id, -1, "x".repeat(10_000)).await?),
        2 => vec![7; 64],
        3 => vec![7; 3],
        4 => {
            let mut other = statement.clone();
            other.channel.after = other.channel.after.wrapping_add(1_000_000);
            other.used.total = other.used.total.wrapping_add(1_000_000);
            identity.sign(other.hash().as_slice()).to_vec()
        }
        _ => {
            liar.signed.lock().unwrap().insert(statement.hash());
            identity.sign(statement.hash().as_slice()).to_vec()
        }
    };
    let answer = encode(&ReceiptSignature {
        signature: signature.into(),
    });
    if lie == 5 {
        // To a question that nobody asked, and then to the right one.
        link.answer(id ^ 1, answer.clone()).await?;
    }
    Ok(link.answer(id, answer).await?)
}
