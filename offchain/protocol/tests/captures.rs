//! Recorded traffic of the deployed implementation: every object in it decodes and encodes back to the same bytes.
//!
//! Needs the folder named by `COCOON_TEST_DATA`; says so loudly and passes without it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use cocoon_protocol::codec::{constructor_id, decode, encode};
use cocoon_protocol::frame::FrameDecoder;
use cocoon_protocol::message::{ClientPacket, ClientQuery, ProxyToClient, ProxyToWorker, WorkerPacket, WorkerQuery};
use cocoon_protocol::peer_info::AttestedPeerInfo;
use cocoon_protocol::tcp::Message;
use cocoon_protocol::{client, http, worker};

fn capture(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("COCOON_TEST_DATA") else {
        eprintln!("SKIPPED: COCOON_TEST_DATA is not set, recorded traffic {name} is not checked");
        return None;
    };
    let path = PathBuf::from(folder).join("wire").join(name);
    match std::fs::read(&path) {
        Ok(data) => Some(data),
        Err(e) => {
            eprintln!("SKIPPED: {} cannot be read: {e}", path.display());
            None
        }
    }
}

/// Payload of every TCP direction `(source port, destination port)`, reassembled by sequence number.
fn streams(pcap: &[u8]) -> BTreeMap<(u16, u16), Vec<u8>> {
    let le32 = |b: &[u8]| u32::from_le_bytes(b.try_into().unwrap()) as usize;
    let be16 = |b: &[u8]| u16::from_be_bytes(b.try_into().unwrap());
    let mut segments: BTreeMap<(u16, u16), BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    let mut rest = &pcap[24..];
    while rest.len() >= 16 {
        let packet = &rest[16..16 + le32(&rest[8..12])];
        rest = &rest[16 + packet.len()..];
        let ip = &packet[14..];
        let ip = &ip[..usize::from(be16(&ip[2..4]))];
        let tcp = &ip[usize::from(ip[0] & 15) * 4..];
        let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
        let seq = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
        if !payload.is_empty() {
            let direction = (be16(&tcp[0..2]), be16(&tcp[2..4]));
            segments
                .entry(direction)
                .or_default()
                .entry(seq)
                .or_insert_with(|| payload.to_vec());
        }
    }
    segments
        .into_iter()
        .map(|(direction, parts)| {
            // The recordings are short: no sequence number wraps, and retransmissions are exact repeats.
            let mut next = None;
            let mut stream = Vec::new();
            for (seq, data) in parts {
                assert_eq!(*next.get_or_insert(seq), seq, "a segment is missing in {direction:?}");
                next = Some(seq + data.len() as u32);
                stream.extend(data);
            }
            (direction, stream)
        })
        .collect()
}

/// Checks one boxed object of the application layer; names what it was.
fn check_object(port: u16, from_dialer: bool, kind: &str, data: &[u8]) -> &'static str {
    fn same(name: &'static str, data: &[u8], encoded: bytes::Bytes) -> &'static str {
        assert_eq!(data, &encoded[..], "{name} changed on the way");
        name
    }
    match (port, from_dialer, kind) {
        (11102, true, "query") => same("client query", data, ClientQuery::decode(data).unwrap().encode()),
        (11102, true, "packet") => {
            let packet = ClientPacket::decode(data).unwrap();
            if let ClientPacket::RunQueryEx(m) = &packet {
                same(
                    "http.request",
                    &m.query,
                    http::Request::decode(&m.query).unwrap().encode(),
                );
            }
            same("client packet", data, packet.encode())
        }
        (11102, false, "packet") => {
            let packet = ProxyToClient::decode(data).unwrap();
            if let ProxyToClient::AnswerEx(m) = &packet {
                same(
                    "http.response",
                    &m.answer,
                    http::Response::decode(&m.answer).unwrap().encode(),
                );
            }
            same("packet to client", data, packet.encode())
        }
        (11101, true, "query") => same("worker query", data, WorkerQuery::decode(data).unwrap().encode()),
        (11101, true, "packet") => {
            let packet = WorkerPacket::decode(data).unwrap();
            if let WorkerPacket::AnswerEx(m) = &packet {
                same(
                    "http.response",
                    &m.answer,
                    http::Response::decode(&m.answer).unwrap().encode(),
                );
            }
            same("worker packet", data, packet.encode())
        }
        (11101, false, "packet") => same("packet to worker", data, ProxyToWorker::decode(data).unwrap().encode()),
        (_, false, "answer") => check_answer(data),
        other => panic!("unexpected {other:?}"),
    }
}

