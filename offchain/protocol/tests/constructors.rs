//! Every constructor of the deployed network: who may send it to whom, and that everybody else is refused by name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use Place::*;
use cocoon_protocol::codec::{DecodeError, decode};
use cocoon_protocol::message::{
    ClientPacket, ClientQuery, KeyQuery, ProxyQuery, ProxyToClient, ProxyToWorker, WorkerPacket, WorkerQuery,
};
use cocoon_protocol::{client, tcp, worker};

/// Where an object has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A frame of the session layer.
    Frame,
    /// A client's question.
    FromClient,
    /// A client's one-way message.
    ClientSends,
    /// A proxy's one-way message to a client.
    ToClient,
    /// A worker's question.
    FromWorker,
    /// A worker's one-way message.
    WorkerSends,
    /// A proxy's one-way message to a worker.
    ToWorker,
    /// The answer to a question.
    Answers,
    /// Only inside of other objects, or bare.
    Inside,
    /// Before TLS, between routers.
    Router,
    /// In files of the deployed runners, which we do not read.
    File,
}

const TABLE: &[(u32, &str, &[Place])] = &[
    (0x60551c96, "client.authorizationWithProxyFailed", &[Answers]),
    (0x75d5ac34, "client.authorizationWithProxySuccess", &[Answers]),
    (0xd3474303, "client.authorizeWithProxyLong", &[FromClient]),
    (0x6c276723, "client.authorizeWithProxyShort", &[FromClient]),
    (0xff5fa0f4, "client.connectToProxy", &[FromClient]),
    (0x95317ad1, "client.connectedToProxy", &[Answers]),
    (0x7f062bdb, "client.getWorkerTypes", &[FromClient]),
    (0xb2133d72, "client.getWorkerTypesV2", &[FromClient]),
    (0x40fdca64, "client.params", &[Inside]),
    (0xaa8a0ecc, "client.paymentStatus", &[Answers]),
    (0x417bf016, "client.proxyConnectionAuthLong", &[Inside]),
    (0xd6ffc5af, "client.proxyConnectionAuthShort", &[Inside]),
    (0x9b943922, "client.queryAnswer", &[ToClient]),
    (0x6d60569a, "client.queryAnswerError", &[ToClient]),
    (0x072562a8, "client.queryAnswerErrorEx", &[ToClient]),
    (0xcd524720, "client.queryAnswerEx", &[ToClient]),
    (0xb765de4c, "client.queryAnswerPart", &[ToClient]),
    (0xd790a022, "client.queryAnswerPartError", &[ToClient]),
    (0xc07bfaec, "client.queryAnswerPartEx", &[ToClient]),
    (0x69a452f0, "client.queryFinalInfo", &[Inside]),
    (0x83aabead, "client.refund", &[Answers]),
    (0xcf9d9957, "client.refundRejected", &[Answers]),
    (0x238d863d, "client.requestRefund", &[FromClient]),
    (0xbc748f32, "client.runQuery", &[ClientSends]),
    (0xf54cb74b, "client.runQueryEx", &[ClientSends]),
    (0x9ed1c697, "client.updatePaymentStatus", &[FromClient]),
    (0x3ea93d00, "client.workerInstanceV2", &[Inside]),
    (0x8210e21c, "client.workerType", &[Inside]),
    (0xb27d8197, "client.workerTypeV2", &[Inside]),
    (0xf64e0e01, "client.workerTypes", &[Answers]),
    (0x0cf0dc67, "client.workerTypesV2", &[Answers]),
    (0x8e9be511, "http.header", &[Inside]),
    (0x47492de5, "http.request", &[Inside]),
    (0x1cd0c42b, "http.response", &[Inside]),
    (0x6cfeaa21, "proxyDb.clientInfo", &[File]),
    (0x3078c9bf, "proxyDb.clientInfoV2", &[File]),
    (0x43dc40b4, "proxyDb.configEmpty", &[File]),
    (0xbde43703, "proxyDb.configV4", &[File]),
    (0xad2cfb4a, "proxyDb.configV4Disabled", &[File]),
    (0x2fae7b42, "proxyDb.oldClient", &[File]),
    (0xa8c9e178, "proxyDb.oldInstance", &[File]),
    (0xf04156a0, "proxyDb.oldWorker", &[File]),
    (0x525b14a9, "proxyDb.pendingBlockchainSeqnoCommit", &[File]),
    (0x2517b38f, "proxyDb.workerInfo", &[File]),
    (0xc6bcf127, "proxy.clientRequestPayment", &[ToClient]),
    (0xd5c5609f, "proxy.params", &[Inside]),
    (0x37e5f725, "proxy.queryAnswer", &[WorkerSends]),
    (0x669d014e, "proxy.queryAnswerError", &[WorkerSends]),
    (0x8f7fb0a7, "proxy.queryAnswerErrorEx", &[WorkerSends]),
    (0x1ce574e8, "proxy.queryAnswerEx", &[WorkerSends]),
    (0x72eb00ee, "proxy.queryAnswerPart", &[WorkerSends]),
    (0x940e1168, "proxy.queryAnswerPartError", &[WorkerSends]),
    (0x6d85b50f, "proxy.queryAnswerPartEx", &[WorkerSends]),
    (0xe794e6fc, "proxy.queryFinalInfo", &[Inside]),
    (0x47182416, "proxy.runQuery", &[ToWorker]),
    (0xc805e7e2, "proxy.runQueryEx", &[ToWorker]),
    (0x02998182, "proxy.signedPayment", &[ToClient, ToWorker]),
    (0xb347ce64, "proxy.signedPaymentEmpty", &[ToClient, ToWorker]),
    (0x1436c0d5, "proxy.workerRequestPayment", &[ToWorker]),
    (0x5e84869b, "rootConfig.configV5", &[File]),
    (0x87a976cc, "rootConfig.pseudo", &[File]),
    (0x9f4e446a, "rootConfig.registeredProxy", &[File]),
    (0xa57c4261, "tcp.connect", &[Frame]),
    (0x636d41d6, "tcp.connected", &[Frame]),
    (0x9c17baf8, "tcp.packet", &[Frame]),
    (0xbbe9627c, "tcp.ping", &[Frame]),
    (0x0bd4302c, "tcp.pong", &[Frame]),
    (0x3af51908, "tcp.query", &[Frame]),
    (0xc048c311, "tcp.queryAnswer", &[Frame]),
    (0x4cd2f602, "tcp.queryError", &[Frame]),
    (0x70c5b15c, "tokensUsed", &[Inside]),
    (0xbc3f6da5, "ton.blockIdExt", &[File]),
    (0xdb386501, "worker.compareBalanceWithProxy", &[FromWorker]),
    (0x9054c411, "worker.compareBalanceWithProxyResult", &[Answers]),
    (0xcc484c5d, "worker.connectToProxy", &[FromWorker]),
    (0x66bc82ee, "worker.connectedToProxy", &[Answers]),
    (0xb3b71039, "worker.enabledDisabled", &[WorkerSends]),
    (0xf8dd9914, "worker.extendedCompareBalanceWithProxy", &[FromWorker]),
    (0x0c10973e, "worker.extendedCompareBalanceWithProxyResult", &[Answers]),
    (0x6af092b0, "worker.newCoefficient", &[WorkerSends]),
    (0x869c73ed, "worker.params", &[Inside]),
    (0xa88bd701, "worker.paymentStatus", &[Answers]),
    (0xf843b066, "worker.proxyHandshakeComplete", &[FromWorker]),
    (0x3ad9b886, "worker.proxyHandshakeCompleted", &[Answers]),
    (0xdc70a524, "worker.updatePaymentStatus", &[FromWorker]),
    (0x997275b5, "boolTrue", &[Inside]),
    (0xbc799737, "boolFalse", &[Inside]),
    (0x418e1291, "cocoon.powSimple", &[Router]),
    (0x01827319, "cocoon.powSimpleResponse", &[Router]),
];

