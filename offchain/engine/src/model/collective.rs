//! How the ranks of one model put together what each has computed a part of.
//!
//! `burn-collective` 0.21 is not used: its central sum adds peers in the order of a hash map and its other orders depend
//! on the number of elements, while auditors need the same bits every time; it knows tensors of Burn only, has one group
//! of peers for each backend and process, and a peer that dies leaves the others waiting.

use crate::device::Device;
use crate::error::EngineError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

/// One rank's way to the others. A device with links to its neighbours has one of its own; this crate has
/// [`SharedMemory`] for all devices.
pub(crate) trait Collective<D: Device>: Send {
    /// The sum of what all ranks bring, all of the same shape. **Invariant:** each number is summed in the order of
    /// ranks, whatever its place in the tensor, and every rank gets the same bits.
    fn sum(&mut self, device: &mut D, part: D::Tensor) -> Result<D::Tensor, EngineError>;
}

/// A model of one rank: its part is the sum.
pub(crate) struct Alone;

impl<D: Device> Collective<D> for Alone {
    fn sum(&mut self, _device: &mut D, part: D::Tensor) -> Result<D::Tensor, EngineError> {
        Ok(part)
    }
}

/// Ranks that are threads of one process and meet in its memory.
pub(crate) struct SharedMemory {
    board: Arc<Board>,
    rank: usize,
    /// Columns of all tensors.
    width: usize,
    /// How many sums there were.
    sums: usize,
}

/// What the ranks of a group have in common.
struct Board {
    /// Each rank's part, for sums of even and of odd number: a rank that writes its next part overwrites none that a
    /// slower one still reads, for it cannot be two sums ahead.
    parts: [Vec<RwLock<Vec<f32>>>; 2],
    gate: Mutex<Gate>,
    opened: Condvar,
}

#[derive(Default)]
struct Gate {
    /// Ranks that wait.
    arrived: usize,
    /// How often all had arrived.
    rounds: usize,
    /// Whether a rank is gone.
    broken: bool,
}

impl SharedMemory {
    /// What [`Collective::sum`] waits for when a rank is gone.
    pub(super) const WAITING: &'static str = "waiting for another rank";

    /// A group of so many ranks, for tensors of `width` columns.
    pub(crate) fn group(ranks: usize, width: usize) -> Vec<Self> {
        let parts = || (0..ranks).map(|_| RwLock::default()).collect();
        let board = Arc::new(Board {
            parts: [parts(), parts()],
            gate: Mutex::default(),
            opened: Condvar::new(),
        });
        let member = |rank| Self {
            board: board.clone(),
            rank,
            width,
            sums: 0,
        };
        (0..ranks).map(member).collect()
    }

    /// Says for this rank, when it is dropped, that it is gone: sums of the others end with an error.
    pub(super) fn leave_at_end(&self) -> Leave {
        Leave(self.board.clone())
    }
}

impl<D: Device> Collective<D> for SharedMemory {
    fn sum(&mut self, device: &mut D, part: D::Tensor) -> Result<D::Tensor, EngineError> {
        let parts = &self.board.parts[self.sums % 2];
        self.sums += 1;
        let numbers = device.host(part)?;
        *parts[self.rank].write().unwrap_or_else(PoisonError::into_inner) = numbers;
        self.board.meet(parts.len())?;
        let mut sum = Vec::new();
        for part in parts {
            let part = part.read().unwrap_or_else(PoisonError::into_inner);
            if sum.is_empty() {
                sum.clone_from(&part);
            } else {
                sum.iter_mut().zip(part.iter()).for_each(|(sum, number)| *sum += number);
            }
        }
        Ok(device.tensor(self.width, &sum))
    }
}

impl Board {
    /// Waits until all ranks are here.
    fn meet(&self, ranks: usize) -> Result<(), EngineError> {
        let gone = EngineError::Device {
            doing: SharedMemory::WAITING,
        };
        let mut gate = self.gate();
        if gate.broken {
            return Err(gone);
        }
        gate.arrived += 1;
        if gate.arrived == ranks {
            gate.arrived = 0;
            gate.rounds += 1;
            self.opened.notify_all();
            return Ok(());
        }
        let round = gate.rounds;
        while gate.rounds == round {
            if gate.broken {
                return Err(gone);
            }
            gate = self.opened.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Breaks a group when it is dropped.
pub(super) struct Leave(Arc<Board>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.gate().broken = true;
        self.0.opened.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::CpuDevice;

    /// What every rank gets in each of 50 sums of 3 rows of 5 columns.
    fn sums(ranks: usize) -> Vec<Vec<Vec<f32>>> {
        let part = |rank: usize, sum: usize| -> Vec<f32> {
            let number =
                |place: usize| ((rank * 31 + sum * 7 + place * 13) % 97) as f32 * 1.1_f32.powi(rank as i32 * 40);
            (0..15).map(number).collect()
        };
        let run = |mut member: SharedMemory| {
            let mut device = CpuDevice::new(1, false);
            let sums = (0..50).map(|sum| {
                let tensor = device.tensor(5, &part(member.rank, sum));
                let sum = member.sum(&mut device, tensor).unwrap();
                device.host(sum).unwrap()
            });
            sums.collect::<Vec<_>>()
        };
        let expected = (0..50).map(|sum| {
            let parts = (0..ranks).map(|rank| part(rank, sum));
            let add = |one: Vec<f32>, other: Vec<f32>| one.iter().zip(other).map(|(one, other)| one + other).collect();
            parts.reduce(add).unwrap()
        });
        let expected: Vec<Vec<f32>> = expected.collect();
        let found = std::thread::scope(|scope| {
            let members = SharedMemory::group(ranks, 5).into_iter();
            let threads: Vec<_> = members.map(|member| scope.spawn(move || run(member))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert!(found.iter().all(|sums| *sums == expected), "not in the order of ranks");
        found
    }

    #[test]
    fn sums_are_in_the_order_of_ranks_and_the_same_for_all() {
        for ranks in 1..=5 {
            assert_eq!(sums(ranks).len(), ranks);
        }
    }

    #[test]
    fn a_rank_that_is_gone_keeps_nobody_waiting() {
        let mut members = SharedMemory::group(3, 2);
        let leave = members.pop().unwrap().leave_at_end();
        std::thread::scope(|scope| {
            let wait = |mut member: SharedMemory| {
                let mut device = CpuDevice::new(1, false);
                let part = device.tensor(2, &[1.0, 2.0]);
                member.sum(&mut device, part).is_err()
            };
            let threads: Vec<_> = members
                .into_iter()
                .map(|member| scope.spawn(move || wait(member)))
                .collect();
            drop(leave);
            assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
        });
    }
}
