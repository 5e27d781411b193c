//! What happens in a world, event by event, and what its owner changes in the root contract.

use std::sync::Arc;

use cocoon_attest::simulated::simulated_measurements;
use cocoon_bindings::Params;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::root::{AddWorkerHashFromOwner, ChangePricesFromOwner, DeleteWorkerHashFromOwner};
use cocoon_bindings::ton::{Address, HashBytes, Store, to_cell};
use cocoon_bindings::units::{Nanoton, ParamsVersion, QueryId};

use super::World;
use crate::host::Life;
use crate::network::USERS;
use crate::nodes::Node;
use crate::plan::What;
use crate::setting::governor;
use crate::user;

impl World<'_> {
    pub(super) fn happen(&mut self, what: What) {
        self.tell(&what);
        match what {
            What::Ask { streams, tokens } => {
                let life = Life::new(USERS, &self.time);
                let asking = user::ask(
                    self.net.of(&life),
                    Arc::clone(&self.time),
                    Arc::clone(&self.diary),
                    streams,
                    tokens,
                );
                self.users.spawn(asking);
            }
            What::Doom {
                node,
                acts,
                polls,
                death,
            } => {
                let place = self.place(node);
                place.death = death;
                if let Some(running) = &place.running {
                    running.life.doom(acts, polls);
                }
            }
            What::Stop(node) => {
                if let Some(running) = &self.place(node).running {
                    running.stop.cancel();
                }
            }
            What::Part(node) => self.net.part(node.ip()),
            What::Join(node) => self.net.join(node.ip()),
            What::Cut(node) => {
                if node == Node::Client {
                    self.note_client_death();
                }
                self.net.cut(node.ip());
            }
            What::Slow(node, ms) => self.net.slow(node.ip(), ms),
            What::ChainAway(is_away) => self.chain.set_away(is_away),
            What::ChainStalled(is_stalled) => self.chain.set_stalled(is_stalled),
            What::Prices { price, fee } => {
                let (price_per_token, worker_fee_per_token) = (Nanoton::new(price.into()), Nanoton::new(fee.into()));
                self.govern(&ChangePricesFromOwner {
                    query_id: QueryId::new(5),
                    price_per_token,
                    worker_fee_per_token,
                });
                let last = self.terms.last().unwrap().clone();
                self.terms.push(Params {
                    params_version: ParamsVersion::new(last.params_version.get() + 1),
                    price_per_token,
                    worker_fee_per_token,
                    ..last
                });
            }
            What::WorkersListed(is_listed) => self.list_workers(is_listed),
            What::Leap(seconds) => {
                self.note_client_death();
                self.time.advance(seconds * 1000);
                self.slept += seconds * 1000;
                self.note_client_death();
            }
            What::DiskFails(node, one_in) => self.place(node).platter.set_sync_fails(one_in),
        }
    }

    /// A proxy's contract under each of the terms so far.
    pub(crate) fn proxy_contracts(&self, proxy: u8) -> Vec<Address> {
        self.terms
            .iter()
            .map(|params| self.setting.proxy_under(proxy, params))
            .collect()
    }

    /// The client's contracts with a proxy under all terms but the newest.
    pub(crate) fn left_behind(&self, proxy: u8) -> Vec<Address> {
        let old = &self.terms[..self.terms.len() - 1];
        old.iter()
            .map(|params| self.setting.client_under(proxy, params))
            .collect()
    }

    /// Sends a message of the network's owner to the root contract.
    fn govern(&self, message: &impl Store) {
        let message = InternalMessage {
            to: self.setting.root.clone(),
            value: Nanoton::from_ton(1),
            bounce: false,
            body: to_cell(message).unwrap(),
            state_init: None,
        };
        self.chain.send(&governor(), &message);
    }

    pub(super) fn list_workers(&mut self, is_listed: bool) {
        if std::mem::replace(&mut self.is_listed, is_listed) == is_listed {
            return;
        }
        let hash = HashBytes(*simulated_measurements("worker").image_hash().as_bytes());
        let query_id = QueryId::new(1);
        match is_listed {
            true => self.govern(&AddWorkerHashFromOwner { query_id, hash }),
            false => self.govern(&DeleteWorkerHashFromOwner { query_id, hash }),
        }
    }
}
