//! In which order a contract finds fault: what a caller sees when several things are wrong at once.
//!
//! A message is tried with all its faults, then with all but the first, and so on until it is without fault and
//! succeeds. Each fault is tried alone too.

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::{Address, Cell, CellBuilder, store_address};
use cocoon_bindings::types::ExitCode;
use cocoon_contract_tests::{ANYONE, EXCESSES, World, corrupted, ton};
use ed25519_dalek::{Signer, SigningKey};

/// What is sent.
pub(crate) enum Content {
    /// An ordinary message.
    Plain(Cell),
    /// A message with a signed payload.
    Signed(Box<Signed>),
}

/// The parts of a signed message, so that each can be made wrong.
pub(crate) struct Signed {
    pub(crate) op: u32,
    pub(crate) payload_op: u32,
    pub(crate) payload_query: u64,
    pub(crate) count: Option<u64>,
    pub(crate) target: Address,
    pub(crate) key: SigningKey,
    pub(crate) payload_tail: bool,
}

const QUERY: u64 = 9;

impl Signed {
    fn cell(&self) -> Cell {
        let mut payload = CellBuilder::new();
        payload.store_u32(self.payload_op).unwrap();
        payload.store_u64(self.payload_query).unwrap();
        if let Some(count) = self.count {
            payload.store_u64(count).unwrap();
        }
        store_address(&self.target, &mut payload).unwrap();
        if self.payload_tail {
            payload.store_bit_one().unwrap();
        }
        let payload = payload.build().unwrap();
        let signature = self.key.sign(payload.repr_hash().as_slice()).to_bytes();
        let mut message = CellBuilder::new();
        message.store_u32(self.op).unwrap();
        message.store_u64(QUERY).unwrap();
        store_address(&EXCESSES, &mut message).unwrap();
        message.store_raw(&signature, 512).unwrap();
        message.store_reference(payload).unwrap();
        message.build().unwrap()
    }
}

/// A message that is about to be sent.
pub(crate) struct Attempt {
    pub(crate) world: World,
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) value: Nanoton,
    /// The smallest value that the contract accepts.
    pub(crate) least: Nanoton,
    pub(crate) content: Content,
    /// Whether something follows the message.
    pub(crate) tail: bool,
}

/// An error and the fault that leads to it.
pub(crate) type Fault = (ExitCode, fn(&mut Attempt));

impl Attempt {
    /// A plain message, with half a TON more than it needs.
    pub(crate) fn plain(world: World, from: &Address, to: &Address, least: Nanoton, message: Cell) -> Self {
        Self {
            world,
            from: from.clone(),
            to: to.clone(),
            value: least.checked_add(ton("0.5")).unwrap(),
            least,
            content: Content::Plain(message),
            tail: false,
        }
    }

    /// A signed message that nothing is wrong with.
    pub(crate) fn signed(world: World, to: &Address, op: u32, count: Option<u64>, least: Nanoton) -> Self {
        let signed = Signed {
            op,
            payload_op: op,
            payload_query: QUERY,
            count,
            target: to.clone(),
            key: world.key.clone(),
            payload_tail: false,
        };
        Self {
            content: Content::Signed(Box::new(signed)),
            ..Self::plain(world, &EXCESSES, to, least, Cell::default())
        }
    }

    fn signed_part(&mut self) -> &mut Signed {
        match &mut self.content {
            Content::Signed(signed) => signed,
            Content::Plain(_) => panic!("not a signed message"),
        }
    }

    pub(crate) fn set_count(&mut self, count: u64) {
        self.signed_part().count = Some(count);
    }

    /// Sends it; with an error it must be refused, leave everything as it was and go back.
    fn settle(mut self, expected: Option<ExitCode>, what: &str) {
        let mut message = match &self.content {
            Content::Plain(cell) => cell.clone(),
            Content::Signed(signed) => signed.cell(),
        };
        if self.tail {
            message = corrupted(&message);
        }
        let world = &mut self.world;
        let (data, held) = (world.data(&self.to), world.balance(&self.to));
        let outcome = world.send_cell(&self.from, &self.to, self.value, message);
        let Some(error) = expected else {
            outcome.assert_success();
            return;
        };
        let report = outcome.at(&self.to);
        assert_eq!(report.exit_code(), Some(error.code()), "{what}: expected {error:?}");
        assert!(report.bounced, "{what}");
        assert_eq!(world.data(&self.to), data, "{what}");
        let storage = outcome.storage_fees(&self.to);
        assert_eq!(Some(world.balance(&self.to)), held.checked_sub(storage), "{what}");
        let contracts = [&world.client, &world.worker];
        if !contracts.contains(&&self.from) {
            assert_eq!(
                Some(outcome.received(&self.from)),
                self.value.checked_sub(outcome.cost()),
                "{what}"
            );
        }
    }
}

/// Tries the message with all faults, with all but the first, and so on, and with each alone.
pub(crate) fn in_order(name: &str, make: impl Fn() -> Attempt, faults: &[Fault]) {
    for first in 0..=faults.len() {
        let mut attempt = make();
        // What comes first in the order is spoilt last, so that nothing hides it.
        for (_, spoil) in faults[first..].iter().rev() {
            spoil(&mut attempt);
        }
        let expected = faults.get(first).map(|(error, _)| *error);
        attempt.settle(expected, &format!("{name} without the first {first} faults"));
    }
    for (at, (error, spoil)) in faults.iter().enumerate() {
        let mut attempt = make();
        spoil(&mut attempt);
        attempt.settle(Some(*error), &format!("{name} with fault {at} alone"));
    }
}

pub(crate) fn from_a_stranger(attempt: &mut Attempt) {
    attempt.from = ANYONE;
}

pub(crate) fn with_a_tail(attempt: &mut Attempt) {
    attempt.tail = true;
}

pub(crate) fn below_the_least_value(attempt: &mut Attempt) {
    attempt.value = attempt.least.checked_sub(Nanoton::new(1)).unwrap();
}

/// The contract has nothing, and the value does not suffice for its reserve and the commission.
pub(crate) fn to_a_poor_contract(attempt: &mut Attempt) {
    attempt.world.chain.set_balance(&attempt.to, Nanoton::ZERO).unwrap();
    attempt.value = attempt.least.checked_add(ton("0.05")).unwrap();
}

/// The faults that all signed messages have in common, after those of the message itself and before those of state.
pub(crate) const SIGNED: [Fault; 6] = [
    (ExitCode::SignedMessageFormat, |attempt| {
        attempt.signed_part().payload_op ^= 1
    }),
    (ExitCode::SignedMessageFormat, |attempt| {
        attempt.signed_part().payload_query += 1
    }),
    (ExitCode::ExpectedMyAddress, |attempt| {
        attempt.signed_part().target = EXCESSES
    }),
    (ExitCode::BadSignature, |attempt| {
        attempt.signed_part().key = SigningKey::from_bytes(&[8; 32])
    }),
    (ExitCode::SignedMessageFormat, |attempt| {
        attempt.signed_part().payload_tail = true
    }),
    (ExitCode::SignedMessageFormat, with_a_tail),
];

/// The faults of a signed message: some of its own, the common ones, and more of its own.
pub(crate) fn around_signed(before: &[Fault], after: &[Fault]) -> Vec<Fault> {
    [before, &SIGNED, after].concat()
}
