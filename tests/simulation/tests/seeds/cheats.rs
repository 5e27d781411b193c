//! Cheats, one in each life, in which nothing else goes wrong: by a proxy that falsifies its books, by a worker, or by a client.
//! Whoever is cheated, or whoever audits, must find it and be able to say whose it is. How each is found is in docs/cheats.md.

mod books;
mod peers;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::nodes::Node;
use crate::plan::{Event, Plan, What};
use crate::setting::Setting;
use crate::{child, ears, world};

/// Milliseconds of a life in which requests come.
const UNTIL_MS: u64 = 30_000;
const REQUESTS: u64 = 24;

/// A cheat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cheat {
    /// The proxy charges its client on chain for tokens that no receipt explains.
    VoucherWithoutReceipts,
    /// The proxy charges more by a receipt than was used.
    MoreThanWasUsed,
    /// The proxy counts tokens at another coefficient than it says.
    AnotherPrice,
    /// The proxy names terms that its contract does not have.
    OtherTerms,
    /// The proxy leaves a receipt out of its log.
    ReceiptLeftOut,
    /// The proxy changes the order of its log.
    ReceiptsReordered,
    /// The proxy shows its client another receipt of the same number than it logs.
    TwoReceiptsOfOneNumber,
    /// The proxy signs in its worker's place.
    WorkersSignatureForged,
    /// The proxy has an image work that the network never listed.
    ImageNotListed,
    /// The worker says that it used more than anybody asked for.
    MoreThanWasReserved,
    /// The worker signs another statement than it was shown.
    AnotherStatementSigned,
    /// The worker claims totals that nobody ever owed it.
    ClaimsNeverEarned,
    /// The worker vouches for another answer than it gave.
    AnotherAnswerHashed,
    /// The client comes with the wallet of another one.
    WalletOfAnother,
    /// The client orders twice under one id.
    OneRequestTwice,
    /// The client orders for more than it has paid in.
    MoreThanItPaid,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Finding {
    /// Whose cheat it is, by what it signed or by the connection that it came on.
    pub(crate) whose: Node,
    /// What whoever found it says.
    pub(crate) sentence: String,
}

impl Cheat {
    pub(crate) const ALL: [Self; 16] = [
        Self::VoucherWithoutReceipts,
        Self::MoreThanWasUsed,
        Self::AnotherPrice,
        Self::OtherTerms,
        Self::ReceiptLeftOut,
        Self::ReceiptsReordered,
        Self::TwoReceiptsOfOneNumber,
        Self::WorkersSignatureForged,
        Self::ImageNotListed,
        Self::MoreThanWasReserved,
        Self::AnotherStatementSigned,
        Self::ClaimsNeverEarned,
        Self::AnotherAnswerHashed,
        Self::WalletOfAnother,
        Self::OneRequestTwice,
        Self::MoreThanItPaid,
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cheat| format!("{cheat:?}") == name)
    }

    /// Who cheats.
    fn by(self) -> Node {
        match self {
            Self::MoreThanWasReserved
            | Self::AnotherStatementSigned
            | Self::ClaimsNeverEarned
            | Self::AnotherAnswerHashed => Node::LyingWorker,
            Self::WalletOfAnother | Self::OneRequestTwice | Self::MoreThanItPaid => Node::LyingClient,
            _ => Node::Proxy(0),
        }
    }

    fn plan(self, seed: u64) -> Plan {
        let rng = &mut StdRng::seed_from_u64(seed);
        let ask = |number: u64| Event {
            at: 4_000 + number * (UNTIL_MS - 8_000) / REQUESTS,
            what: What::Ask {
                streams: rng.random(),
                tokens: rng.random_range(20..200),
            },
        };
        Plan {
            workers: 2,
            proxies: 1,
            events: (0..REQUESTS).map(ask).collect(),
            until: UNTIL_MS,
            cuts: 0,
            is_chain_faulty: false,
            bad_answers: 0,
            liars: [self.by()].into_iter().filter(|node| !node.is_honest()).collect(),
            is_fair: true,
            cheat: Some(self),
        }
    }
}

/// Lives a life with a cheat. An error says that it was not found, or not found out.
pub(crate) fn live(cheat: Cheat, life: child::Life) -> Result<(), String> {
    let ears = ears::listen();
    let setting = Setting::new(1);
    // Until the books are falsified they agree: liars have cost nobody anything.
    let mut world = world::settled(&setting, cheat.plan(life.seed), life)?;
    let found = match cheat.by() {
        Node::Proxy(_) => books::found(&mut world, cheat),
        _ => peers::found(&world, cheat, &ears),
    };
    let Finding { whose, sentence } = found?.ok_or("nobody found it")?;
    if whose != cheat.by() {
        return Err(format!("it is said to be {whose:?}'s: {sentence}"));
    }
    world.tell(format!("{whose:?} is found out: {sentence}"));
    Ok(())
}
