//! The choice of a worker for one attempt of a request.

use cocoon_bindings::units::Coefficient;

/// What is known of one worker connection that serves a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The connection, as the caller numbers it.
    pub connection: u64,
    /// Its price coefficient now.
    pub coefficient: Coefficient,
    /// Requests running there.
    pub running: u32,
    /// Requests that may run there.
    pub slots: u32,
    /// Whether it announced itself ready.
    pub is_enabled: bool,
    /// Whether its breaker lets a request through.
    pub is_admitted: bool,
    /// Mean duration of its requests in seconds, 0 when unknown.
    pub average_seconds: f64,
}

impl Candidate {
    /// Expected time until a request given to it now has ended, in arbitrary units: the work that is running, and this one.
    fn weight(&self) -> f64 {
        (f64::from(self.running) + 1.0) * self.average_seconds.max(UNKNOWN_SECONDS)
    }
}

/// Taken for the mean of a worker that has not been measured: small, so that it is tried.
const UNKNOWN_SECONDS: f64 = 0.001;

/// Why no worker was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody serves this model.
    #[error("unknown model {model}")]
    UnknownModel {
        /// As the client named it.
        model: String,
    },
    /// Workers are there, none of them can take a request now.
    #[error("no ready workers for model {model}")]
    NoneReady {
        /// The model.
        model: String,
    },
    /// Ready workers are there, all above the client's ceiling.
    #[error("can run this query with coefficient={cheapest}")]
    TooExpensive {
        /// The cheapest ready one.
        cheapest: Coefficient,
    },
}

impl Refusal {
    /// The protocol's error code: 621 for an unknown model, 651 for what may pass.
    pub fn code(&self) -> i32 {
        match self {
            Self::UnknownModel { .. } => 621,
            Self::NoneReady { .. } | Self::TooExpensive { .. } => 651,
        }
    }
}

/// Chooses among `candidates`: enabled, admitted, with a free slot, within the ceiling, not in `tried`. Of two drawn at
/// random the one with the smaller expected time is taken, which spreads load almost as well as knowing the whole queue
/// and, unlike always taking the best, does not send every request to one worker between two measurements.
///
/// `random` is two uniform numbers.
pub fn choose(
    model: &str,
    candidates: &[Candidate],
    max_coefficient: Coefficient,
    tried: &[u64],
    random: [u64; 2],
) -> Result<u64, Refusal> {
    if candidates.is_empty() {
        return Err(Refusal::UnknownModel {
            model: model.to_owned(),
        });
    }
    let ready: Vec<&Candidate> = candidates
        .iter()
        .filter(|c| c.is_enabled && c.is_admitted && c.running < c.slots && !tried.contains(&c.connection))
        .collect();
    let Some(cheapest) = ready.iter().map(|c| c.coefficient).min() else {
        return Err(Refusal::NoneReady {
            model: model.to_owned(),
        });
    };
    let affordable: Vec<&Candidate> = ready.into_iter().filter(|c| c.coefficient <= max_coefficient).collect();
    match affordable.as_slice() {
        [] => Err(Refusal::TooExpensive { cheapest }),
        [only] => Ok(only.connection),
        several => {
            let count = several.len() as u64;
            let first = random[0] % count;
            // One of the others: never the same twice.
            let second = (first + 1 + random[1] % (count - 1)) % count;
            let (a, b) = (several[first as usize], several[second as usize]);
            let better = (a.weight(), a.coefficient).partial_cmp(&(b.weight(), b.coefficient));
            Ok(if better.is_some_and(|order| order.is_gt()) {
                b.connection
            } else {
                a.connection
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CEILING: Coefficient = Coefficient::new(4000);

    fn candidate(connection: u64) -> Candidate {
        Candidate {
            connection,
            coefficient: Coefficient::new(1000),
            running: 0,
            slots: 4,
            is_enabled: true,
            is_admitted: true,
            average_seconds: 1.0,
        }
    }

    #[test]
    fn refusals_say_what_is_missing() {
        let refused = |candidates: &[Candidate], tried: &[u64]| choose("m", candidates, CEILING, tried, [0, 0]);
        assert_eq!(refused(&[], &[]), Err(Refusal::UnknownModel { model: "m".into() }));
        let disabled = Candidate {
            is_enabled: false,
            ..candidate(1)
        };
        let full = Candidate {
            running: 4,
            ..candidate(2)
        };
        let broken = Candidate {
            is_admitted: false,
            ..candidate(3)
        };
        let none = Err(Refusal::NoneReady { model: "m".into() });
        assert_eq!(refused(&[disabled, full, broken], &[]), none);
        assert_eq!(refused(&[candidate(4)], &[4]), none);
        let dear = Candidate {
            coefficient: Coefficient::new(5000),
            ..candidate(5)
        };
        let dearer = Candidate {
            coefficient: Coefficient::new(6000),
            ..candidate(6)
        };
        assert_eq!(
            refused(&[dearer, dear], &[]),
            Err(Refusal::TooExpensive {
                cheapest: Coefficient::new(5000)
            })
        );
    }

    #[test]
    fn of_two_the_less_loaded_is_taken_whatever_the_draw() {
        let busy = Candidate {
            running: 3,
            ..candidate(1)
        };
        for draw in 0..4 {
            assert_eq!(choose("m", &[busy, candidate(2)], CEILING, &[], [draw, draw]), Ok(2));
        }
    }

    #[test]
    fn of_two_equally_loaded_the_faster_then_the_cheaper_is_taken() {
        let slow = Candidate {
            average_seconds: 9.0,
            ..candidate(1)
        };
        assert_eq!(choose("m", &[slow, candidate(2)], CEILING, &[], [0, 0]), Ok(2));
        let cheap = Candidate {
            coefficient: Coefficient::new(10),
            ..candidate(3)
        };
        assert_eq!(choose("m", &[candidate(2), cheap], CEILING, &[], [0, 0]), Ok(3));
    }

    #[test]
    fn idle_equal_workers_share_the_load() {
        let workers: Vec<_> = (0..4).map(candidate).collect();
        let mut hits = [0; 4];
        let mut draw = 1u64;
        for _ in 0..4000 {
            draw = draw.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            hits[choose("m", &workers, CEILING, &[], [draw >> 33, draw >> 11]).unwrap() as usize] += 1;
        }
        assert!(hits.iter().all(|count| (700..1300).contains(count)), "{hits:?}");
    }
}
