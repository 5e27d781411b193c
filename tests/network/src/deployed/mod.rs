//! Peers as they are deployed: client, worker and proxy of versions 0, 1 and 2, with their quirks.
//!
//! They are written from the description of the deployed network alone and share no codec and no handshake with our
//! runners. What a deployed peer would not understand, they report as a failure: an unknown constructor, a byte too many,
//! an end of an answer without the totals that it looks into.

mod bridge;
mod client;
mod proxy;
mod tl;
mod wire;
mod worker;

pub use client::{Answered, DeployedClient};
pub use proxy::{DeployedProxy, ProxyKeys, Seen, listen};
pub use tl::{Reader, Writer};
pub use wire::{Answer, Incoming, Sender, Wire};
pub use worker::{DeployedWorker, Known, Scripted, Served};

use crate::Failure;

/// What can be said of an HTTP message of the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `POST`
    pub method: String,
    /// Its path.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub payload: Vec<u8>,
}

impl HttpRequest {
    fn write(&self) -> Vec<u8> {
        let start = Writer::of(0x4749_2de5)
            .bytes(self.method.as_bytes())
            .bytes(self.url.as_bytes())
            .bytes(b"HTTP/1.1");
        headers(start, &self.headers).bytes(&self.payload).done()
    }

    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::new(bytes);
        reader.expect(0x4749_2de5)?;
        let (method, url, _version) = (reader.text()?, reader.text()?, reader.text()?);
        let headers = reader.vector(|reader| Ok((reader.text()?, reader.text()?)))?;
        let payload = reader.bytes()?.to_vec();
        reader.end()?;
        Ok(Self {
            method,
            url,
            headers,
            payload,
        })
    }
}

/// A boxed `http.response`.
fn response(status: i32, fields: &[(String, String)], payload: &[u8]) -> Vec<u8> {
    let start = Writer::of(0x1cd0_c42b).bytes(b"HTTP/1.1").int(status).bytes(b"OK");
    headers(start, fields).bytes(payload).done()
}

/// Status, headers and payload of an answer.
type Response = (i32, Vec<(String, String)>, Vec<u8>);

/// Reads a boxed `http.response`.
fn read_response(bytes: &[u8]) -> Result<Response, Failure> {
    let mut reader = Reader::new(bytes);
    reader.expect(0x1cd0_c42b)?;
    let _version = reader.text()?;
    let (status, _reason) = (reader.int()?, reader.text()?);
    let headers = reader.vector(|reader| Ok((reader.text()?, reader.text()?)))?;
    let payload = reader.bytes()?.to_vec();
    reader.end()?;
    Ok((status, headers, payload))
}

fn headers(writer: Writer, headers: &[(String, String)]) -> Writer {
    let count = i32::try_from(headers.len()).unwrap_or(i32::MAX);
    headers.iter().fold(writer.int(count), |writer, (name, value)| {
        writer.bytes(name.as_bytes()).bytes(value.as_bytes())
    })
}

/// `proxy.params`, bare: its flags tell whether a version follows. Gives key, contract and version.
fn proxy_params(reader: &mut Reader<'_>) -> Result<([u8; 32], String, i32), Failure> {
    let flags = reader.int()?;
    let (key, _owner, contract) = (reader.array()?, reader.text()?, reader.text()?);
    if flags & 1 != 0 {
        reader.boolean()?;
    }
    let version = if flags & 2 != 0 { reader.int()? } else { 0 };
    Ok((key, contract, version))
}

/// `proxy.SignedPayment`, boxed: whether there is a voucher.
fn signed_payment(reader: &mut Reader<'_>) -> Result<bool, Failure> {
    match reader.id()? {
        0x0299_8182 => reader.bytes().map(|voucher| !voucher.is_empty()),
        0xb347_ce64 => Ok(false),
        other => Err(Failure::new(format!("{other:08x} is no payment"))),
    }
}

/// `proxy.signedPaymentEmpty`
fn no_payment(writer: Writer) -> Writer {
    writer.raw(&0xb347_ce64_u32.to_le_bytes())
}
