//! A deployed client-runner, from its handshake to its requests.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{HttpRequest, Reader, Sender, Wire, Writer, proxy_params, read_response, signed_payment};
use crate::Failure;

/// A connection that serves.
pub struct DeployedClient {
    wire: Wire,
    sender: Sender,
    version: i32,
    requests: u8,
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answered {
    /// HTTP status; 0 when there was an error before.
    pub status: i32,
    /// Headers of the answer.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Parts of the body.
    pub parts: usize,
    /// Code and text of an error of the proxy or the worker.
    pub error: Option<(i32, String)>,
    /// Prompt, cached, completion, reasoning, total; adjusted.
    pub tokens: [i64; 5],
    /// Whether the end told the times of both nodes.
    pub has_times: bool,
    /// Price of the request, when the proxy told it: stored, all, this request.
    pub payment: Option<[i64; 3]>,
}

impl DeployedClient {
    /// Shakes hands: the client of `wallet`, which knows its secret and speaks up to `version`.
    pub async fn connect(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        version: i32,
        wallet: &str,
        secret: &[u8],
    ) -> Result<Self, Failure> {
        let wire = Wire::dial(stream).await?;
        let sender = wire.sender();
        let hello = Writer::of(0xff5f_a0f4)
            .int(if version > 0 { 3 } else { 1 })
            .bytes(wallet.as_bytes())
            .boolean(true);
        let hello = match version {
            0 => hello,
            _ => hello.int(1).int(version),
        };
        let answer = sender.question(hello.int(0)).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0x9531_7ad1)?;
        let (_key, _contract, chosen) = proxy_params(&mut reader)?;
        let _client_contract = reader.text()?;
        if reader.id()? != 0xd6ff_c5af {
            return Err(Failure::new("the proxy does not know the secret"));
        }
        let (_hash, _nonce) = (reader.array::<32>()?, reader.long()?);
        signed_payment(&mut reader)?;
        reader.end()?;
        if chosen != version {
            return Err(Failure::new(format!("the proxy chose version {chosen}")));
        }
        let answer = sender.question(Writer::of(0x6c27_6723).bytes(secret)).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0x75d5_ac34)?;
        signed_payment(&mut reader)?;
        let (_stored, _all) = (reader.long()?, reader.long()?);
        reader.end()?;
        Ok(Self {
            wire,
            sender,
            version,
            requests: 0,
        })
    }

    /// Sends a request and reads everything up to its price.
    pub async fn ask(&mut self, model: &str, body: &[u8], max_tokens: i32) -> Result<Answered, Failure> {
        self.requests += 1;
        let id = [self.requests; 32];
        let http = HttpRequest {
            method: "POST".into(),
            url: "/v1/chat/completions".into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            payload: body.to_vec(),
        };
        let request = Writer::of(if self.version > 0 { 0xf54c_b74b } else { 0xbc74_8f32 })
            .bytes(model.as_bytes())
            .bytes(&http.write())
            .int(4000)
            .int(max_tokens)
            .double(19.0)
            .raw(&id)
            .int(0);
        let request = match self.version {
            0 => request,
            _ => request.int(1).boolean(false),
        };
        self.sender.packet(request).await?;
        let mut answered = Answered::default();
        while answered.payment.is_none() {
            let packet = self.wire.packet().await?;
            if self.take(&packet, &id, &mut answered)? && answered.error.is_some() && answered.status == 0 {
                // A proxy that refuses before it begins owes no price.
                break;
            }
        }
        Ok(answered)
    }

    /// Takes a message; whether it was the last of the answer.
    fn take(&self, packet: &[u8], own: &[u8; 32], answered: &mut Answered) -> Result<bool, Failure> {
        let mut reader = Reader::new(packet);
        let id = reader.id()?;
        let is_last = match (id, self.version) {
            (0x9b94_3922 | 0xb765_de4c, 0) => {
                let answer = reader.bytes()?;
                let is_completed = reader.boolean()?;
                let _id: [u8; 32] = reader.array()?;
                let tokens = reader.tokens()?;
                answered.add(id == 0x9b94_3922, answer)?;
                if is_completed {
                    answered.tokens = tokens;
                }
                is_completed
            }
            (0x6d60_569a | 0xd790_a022, 0) => {
                answered.error = Some((reader.int()?, reader.text()?));
                let _id: [u8; 32] = reader.array()?;
                answered.tokens = reader.tokens()?;
                true
            }
            (0xcd52_4720 | 0xc07b_faec, 1..) => {
                let _id: [u8; 32] = reader.array()?;
                answered.add(id == 0xcd52_4720, reader.bytes()?)?;
                self.final_info(&mut reader, answered)?
            }
            (0x0725_62a8, 1..) => {
                let _id: [u8; 32] = reader.array()?;
                answered.error = Some((reader.int()?, reader.text()?));
                if !self.final_info(&mut reader, answered)? {
                    return Err(Failure::new("an error without totals ends a deployed client"));
                }
                true
            }
            (0xc6bc_f127, _) => {
                let request_id: [u8; 32] = reader.array()?;
                signed_payment(&mut reader)?;
                let numbers = [reader.long()?, reader.long()?, reader.long()?];
                if request_id == *own {
                    answered.payment = Some(numbers);
                }
                false
            }
            (0x0299_8182, _) => {
                reader.bytes()?;
                false
            }
            (unknown, _) => return Err(Failure::new(format!("unknown magic {unknown:08x}"))),
        };
        reader.end()?;
        Ok(is_last)
    }

    /// Flags, and the totals that they announce.
    fn final_info(&self, reader: &mut Reader<'_>, answered: &mut Answered) -> Result<bool, Failure> {
        if reader.int()? & 1 == 0 {
            return Ok(false);
        }
        let flags = reader.int()?;
        answered.tokens = reader.tokens()?;
        if flags & 1 != 0 {
            let _debug = (reader.bytes()?, reader.bytes()?);
        }
        if flags & 2 != 0 {
            for _ in 0..4 {
                reader.double()?;
            }
            answered.has_times = true;
        }
        Ok(true)
    }

    /// The models with their numbers of workers: by the old question, then by the new one.
    pub async fn models(&self) -> Result<(Vec<(String, i32)>, Vec<(String, usize)>), Failure> {
        let answer = self.sender.question(Writer::of(0x7f06_2bdb)).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0xf64e_0e01)?;
        let old = reader.vector(|reader| {
            let (name, workers) = (reader.text()?, reader.int()?);
            let _coefficients = (reader.int()?, reader.int()?, reader.int()?);
            Ok((name, workers))
        })?;
        reader.end()?;
        let answer = self.sender.question(Writer::of(0xb213_3d72)).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0x0cf0_dc67)?;
        let new = reader.vector(|reader| {
            let name = reader.text()?;
            let workers = reader.vector(|reader| Ok((reader.int()?, reader.int()?, reader.int()?, reader.int()?)))?;
            Ok((name, workers.len()))
        })?;
        reader.end()?;
        Ok((old, new))
    }

    /// Asks for the latest voucher: stored and all tokens.
    pub async fn payment_status(&self) -> Result<[i64; 2], Failure> {
        let answer = self.sender.question(Writer::of(0x9ed1_c697)).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0xaa8a_0ecc)?;
        signed_payment(&mut reader)?;
        let numbers = [reader.long()?, reader.long()?];
        reader.end()?;
        Ok(numbers)
    }

    /// Sends any object as a packet.
    pub async fn send(&self, object: Writer) -> Result<(), Failure> {
        self.sender.packet(object).await
    }

    /// Waits until the proxy hangs up.
    pub async fn until_closed(&mut self) -> Result<(), Failure> {
        while self.wire.next().await?.is_some() {}
        Ok(())
    }

    /// Sends any object as a question; gives the code and text of the refusal.
    pub async fn refused(&self, object: Writer) -> Result<(i32, String), Failure> {
        match self.sender.ask(object).await? {
            Err(refusal) => Ok(refusal),
            Ok(_) => Err(Failure::new("the question was answered")),
        }
    }
}

impl Answered {
    fn add(&mut self, is_head: bool, bytes: &[u8]) -> Result<(), Failure> {
        if is_head {
            let (status, headers, payload) = read_response(bytes)?;
            (self.status, self.headers) = (status, headers);
            self.body.extend_from_slice(&payload);
        } else {
            self.body.extend_from_slice(bytes);
            self.parts += 1;
        }
        Ok(())
    }
}
