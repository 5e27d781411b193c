//! Sharing 32 bytes so that any `k` shares give them back and fewer say nothing: Shamir's scheme, byte by byte.
//!
//! Our own forty lines, because what the registry has does not fit: `blahaj` looks tables up by secret bytes and draws its
//! randomness itself, `vsss-rs` brings big numbers and curves.

use zeroize::Zeroizing;

use crate::field::{add, inverse, mul};

/// A secret, a coefficient or a share.
pub(crate) type Block = Zeroizing<[u8; 32]>;

/// The share of point `x` (from 1) of the polynomial whose constant is the secret and whose others are `coefficients`, one
/// fewer than the threshold.
pub(crate) fn share(secret: &[u8; 32], coefficients: &[Block], x: u8) -> Block {
    let mut share = Zeroizing::new([0; 32]);
    for coefficient in coefficients.iter().rev() {
        step(&mut share, coefficient, x);
    }
    step(&mut share, secret, x);
    share
}

/// Horner: value * x + coefficient.
fn step(value: &mut [u8; 32], coefficient: &[u8; 32], x: u8) {
    for (byte, coefficient) in value.iter_mut().zip(coefficient) {
        *byte = add(mul(*byte, x), *coefficient);
    }
}

/// The secret of as many shares as the threshold says, at different points. With fewer, or other, shares the result is
/// something else: whoever calls this has checked them.
pub(crate) fn combine(shares: &[(u8, Block)]) -> Block {
    let mut secret = Zeroizing::new([0; 32]);
    for (x, share) in shares {
        let mut weight = 1;
        for (other, _) in shares.iter().filter(|(other, _)| other != x) {
            weight = mul(weight, mul(*other, inverse(add(*other, *x))));
        }
        for (byte, share) in secret.iter_mut().zip(share.iter()) {
            *byte = add(*byte, mul(*share, weight));
        }
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    fn shares(secret: &[u8; 32], others: &[[u8; 32]], count: u8) -> Vec<(u8, Block)> {
        let coefficients: Vec<Block> = others.iter().map(|bytes| Zeroizing::new(*bytes)).collect();
        (1..=count).map(|x| (x, share(secret, &coefficients, x))).collect()
    }

    fn sharing() -> impl Strategy<Value = ([u8; 32], Vec<[u8; 32]>, Vec<usize>)> {
        (2usize..6, 0usize..6).prop_flat_map(|(threshold, more)| {
            let all: Vec<usize> = (0..threshold + more).collect();
            let others = proptest::collection::vec(any::<[u8; 32]>(), threshold - 1);
            (any::<[u8; 32]>(), others, subsequence(all, threshold).prop_shuffle())
        })
    }

    proptest! {
        #[test]
        fn any_threshold_of_shares_gives_the_secret((secret, others, chosen) in sharing()) {
            let all = shares(&secret, &others, 12);
            let some: Vec<_> = chosen.iter().map(|at| all[*at].clone()).collect();
            prop_assert_eq!(*combine(&some), secret);
        }

        /// With one share fewer every secret is still possible: there are coefficients for which a given other secret has
        /// the same shares.
        #[test]
        fn one_share_fewer_fits_every_secret((secret, other, a) in any::<([u8; 32], [u8; 32], [u8; 32])>(), x in 1u8..255) {
            let seen = shares(&secret, &[a], x).pop().unwrap();
            let b: [u8; 32] = std::array::from_fn(|at| mul(add(seen.1[at], other[at]), inverse(x)));
            prop_assert_eq!(&shares(&other, &[b], x).pop().unwrap().1, &seen.1);
        }
    }

    #[test]
    fn fewer_shares_give_something_else() {
        let all = shares(&[5; 32], &[[1; 32], [2; 32]], 5);
        assert_eq!(*combine(&all[..3]), [5; 32]);
        assert_ne!(*combine(&all[..2]), [5; 32]);
    }
}
