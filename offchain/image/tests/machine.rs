//! Registers of whole machines against a second implementation, `vectors/measure.py`, and what changes them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use cocoon_image::machine::{Measurement, PageOrder, Parts, Shape};
use cocoon_image::{ImageError, Node, Spec, TreeId};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    firmware: String,
    kernel: String,
    initrd: String,
    line: String,
    tree: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    shape: String,
    debug: bool,
    mrtd: String,
    rtmr: [String; 4],
}

struct Machine {
    firmware: Vec<u8>,
    kernel: Vec<u8>,
    initrd: Vec<u8>,
    line: String,
    tree: TreeId,
    cases: Vec<Case>,
}

impl Machine {
    fn load() -> Self {
        let vectors: Vectors = serde_json::from_str(include_str!("vectors/machine.json")).unwrap();
        Self {
            firmware: hex::decode(vectors.firmware).unwrap(),
            kernel: hex::decode(vectors.kernel).unwrap(),
            initrd: hex::decode(vectors.initrd).unwrap(),
            line: vectors.line,
            tree: vectors.tree.parse().unwrap(),
            cases: vectors.cases,
        }
    }

    fn parts(&self, debug: bool) -> Parts<'_> {
        Parts {
            firmware: &self.firmware,
            kernel: &self.kernel,
            initrd: &self.initrd,
            boot_line: &self.line,
            tree: self.tree,
            debug,
        }
    }

    fn shape(&self) -> Shape {
        Shape::parse(&self.cases[0].shape).unwrap()
    }

    fn compute(&self) -> Result<Measurement, ImageError> {
        Measurement::compute(&self.shape(), &self.parts(false))
    }
}

#[test]
fn registers_equal_those_of_the_second_implementation() {
    let machine = Machine::load();
    for case in &machine.cases {
        let shape = Shape::parse(&case.shape).unwrap();
        let measured = Measurement::compute(&shape, &machine.parts(case.debug)).unwrap();
        assert_eq!(measured.mrtd.to_string(), case.mrtd, "{}", case.shape);
        assert_eq!(
            measured.rtmr.map(|register| register.to_string()),
            case.rtmr,
            "{}",
            case.shape
        );
    }
}

#[test]
fn each_part_changes_its_own_register_and_no_other() {
    let machine = Machine::load();
    let base = machine.compute().unwrap();
    let changed = |change: &dyn Fn(&mut Machine)| {
        let mut machine = Machine::load();
        change(&mut machine);
        let other = machine.compute().unwrap();
        let mut registers = vec![other.mrtd != base.mrtd];
        registers.extend((0..4).map(|index| other.rtmr[index] != base.rtmr[index]));
        registers
    };
    let (no, yes) = (false, true);
    // The first byte of the code, which is measured, and of the variables, which the firmware measures.
    assert_eq!(changed(&|machine| machine.firmware[0x2000] ^= 1), [yes, no, no, no, no]);
    assert_eq!(changed(&|machine| machine.firmware[0] ^= 1), [no, yes, no, no, no]);
    assert_eq!(changed(&|machine| machine.kernel[0x1001] ^= 1), [no, no, yes, no, no]);
    assert_eq!(changed(&|machine| machine.initrd[7] ^= 1), [no, no, no, yes, no]);
    assert_eq!(changed(&|machine| machine.line.push(' ')), [no, no, no, yes, no]);
    let mut spec = Spec::default();
    spec.insert("guest.toml", Node::File(Vec::new())).unwrap();
    assert_eq!(changed(&|machine| machine.tree = spec.tree_id()), [no, no, no, no, yes]);
    // QEMU writes the disk's place and length into the kernel: another length shows in two registers.
    assert_eq!(changed(&|machine| machine.initrd.push(0)), [no, no, yes, yes, no]);
}

