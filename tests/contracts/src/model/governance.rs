//! What the root and the governor are asked for, and its bits.

use std::collections::BTreeMap;

use cocoon_bindings::ton::{Address, Cell, CellFamily};

use crate::model::bits::Bits;
use crate::model::body::{Body, Signer};
use crate::model::root::{Descriptor, Role, record};

/// What the root is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootAsk {
    Add(Role, [u8; 32]),
    Delete(Role, [u8; 32]),
    RegisterProxy(Endpoints),
    UnregisterProxy(u32),
    UpdateProxy(u32, Endpoints),
    Prices {
        price: u128,
        fee: u128,
    },
    Params {
        price: u128,
        fee: u128,
        delays: [u32; 2],
        stakes: [u128; 2],
    },
    AllParams {
        price: u128,
        fee: u128,
        weights: [u32; 4],
        delays: [u32; 2],
        stakes: [u128; 2],
    },
    Codes([Cell; 3]),
    UpgradeCode(Cell),
    UpgradeFull {
        state: Box<crate::model::Root>,
        code: Cell,
    },
    Reset,
    ChangeOwner(Address),
    AddImage {
        role: Role,
        hash: [u8; 32],
        commit: [u8; 32],
        descriptor: Descriptor,
        signers: Vec<(Signer, bool)>,
    },
    AddModel {
        hash: [u8; 32],
        descriptor: Descriptor,
    },
    Describe {
        role: Role,
        hash: [u8; 32],
        descriptor: Option<Descriptor>,
    },
    Retirement {
        role: Role,
        hash: [u8; 32],
        after: u32,
    },
    Retire {
        role: Role,
        hash: [u8; 32],
    },
    Rebuilders {
        keys: Vec<[u8; 32]>,
        threshold: u8,
    },
    Offer {
        to: Address,
        until: u32,
    },
    Accept,
}

/// A record of where a proxy listens, perhaps a wrong one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) kind: bool,
    pub(crate) length: u8,
    pub(crate) text: Vec<u8>,
}

/// What the governor is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GovernAsk {
    Propose {
        signer: u8,
        expires: u32,
        body: Box<Body>,
    },
    /// The body that the signer has seen; what is sent is its hash.
    Approve {
        signer: u8,
        id: u64,
        body: Box<Body>,
    },
    WithdrawApproval {
        signer: u8,
        id: u64,
    },
    Cancel {
        signer: u8,
        id: u64,
    },
    Veto {
        member: u8,
        id: u64,
    },
    Pause {
        member: u8,
        duration: u32,
    },
    Execute {
        id: u64,
    },
    Purge {
        id: u64,
    },
}

/// What the governor does itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GovernorOwn {
    Signers {
        threshold: u8,
        revoke: u8,
        signers: BTreeMap<u8, Address>,
    },
    Council(BTreeMap<u8, Address>),
    Delays([u32; 2]),
    LiftPause,
    Surplus {
        to: Address,
        amount: u128,
    },
}

