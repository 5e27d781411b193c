//! Which objects each side may send on which connection: one enum per direction and kind.
//!
//! Whatever is not listed for a direction is refused by its decoder.

use bytes::Bytes;

use crate::codec::{DecodeError, constructor_id, decode, encode};
use crate::{client, context, extension, key, proxy, worker};

macro_rules! messages {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident($ty:ty) = $($id:path)|+),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* $variant($ty),)*
        }

        impl $name {
            /// Reads one object; all bytes must be consumed.
            pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
                match constructor_id(data).ok_or(DecodeError::Truncated)? {
                    $($($id)|+ => decode(data).map(Self::$variant),)*
                    other => Err(DecodeError::UnknownConstructor(other)),
                }
            }

            /// Its bytes.
            pub fn encode(&self) -> Bytes {
                match self {
                    $(Self::$variant(m) => encode(m),)*
                }
            }
        }

        $(impl From<$ty> for $name {
            fn from(m: $ty) -> Self {
                Self::$variant(m)
            }
        })*
    };
}

messages! {
    /// Questions of a client.
    ClientQuery {
        /// First of the handshake.
        ConnectToProxy(client::ConnectToProxy) = client::ConnectToProxy::TL_ID,
        /// Authorisation by secret.
        AuthorizeShort(client::AuthorizeWithProxyShort) = client::AuthorizeWithProxyShort::TL_ID,
        /// Authorisation through the chain.
        AuthorizeLong(client::AuthorizeWithProxyLong) = client::AuthorizeWithProxyLong::TL_ID,
        /// Latest voucher.
        UpdatePaymentStatus(client::UpdatePaymentStatus) = client::UpdatePaymentStatus::TL_ID,
        /// Models, old form.
        GetWorkerTypes(client::GetWorkerTypes) = client::GetWorkerTypes::TL_ID,
        /// Models.
        GetWorkerTypesV2(client::GetWorkerTypesV2) = client::GetWorkerTypesV2::TL_ID,
        /// Final voucher.
        RequestRefund(client::RequestRefund) = client::RequestRefund::TL_ID,
        /// Version 3: a certificate by hash.
        GetEvidence(extension::GetEvidence) = extension::GetEvidence::TL_ID,
        /// Version 3: what the proxy has signed for this client.
        CompareProof(extension::CompareProof) = extension::CompareProof::TL_ID,
        /// Version 3: a firm quote.
        GetQuote(extension::GetQuote) = extension::GetQuote::TL_ID,
        /// Version 3: what the models take.
        GetContexts(context::GetContexts) = context::GetContexts::TL_ID,
        /// Version 4: the client's proof of the session.
        ProveSession(extension::ProveSession) = extension::ProveSession::TL_ID,
    }
}

messages! {
    /// One-way messages of a client.
    ClientPacket {
        /// A request, version 0.
        RunQuery(client::RunQuery) = client::RunQuery::TL_ID,
        /// A request.
        RunQueryEx(client::RunQueryEx) = client::RunQueryEx::TL_ID,
        /// Version 3: stop a request.
        Cancel(extension::Cancel) = extension::Cancel::TL_ID,
        /// Version 3: a request under a quote.
        RunQuoted(extension::RunQuoted) = extension::RunQuoted::TL_ID,
    }
}

messages! {
    /// One-way messages of a proxy to a client.
    ProxyToClient {
        /// Head, version 0.
        Answer(client::QueryAnswer) = client::QueryAnswer::TL_ID,
        /// Refusal, any version.
        AnswerError(client::QueryAnswerError) = client::QueryAnswerError::TL_ID,
        /// Body, version 0.
        Part(client::QueryAnswerPart) = client::QueryAnswerPart::TL_ID,
        /// Failure, any version.
        PartError(client::QueryAnswerPartError) = client::QueryAnswerPartError::TL_ID,
        /// Head.
        AnswerEx(client::QueryAnswerEx) = client::QueryAnswerEx::TL_ID,
        /// Refusal or failure.
        ErrorEx(client::QueryAnswerErrorEx) = client::QueryAnswerErrorEx::TL_ID,
        /// Body.
        PartEx(client::QueryAnswerPartEx) = client::QueryAnswerPartEx::TL_ID,
        /// Price of a finished request.
        RequestPayment(proxy::ClientRequestPayment) = proxy::ClientRequestPayment::TL_ID,
        /// A voucher at any time.
        SignedPayment(proxy::SignedPayment) = proxy::SignedPayment::TL_ID_VOUCHER | proxy::SignedPayment::TL_ID_EMPTY,
        /// Version 3: the receipt of a finished request.
        Receipt(extension::Receipt) = extension::Receipt::TL_ID,
    }
}

