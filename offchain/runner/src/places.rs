//! Places for connections that strangers hold before anything is known of them: so many in all, and so many for the ones
//! that come from one network, so that one machine cannot keep all others out by connecting and saying nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections by where they come from.
#[derive(Debug)]
pub struct Places {
    all: usize,
    of_network: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

impl Places {
    /// At most `all` connections at once, of which at most `of_network` from one network.
    pub fn new(all: usize, of_network: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            of_network,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from `address`, kept until it is dropped; `None` when there is none. Programs of this machine,
    /// a router among them, speak for many peers: they are counted among all only.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut taken = self.taken();
        if taken.all >= self.all {
            return None;
        }
        if let Some(network) = network {
            let count = taken.by_network.entry(network).or_default();
            if *count >= self.of_network {
                return None;
            }
            *count += 1;
        }
        taken.all += 1;
        Some(Place {
            places: Arc::clone(self),
            network,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken until dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    network: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        let Some(network) = self.network else { return };
        if let Some(count) = taken.by_network.get_mut(&network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.by_network.remove(&network);
            }
        }
    }
}

/// What one machine has: an IPv4 address, or an IPv6 network of 64 bits. `None` is this machine.
fn network(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        own if own.is_loopback() => None,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
        }
        v4 => Some(v4),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_network_cannot_take_the_places_of_others() {
        let places = Places::new(4, 2);
        let held: Vec<_> = (0..2).map(|_| places.take(address("192.0.2.1")).unwrap()).collect();
        assert!(places.take(address("192.0.2.1")).is_none());
        assert!(
            places.take(address("::ffff:192.0.2.1")).is_none(),
            "the same, written otherwise"
        );
        let other = places.take(address("192.0.2.2")).unwrap();
        drop(held);
        let again = places.take(address("192.0.2.1")).unwrap();
        drop((other, again));
        assert!(places.taken().by_network.is_empty());
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let places = Places::new(4, 1);
        let held = places.take(address("2001:db8::1")).unwrap();
        assert!(places.take(address("2001:db8::ffff:2")).is_none());
        assert!(places.take(address("2001:db8:0:1::1")).is_some());
        drop(held);
    }

    #[test]
    fn this_machine_may_take_all_places_and_no_more() {
        let places = Places::new(3, 1);
        let held: Vec<_> = ["127.0.0.1", "127.0.0.1", "::1"]
            .map(|own| places.take(address(own)).unwrap())
            .into();
        assert!(places.take(address("127.0.0.1")).is_none());
        assert!(places.take(address("192.0.2.1")).is_none());
        drop(held);
        assert!(places.take(address("192.0.2.1")).is_some());
    }

    proptest! {
        #[test]
        fn what_is_given_back_is_free_again(steps in prop::collection::vec((any::<bool>(), 0_u8..6), 0..200)) {
            let places = Places::new(8, 3);
            let mut held: Vec<(u8, Place)> = Vec::new();
            for (takes, who) in steps {
                if takes {
                    let of_this = held.iter().filter(|(holder, _)| *holder == who).count();
                    let place = places.take(IpAddr::from([192, 0, 2, who]));
                    prop_assert_eq!(place.is_some(), held.len() < 8 && of_this < 3);
                    held.extend(place.map(|place| (who, place)));
                } else if let Some(at) = held.iter().position(|(holder, _)| *holder == who) {
                    held.remove(at);
                }
            }
            drop(held);
            prop_assert_eq!(places.taken().all, 0);
            prop_assert!(places.taken().by_network.is_empty());
        }
    }
}