impl RootAsk {
    pub(crate) fn cell(&self, query: u64) -> Cell {
        let bits = |op: u32| Bits::message(op, query);
        match self {
            Self::Add(role, hash) => {
                let op = match role {
                    Role::Worker => 0xe34b_1c60,
                    Role::Proxy => 0x7186_0e80,
                    Role::Model => 0xc146_134d,
                };
                bits(op).raw(hash).done()
            }
            Self::Delete(role, hash) => {
                let op = match role {
                    Role::Worker => 0x8d94_a79a,
                    Role::Proxy => 0x3c41_d0b2,
                    Role::Model => 0x92b1_1c18,
                };
                bits(op).raw(hash).done()
            }
            Self::RegisterProxy(endpoints) => bits(0x927c_7cb5).rest(&record(endpoints)).done(),
            Self::UnregisterProxy(seqno) => bits(0x6d49_eaf2).u32(*seqno).done(),
            Self::UpdateProxy(seqno, endpoints) => bits(0x9c79_24ba).u32(*seqno).rest(&record(endpoints)).done(),
            Self::Prices { price, fee } => bits(0xc52e_d8d4).coins(*price).coins(*fee).done(),
            Self::Params {
                price,
                fee,
                delays,
                stakes,
            } => {
                let bits = bits(0x022f_a189)
                    .coins(*price)
                    .coins(*fee)
                    .u32(delays[0])
                    .u32(delays[1]);
                bits.coins(stakes[0]).coins(stakes[1]).done()
            }
            Self::AllParams {
                price,
                fee,
                weights,
                delays,
                stakes,
            } => {
                let bits = bits(0x9f1e_69dc).coins(*price).coins(*fee);
                let bits = weights.iter().fold(bits, |bits, weight| bits.u32(*weight));
                bits.u32(delays[0])
                    .u32(delays[1])
                    .coins(stakes[0])
                    .coins(stakes[1])
                    .done()
            }
            Self::Codes([proxy, worker, client]) => bits(0xa237_0f61)
                .cell(proxy.clone())
                .cell(worker.clone())
                .cell(client.clone())
                .done(),
            Self::UpgradeCode(code) => bits(0x11ae_fd51).cell(code.clone()).done(),
            Self::UpgradeFull { state, code } => bits(0x4f7c_5789).cell(state.data()).cell(code.clone()).done(),
            Self::Reset => bits(0x563c_1d96).done(),
            Self::ChangeOwner(owner) => bits(0xc4a1_ae54).address(owner).done(),
            Self::AddImage {
                role,
                hash,
                commit,
                descriptor,
                signers,
            } => {
                let statement = Bits::new().u32(0x8b89_e83e).raw(commit).raw(hash).done();
                let sign = |(signer, right): &(Signer, bool)| {
                    let signed = if *right { statement.clone() } else { Cell::empty_cell() };
                    (signer.public(), Bits::new().raw(&signer.sign(&signed)).done())
                };
                let signatures: BTreeMap<_, _> = signers.iter().map(sign).collect();
                let bits = bits(0x2f31_927e).uint(*role as u64, 8).raw(hash).raw(commit);
                bits.cell(descriptor.cell()).hashes(&signatures).done()
            }
            Self::AddModel { hash, descriptor } => bits(0x6a1b_4d35).raw(hash).cell(descriptor.cell()).done(),
            Self::Describe { role, hash, descriptor } => {
                let bits = bits(0x7050_b6ef).uint(*role as u64, 8).raw(hash);
                bits.maybe(descriptor.as_ref().map(Descriptor::cell)).done()
            }
            Self::Retirement { role, hash, after } => {
                bits(0x3619_52b6).uint(*role as u64, 8).raw(hash).u32(*after).done()
            }
            Self::Retire { role, hash } => bits(0x395d_2ad9).uint(*role as u64, 8).raw(hash).done(),
            Self::Rebuilders { keys, threshold } => {
                let keys = keys.iter().map(|key| (*key, Cell::empty_cell())).collect();
                bits(0x485b_f601).hashes(&keys).uint((*threshold).into(), 8).done()
            }
            Self::Offer { to, until } => bits(0x715f_a3da).address(to).u32(*until).done(),
            Self::Accept => bits(0x2a4f_a980).done(),
        }
    }
}

impl GovernAsk {
    pub(crate) fn cell(&self, query: u64) -> Cell {
        let by = |op: u32, index: u8| Bits::message(op, query).uint(index.into(), 8);
        match self {
            Self::Propose { signer, expires, body } => by(0x8e69_02e1, *signer).u32(*expires).cell(body.cell()).done(),
            Self::Approve { signer, id, body } => by(0xf019_9ad3, *signer)
                .u64(*id)
                .raw(body.cell().repr_hash().as_slice())
                .done(),
            Self::WithdrawApproval { signer, id } => by(0x63d3_8223, *signer).u64(*id).done(),
            Self::Cancel { signer, id } => by(0x5ce6_3953, *signer).u64(*id).done(),
            Self::Veto { member, id } => by(0xe93a_a46d, *member).u64(*id).done(),
            Self::Pause { member, duration } => by(0xde71_0356, *member).u32(*duration).done(),
            Self::Execute { id } => Bits::message(0x39b2_2442, query).u64(*id).done(),
            Self::Purge { id } => Bits::message(0xad8f_5887, query).u64(*id).done(),
        }
    }
}

impl GovernorOwn {
    pub(crate) fn cell(&self, id: u64) -> Cell {
        let members = |list: &BTreeMap<u8, Address>| {
            list.iter()
                .map(|(index, member)| (*index, Bits::new().address(member).done()))
                .collect()
        };
        match self {
            Self::Signers {
                threshold,
                revoke,
                signers,
            } => {
                let bits = Bits::message(0x8824_2a74, id)
                    .uint((*threshold).into(), 8)
                    .uint((*revoke).into(), 8);
                bits.bytes(&members(signers)).done()
            }
            Self::Council(council) => Bits::message(0x0330_2b98, id).bytes(&members(council)).done(),
            Self::Delays([change, critical]) => Bits::message(0xb514_9058, id).u32(*change).u32(*critical).done(),
            Self::LiftPause => Bits::message(0xb9a7_23d1, id).done(),
            Self::Surplus { to, amount } => Bits::message(0x3099_ca29, id).address(to).coins(*amount).done(),
        }
    }
}
