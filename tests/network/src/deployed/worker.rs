//! A deployed worker-runner: its handshake, and the answers of a scripted server behind it.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{HttpRequest, Incoming, Reader, Sender, Wire, Writer, proxy_params, response, signed_payment};
use crate::Failure;

/// What the worker remembers of its proxy: on chain, stored, all.
pub type Known = [i64; 3];

/// A connection that serves.
pub struct DeployedWorker {
    wire: Wire,
    sender: Sender,
    version: i32,
    /// Whether the proxy knew less than this worker.
    pub was_ahead: bool,
}

/// What the server behind the worker says.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// HTTP status.
    pub status: i32,
    /// Content type.
    pub content_type: &'static str,
    /// Pieces of the body, as the worker passes them on.
    pub parts: Vec<Vec<u8>>,
    /// Prompt, cached, completion, reasoning, total: what the worker reports in the end.
    pub tokens: [i64; 5],
    /// Ends with an error of this code and text.
    pub error: Option<(i32, &'static str)>,
    /// Everything in the first message.
    pub is_whole: bool,
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// What was asked.
    pub request: HttpRequest,
    /// The price that was named.
    pub coefficient: i64,
    /// Seconds that the proxy waits.
    pub timeout: f64,
}

impl Scripted {
    /// A JSON answer in two parts, sorted and ended by a line feed as the deployed worker writes it.
    pub fn json(completion: i64) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            parts: vec![
                br#"{"choices":[{"finish_reason":"stop","index":0,"#.to_vec(),
                b"\"message\":{\"content\":\"hi\",\"role\":\"assistant\"}}],\"object\":\"chat.completion\"}\n".to_vec(),
            ],
            tokens: [5, 0, completion, 0, 5 + completion],
            error: None,
            is_whole: false,
        }
    }

    /// A stream of events: the deployed worker holds it back to its end and counts nothing.
    pub fn held_back_events() -> Self {
        let events = b"data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"index\":0}]}\n\ndata: [DONE]\n\n";
        Self {
            content_type: "text/event-stream",
            parts: vec![events.to_vec()],
            tokens: [0; 5],
            ..Self::json(0)
        }
    }

    /// An error instead of an answer.
    pub fn error(code: i32, text: &'static str) -> Self {
        Self {
            error: Some((code, text)),
            parts: Vec::new(),
            tokens: [0; 5],
            ..Self::json(0)
        }
    }
}

