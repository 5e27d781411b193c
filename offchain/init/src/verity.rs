//! The root through dm-verity: three calls to the device mapper.

use std::fs::File;
use std::path::{Path, PathBuf};

use cocoon_image::BootLine;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use crate::error::{Doing as _, InitError};
use crate::files::wait_for;

/// Size of `struct dm_ioctl` of `linux/dm-ioctl.h`, version 4.
const HEADER: usize = 312;
/// Size of `struct dm_target_spec`.
const TARGET: usize = 40;
/// One call's buffer: header, one target, its table.
const BUFFER: usize = 1024;
/// Room for the table and the zero byte at its end.
const TABLE: usize = BUFFER - HEADER - TARGET;

const CREATE: Opcode = call(3);
const SUSPEND: Opcode = call(6);
const LOAD: Opcode = call(9);

const READ_ONLY: u32 = 1;

/// `_IOWR(0xfd, number, struct dm_ioctl)`.
const fn call(number: u8) -> Opcode {
    opcode::read_write::<[u8; HEADER]>(0xfd, number)
}

#[repr(C, align(8))]
struct Buffer([u8; BUFFER]);

impl Buffer {
    /// A call about our only mapped device.
    fn new(flags: u32, targets: u32) -> Self {
        let mut buffer = Self([0; BUFFER]);
        for (at, word) in [
            (0, 4),              // version of the interface
            (12, BUFFER as u32), // size of the whole
            (16, HEADER as u32), // where targets begin
            (20, targets),
            (28, flags),
        ] {
            buffer.put(at, &word.to_ne_bytes());
        }
        buffer.put(48, b"root");
        buffer
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Number of the device `dm-N`, from the answer's device number.
    fn minor(&self) -> u64 {
        let mut number = [0; 8];
        number.copy_from_slice(&self.0[40..48]);
        let number = u64::from_ne_bytes(number);
        (number & 0xff) | ((number >> 12) & 0xfff00)
    }
}

/// Maps the disk and says where the verified device is.
pub(crate) fn open(boot: &BootLine, disk: &Path) -> Result<PathBuf, InitError> {
    let table = boot.verity_table(&disk.to_string_lossy());
    if table.len() >= TABLE {
        return Err(InitError::Table { size: table.len() });
    }
    let control = Path::new("/dev/mapper/control");
    wait_for(|| control.exists());
    let control = File::options()
        .read(true)
        .write(true)
        .open(control)
        .doing("open the device mapper")?;

    let mut create = Buffer::new(READ_ONLY, 0);
    perform::<CREATE>(&control, &mut create).doing("make the root device")?;

    let mut load = Buffer::new(READ_ONLY, 1);
    load.put(HEADER + 8, &boot.sectors().to_ne_bytes());
    load.put(HEADER + 24, b"verity");
    load.put(HEADER + TARGET, table.as_bytes());
    perform::<LOAD>(&control, &mut load).doing("load the table of dm-verity")?;

    let mut resume = Buffer::new(READ_ONLY, 0);
    perform::<SUSPEND>(&control, &mut resume).doing("start dm-verity")?;

    let device = PathBuf::from(format!("/dev/dm-{}", create.minor()));
    wait_for(|| device.exists());
    Ok(device)
}

#[expect(unsafe_code, reason = "an ioctl that std and rustix do not know")]
fn perform<const CALL: Opcode>(control: &File, buffer: &mut Buffer) -> rustix::io::Result<()> {
    // SAFETY: the device mapper reads and writes at most as many bytes as the size field at 12 says, which is the
    // size of the buffer; it keeps no pointer to it. The buffer is plain bytes, aligned as the header demands.
    unsafe { ioctl(control, Updater::<CALL, Buffer>::new(buffer)) }
}
