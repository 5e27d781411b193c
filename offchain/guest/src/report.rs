//! The local report of a TDX guest (TDREPORT_STRUCT of Intel's TDX module specification), which only the same machine
//! can check: its quoting enclave turns it into a quote.

use core::fmt;

use cocoon_attest::{Measurements, REGISTER_BYTES, REPORT_DATA_BYTES, Register};
use serde::Deserialize;

use crate::limits::MAX_MEASUREMENTS_BYTES;
use crate::{GuestError, ReportSource};

/// Length of the structure.
pub(crate) const REPORT_BYTES: usize = 1024;
/// First byte: a report of a TDX guest.
const TYPE_TDX: u8 = 0x81;
const REPORT_DATA: usize = 128;
const ATTRIBUTES: usize = 512;
const XFAM: usize = 520;
const REGISTERS: usize = 528;
/// SEPT_VE_DISABLE: every guest that verifiers accept has it.
const USUAL_ATTRIBUTES: u64 = 1 << 28;

/// A local report.
#[derive(Clone, PartialEq, Eq)]
pub struct TdReport(Box<[u8; REPORT_BYTES]>);

impl TdReport {
    /// Reads the bytes that the kernel or a guest delivers.
    pub fn parse(bytes: &[u8]) -> Result<Self, GuestError> {
        let bytes: [u8; REPORT_BYTES] = bytes.try_into().map_err(|_| GuestError::Report {
            problem: "it does not have 1024 bytes",
        })?;
        if bytes[0] != TYPE_TDX {
            return Err(GuestError::Report {
                problem: "it is not of a TDX guest",
            });
        }
        Ok(Self(Box::new(bytes)))
    }

    /// A report without the machine's authentication code: the simulator takes it, real machines do not.
    pub fn pretended(measurements: &Measurements, report_data: &[u8; REPORT_DATA_BYTES]) -> Self {
        let mut bytes = [0; REPORT_BYTES];
        bytes[0] = TYPE_TDX;
        bytes[REPORT_DATA..REPORT_DATA + REPORT_DATA_BYTES].copy_from_slice(report_data);
        bytes[ATTRIBUTES..ATTRIBUTES + 8].copy_from_slice(&USUAL_ATTRIBUTES.to_le_bytes());
        // x87 and SSE, always on.
        bytes[XFAM] = 3;
        for (register, place) in measurements
            .registers()
            .into_iter()
            .zip(bytes[REGISTERS..].chunks_exact_mut(REGISTER_BYTES))
        {
            place.copy_from_slice(register);
        }
        Self(Box::new(bytes))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; REPORT_BYTES] {
        &self.0
    }

    /// What the guest wants attested.
    pub fn report_data(&self) -> [u8; REPORT_DATA_BYTES] {
        self.field(REPORT_DATA)
    }

    /// Attribute bits of the guest.
    pub fn attributes(&self) -> u64 {
        u64::from_le_bytes(self.field(ATTRIBUTES))
    }

    /// The registers.
    pub fn measurements(&self) -> Measurements {
        let register = |index: usize| -> Register { self.field(REGISTERS + index * REGISTER_BYTES) };
        Measurements {
            mrtd: register(0),
            mrconfigid: register(1),
            mrowner: register(2),
            mrownerconfig: register(3),
            rtmr: [register(4), register(5), register(6), register(7)],
        }
    }

    fn field<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.0[offset..offset + N]);
        field
    }
}

impl fmt::Debug for TdReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TdReport")
            .field("image_hash", &self.measurements().image_hash())
            .finish_non_exhaustive()
    }
}

/// SIMULATED reports of a guest that is none: for machines without TDX in test networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pretended {
    measurements: Measurements,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistersFile {
    mrtd: String,
    #[serde(default)]
    mrconfigid: Option<String>,
    #[serde(default)]
    mrowner: Option<String>,
    #[serde(default)]
    mrownerconfig: Option<String>,
    rtmr: [String; 4],
}

impl Pretended {
    /// A guest with these registers.
    pub fn new(measurements: Measurements) -> Self {
        Self { measurements }
    }

