//! Building blocks and states.

use cocoon_bindings::ton::{Cell, CellError, HashBytes};
use cocoon_emulator::Emulator;
use ed25519_dalek::{Signer as _, SigningKey};
use tycho_types::cell::Lazy;
use tycho_types::dict::AugDict;
use tycho_types::models::{
    BlockInfo, BlockchainConfig, BlockchainConfigParams, CurrencyCollection, KeyBlockRef, KeyMaxLt, McBlockExtra,
    McStateExtra, ShardAccounts, ShardDescription, ShardHashes, ShardIdent, ValidatorInfo,
};
use tycho_types::prelude::CellBuilder;

use super::cells::{block, block_ref, install, last_lt, name, shard_accounts, state};
use crate::LiteError;
use crate::adnl::short_name;
use crate::messages::{BlockId, Signatures, Vote, WHOLE_SHARD};
use crate::proof::signatures::{signed_block, signed_vote};
use crate::tl::Writer;

/// Account of the configuration contract.
const CONFIG_ADDRESS: HashBytes = HashBytes([0x55; 32]);

/// Which messages validators sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consensus {
    /// The block itself.
    #[default]
    Catchain,
    /// A vote for a candidate that names the block.
    Simplex,
}

/// A block of the masterchain and all that belongs to it.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Its name.
    pub id: BlockId,
    /// Who signed it.
    pub signatures: Signatures,
    /// Whether it brought a new configuration.
    pub is_key_block: bool,
    /// When it was made, seconds since 1970.
    pub time: u32,
    /// Logical time of the chain's last transaction in it.
    pub lt: u64,
    /// Number of the chain's own block then.
    pub chain_block: u32,
    pub(super) block: Cell,
    pub(super) state: Cell,
    pub(super) shard_id: BlockId,
    pub(super) shard_block: Cell,
    pub(super) shard_state: Cell,
    end_lt: u64,
}

/// The blocks of one emulated chain, from its first state on.
#[derive(Debug)]
pub struct Blocks {
    validators: Vec<SigningKey>,
    config: BlockchainConfig,
    session: u32,
    consensus: Consensus,
    /// Place of the last key block in `sealed`; the first state counts as one.
    pub(super) key_blocks: Vec<usize>,
    /// The first is the state that the chain began with, which is no block.
    pub(super) sealed: Vec<Sealed>,
    /// All of them as states of the masterchain list them.
    listed: AugDict<u32, KeyMaxLt, KeyBlockRef>,
}

impl Blocks {
    /// The first state of a chain with these validators, each of the same weight.
    pub fn new(chain: &Emulator, validators: Vec<SigningKey>, consensus: Consensus) -> Result<Self, LiteError> {
        let root = chain.network().to_config_cell()?;
        let mut config = BlockchainConfig {
            address: CONFIG_ADDRESS,
            params: BlockchainConfigParams::from_raw(root),
        };
        let cells = LiteError::cells("the first state");
        install(&mut config, &validators).map_err(&cells)?;
        let mut blocks = Self {
            validators,
            config,
            session: 1,
            consensus,
            key_blocks: vec![0],
            sealed: Vec::new(),
            listed: AugDict::new(),
        };
        let first = blocks.first(chain).map_err(&cells)?;
        blocks.add(first).map_err(&cells)?;
        Ok(blocks)
    }

    /// The state that the chain began with: what clients trust.
    pub fn beginning(&self) -> Option<BlockId> {
        self.sealed.first().map(|sealed| sealed.id)
    }

    /// The newest key block, if there was one.
    pub fn last_key_block_id(&self) -> Option<BlockId> {
        let place = self.key_blocks.last().copied().filter(|place| *place > 0)?;
        self.sealed.get(place).map(|sealed| sealed.id)
    }

    /// The newest block.
    pub fn last(&self) -> Option<&Sealed> {
        self.sealed.last()
    }

    /// Adds a block with the state that the chain has now.
    pub fn append(&mut self, chain: &Emulator) -> Result<(), LiteError> {
        self.seal(chain, None).map_err(LiteError::cells("a block"))
    }

    /// Adds a key block that names other validators; the present ones sign it.
    pub fn rotate(&mut self, chain: &Emulator, validators: Vec<SigningKey>) -> Result<(), LiteError> {
        self.seal(chain, Some(validators))
            .map_err(LiteError::cells("a key block"))
    }

    fn first(&self, chain: &Emulator) -> Result<Sealed, CellError> {
        let shard_state = state(chain, ShardIdent::BASECHAIN, 0, shard_accounts(chain)?, None)?;
        let shard_id = name(&shard_state, 0, 0);
        let custom = self.master_extra(&shard_id, 0, chain.now(), false)?;
        let state = state(chain, ShardIdent::MASTERCHAIN, 0, ShardAccounts::new(), Some(custom))?;
        Ok(Sealed {
            id: name(&state, -1, 0),
            signatures: Signatures {
                validator_set_hash: 0,
                catchain_seqno: 0,
                signatures: Vec::new(),
                vote: None,
            },
            is_key_block: true,
            time: chain.now(),
            lt: last_lt(chain),
            chain_block: chain.block(),
            block: state.clone(),
            state,
            shard_id,
            shard_block: shard_state.clone(),
            shard_state,
            end_lt: 0,
        })
    }

