//! Local reports from the kernel: the one command of `/dev/tdx_guest` (include/uapi/linux/tdx-guest.h, Linux 6.2).

use std::path::PathBuf;

use cocoon_attest::REPORT_DATA_BYTES;
use rustix::ioctl::{Opcode, Updater, opcode};

use crate::report::REPORT_BYTES;
use crate::{GuestError, ReportSource, TdReport};

/// The device of a TDX guest.
pub const GUEST_DEVICE: &str = "/dev/tdx_guest";

/// `struct tdx_report_req`.
#[repr(C)]
struct Request {
    report_data: [u8; REPORT_DATA_BYTES],
    report: [u8; REPORT_BYTES],
}

/// `TDX_CMD_GET_REPORT0`: `_IOWR('T', 1, struct tdx_report_req)`.
const GET_REPORT: Opcode = opcode::read_write::<Request>(b'T', 1);

/// The reports of the TDX guest that this process runs in.
#[derive(Clone, Debug)]
pub struct Tdx {
    device: PathBuf,
}

impl Tdx {
    /// Reports from `device`, which is [`GUEST_DEVICE`] in a guest.
    pub fn new(device: impl Into<PathBuf>) -> Self {
        Self { device: device.into() }
    }
}

impl ReportSource for Tdx {
    #[expect(
        unsafe_code,
        reason = "std has no ioctl; one command, whose structure is the kernel's"
    )]
    fn report(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<TdReport, GuestError> {
        let device = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.device)
            .map_err(GuestError::file("opening", &self.device))?;
        let mut request = Request {
            report_data: *report_data,
            report: [0; REPORT_BYTES],
        };
        // SAFETY: the command reads and writes one `struct tdx_report_req`, which `Request` is, byte for byte; both
        // live until the call returns. A device that knows no such command answers ENOTTY and touches nothing.
        let done = unsafe {
            let command = Updater::<GET_REPORT, Request>::new(&mut request);
            rustix::ioctl::ioctl(&device, command)
        };
        done.map_err(|error| GuestError::file("asking for a report from", &self.device)(error.into()))?;
        let report = TdReport::parse(&request.report)?;
        if report.report_data() != *report_data {
            return Err(GuestError::OtherReportData);
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_the_kernels_number() {
        assert_eq!(GET_REPORT, 0xc440_5401);
    }

    #[test]
    fn another_device_or_none_is_an_error_with_its_path() {
        for path in ["/dev/null", "/nowhere/tdx_guest"] {
            let error = Tdx::new(path).report(&[0; 64]).unwrap_err();
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
