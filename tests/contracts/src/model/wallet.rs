//! A runner's wallet.

use cocoon_bindings::ton::{Address, Cell};

use crate::model::bits::Bits;
use crate::model::body::{Body, Damage, Outgoing, Signer};
use crate::model::effect::{Act, Env, Exit, Outcome, Return, STORAGE, refuse, require};

/// External messages need this much on the wallet.
pub(crate) const MIN_WALLET: u128 = 2_000_000_000;
/// A failed action is skipped.
pub(crate) const IGNORE_ERRORS: u8 = 2;

/// A runner's wallet.
#[derive(Debug, Clone)]
pub(crate) struct Wallet {
    pub(crate) owner: Address,
    pub(crate) key: [u8; 32],
    pub(crate) seqno: u32,
    pub(crate) blocked: bool,
}

/// A message from outside.
#[derive(Debug, Clone)]
pub(crate) struct External {
    pub(crate) subwallet: u32,
    pub(crate) valid_until: u32,
    pub(crate) seqno: u32,
    pub(crate) messages: Vec<(u8, Outgoing)>,
    pub(crate) signer: Signer,
}

impl Wallet {
    /// As it is deployed.
    pub(crate) fn new(owner: &Address, key: &[u8; 32]) -> Self {
        Self {
            owner: owner.clone(),
            key: *key,
            seqno: 0,
            blocked: false,
        }
    }

    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        let bits = Bits::new().u32(self.seqno).u32(0).raw(&self.key);
        bits.u32(self.blocked.into()).address(&self.owner).done()
    }

    /// What a message does.
    pub(crate) fn receive(&mut self, body: &Body, env: &Env) -> Outcome {
        let (body, longer) = match body {
            Body::Damaged(_, Damage::Shorter) => return Err(Exit::Failed),
            Body::Damaged(body, Damage::Longer) => (&**body, true),
            body => (body, false),
        };
        match body {
            Body::Empty if !longer => Ok(Vec::new()),
            Body::Note { .. } | Body::Bounced { .. } | Body::Excesses { .. } | Body::Payout { .. } => Ok(Vec::new()),
            Body::WalletSend { mode, message, .. } => {
                self.check_owner(env)?;
                Ok(vec![raw(*mode, message)])
            }
            Body::Text(text) => {
                self.check_owner(env)?;
                require(text.len() == 1 && !longer, 1041)?;
                match &text[..] {
                    b"w" => {
                        let (to, body) = (self.owner.clone(), Body::Payout { query: 0 });
                        Ok(vec![
                            Act::Keep(STORAGE),
                            Act::Rest {
                                to,
                                back: Return::Never,
                                body,
                            },
                        ])
                    }
                    b"b" | b"u" => {
                        self.blocked = text == b"b";
                        Ok(Vec::new())
                    }
                    _ => refuse(1041),
                }
            }
            _ => {
                self.check_owner(env)?;
                refuse(1041)
            }
        }
    }

    /// What a message from outside does.
    pub(crate) fn external(&mut self, message: &External, env: &Env) -> Outcome {
        require(env.now < message.valid_until, 1030)?;
        require(!self.blocked, 1031)?;
        require(message.seqno == self.seqno, 1032)?;
        require(message.subwallet == 0, 1033)?;
        require(message.signer == Signer::Runner, 1034)?;
        require(env.original >= MIN_WALLET, 1035)?;
        self.seqno += 1;
        Ok(message
            .messages
            .iter()
            .map(|(mode, message)| raw(mode | IGNORE_ERRORS, message))
            .collect())
    }

    fn check_owner(&self, env: &Env) -> Result<(), Exit> {
        require(env.from == self.owner, 1040)
    }
}

fn raw(mode: u8, message: &Outgoing) -> Act {
    let Outgoing {
        to,
        value,
        bounce,
        body,
    } = message.clone();
    Act::Raw {
        mode,
        to,
        value,
        bounce,
        body,
    }
}
