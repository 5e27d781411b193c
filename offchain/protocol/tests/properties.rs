//! Every codec is total and inverse to its encoder; sessions survive any split and any garbage.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use cocoon_protocol::Version;
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::codec::{DecodeError, decode, encode};
use cocoon_protocol::context::{ContextLength, ContextTold, Contexts, GetContexts, ModelContext, TellContext};
use cocoon_protocol::extension::{
    CompareProof, GetQuote, Proof, Quote, QuoteTerms, RunQuoted, TokenCounts, WorkReport,
};
use cocoon_protocol::http::{Header, Request, Response};
use cocoon_protocol::limits::MAX_CONTEXT_LENGTH;
use cocoon_protocol::message::{
    ClientPacket, ClientQuery, ProxyQuery, ProxyToClient, ProxyToWorker, WorkerPacket, WorkerQuery,
};
use cocoon_protocol::peer_info::AttestedPeerInfo;
use cocoon_protocol::proxy::{Params, SignedPayment, Span, TokensUsed};
use cocoon_protocol::session::{CloseReason, Event, Session};
use cocoon_protocol::{client, tcp, worker};
use proptest::collection::vec;
use proptest::prelude::*;

fn blob() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..600).prop_map(Bytes::from)
}

fn payment() -> impl Strategy<Value = SignedPayment> {
    prop_oneof![
        Just(SignedPayment::Empty),
        blob().prop_map(|data| SignedPayment::Voucher { data })
    ]
}

fn tokens() -> impl Strategy<Value = TokensUsed> {
    any::<(i64, i64, i64, i64, i64)>().prop_map(|(prompt, cached, completion, reasoning, total)| TokensUsed {
        prompt,
        cached,
        completion,
        reasoning,
        total,
    })
}

fn span() -> impl Strategy<Value = Span> {
    (0.0..1e10f64, 0.0..1e10f64).prop_map(|(start, end)| Span { start, end })
}

fn headers() -> impl Strategy<Value = Vec<Header>> {
    vec(
        (".{0,20}", ".{0,300}").prop_map(|(name, value)| Header { name, value }),
        0..6,
    )
}

