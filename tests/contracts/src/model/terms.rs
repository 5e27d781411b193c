//! Terms of the network.

use cocoon_bindings::ton::Cell;

use crate::model::bits::Bits;

/// Terms of the network, with the three codes: proxy, worker, client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) version: u32,
    pub(crate) price: u128,
    pub(crate) fee: u128,
    /// Prompt, cached, completion, reasoning.
    pub(crate) weights: [u32; 4],
    /// Of the proxy, of clients.
    pub(crate) delays: [u32; 2],
    /// Of a proxy, of a client.
    pub(crate) stakes: [u128; 2],
    pub(crate) codes: [Option<Cell>; 3],
}

impl Terms {
    /// As the root holds them.
    pub(crate) fn cell(&self) -> Cell {
        let [proxy, worker, client] = self.codes.clone();
        self.head().maybe(proxy).maybe(worker).maybe(client).done()
    }

    /// As a proxy holds them.
    pub(crate) fn cell_for_proxy(&self) -> Cell {
        let [_, worker, client] = self.codes.clone();
        self.head().maybe(None).maybe(worker).maybe(client).done()
    }

    /// As clients and workers hold them.
    pub(crate) fn cell_without_codes(&self) -> Cell {
        self.head().uint(0, 3).done()
    }

    fn head(&self) -> Bits {
        let bits = Bits::new().uint(3, 8).u32(self.version).u32(13).bit(true);
        let bits = bits.coins(self.price).coins(self.fee);
        let bits = self.weights.iter().fold(bits, |bits, weight| bits.u32(*weight));
        let bits = bits.u32(self.delays[0]).u32(self.delays[1]);
        bits.coins(self.stakes[0]).coins(self.stakes[1])
    }
}