messages! {
    /// Questions of a worker.
    WorkerQuery {
        /// First of the handshake.
        ConnectToProxy(worker::ConnectToProxy) = worker::ConnectToProxy::TL_ID,
        /// Totals.
        CompareBalance(worker::CompareBalanceWithProxy) = worker::CompareBalanceWithProxy::TL_ID,
        /// Totals again, when the worker remembers more.
        ExtendedCompareBalance(worker::ExtendedCompareBalanceWithProxy) = worker::ExtendedCompareBalanceWithProxy::TL_ID,
        /// Last of the handshake.
        HandshakeComplete(worker::ProxyHandshakeComplete) = worker::ProxyHandshakeComplete::TL_ID,
        /// Latest voucher.
        UpdatePaymentStatus(worker::UpdatePaymentStatus) = worker::UpdatePaymentStatus::TL_ID,
        /// Version 3: what its model takes.
        TellContext(context::TellContext) = context::TellContext::TL_ID,
        /// Version 4: the worker's proof of the session.
        ProveSession(extension::ProveSession) = extension::ProveSession::TL_ID,
    }
}

messages! {
    /// One-way messages of a worker.
    WorkerPacket {
        /// Head, version 0.
        Answer(proxy::QueryAnswer) = proxy::QueryAnswer::TL_ID,
        /// Refusal, version 0.
        AnswerError(proxy::QueryAnswerError) = proxy::QueryAnswerError::TL_ID,
        /// Body, version 0.
        Part(proxy::QueryAnswerPart) = proxy::QueryAnswerPart::TL_ID,
        /// Failure, version 0.
        PartError(proxy::QueryAnswerPartError) = proxy::QueryAnswerPartError::TL_ID,
        /// Head.
        AnswerEx(proxy::QueryAnswerEx) = proxy::QueryAnswerEx::TL_ID,
        /// Refusal or failure.
        ErrorEx(proxy::QueryAnswerErrorEx) = proxy::QueryAnswerErrorEx::TL_ID,
        /// Body.
        PartEx(proxy::QueryAnswerPartEx) = proxy::QueryAnswerPartEx::TL_ID,
        /// Takes work or not.
        EnabledDisabled(worker::EnabledDisabled) = worker::EnabledDisabled::TL_ID,
        /// New price.
        NewCoefficient(worker::NewCoefficient) = worker::NewCoefficient::TL_ID,
        /// Version 3: tokens delivered so far.
        Progress(extension::WorkProgress) = extension::WorkProgress::TL_ID,
        /// Version 3: what was done, before the final message.
        Report(extension::WorkReport) = extension::WorkReport::TL_ID,
    }
}

messages! {
    /// One-way messages of a proxy to a worker.
    ProxyToWorker {
        /// Work, version 0.
        RunQuery(proxy::RunQuery) = proxy::RunQuery::TL_ID,
        /// Work.
        RunQueryEx(proxy::RunQueryEx) = proxy::RunQueryEx::TL_ID,
        /// Earnings of a finished request.
        RequestPayment(proxy::WorkerRequestPayment) = proxy::WorkerRequestPayment::TL_ID,
        /// A voucher at any time.
        SignedPayment(proxy::SignedPayment) = proxy::SignedPayment::TL_ID_VOUCHER | proxy::SignedPayment::TL_ID_EMPTY,
        /// Version 3: work, with the payer's blinded id.
        RunFor(extension::RunQuery) = extension::RunQuery::TL_ID,
        /// Version 3: stop a request.
        Cancel(extension::Cancel) = extension::Cancel::TL_ID,
        /// Version 3: the proxy's signature over a statement that the worker signed.
        Countersigned(extension::Countersigned) = extension::Countersigned::TL_ID,
    }
}

messages! {
    /// Questions of a proxy to a worker, version 3.
    ProxyQuery {
        /// Sign this statement of your work.
        SignReceipt(extension::SignReceipt) = extension::SignReceipt::TL_ID,
    }
}

messages! {
    /// Questions to a key manager.
    KeyQuery {
        /// First: the asker's proof of the session.
        ProveSession(extension::ProveSession) = extension::ProveSession::TL_ID,
        /// A key of the asker's image.
        GetKey(key::GetKey) = key::GetKey::TL_ID,
        /// The secret of all keys, for another replica.
        GetKeyRoot(key::GetKeyRoot) = key::GetKeyRoot::TL_ID,
        /// A share of a backup, for a replica that restores.
        GiveShare(key::GiveShare) = key::GiveShare::TL_ID,
    }
}
