//! Crypto-agile event logs: the CCEL table of ACPI, in the form of TCG's "PC Client Platform Firmware Profile" 1.06,
//! section 10, with the register numbers of UEFI 2.10, section 38 (1 to 4 are RTMR0 to RTMR3).

use core::fmt;

use crate::{
    AttestError, Measurements, Register, crypto,
    limits::{MAX_EVENT_BYTES, MAX_EVENT_LOG_BYTES, MAX_EVENTS},
    measurements::REGISTER_BYTES,
};

pub(super) const EV_NO_ACTION: u32 = 3;
const SHA384: u16 = 0x000c;
const MAX_ALGORITHMS: u32 = 8;
const SIGNATURE: &[u8; 16] = b"Spec ID Event03\0";

/// The measured events of a guest's start, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventLog {
    events: Vec<LoggedEvent>,
}

/// One measured event.
#[derive(Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Register that it was extended into: 0 to 3 for RTMR0 to RTMR3.
    pub register: u8,
    /// TCG's event type.
    pub kind: u32,
    /// What was extended (SHA-384).
    pub digest: Register,
    /// What the log says about it; only some kinds are hashed as they stand here.
    pub data: Vec<u8>,
}

impl fmt::Debug for LoggedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RTMR{} {:#010x} {}",
            self.register,
            self.kind,
            hex::encode(self.digest)
        )
    }
}

impl LoggedEvent {
    /// Whether its digest is that of its data.
    pub fn is_digest_of_data(&self) -> bool {
        sha384(&[&self.data]) == self.digest
    }
}

impl EventLog {
    /// Reads the bytes of the CCEL table. Events that are not measured are left out; what follows the last event must be
    /// the filling of the table (0xff or zero).
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        if bytes.len() > MAX_EVENT_LOG_BYTES {
            return Err(malformed("is longer than any table"));
        }
        let mut reader = Reader { rest: bytes };
        let sizes = reader.specification()?;
        let mut events = Vec::new();
        while let Some(event) = reader.event(&sizes)? {
            if event.kind == EV_NO_ACTION {
                continue;
            }
            if events.len() >= MAX_EVENTS {
                return Err(malformed("has too many events"));
            }
            events.push(event);
        }
        Ok(Self { events })
    }

    /// The same log with events behind it that the firmware does not know of.
    pub fn with(mut self, events: impl IntoIterator<Item = LoggedEvent>) -> Self {
        self.events.extend(events);
        self
    }

    /// The measured events in order.
    pub fn events(&self) -> &[LoggedEvent] {
        &self.events
    }

    /// RTMR0 to RTMR3 after all events: each starts at zero, and an extension is SHA-384 of register and digest.
    pub fn replay(&self) -> [Register; 4] {
        let mut registers = [[0; REGISTER_BYTES]; 4];
        for event in &self.events {
            if let Some(register) = registers.get_mut(usize::from(event.register)) {
                *register = sha384(&[register, &event.digest]);
            }
        }
        registers
    }

    /// Refuses a log that is not the one behind these measurements, by the first register that differs.
    pub fn check(&self, measurements: &Measurements) -> Result<(), AttestError> {
        let replayed = self.replay();
        let differing = (0_u8..)
            .zip(replayed.iter().zip(&measurements.rtmr))
            .find(|(_, (a, b))| a != b);
        match differing {
            Some((register, _)) => Err(AttestError::EventLogRegister { register }),
            None => Ok(()),
        }
    }
}

pub(super) fn sha384(parts: &[&[u8]]) -> Register {
    crypto::sha384(parts)
}