impl DeployedWorker {
    /// Shakes hands: the worker of `owner` with `model`, which remembers `known` and speaks up to `version`.
    pub async fn connect(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        version: i32,
        (owner, model): (&str, &str),
        known: Known,
    ) -> Result<Self, Failure> {
        let wire = Wire::dial(stream).await?;
        let sender = wire.sender();
        let hello = Writer::of(0xcc48_4c5d)
            .int(if version > 0 { 3 } else { 1 })
            .bytes(owner.as_bytes())
            .bytes(model.as_bytes())
            .int(1000)
            .boolean(true)
            .int(1)
            .int(60);
        let hello = match version {
            0 => hello,
            _ => hello.int(1).int(version),
        };
        let answer = sender.question(hello).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0x66bc_82ee)?;
        let (_key, _contract, chosen) = proxy_params(&mut reader)?;
        let _worker_contract = reader.text()?;
        reader.end()?;
        if chosen != version {
            return Err(Failure::new(format!("the proxy chose version {chosen}")));
        }
        let answer = sender.question(Writer::of(0xdb38_6501).longs(&known)).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0x9054_c411)?;
        signed_payment(&mut reader)?;
        let (stored, _all, error) = (reader.long()?, reader.long()?, reader.int()?);
        reader.end()?;
        if stored < known[1] {
            return Err(Failure::new("the proxy has stored less than it said"));
        }
        if error != 0 {
            let extended = Writer::of(0xf8dd_9914).long(known[1]).bytes(b"");
            let answer = sender.question(extended).await?;
            let mut reader = Reader::new(&answer);
            reader.expect(0x0c10_973e)?;
            if reader.int()? != 0 {
                return Err(Failure::new("the proxy does not go on"));
            }
            reader.end()?;
        }
        let answer = sender.question(Writer::of(0xf843_b066).boolean(false)).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0x3ad9_b886)?;
        reader.end()?;
        Ok(Self {
            wire,
            sender,
            version,
            was_ahead: error != 0,
        })
    }

    /// Answers the next request by the script and waits for what it earned: stored, all, this request, and the payer that
    /// the proxy names.
    pub async fn serve(&mut self, script: &Scripted) -> Result<(Served, [i64; 3], String), Failure> {
        let (id, served) = self.request().await?;
        self.answer(&id, script).await?;
        let (earned, payer) = self.earned(&id).await?;
        Ok((served, earned, payer))
    }

    /// The next request.
    pub async fn request(&mut self) -> Result<([u8; 32], Served), Failure> {
        loop {
            let packet = self.packet().await?;
            let mut reader = Reader::new(&packet);
            match (reader.id()?, self.version) {
                (0x4718_2416, 0) | (0xc805_e7e2, 1..) => {
                    let request = HttpRequest::read(reader.bytes()?)?;
                    signed_payment(&mut reader)?;
                    let (coefficient, timeout) = (reader.long()?, reader.double()?);
                    let id = reader.array()?;
                    if self.version > 0 && reader.int()? & 1 != 0 {
                        reader.boolean()?;
                    }
                    reader.end()?;
                    let served = Served {
                        request,
                        coefficient,
                        timeout,
                    };
                    return Ok((id, served));
                }
                (0x0299_8182 | 0x1436_c0d5, _) => {}
                (unknown, _) => return Err(Failure::new(format!("unknown magic {unknown:08x}"))),
            }
        }
    }

    /// Answers a request.
    pub async fn answer(&self, id: &[u8; 32], script: &Scripted) -> Result<(), Failure> {
        // Names as a server spells them that is not written in lower case: they survive next to the worker's own.
        let headers = [
            ("Content-Type".to_owned(), script.content_type.to_owned()),
            ("Content-Length".to_owned(), "420".to_owned()),
            ("X-Cocoon-Worker-Start".to_owned(), "1.5".to_owned()),
            ("Transfer-Encoding".to_owned(), "chunked".to_owned()),
        ];
        if let Some((code, text)) = script.error {
            let error = match self.version {
                0 => Writer::of(0x669d_014e)
                    .int(code)
                    .bytes(text.as_bytes())
                    .raw(id)
                    .longs(&script.tokens),
                _ => self.end(Writer::of(0x8f7f_b0a7).raw(id).int(code).bytes(text.as_bytes()), script),
            };
            return self.sender.packet(error).await;
        }
        if script.is_whole {
            let whole = response(script.status, &headers, &script.parts.concat());
            return self.piece(true, id, &whole, Some(script)).await;
        }
        self.piece(true, id, &response(script.status, &headers, b""), None)
            .await?;
        for (index, part) in script.parts.iter().enumerate() {
            let last = (index + 1 == script.parts.len()).then_some(script);
            self.piece(false, id, part, last).await?;
        }
        Ok(())
    }

    async fn piece(&self, is_head: bool, id: &[u8; 32], bytes: &[u8], last: Option<&Scripted>) -> Result<(), Failure> {
        let message = match (self.version, is_head) {
            (0, _) => Writer::of(if is_head { 0x37e5_f725 } else { 0x72eb_00ee })
                .bytes(bytes)
                .boolean(last.is_some())
                .raw(id)
                .longs(&last.map_or([0; 5], |script| script.tokens)),
            (_, _) => {
                let message = Writer::of(if is_head { 0x1ce5_74e8 } else { 0x6d85_b50f })
                    .raw(id)
                    .bytes(bytes);
                match last {
                    None => message.int(0),
                    Some(script) => self.end(message, script),
                }
            }
        };
        self.sender.packet(message).await
    }

    /// Flags and totals.
    fn end(&self, message: Writer, script: &Scripted) -> Writer {
        let message = message.int(1);
        match self.version {
            1 => message.int(0).longs(&script.tokens),
            _ => message.int(2).longs(&script.tokens).double(1.5).double(2.5),
        }
    }

    async fn earned(&mut self, own: &[u8; 32]) -> Result<([i64; 3], String), Failure> {
        loop {
            let packet = self.packet().await?;
            let mut reader = Reader::new(&packet);
            match reader.id()? {
                0x1436_c0d5 => {
                    let id: [u8; 32] = reader.array()?;
                    signed_payment(&mut reader)?;
                    let numbers = [reader.long()?, reader.long()?, reader.long()?];
                    let payer = reader.text()?;
                    reader.end()?;
                    if id == *own {
                        return Ok((numbers, payer));
                    }
                }
                0x0299_8182 => {}
                unknown => return Err(Failure::new(format!("unknown magic {unknown:08x}"))),
            }
        }
    }

    async fn packet(&mut self) -> Result<Vec<u8>, Failure> {
        match self.wire.next().await? {
            Some(Incoming::Packet(packet)) => Ok(packet),
            Some(Incoming::Query(..)) => Err(Failure::new("a deployed worker is asked nothing")),
            None => Err(Failure::new("the proxy has hung up")),
        }
    }

    /// Sends any object as a packet.
    pub async fn send(&self, object: Writer) -> Result<(), Failure> {
        self.sender.packet(object).await
    }

    /// Tells whether it takes work.
    pub async fn set_disabled(&self, disabled: bool) -> Result<(), Failure> {
        self.send(Writer::of(0xb3b7_1039).int(i32::from(disabled))).await
    }

    /// Tells a new price.
    pub async fn set_coefficient(&self, coefficient: i32) -> Result<(), Failure> {
        self.send(Writer::of(0x6af0_92b0).int(coefficient)).await
    }

    /// Asks for the latest voucher: stored and all tokens.
    pub async fn payment_status(&self) -> Result<[i64; 2], Failure> {
        let answer = self.sender.question(Writer::of(0xdc70_a524)).await?;
        let mut reader = Reader::new(&answer);
        reader.expect(0xa88b_d701)?;
        signed_payment(&mut reader)?;
        let numbers = [reader.long()?, reader.long()?];
        reader.end()?;
        Ok(numbers)
    }

    /// Waits until the proxy hangs up.
    pub async fn until_closed(&mut self) -> Result<(), Failure> {
        while self.wire.next().await?.is_some() {}
        Ok(())
    }

    /// Hangs up, and waits until the proxy has done so too.
    pub async fn hang_up(&mut self) -> Result<(), Failure> {
        self.sender.close().await;
        self.until_closed().await
    }
}