    fn seal(&mut self, chain: &Emulator, next: Option<Vec<SigningKey>>) -> Result<(), CellError> {
        let Some(before) = self.sealed.last().cloned() else {
            return Err(CellError::InvalidData);
        };
        let seqno = before.id.seqno.saturating_add(1);
        let end_lt = last_lt(chain).max(before.end_lt).saturating_add(1);
        let signers = std::mem::take(&mut self.validators);
        let (hash, session) = (self.short_hash(), self.session);
        self.validators = match &next {
            Some(next) => {
                install(&mut self.config, next)?;
                self.session = self.session.saturating_add(1);
                next.clone()
            }
            None => signers.clone(),
        };

        let info = |shard: ShardIdent, previous: &BlockId| BlockInfo {
            seqno,
            shard,
            key_block: next.is_some() && shard.is_masterchain(),
            gen_utime: chain.now(),
            start_lt: before.end_lt,
            end_lt,
            gen_validator_list_hash_short: hash,
            gen_catchain_seqno: session,
            prev_key_block_seqno: self.last_key_block(),
            prev_ref: CellBuilder::build_from(block_ref(previous, before.end_lt)).unwrap_or_default(),
            ..BlockInfo::default()
        };
        let shard_state = state(chain, ShardIdent::BASECHAIN, seqno, shard_accounts(chain)?, None)?;
        let mut shard_info = info(ShardIdent::BASECHAIN, &before.shard_id);
        shard_info.master_ref = Some(Lazy::new(&block_ref(&before.id, before.end_lt))?);
        let shard_block = block(&shard_info, &before.shard_state, &shard_state, None)?;
        let shard_id = name(&shard_block, 0, seqno);

        let custom = self.master_extra(&shard_id, end_lt, chain.now(), next.is_some())?;
        let in_block = McBlockExtra {
            shards: custom.shards.clone(),
            config: next.is_some().then(|| self.config.clone()),
            ..McBlockExtra::default()
        };
        let state = state(
            chain,
            ShardIdent::MASTERCHAIN,
            seqno,
            ShardAccounts::new(),
            Some(custom),
        )?;
        let master_info = info(ShardIdent::MASTERCHAIN, &before.id);
        let block = block(&master_info, &before.state, &state, Some(in_block))?;
        let id = name(&block, -1, seqno);
        let signatures = self.sign(&signers, &id, hash, session)?;
        if next.is_some() {
            self.key_blocks.push(self.sealed.len());
        }
        self.add(Sealed {
            id,
            signatures,
            is_key_block: next.is_some(),
            time: chain.now(),
            lt: last_lt(chain),
            chain_block: chain.block(),
            block,
            state,
            shard_id,
            shard_block,
            shard_state,
            end_lt,
        })
    }

    fn add(&mut self, sealed: Sealed) -> Result<(), CellError> {
        let sum = KeyMaxLt {
            has_key_block: sealed.is_key_block,
            max_end_lt: sealed.end_lt,
        };
        let entry = KeyBlockRef {
            is_key_block: sealed.is_key_block,
            block_ref: block_ref(&sealed.id, sealed.end_lt),
        };
        self.listed.set(sealed.id.seqno, sum, entry)?;
        self.sealed.push(sealed);
        Ok(())
    }

    /// What a state of the masterchain holds besides accounts.
    fn master_extra(&self, shard: &BlockId, end_lt: u64, now: u32, after_key: bool) -> Result<McStateExtra, CellError> {
        let description = ShardDescription {
            seqno: shard.seqno,
            reg_mc_seqno: shard.seqno,
            start_lt: 0,
            end_lt,
            root_hash: shard.root_hash,
            file_hash: shard.file_hash,
            before_split: false,
            before_merge: false,
            want_split: false,
            want_merge: false,
            nx_cc_updated: false,
            next_catchain_seqno: self.session,
            next_validator_shard: WHOLE_SHARD,
            min_ref_mc_seqno: 0,
            gen_utime: now,
            split_merge_at: None,
            fees_collected: CurrencyCollection::ZERO,
            funds_created: CurrencyCollection::ZERO,
        };
        Ok(McStateExtra {
            shards: ShardHashes::from_shards([(&ShardIdent::BASECHAIN, &description)])?,
            config: self.config.clone(),
            validator_info: ValidatorInfo {
                validator_list_hash_short: self.short_hash(),
                catchain_seqno: self.session,
                nx_cc_updated: false,
            },
            prev_blocks: self.listed.clone(),
            after_key_block: after_key,
            last_key_block: None,
            block_create_stats: None,
            global_balance: CurrencyCollection::ZERO,
        })
    }

    fn last_key_block(&self) -> u32 {
        let place = self.key_blocks.last().copied().unwrap_or_default();
        self.sealed.get(place).map_or(0, |sealed| sealed.id.seqno)
    }

    /// The short hash of the present validators in the present session.
    fn short_hash(&self) -> u32 {
        let set = self.config.params.get_current_validator_set().ok();
        let subset = set.and_then(|set| set.compute_mc_subset(self.session, false));
        subset.map_or(0, |(_, hash)| hash)
    }

    fn sign(&self, signers: &[SigningKey], id: &BlockId, hash: u32, session: u32) -> Result<Signatures, CellError> {
        let vote = (self.consensus == Consensus::Simplex).then(|| {
            let mut candidate = Writer::boxed(0xe8f9_bcdc);
            id.write(&mut candidate);
            candidate.raw(&[7; 12]);
            Vote {
                session_id: HashBytes([3; 32]),
                slot: id.seqno,
                candidate: candidate.done(),
            }
        });
        let message = match &vote {
            None => signed_block(id),
            Some(vote) => signed_vote(id, vote).map_err(|_| CellError::InvalidData)?,
        };
        let signatures = signers.iter().map(|key| {
            let signer = short_name(key.verifying_key().as_bytes());
            (HashBytes(signer), key.sign(&message).to_bytes())
        });
        Ok(Signatures {
            validator_set_hash: hash,
            catchain_seqno: session,
            signatures: signatures.collect(),
            vote,
        })
    }
}