#[test]
fn a_signature_and_a_checksum_do_not_show() {
    let machine = Machine::load();
    let base = machine.compute().unwrap();
    for at in [0x400 + 24 + 64, 0x1900, 0x19ff] {
        let mut machine = Machine::load();
        machine.kernel[at] ^= 1;
        assert_eq!(machine.compute().unwrap(), base, "byte {at:#x}");
    }
    // Between the last section and the signature.
    let mut machine = Machine::load();
    machine.kernel[0x1880] ^= 1;
    assert_ne!(machine.compute().unwrap().rtmr[1], base.rtmr[1]);
}

#[test]
fn the_log_replays_to_the_registers() {
    let measured = Machine::load().compute().unwrap();
    for (index, register) in measured.rtmr.iter().enumerate() {
        let replayed = measured
            .log
            .iter()
            .filter(|entry| entry.register == index)
            .fold(cocoon_image::Register::ZERO, |register, entry| {
                register.extended(&entry.digest)
            });
        assert_eq!(replayed, *register);
    }
}

#[test]
fn memory_and_page_order_show() {
    let machine = Machine::load();
    let base = machine.compute().unwrap();
    let mut shape = machine.shape();
    shape.memory_mib += 1;
    assert_ne!(
        Measurement::compute(&shape, &machine.parts(false)).unwrap().rtmr[0],
        base.rtmr[0]
    );
    shape = machine.shape();
    shape.page_order = PageOrder::SectionFirst;
    assert_ne!(
        Measurement::compute(&shape, &machine.parts(false)).unwrap().mrtd,
        base.mrtd
    );
}

#[test]
fn a_machine_too_small_for_its_parts_is_refused() {
    let machine = Machine::load();
    let mut shape = machine.shape();
    shape.memory_mib = 8;
    assert!(Measurement::compute(&shape, &machine.parts(false)).is_err());
}

#[test]
fn the_catalogue_of_shapes_is_measured() {
    let machine = Machine::load();
    let mut names = Vec::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/image/shapes")).unwrap() {
        let path = file.unwrap().path();
        let shape = Shape::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let measured = Measurement::compute(&shape, &machine.parts(false)).unwrap();
        // OVMF 2025.02 measures 13 things before it starts a kernel.
        assert_eq!(measured.log.iter().filter(|entry| entry.register == 0).count(), 13);
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), shape.name);
        names.push(shape.name);
    }
    assert!(!names.is_empty());
}

/// The digest that others publish for the event log of OVMF 2025.02 on TDX hardware.
#[test]
fn the_firmwares_boot_option_has_its_known_digest() {
    let mut shape = Machine::load().shape();
    shape
        .rtmr0
        .retain(|event| matches!(event, cocoon_image::machine::FirmwareEvent::BootOption { .. }));
    let measured = Measurement::compute(&shape, &Machine::load().parts(false)).unwrap();
    assert_eq!(
        measured.log[0].digest.to_string(),
        "23ada07f5261f12f34a0bd8e46760962d6b4d576a416f1fea1c64bc656b1d28eacf7047ae6e967c58fd2a98bfa74c298"
    );
}

proptest! {
    #[test]
    fn a_firmware_with_other_bytes_is_measured_or_refused(at in 0_usize..0x4000, byte: u8, end in 0_usize..=0x4000) {
        let mut machine = Machine::load();
        machine.firmware[at] = byte;
        machine.firmware.truncate(end);
        let _ = machine.compute();
    }

    #[test]
    fn metadata_with_other_bytes_are_measured_or_refused(at in 0x3c00_usize..0x4000, byte: u8) {
        let mut machine = Machine::load();
        machine.firmware[at] = byte;
        let _ = machine.compute();
    }

    #[test]
    fn a_kernel_with_other_bytes_is_measured_or_refused(at in 0_usize..0x600, byte: u8, end in 0_usize..=0x1a00) {
        let mut machine = Machine::load();
        machine.kernel[at] = byte;
        machine.kernel.truncate(end);
        let _ = machine.compute();
    }
}