fn final_info() -> impl Strategy<Value = FinalInfo> {
    (tokens(), any::<Option<(String, String)>>(), span(), span()).prop_map(|(tokens, debug, proxy, worker)| {
        let (worker_debug, proxy_debug) = debug.unzip();
        FinalInfo {
            tokens,
            worker_debug,
            proxy_debug,
            proxy_times: Some(proxy),
            worker_times: Some(worker),
        }
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let body = prop_oneof![
        blob().prop_map(AnswerBody::Head),
        blob().prop_map(AnswerBody::Part),
        (any::<i32>(), ".{0,40}", any::<bool>()).prop_map(|(code, message, after_head)| AnswerBody::Error {
            code,
            message,
            after_head
        }),
    ];
    (any::<[u8; 32]>(), body, proptest::option::of(final_info())).prop_map(|(request_id, body, final_info)| Answer {
        request_id,
        body,
        final_info,
    })
}

fn context() -> impl Strategy<Value = ContextLength> {
    (1..=MAX_CONTEXT_LENGTH).prop_map(|tokens| ContextLength::new(tokens).unwrap())
}

proptest! {
    #[test]
    fn http_messages_survive((method, url, headers, payload, status) in (".{0,9}", ".{0,300}", headers(), blob(), any::<u16>())) {
        let request = Request { method, url: url.clone(), http_version: "HTTP/1.1".into(), headers: headers.clone(), payload };
        prop_assert_eq!(&Request::decode(&request.encode()).unwrap(), &request);
        let response = Response::new(status, url, headers);
        prop_assert_eq!(Response::decode(&response.encode()).unwrap(), response);
    }

    #[test]
    fn requests_survive((model, query, a, b, debug, id) in (".{0,99}", blob(), any::<i32>(), any::<i32>(), any::<Option<bool>>(), any::<[u8; 32]>())) {
        let message: ClientPacket = client::RunQueryEx {
            model_name: model, query, max_coefficient: a, max_tokens: b, timeout: 114.5, request_id: id,
            min_config_version: b, flags: (), enable_debug: debug,
        }.into();
        prop_assert_eq!(ClientPacket::decode(&message.encode()).unwrap(), message);
    }

    #[test]
    fn answers_survive_new_versions_whole(answer in answer()) {
        let packet = answer.to_client(Version::V2).encode();
        let back = Answer::from_proxy(ProxyToClient::decode(&packet).unwrap()).unwrap();
        // A deployed client must find totals in every refusal.
        let zeros = FinalInfo { proxy_times: Some(Span::default()), worker_times: Some(Span::default()), ..FinalInfo::default() };
        let told = answer.final_info.clone().or(matches!(answer.body, AnswerBody::Error { .. }).then_some(zeros));
        prop_assert_eq!(&back.final_info, &told);
        prop_assert_eq!(back.to_client(Version::V2).encode(), packet);
        let packet = answer.to_proxy(Version::V2).encode();
        let back = Answer::from_worker(WorkerPacket::decode(&packet).unwrap()).unwrap();
        prop_assert_eq!(back.final_info.map(|i| i.tokens), answer.final_info.as_ref().map(|i| i.tokens));
        prop_assert_eq!(back.request_id, answer.request_id);
    }

    #[test]
    fn answers_survive_version_zero_in_what_it_can_say(answer in answer()) {
        let back = Answer::from_proxy(ProxyToClient::decode(&answer.to_client(Version::V0).encode()).unwrap()).unwrap();
        prop_assert_eq!(&back.body, &answer.body);
        prop_assert_eq!(back.is_last(), answer.is_last());
        prop_assert_eq!(back.request_id, answer.request_id);
        let back = Answer::from_worker(WorkerPacket::decode(&answer.to_proxy(Version::V0).encode()).unwrap()).unwrap();
        prop_assert_eq!(&back.body, &answer.body);
        prop_assert_eq!(back.is_last(), answer.is_last());
    }

    #[test]
    fn proxy_identity_and_payments_survive(
        (key, owner, contract, is_test, version, payment, db, max)
            in (any::<[u8; 32]>(), ".{0,60}", ".{0,60}", any::<Option<bool>>(), any::<Option<i32>>(), payment(), any::<i64>(), any::<i64>())
    ) {
        let params = Params {
            flags: (), proxy_public_key: key, proxy_owner_address: owner.clone(), proxy_sc_address: contract, is_test,
            proto_version: version,
        };
        let message = worker::ConnectedToProxy { params, worker_sc_address: owner };
        prop_assert_eq!(&decode::<worker::ConnectedToProxy>(&encode(&message)).unwrap(), &message);
        let message = worker::PaymentStatus { signed_payment: payment, db_tokens: db, max_tokens: max };
        prop_assert_eq!(decode::<worker::PaymentStatus>(&encode(&message)).unwrap(), message);
    }

    #[test]
    fn work_reports_survive((id, seed, time, reason, n) in (any::<[u8; 32]>(), any::<i64>(), 0.0..1e10f64, ".{0,20}", any::<i64>())) {
        let report: WorkerPacket = WorkReport {
            request_id: id, counts: TokenCounts { prompt: n, cached: 1, completion: 2, reasoning: 3 },
            request_salt: id, request_hash: id, response_salt: id, response_hash: id, sampling_hash: id,
            seed, first_token_time: time, finish_reason: reason,
        }.into();
        prop_assert_eq!(WorkerPacket::decode(&report.encode()).unwrap(), report);
    }

    #[test]
    fn proofs_survive((kind, bytes, other) in (0u8..3, vec(any::<u8>(), 0..400), vec(any::<u8>(), 0..70))) {
        let (bytes, signature) = (bytes.into(), other.into());
        let proof = match kind {
            0 => Proof::Receipt { receipt: bytes },
            1 => Proof::Statement { statement: bytes, signature },
            _ => Proof::Voucher { voucher: bytes },
        };
        prop_assert_eq!(&decode::<Proof>(&encode(&proof)).unwrap(), &proof);
        let question = ClientQuery::from(CompareProof { proof });
        prop_assert_eq!(ClientQuery::decode(&question.encode()).unwrap(), question);
    }

    #[test]
    fn worker_lists_survive(types in vec((".{0,20}", vec(any::<(i32, i32, i32)>(), 0..4)), 0..5)) {
        let types = types.into_iter().map(|(name, workers)| client::WorkerTypeV2 {
            name,
            workers: workers.into_iter().map(|(coefficient, active_requests, max_active_requests)| {
                client::WorkerInstanceV2 { flags: (), coefficient, active_requests, max_active_requests }
            }).collect(),
        }).collect();
        let message = client::WorkerTypesV2 { types };
        prop_assert_eq!(decode::<client::WorkerTypesV2>(&encode(&message)).unwrap(), message);
    }

    #[test]
    fn contexts_survive(models in vec((".{0,40}", context(), context()), 0..6), length in context(), tail in 1usize..9) {
        let question = WorkerQuery::from(TellContext { length });
        prop_assert_eq!(WorkerQuery::decode(&question.encode()).unwrap(), question);
        prop_assert_eq!(decode::<ContextTold>(&encode(&ContextTold)).unwrap(), ContextTold);
        prop_assert_eq!(ClientQuery::decode(&encode(&GetContexts)).unwrap(), ClientQuery::GetContexts(GetContexts));
        let models = models.into_iter().map(|(name, shortest, longest)| ModelContext { name, shortest, longest });
        let contexts = Contexts { models: models.collect() };
        let bytes = encode(&contexts);
        prop_assert_eq!(decode::<Contexts>(&bytes).unwrap(), contexts);
        prop_assert_eq!(decode::<Contexts>(&[&bytes[..], &vec![0; tail]].concat()), Err(DecodeError::Trailing(tail)));
        prop_assert!(decode::<Contexts>(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn no_length_outside_its_bounds_is_ever_read(length in any::<u32>()) {
        let bytes = [TellContext::TL_ID.to_le_bytes(), length.to_le_bytes()].concat();
        let is_fine = (1..=MAX_CONTEXT_LENGTH).contains(&length);
        prop_assert_eq!(WorkerQuery::decode(&bytes).is_ok(), is_fine);
    }

    #[test]
    fn quotes_survive(
        (model, max_coefficient, max_tokens, query_bytes) in (".{0,40}", any::<i32>(), any::<i32>(), any::<i32>()),
        (quote_id, worker_evidence, first_token_seconds) in (any::<[u8; 32]>(), any::<[u8; 32]>(), 0.0..1e6f64),
        (issued_ms, expires_ms, signature) in (any::<i64>(), any::<i64>(), blob()),
    ) {
        let question = GetQuote { model: model.clone(), max_coefficient, max_tokens, query_bytes };
        prop_assert_eq!(decode::<GetQuote>(&encode(&question)).unwrap(), question);
        let terms = QuoteTerms {
            quote_id, proxy_sc_address: model.clone(), client_sc_address: "c".into(), model, worker_evidence,
            coefficient: max_coefficient, max_tokens, first_token_seconds, issued_ms, expires_ms,
        };
        let quote = Quote { terms: encode(&terms), signature };
        let read = decode::<Quote>(&encode(&quote)).unwrap();
        prop_assert_eq!(decode::<QuoteTerms>(&read.terms).unwrap(), terms);
        prop_assert_eq!(&read, &quote);
        let run = RunQuoted { quote_id, run: quote.terms };
        prop_assert_eq!(decode::<RunQuoted>(&encode(&run)).unwrap(), run);
    }

    #[test]
    fn garbage_and_cuts_never_panic(data in vec(any::<u8>(), 0..300), id in 0usize..40) {
        // Half of the runs start with a real id, so that the decoders get past the first check.
        let ids = [
            client::ConnectToProxy::TL_ID, client::RunQuery::TL_ID, client::RunQueryEx::TL_ID, client::QueryAnswer::TL_ID,
            client::QueryAnswerError::TL_ID, client::QueryAnswerEx::TL_ID, client::QueryAnswerErrorEx::TL_ID,
            client::QueryAnswerPartEx::TL_ID, client::WorkerTypesV2::TL_ID, Request::TL_ID, Response::TL_ID,
            tcp::Query::TL_ID, tcp::QueryError::TL_ID, worker::ConnectToProxy::TL_ID, WorkReport::TL_ID,
            GetQuote::TL_ID, Quote::TL_ID, QuoteTerms::TL_ID, RunQuoted::TL_ID,
            SignedPayment::TL_ID_VOUCHER, client::ConnectedToProxy::TL_ID, worker::ExtendedCompareBalanceWithProxy::TL_ID,
            CompareProof::TL_ID, Proof::TL_ID_RECEIPT, Proof::TL_ID_STATEMENT, TellContext::TL_ID, Contexts::TL_ID,
        ];
        let data = match ids.get(id) {
            Some(id) => [&id.to_le_bytes()[..], &data].concat(),
            None => data,
        };
        let _ = (ClientQuery::decode(&data), ClientPacket::decode(&data), ProxyToClient::decode(&data));
        let _ = (WorkerQuery::decode(&data), WorkerPacket::decode(&data), ProxyToWorker::decode(&data));
        let _ = (decode::<Quote>(&data), decode::<QuoteTerms>(&data));
        let _ = (ProxyQuery::decode(&data), Request::decode(&data), Response::decode(&data));
        let _ = (tcp::Message::decode(&data).map(|m| m.encode()), AttestedPeerInfo::parse(&data));
        let _ = (decode::<client::WorkerTypesV2>(&data), decode::<client::ConnectedToProxy>(&data), decode::<Proof>(&data));
        let _ = decode::<Contexts>(&data);
        let mut session = Session::accept(Instant::now());
        let _ = session.receive(&data, Instant::now());
    }

    #[test]
    fn sessions_carry_messages_through_any_split(
        messages in vec((0u8..4, vec(any::<u8>(), 0..500), any::<i64>()), 1..12), step in 1usize..300,
    ) {
        let now = Instant::now();
        let (mut a, mut b) = connected(now);
        let mut sent = Vec::new();
        for (kind, data, id) in messages {
            let data = Bytes::from(data);
            sent.push(match kind {
                0 => { a.send_packet(&data).unwrap(); Event::Packet(data) }
                1 => { a.send_query(id, &data).unwrap(); Event::Query { id, data } }
                2 => { a.send_answer(id, &data).unwrap(); Event::Answer { id, data } }
                _ => { a.send_query_error(id, 602, "no").unwrap(); Event::QueryError { id, code: 602, message: "no".into() } }
            });
        }
        for chunk in a.take_output().unwrap().chunks(step) {
            b.receive(chunk, now).unwrap();
        }
        prop_assert_eq!(std::iter::from_fn(|| b.poll_event()).collect::<Vec<_>>(), sent);
    }
}

fn connected(now: Instant) -> (Session, Session) {
    let (mut a, mut b) = (Session::dial(1, now), Session::accept(now));
    b.receive(&a.take_output().unwrap(), now).unwrap();
    a.receive(&b.take_output().unwrap(), now).unwrap();
    assert_eq!(
        (a.poll_event(), b.poll_event()),
        (Some(Event::Connected), Some(Event::Connected))
    );
    (a, b)
}

#[test]
fn a_hostile_count_of_models_reserves_nothing() {
    let mut data = Contexts::TL_ID.to_le_bytes().to_vec();
    data.extend(u32::MAX.to_le_bytes());
    assert!(decode::<Contexts>(&data).is_err());
}

#[test]
fn a_hostile_count_reserves_nothing() {
    let mut data = client::WorkerTypesV2::TL_ID.to_le_bytes().to_vec();
    data.extend(u32::MAX.to_le_bytes());
    assert!(decode::<client::WorkerTypesV2>(&data).is_err());
}

#[test]
fn a_dialer_pings_once_per_silence_and_then_gives_up() {
    let now = Instant::now();
    let (mut a, mut b) = connected(now);
    let at = |s: u64| now + Duration::from_secs(s);
    assert_eq!(a.next_deadline(), Some(at(10)));
    a.tick(at(9)).unwrap();
    assert_eq!(a.take_output(), None);
    a.tick(at(10)).unwrap();
    let ping = a.take_output().unwrap();
    a.tick(at(15)).unwrap();
    assert_eq!(a.take_output(), None);
    assert_eq!(a.next_deadline(), Some(at(20)));
    b.receive(&ping, at(15)).unwrap();
    a.receive(&b.take_output().unwrap(), at(16)).unwrap();
    assert_eq!(a.poll_event(), None);
    assert_eq!(a.next_deadline(), Some(at(26)));
    a.tick(at(26)).unwrap();
    assert!(a.take_output().is_some());
    assert_eq!(a.tick(at(36)), Err(CloseReason::Silent));
    assert_eq!(a.next_deadline(), None);
}

#[test]
fn an_acceptor_never_pings_and_gives_up_after_a_minute() {
    let now = Instant::now();
    let (_, mut b) = connected(now);
    b.tick(now + Duration::from_secs(59)).unwrap();
    assert_eq!(b.take_output(), None);
    assert_eq!(b.tick(now + Duration::from_secs(60)), Err(CloseReason::Silent));
}

#[test]
fn nothing_may_come_before_the_first_frames_and_they_come_once() {
    let now = Instant::now();
    let (mut a, mut b) = (Session::dial(1, now), Session::accept(now));
    assert!(a.send_packet(b"early").is_err());
    let hello = a.take_output().unwrap();
    b.receive(&hello, now).unwrap();
    let mut again = Session::dial(2, now).take_output().unwrap().to_vec();
    again[4] = 1;
    assert_eq!(b.receive(&again, now), Err(CloseReason::OutOfOrder));
    let mut other = Session::dial(3, now);
    assert_eq!(other.receive(&hello, now), Err(CloseReason::OutOfOrder));
    assert!(other.send_packet(b"late").is_err());
}

#[test]
fn a_message_over_the_frame_limit_is_refused_to_the_sender_and_the_session_lives() {
    let now = Instant::now();
    let (mut a, mut b) = connected(now);
    assert!(a.send_packet(&vec![0; 1 << 24]).is_err());
    assert!(a.send_packet(&vec![0; (1 << 24) - 8]).is_ok());
    a.send_packet(b"after").unwrap();
    b.receive(&a.take_output().unwrap(), now).unwrap();
    assert!(matches!(b.poll_event(), Some(Event::Packet(p)) if p.len() == (1 << 24) - 8));
    assert_eq!(b.poll_event(), Some(Event::Packet(Bytes::from_static(b"after"))));
}
