//! Small vectors retyped from recorded traffic of the deployed implementation, checked on every run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::client::{AuthorizationWithProxy, ConnectToProxy, ConnectedToProxy, ProxyConnectionAuth};
use cocoon_protocol::codec::{DecodeError, decode, encode};
use cocoon_protocol::message::{ClientQuery, ProxyToClient};
use cocoon_protocol::peer_info::{AttestedPeerInfo, PeerInfoError};
use cocoon_protocol::proxy::SignedPayment;
use cocoon_protocol::version::VersionRange;
use cocoon_protocol::{client, tcp};

fn bytes(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text.replace([' ', '\n'], "")).unwrap()
}

/// charged-query, port 11102, first bytes of the connection.
const PEER_INFO: &str = "78000000 00000000
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
    205de37abbbad628d4e44771bdad0cd8e5b87b12c74db0ae729722496692b3090800000009 3132372e302e302e310000
    f4db0000 093132372e302e302e310000 5e2b0000";

/// charged-query, port 11102, second frame of the client, inside the tcp.query.
const CONNECT: &str = "f4a05fff 03000000
    30555143646a343362424479654a6c66653646565370574c6673444d7034594862 6d7a356c6361352d744e7a2d6678323 0000000
    b5757299 01000000 02000000 03000000";

/// charged-query, port 11102, its answer.
const CONNECTED: &str = "d17a3195 03000000
    559087582b7e5ea2b2b986c258e0067b806a59b154e955decf00429610eab095
    30555141757a313548315a48725a5f7073567241726137486561 6c4d49566546713077677571 6c6d466e6f316633422d6d000000
    305551 42506b787966504b674f424d62626939565156 4f32 44517a3757673377394b355954736c3878315f4b61655a635a000000
    b5757299 02000000
    3055514341436a4e464c59344172492d5a645173 41617a45415734314b76487956494157734668397062716341 31663132000000
    afc5ffd6 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0000000000000000
    64ce47b3";

#[test]
fn the_recorded_peer_info_is_read_and_written() {
    let frame = bytes(PEER_INFO);
    let (info, used) = AttestedPeerInfo::read_frame(&frame).unwrap().unwrap();
    assert_eq!(used, frame.len());
    assert_eq!(info.attestation, None);
    assert_eq!((info.source.ip.as_str(), info.source.port), ("127.0.0.1", 56308));
    assert_eq!(
        (info.destination.ip.as_str(), info.destination.port),
        ("127.0.0.1", 11102)
    );
    assert_eq!(info.to_frame(), frame);
}

#[test]
fn a_peer_info_is_refused_when_too_long_or_cut() {
    let frame = bytes(PEER_INFO);
    for end in 4..frame.len() {
        assert_eq!(AttestedPeerInfo::read_frame(&frame[..end]), Ok(None));
        assert!(AttestedPeerInfo::parse(&frame[4..end]).is_err());
    }
    let long = [0x99, 0x40, 0, 0];
    assert_eq!(AttestedPeerInfo::read_frame(&long), Err(PeerInfoError::TooLong(0x4099)));
}

#[test]
fn the_recorded_connect_to_proxy_is_read_and_written() {
    let data = bytes(CONNECT);
    let message: ConnectToProxy = decode(&data).unwrap();
    assert_eq!(
        message.params.client_owner_address,
        "UQCdj43bBDyeJlfe6FVSpWLfsDMp4YHbmz5lca5-tNz-fx20"
    );
    assert_eq!(message.params.is_test, Some(true));
    assert_eq!(message.params.versions, Some(VersionRange { min: 1, max: 2 }));
    assert_eq!(message.min_config_version, 3);
    assert_eq!(encode(&message), data);
    assert_eq!(ClientQuery::decode(&data).unwrap().encode(), data);
}

#[test]
fn the_recorded_connected_to_proxy_is_read_and_written() {
    let data = bytes(CONNECTED);
    let message: ConnectedToProxy = decode(&data).unwrap();
    assert_eq!(message.params.proto_version, Some(2));
    assert_eq!(
        message.client_sc_address,
        "UQCACjNFLY4ArI-ZdQsAazEAW41KvHyVIAWsFh9pbqcA1f12"
    );
    assert!(matches!(message.auth, ProxyConnectionAuth::Short { nonce: 0, .. }));
    assert_eq!(message.signed_payment, SignedPayment::Empty);
    assert_eq!(encode(&message), data);
}

#[test]
fn every_cut_of_a_recorded_object_is_refused() {
    for data in [bytes(CONNECT), bytes(CONNECTED)] {
        for end in 0..data.len() {
            assert!(decode::<ConnectToProxy>(&data[..end]).is_err());
            assert!(decode::<ConnectedToProxy>(&data[..end]).is_err());
        }
        let longer = [&data[..], &[0, 0, 0, 0]].concat();
        let refused = [
            decode::<ConnectToProxy>(&longer).err(),
            decode::<ConnectedToProxy>(&longer).err(),
        ];
        assert!(refused.contains(&Some(DecodeError::Trailing(4))));
    }
}

#[test]
fn lengths_are_written_in_all_forms() {
    let object = |len: usize| encode(&tcp::Packet { data: &vec![7; len] });
    assert_eq!(object(0), bytes("f8ba179c 00000000"));
    assert_eq!(object(253)[4..6], [0xfd, 7]);
    assert_eq!(object(254)[4..9], [0xfe, 0xfe, 0, 0, 7]);
    assert_eq!(object(476)[4..8], [0xfe, 0xdc, 0x01, 0x00]);
    let long_form = bytes("f8ba179c ff000000 01000000");
    assert_eq!(decode::<tcp::Packet<'_>>(&long_form).err(), Some(DecodeError::Invalid));
}

#[test]
fn doubles_are_plain_ieee() {
    // charged-query: timeout 38.0 of client.runQueryEx.
    let message = client::RunQuery {
        model_name: String::new(),
        query: bytes::Bytes::new(),
        max_coefficient: 0,
        max_tokens: 0,
        timeout: 38.0,
        request_id: [0; 32],
        min_config_version: 0,
    };
    assert_eq!(encode(&message)[20..28], bytes("0000000000004340"));
}

#[test]
fn both_families_of_refusals_are_understood() {
    let old = client::QueryAnswerError {
        error_code: 621,
        error: "unknown model nope".into(),
        request_id: [5; 32],
        tokens_used: Default::default(),
    };
    let new = client::QueryAnswerErrorEx {
        request_id: [5; 32],
        error_code: 621,
        error: "unknown model nope".into(),
        flags: (),
        final_info: None,
    };
    for packet in [ProxyToClient::from(old), ProxyToClient::from(new)] {
        let answer = Answer::from_proxy(ProxyToClient::decode(&packet.encode()).unwrap()).unwrap();
        assert!(answer.is_last());
        assert!(matches!(answer.body, AnswerBody::Error { code: 621, .. }));
    }
}

#[test]
fn authorization_failure_is_an_answer_not_a_parse_error() {
    let failed = AuthorizationWithProxy::Failed {
        error_code: 602,
        error: "no".into(),
    };
    assert_eq!(decode::<AuthorizationWithProxy>(&encode(&failed)), Ok(failed));
}
