//! Quotes from the host's quoting service (QGS): a local report goes to the host over vsock, a quote comes back. For
//! kernels without `configfs-tsm`, and for hypervisors that do not pass its requests on.

pub(crate) mod message;

use std::io::{self, Read, Write};
use std::sync::Arc;

use cocoon_attest::REPORT_DATA_BYTES;

use crate::configfs::checked;
use crate::limits::{MAX_QGS_MESSAGE_BYTES, QGS_ANSWER_TIMEOUT, QGS_CONNECT_TIMEOUT};
use crate::{Endpoint, GuestError, QuoteSource, ReportSource};

/// Where Intel's quoting service listens by default.
pub const HOST_QGS: Endpoint = Endpoint::host(4050);

/// Length of the number in front of each message.
const PREFIX_BYTES: usize = 4;

/// The host's quotes for local reports.
pub struct Qgs {
    endpoint: Endpoint,
    reports: Arc<dyn ReportSource>,
}

impl Qgs {
    /// Sends `reports` to `endpoint`, which is [`HOST_QGS`] by default.
    pub fn new(endpoint: Endpoint, reports: Arc<dyn ReportSource>) -> Self {
        Self { endpoint, reports }
    }

    fn exchange(&self, request: &[u8]) -> Result<Vec<u8>, GuestError> {
        let failed = |doing: &'static str| {
            move |source| GuestError::Service {
                doing,
                endpoint: self.endpoint.clone(),
                source,
            }
        };
        let mut socket = self
            .endpoint
            .connect(QGS_CONNECT_TIMEOUT)
            .map_err(failed("connecting to"))?;
        socket
            .set_read_timeout(Some(QGS_ANSWER_TIMEOUT))
            .and_then(|()| socket.set_write_timeout(Some(QGS_CONNECT_TIMEOUT)))
            .and_then(|()| write_frame(&mut socket, request))
            .map_err(failed("writing to"))?;
        match read_frame(&mut socket).map_err(failed("reading from"))? {
            Frame::Message(message) => Ok(message),
            Frame::End => Err(failed("reading from")(io::ErrorKind::UnexpectedEof.into())),
            Frame::TooLong => Err(GuestError::Message {
                problem: "it is longer than any quote",
            }),
        }
    }
}

impl QuoteSource for Qgs {
    fn quote(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<Vec<u8>, GuestError> {
        let report = self.reports.report(report_data)?;
        let answer = self.exchange(&message::request(&report))?;
        checked(message::read_answer(&answer)?, report_data)
    }
}

/// What comes next on a connection.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A message.
    Message(Vec<u8>),
    /// Nothing: the peer has closed.
    End,
    /// A message that is not read because of its length.
    TooLong,
}

/// Writes a message behind its length: four bytes, the highest first, which frames messages on streams.
pub(crate) fn write_frame(stream: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut frame = Vec::with_capacity(PREFIX_BYTES + message.len());
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    stream.write_all(&frame)?;
    stream.flush()
}

/// Reads one message; its length is checked before memory is taken for it.
pub(crate) fn read_frame(stream: &mut impl Read) -> io::Result<Frame> {
    let mut prefix = [0; PREFIX_BYTES];
    let first = loop {
        match stream.read(&mut prefix) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if first == 0 {
        return Ok(Frame::End);
    }
    stream.read_exact(&mut prefix[first..])?;
    let length = u32::from_be_bytes(prefix) as usize;
    if length > MAX_QGS_MESSAGE_BYTES {
        return Ok(Frame::TooLong);
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    Ok(Frame::Message(message))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::net::TcpListener;

    use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
    use proptest::prelude::*;

    use super::*;
    use crate::{Pretended, TdReport};

    /// A service that answers one request in its own way.
    fn service(answer: impl FnOnce(&TdReport) -> Vec<u8> + Send + 'static) -> Qgs {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let Frame::Message(request) = read_frame(&mut stream).unwrap() else {
                panic!("no request")
            };
            let answer = answer(&message::read_request(&request).unwrap());
            stream.write_all(&answer).unwrap();
        });
        Qgs::new(endpoint, Arc::new(Pretended::new(simulated_measurements("worker"))))
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, message).unwrap();
        bytes
    }

    fn quote_for(report: &TdReport) -> Vec<u8> {
        let platform = SimulatedPlatform::generate().unwrap();
        platform.issue(&report.measurements(), &report.report_data()).unwrap()
    }

    #[test]
    fn the_service_makes_a_quote_of_the_report() {
        let source = service(|report| framed(&message::answer(&quote_for(report))));
        let quote = source.quote(&[3; 64]).unwrap();
        let evidence = cocoon_attest::Evidence::parse(&quote).unwrap();
        assert_eq!(evidence.unverified_report_data(), [3; 64]);
        assert_eq!(evidence.unverified_measurements(), simulated_measurements("worker"));
    }

    #[test]
    fn a_refusal_comes_with_its_code() {
        let source = service(|_| framed(&message::refusal(0x1_2001)));
        assert!(matches!(
            source.quote(&[3; 64]),
            Err(GuestError::Refused { code: 0x1_2001 })
        ));
    }

    #[test]
    fn a_quote_of_other_report_data_is_refused() {
        let source = service(|report| {
            let other = TdReport::pretended(&report.measurements(), &[4; 64]);
            framed(&message::answer(&quote_for(&other)))
        });
        assert!(matches!(source.quote(&[3; 64]), Err(GuestError::OtherReportData)));
    }

    #[test]
    fn what_is_no_quote_is_refused() {
        let source = service(|_| framed(&message::answer(b"no quote at all")));
        assert!(matches!(source.quote(&[3; 64]), Err(GuestError::NoQuote(_))));
    }

    #[test]
    fn a_service_that_goes_away_or_says_too_much_is_an_error() {
        let silent = service(|_| Vec::new());
        assert!(matches!(silent.quote(&[3; 64]), Err(GuestError::Service { .. })));
        let cut = service(|report| framed(&message::answer(&quote_for(report)))[..1000].to_vec());
        assert!(matches!(cut.quote(&[3; 64]), Err(GuestError::Service { .. })));
        let long = service(|_| u32::MAX.to_be_bytes().to_vec());
        assert!(matches!(long.quote(&[3; 64]), Err(GuestError::Message { .. })));
    }

    #[test]
    fn nobody_at_the_address_is_an_error_with_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::Unix(folder.path().join("qgs.socket"));
        let guest = Arc::new(Pretended::new(simulated_measurements("worker")));
        let error = Qgs::new(endpoint.clone(), guest).quote(&[3; 64]).unwrap_err();
        assert!(error.to_string().contains(&endpoint.to_string()), "{error}");
        assert!(error.retry());
    }

    proptest! {
        #[test]
        fn messages_come_out_of_their_frames(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5)) {
            let bytes: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
            let mut stream = Cursor::new(bytes);
            for expected in messages {
                let Frame::Message(message) = read_frame(&mut stream).unwrap() else { panic!("no message") };
                prop_assert_eq!(message, expected);
            }
            prop_assert!(matches!(read_frame(&mut stream).unwrap(), Frame::End));
        }
    }
}