fn malformed(what: &'static str) -> AttestError {
    AttestError::EventLog { what }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], AttestError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(malformed("ends inside an event"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AttestError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(malformed("ends inside an event"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u16(&mut self) -> Result<u16, AttestError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, AttestError> {
        self.array().map(u32::from_le_bytes)
    }

    fn data(&mut self) -> Result<&'a [u8], AttestError> {
        let length = self.u32()? as usize;
        if length > MAX_EVENT_BYTES {
            return Err(malformed("has an event that is too long"));
        }
        self.take(length)
    }

    /// The first event, in the old form: names the hash algorithms and their lengths.
    fn specification(&mut self) -> Result<Vec<(u16, usize)>, AttestError> {
        let _register = self.u32()?;
        if self.u32()? != EV_NO_ACTION {
            return Err(malformed("does not begin with its specification"));
        }
        self.take(20)?;
        let mut inner = Reader { rest: self.data()? };
        if inner.take(16)? != SIGNATURE {
            return Err(malformed("is not in the crypto-agile form"));
        }
        // Platform class, version, errata, size of integers.
        inner.take(8)?;
        let count = inner.u32()?;
        if count > MAX_ALGORITHMS {
            return Err(malformed("names too many hash algorithms"));
        }
        let sizes = (0..count).map(|_| Ok((inner.u16()?, usize::from(inner.u16()?))));
        let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
        if !sizes.contains(&(SHA384, REGISTER_BYTES)) {
            return Err(malformed("has no SHA-384 digests"));
        }
        Ok(sizes)
    }

    fn event(&mut self, sizes: &[(u16, usize)]) -> Result<Option<LoggedEvent>, AttestError> {
        let is_filling = |byte: u8| self.rest.iter().all(|&found| found == byte);
        if is_filling(0xff) || is_filling(0) {
            return Ok(None);
        }
        let (register, kind) = (self.u32()?, self.u32()?);
        let mut digest = None;
        let count = self.u32()?;
        if count > MAX_ALGORITHMS {
            return Err(malformed("has an event with too many digests"));
        }
        for _ in 0..count {
            let algorithm = self.u16()?;
            let size = sizes.iter().find(|(known, _)| *known == algorithm);
            let (_, size) = size.ok_or(malformed("has a digest that its specification does not name"))?;
            let bytes = self.take(*size)?;
            if algorithm == SHA384 {
                digest = bytes.try_into().ok();
            }
        }
        let data = self.data()?.to_vec();
        if kind == EV_NO_ACTION {
            let (register, digest) = (0, [0; REGISTER_BYTES]);
            return Ok(Some(LoggedEvent {
                register,
                kind,
                digest,
                data,
            }));
        }
        if !(1..=4).contains(&register) {
            return Err(malformed("has an event of an unknown register"));
        }
        Ok(Some(LoggedEvent {
            register: (register - 1) as u8,
            kind,
            digest: digest.ok_or(malformed("has an event without a SHA-384 digest"))?,
            data,
        }))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes a log as firmware does.
    pub(in crate::boot) fn written(events: &[LoggedEvent]) -> Vec<u8> {
        let mut log = [1_u32, EV_NO_ACTION].map(u32::to_le_bytes).concat();
        log.extend([0; 20]);
        let mut specification = SIGNATURE.to_vec();
        specification.extend([0, 0, 0, 0, 0, 2, 0, 2]);
        specification.extend(1_u32.to_le_bytes());
        specification.extend([SHA384, 48].map(u16::to_le_bytes).concat());
        specification.push(0);
        log.extend((specification.len() as u32).to_le_bytes());
        log.extend(specification);
        for event in events {
            log.extend(
                [u32::from(event.register) + 1, event.kind, 1]
                    .map(u32::to_le_bytes)
                    .concat(),
            );
            log.extend(SHA384.to_le_bytes());
            log.extend(event.digest);
            log.extend((event.data.len() as u32).to_le_bytes());
            log.extend(&event.data);
        }
        log
    }

    fn event() -> impl Strategy<Value = LoggedEvent> {
        let data = prop::collection::vec(any::<u8>(), 0..40);
        (0_u8..4, 4_u32..0x8000_0010, any::<[u8; 16]>(), data).prop_map(|(register, kind, seed, data)| LoggedEvent {
            register,
            kind,
            digest: sha384(&[&seed]),
            data,
        })
    }

    #[test]
    fn a_replayed_register_agrees_with_an_independent_computation() {
        // printf 'cocoon:tdx_inited' | sha384sum, then 48 zero bytes and that digest through sha384sum.
        let digest = sha384(&[b"cocoon:tdx_inited"]);
        let event = LoggedEvent {
            register: 3,
            kind: 0,
            digest,
            data: Vec::new(),
        };
        let registers = EventLog::default().with([event]).replay();
        assert_eq!(registers[0], [0; 48]);
        assert_eq!(
            hex::encode(registers[3]),
            "ebdae043c664fd7313d45507f21a95904b529c036c8904f39d56883576c4db9a8688f0e6fea82c4d786127fa1afb60b3"
        );
    }

    #[test]
    fn a_log_of_other_measurements_is_refused_by_register() {
        let event = LoggedEvent {
            register: 2,
            kind: 6,
            digest: [1; 48],
            data: Vec::new(),
        };
        let log = EventLog::parse(&written(&[event])).unwrap();
        let mut measurements = Measurements::ZERO;
        assert_eq!(
            log.check(&measurements),
            Err(AttestError::EventLogRegister { register: 2 })
        );
        measurements.rtmr = log.replay();
        assert_eq!(log.check(&measurements), Ok(()));
        measurements.rtmr[0][0] ^= 1;
        assert_eq!(
            log.check(&measurements),
            Err(AttestError::EventLogRegister { register: 0 })
        );
    }

    #[test]
    fn logs_without_specification_or_sha384_are_refused() {
        let good = written(&[]);
        let refused = |bytes: &[u8]| matches!(EventLog::parse(bytes), Err(AttestError::EventLog { .. }));
        assert!(!refused(&good));
        for at in [4, 32, good.len() - 5, good.len() - 3] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(refused(&bad), "{at}");
        }
        assert!(refused(&[]));
        assert!(refused(&vec![0xff; MAX_EVENT_LOG_BYTES + 1]));
    }

    proptest! {
        #[test]
        fn what_firmware_writes_is_read(events in prop::collection::vec(event(), 0..12), filling in prop::sample::select(vec![0_u8, 0xff]), length in 0_usize..64) {
            let mut bytes = written(&events);
            bytes.extend(vec![filling; length]);
            let log = EventLog::parse(&bytes).unwrap();
            prop_assert_eq!(log.events(), &events[..]);
        }

        #[test]
        fn a_cut_log_is_refused(events in prop::collection::vec(event(), 1..4), cut in any::<prop::sample::Index>()) {
            let start = written(&[]).len();
            let whole = written(&events);
            let end = start + 1 + cut.index(whole.len() - start - 1);
            let found = EventLog::parse(&whole[..end]);
            // A cut between two events leaves a shorter log, whose replay differs.
            prop_assert!(found.is_err() || found.is_ok_and(|log| log.events().len() < events.len()));
        }

        #[test]
        fn parsing_is_total(events in prop::collection::vec(event(), 0..4), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
            let mut bytes = written(&events);
            for (at, value) in edits {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = EventLog::parse(&bytes);
        }
    }
}
