//! Saved chains and journals, whole, cut short and damaged.

use cocoon_bindings::units::Nanoton;

use super::*;

const START: u32 = 1_780_000_000;
const ALICE: Address = Address::new(0, HashBytes([1; 32]));
const BOB: Address = Address::new(0, HashBytes([2; 32]));

struct Written {
    chain: Emulator,
    mark: Mark,
    saved: Vec<u8>,
    journal: Vec<u8>,
    /// Lengths of the journal after each record, from its head on.
    ends: Vec<usize>,
}

impl Written {
    fn start() -> Self {
        let mut chain = Emulator::new(&NetworkConfig::default(), START).unwrap();
        chain.fund(&ALICE, Nanoton::from_ton(1)).unwrap();
        let saved = chain.snapshot().to_bytes().unwrap();
        let journal = head(&saved).unwrap();
        Self {
            mark: Mark::of(&chain),
            ends: vec![journal.len()],
            chain,
            saved,
            journal,
        }
    }

    fn write(&mut self) {
        let delta = self.chain.changed_since(&mut self.mark).unwrap();
        self.journal.extend(delta.to_record().unwrap());
        self.ends.push(self.journal.len());
    }

    /// A chain with three records.
    fn three() -> Self {
        let mut written = Self::start();
        written.chain.fund(&BOB, Nanoton::from_ton(2)).unwrap();
        written.write();
        written.chain.advance(60).unwrap();
        written.write();
        written.chain.fund(&ALICE, Nanoton::from_ton(3)).unwrap();
        written.chain.start_block();
        written.write();
        written
    }

    fn state(&self) -> Vec<u8> {
        self.chain.snapshot().to_bytes().unwrap()
    }
}

#[test]
fn a_saved_chain_and_its_journal_are_the_chain() {
    let written = Written::three();
    let (read, replayed) = Snapshot::from_saved(&written.saved, &written.journal).unwrap();
    assert_eq!(read.to_bytes().unwrap(), written.state());
    let whole_bytes = written.journal.len();
    assert_eq!(
        replayed,
        Replayed::Applied {
            records: 3,
            whole_bytes
        }
    );
    let read = Emulator::from_snapshot(&read).unwrap();
    assert_eq!(read.transactions(&ALICE).len(), 2, "histories of accounts go on");
    assert_eq!(read.balance(&ALICE).unwrap(), written.chain.balance(&ALICE).unwrap());
    assert!(read.books().unwrap().balanced());
}

#[test]
fn a_crash_at_any_byte_loses_only_the_record_that_was_being_written() {
    let written = Written::three();
    for cut in 0..written.journal.len() {
        let (read, replayed) = Snapshot::from_saved(&written.saved, &written.journal[..cut]).unwrap();
        let whole = written.ends.iter().filter(|end| **end <= cut).count();
        match replayed {
            Replayed::Stale => assert_eq!((whole, read.transaction_count()), (0, 1), "cut at {cut}"),
            Replayed::Applied { records, whole_bytes } => {
                assert_eq!(
                    (records, whole_bytes),
                    (whole - 1, written.ends[whole - 1]),
                    "cut at {cut}"
                );
            }
        }
        // A file system may have grown the file before the bytes came.
        if cut < written.ends[0] {
            continue;
        }
        for zeros in [1, 100, 10_000] {
            let grown = [&written.journal[..cut], vec![0; zeros].as_slice()].concat();
            let (_, replayed) = Snapshot::from_saved(&written.saved, &grown).unwrap();
            // A record that ends with zeros is whole by them.
            let is_whole = |end: &&usize| grown.starts_with(&written.journal[..**end]);
            let whole = written.ends.iter().filter(is_whole).count();
            let (records, whole_bytes) = (whole - 1, written.ends[whole - 1]);
            assert_eq!(
                replayed,
                Replayed::Applied { records, whole_bytes },
                "cut at {cut}, {zeros} zeros"
            );
        }
    }
}

#[test]
fn a_flipped_bit_is_noticed_and_only_the_last_record_can_be_taken_for_cut_short() {
    let written = Written::three();
    let (last, all) = (written.ends[2], written.ends[3]);
    for place in 0..all {
        let mut journal = written.journal.clone();
        journal[place] ^= 0x10;
        match Snapshot::from_saved(&written.saved, &journal) {
            Err(EmulatorError::Snapshot(_)) => {}
            Ok((_, Replayed::Stale)) => assert!(place < written.ends[0], "byte {place}"),
            // A bag of cells has bits that say nothing of the cells.
            Ok((read, Replayed::Applied { records: 3, .. })) => {
                assert_eq!(read.to_bytes().unwrap(), written.state(), "byte {place}");
            }
            Ok((_, Replayed::Applied { records, .. })) => assert!(records == 2 && place >= last, "byte {place}"),
            Err(error) => panic!("byte {place}: {error}"),
        }
    }
}

#[test]
fn a_journal_of_another_saved_chain_is_not_applied() {
    let written = Written::three();
    let newer = written.state();
    let (read, replayed) = Snapshot::from_saved(&newer, &written.journal).unwrap();
    assert_eq!((replayed, read.to_bytes().unwrap()), (Replayed::Stale, newer));
}

#[test]
fn a_chain_that_went_back_is_not_continued() {
    let mut written = Written::three();
    let back = written.chain.snapshot();
    written.chain.restore(&back).unwrap();
    assert!(written.chain.changed_since(&mut written.mark).is_none());
    written.mark = Mark::of(&written.chain);
    assert!(written.chain.changed_since(&mut written.mark).is_some());
    let mut other = Emulator::new(&NetworkConfig::default(), START).unwrap();
    other.fund(&BOB, Nanoton::from_ton(9)).unwrap();
    assert!(
        other.changed_since(&mut Written::start().mark).is_none(),
        "another chain"
    );
    let mut dearer = NetworkConfig::october_2025();
    dearer.version = 12;
    let dearer = Emulator::new(&dearer, START).unwrap();
    let mut mark = Mark::of(&Emulator::new(&NetworkConfig::default(), START).unwrap());
    assert!(dearer.changed_since(&mut mark).is_none(), "other fees");
}

#[test]
fn a_record_weighs_what_changed() {
    let mut written = Written::start();
    for n in 10..60 {
        let address = Address::new(0, HashBytes([n; 32]));
        written.chain.fund(&address, Nanoton::from_ton(1)).unwrap();
    }
    written.write();
    written.chain.fund(&BOB, Nanoton::from_ton(1)).unwrap();
    written.write();
    let bytes = written.ends[2] - written.ends[1];
    assert!(
        bytes < 1_000,
        "{bytes} bytes for one transaction of {}",
        written.state().len()
    );
}

#[test]
fn the_journal_lies_beside_the_saved_chain() {
    assert_eq!(
        path_beside(Path::new("/a/chain.state")),
        Path::new("/a/chain.state.journal")
    );
}
