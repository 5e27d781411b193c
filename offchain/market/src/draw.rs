//! Numbers drawn from one that was given.

/// A stream of numbers (SplitMix64): good enough to spread load, and the same for the same start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(random: u64) -> Self {
        Self(random)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`; 0 when that is 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }
}

/// Two different ones of `all`, or the only one.
pub(crate) fn two_of(all: &[u64], draw: &mut Draw) -> Option<(u64, Option<u64>)> {
    let first = draw.below(all.len());
    let one = *all.get(first)?;
    if all.len() == 1 {
        return Some((one, None));
    }
    // One of the others: never the same twice.
    let second = (first + 1 + draw.below(all.len() - 1)) % all.len();
    Some((one, all.get(second).copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_never_the_same_and_each_comes_up() {
        let all: Vec<u64> = (0..5).collect();
        let mut hits = [0; 5];
        let mut draw = Draw::new(7);
        for _ in 0..5000 {
            let (one, other) = two_of(&all, &mut draw).unwrap();
            assert_ne!(Some(one), other);
            hits[one as usize] += 1;
            hits[other.unwrap() as usize] += 1;
        }
        assert!(hits.iter().all(|count| (1700..2300).contains(count)), "{hits:?}");
        assert_eq!(two_of(&all[..1], &mut draw), Some((0, None)));
        assert_eq!(two_of(&[], &mut draw), None);
    }
}