fn check_answer(data: &[u8]) -> &'static str {
    macro_rules! one_of {
        ($($ty:ty = $($id:path)|+),* $(,)?) => {
            match constructor_id(data).unwrap() {
                $($($id)|+ => {
                    assert_eq!(data, &encode(&decode::<$ty>(data).unwrap())[..]);
                    stringify!($ty)
                })*
                other => panic!("unknown answer {other:#010x}"),
            }
        };
    }
    use client::AuthorizationWithProxy as Auth;
    one_of!(
        client::ConnectedToProxy = client::ConnectedToProxy::TL_ID,
        client::AuthorizationWithProxy = Auth::TL_ID_SUCCESS | Auth::TL_ID_FAILED,
        client::PaymentStatus = client::PaymentStatus::TL_ID,
        client::WorkerTypesV2 = client::WorkerTypesV2::TL_ID,
        worker::ConnectedToProxy = worker::ConnectedToProxy::TL_ID,
        worker::CompareBalanceWithProxyResult = worker::CompareBalanceWithProxyResult::TL_ID,
        worker::ProxyHandshakeCompleted = worker::ProxyHandshakeCompleted::TL_ID,
        worker::PaymentStatus = worker::PaymentStatus::TL_ID,
    )
}

/// Number of objects by name.
fn check_capture(pcap: &[u8]) -> BTreeMap<&'static str, usize> {
    let mut seen = BTreeMap::new();
    for ((source, destination), stream) in streams(pcap) {
        let (port, from_dialer) = match (source, destination) {
            (_, 11101 | 11102) => (destination, true),
            (11101 | 11102, _) => (source, false),
            _ => continue,
        };
        let mut rest = &stream[..];
        if from_dialer {
            let (info, used) = AttestedPeerInfo::read_frame(rest).unwrap().expect("whole frame");
            assert_eq!(info.to_frame(), rest[..used]);
            *seen.entry("peer info").or_default() += 1;
            rest = &rest[used..];
        }
        let mut decoder = FrameDecoder::default();
        decoder.push(rest);
        while let Some(frame) = decoder.next_frame().unwrap() {
            let message = Message::decode(&frame).unwrap();
            assert_eq!(message.encode(), &frame[..]);
            let name = match &message {
                Message::Packet(m) => check_object(port, from_dialer, "packet", m.data),
                Message::Query(m) => check_object(port, from_dialer, "query", m.data),
                Message::QueryAnswer(m) => check_object(port, from_dialer, "answer", m.data),
                _ => "session",
            };
            *seen.entry(name).or_default() += 1;
        }
    }
    seen
}

#[test]
fn connect_models_and_answers_survive_decoding() {
    let Some(pcap) = capture("connect-plain.pcap") else {
        return;
    };
    let seen = check_capture(&pcap);
    assert_eq!(seen.get("client::WorkerTypesV2"), Some(&1), "{seen:?}");
    assert_eq!(seen.get("peer info"), Some(&2), "{seen:?}");
    assert!(seen["packet to client"] >= 6 && seen["worker packet"] >= 4, "{seen:?}");
}

#[test]
fn charged_queries_survive_decoding() {
    let Some(pcap) = capture("charged-query.pcap") else {
        return;
    };
    let seen = check_capture(&pcap);
    assert!(seen["client packet"] >= 2 && seen["packet to client"] >= 6, "{seen:?}");
}

#[test]
fn the_peer_info_of_a_recorded_quote_has_the_published_hash() {
    use cocoon_protocol::peer_info::{Attestation, Endpoint};
    use sha2::{Digest, Sha256};
    let Some(folder) = std::env::var_os("COCOON_TEST_DATA") else {
        eprintln!("SKIPPED: COCOON_TEST_DATA is not set, the peer info vector is not checked");
        return;
    };
    let Ok(quote) = std::fs::read(PathBuf::from(folder).join("tdx").join("cocoon_v4_quote.bin")) else {
        eprintln!("SKIPPED: tdx/cocoon_v4_quote.bin is not there");
        return;
    };
    // TD report body of a version 4 quote, after its 48-byte header.
    let at = |offset: usize| -> [u8; 48] { quote[48 + offset..48 + offset + 48].try_into().unwrap() };
    let registers = [at(136), at(184), at(232), at(280), at(328), at(376), at(424), at(472)];
    let root = "46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993";
    let info = AttestedPeerInfo {
        attestation: Some(Attestation::Tdx {
            registers: Box::new(registers),
            report_data: Box::new(quote[48 + 520..48 + 584].try_into().unwrap()),
        }),
        collateral_root_hash: hex::decode(root).unwrap().try_into().unwrap(),
        public_key: [0x11; 32],
        source: Endpoint {
            ip: "10.0.2.2".into(),
            port: 40000,
        },
        destination: Endpoint {
            ip: "127.0.0.1".into(),
            port: 11101,
        },
    };
    let frame = info.to_frame();
    assert_eq!(frame.len(), 576);
    assert_eq!(
        hex::encode(Sha256::digest(&frame)),
        "f7626c1546e1f1d5a12e7c18776cd361e739561eaaf30cca87d114dd81750e9d"
    );
    assert_eq!(AttestedPeerInfo::read_frame(&frame).unwrap(), Some((info, 576)));
}