    /// Registers from a JSON object: `mrtd` and the four of `rtmr` in hex; `mrconfigid`, `mrowner` and `mrownerconfig`
    /// are zero when absent.
    pub fn from_json(json: &str) -> Result<Self, GuestError> {
        let refused = |problem: String| GuestError::Simulated {
            kind: "registers of a guest",
            problem,
        };
        if json.len() > MAX_MEASUREMENTS_BYTES {
            return Err(refused(format!("more than {MAX_MEASUREMENTS_BYTES} bytes")));
        }
        let file: RegistersFile = serde_json::from_str(json).map_err(|error| refused(error.to_string()))?;
        let register = |name: &str, text: &str| -> Result<Register, GuestError> {
            let mut register = [0; REGISTER_BYTES];
            hex::decode_to_slice(text, &mut register)
                .map_err(|_| refused(format!("{name} is not {REGISTER_BYTES} bytes in hex")))?;
            Ok(register)
        };
        let or_zero = |name: &str, text: &Option<String>| match text {
            Some(text) => register(name, text),
            None => Ok([0; REGISTER_BYTES]),
        };
        let [rtmr0, rtmr1, rtmr2, rtmr3] = &file.rtmr;
        Ok(Self::new(Measurements {
            mrtd: register("mrtd", &file.mrtd)?,
            mrconfigid: or_zero("mrconfigid", &file.mrconfigid)?,
            mrowner: or_zero("mrowner", &file.mrowner)?,
            mrownerconfig: or_zero("mrownerconfig", &file.mrownerconfig)?,
            rtmr: [
                register("rtmr0", rtmr0)?,
                register("rtmr1", rtmr1)?,
                register("rtmr2", rtmr2)?,
                register("rtmr3", rtmr3)?,
            ],
        }))
    }

    /// The registers.
    pub fn measurements(&self) -> Measurements {
        self.measurements
    }
}

impl ReportSource for Pretended {
    fn report(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<TdReport, GuestError> {
        Ok(TdReport::pretended(&self.measurements, report_data))
    }
}

#[cfg(test)]
mod tests {
    use cocoon_attest::simulated::simulated_measurements;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_lie_where_the_module_puts_them() {
        let mut bytes = [0; REPORT_BYTES];
        bytes[0] = TYPE_TDX;
        bytes[128] = 1;
        bytes[519] = 2;
        bytes[528] = 3;
        bytes[864] = 4;
        let report = TdReport::parse(&bytes).unwrap();
        assert_eq!(report.report_data()[0], 1);
        assert_eq!(report.attributes(), 2 << 56);
        assert_eq!(report.measurements().mrtd[0], 3);
        assert_eq!(report.measurements().rtmr[3][0], 4);
    }

    #[test]
    fn other_lengths_and_kinds_are_refused() {
        for (length, first) in [(1023, 0x81), (1025, 0x81), (1024, 0), (0, 0)] {
            let mut bytes = vec![0; length];
            if let Some(byte) = bytes.first_mut() {
                *byte = first;
            }
            assert!(matches!(TdReport::parse(&bytes), Err(GuestError::Report { .. })));
        }
    }

    #[test]
    fn registers_are_read_from_json_and_wrong_ones_named() {
        let zero = "00".repeat(48);
        let one = "11".repeat(48);
        let text = format!(r#"{{"mrtd":"{one}","rtmr":["{zero}","{zero}","{zero}","{one}"]}}"#);
        let guest = Pretended::from_json(&text).unwrap().measurements();
        assert_eq!(
            (guest.mrtd, guest.rtmr[3], guest.mrowner),
            ([0x11; 48], [0x11; 48], [0; 48])
        );
        let short = text.replacen("\"11", "\"1", 1);
        assert!(Pretended::from_json(&short).unwrap_err().to_string().contains("mrtd"));
        assert!(Pretended::from_json(&text.replace("rtmr", "rtmrs")).is_err());
    }

    proptest! {
        #[test]
        fn a_pretended_report_says_what_it_was_given(name: String, data in prop::array::uniform32(any::<u8>())) {
            let measurements = simulated_measurements(&name);
            let mut report_data = [0; 64];
            report_data[..32].copy_from_slice(&data);
            let report = TdReport::pretended(&measurements, &report_data);
            let read = TdReport::parse(report.bytes()).unwrap();
            prop_assert_eq!(read.measurements(), measurements);
            prop_assert_eq!(read.report_data(), report_data);
            prop_assert_eq!(read.attributes(), USUAL_ATTRIBUTES);
        }
    }
}