/// What each decoder makes of an object of which only the constructor came: it is no stranger, or it is named.
fn known_at(id: u32) -> Vec<Place> {
    let bytes = id.to_le_bytes();
    fn knows<T>(read: Result<T, DecodeError>, id: u32) -> bool {
        match read {
            Err(DecodeError::UnknownConstructor(named)) => {
                assert_eq!(named, id, "the wrong stranger is named");
                false
            }
            _ => true,
        }
    }
    let places = [
        (Frame, knows(tcp::Message::decode(&bytes), id)),
        (FromClient, knows(ClientQuery::decode(&bytes), id)),
        (ClientSends, knows(ClientPacket::decode(&bytes), id)),
        (ToClient, knows(ProxyToClient::decode(&bytes), id)),
        (FromWorker, knows(WorkerQuery::decode(&bytes), id)),
        (WorkerSends, knows(WorkerPacket::decode(&bytes), id)),
        (ToWorker, knows(ProxyToWorker::decode(&bytes), id)),
    ];
    places
        .into_iter()
        .filter_map(|(place, knows)| knows.then_some(place))
        .collect()
}

#[test]
fn every_constructor_is_taken_where_it_belongs_and_refused_everywhere_else() {
    for (id, name, places) in TABLE {
        let expected: Vec<Place> = places
            .iter()
            .copied()
            .filter(|place| !matches!(place, Answers | Inside | Router | File))
            .collect();
        assert_eq!(known_at(*id), expected, "{name}");
        // No deployed object is a question of a proxy or to a key manager: both are ours.
        let bytes = id.to_le_bytes();
        assert!(
            ProxyQuery::decode(&bytes).is_err() && KeyQuery::decode(&bytes).is_err(),
            "{name}"
        );
    }
}

#[test]
fn every_answer_to_a_question_has_a_decoder_that_takes_no_other() {
    fn takes<T: for<'a> tl_proto::TlRead<'a>>(id: u32) -> bool {
        !matches!(decode::<T>(&id.to_le_bytes()), Err(DecodeError::UnknownConstructor(_)))
    }
    type Decoder = (&'static str, fn(u32) -> bool);
    let decoders: [Decoder; 11] = [
        ("authorization", takes::<client::AuthorizationWithProxy>),
        ("connected client", takes::<client::ConnectedToProxy>),
        ("client's payment status", takes::<client::PaymentStatus>),
        ("refund", takes::<client::Refund>),
        ("models", takes::<client::WorkerTypes>),
        ("models v2", takes::<client::WorkerTypesV2>),
        ("compared", takes::<worker::CompareBalanceWithProxyResult>),
        ("connected worker", takes::<worker::ConnectedToProxy>),
        ("compared again", takes::<worker::ExtendedCompareBalanceWithProxyResult>),
        ("worker's payment status", takes::<worker::PaymentStatus>),
        ("completed", takes::<worker::ProxyHandshakeCompleted>),
    ];
    for (id, name, places) in TABLE {
        let takers: Vec<&str> = decoders
            .iter()
            .filter_map(|(who, takes)| takes(*id).then_some(*who))
            .collect();
        assert_eq!(takers.len(), usize::from(*places == [Answers]), "{name}: {takers:?}");
    }
}

#[test]
fn the_table_is_whole_and_without_doubles() {
    let ids: std::collections::BTreeSet<u32> = TABLE.iter().map(|row| row.0).collect();
    assert_eq!((ids.len(), TABLE.len()), (89, 89));
}
