//! The field of 256 elements with the polynomial of AES, computed bit by bit: no table is looked up by a secret and no
//! branch depends on one.

/// Sum and difference.
pub(crate) const fn add(a: u8, b: u8) -> u8 {
    a ^ b
}

/// Product.
pub(crate) const fn mul(a: u8, b: u8) -> u8 {
    let (mut a, mut product, mut bit) = (a, 0, 0);
    while bit < 8 {
        // All ones where the bit is set.
        product ^= a & ((b >> bit) & 1).wrapping_neg();
        a = (a << 1) ^ (0x1b & (a >> 7).wrapping_neg());
        bit += 1;
    }
    product
}

/// Inverse: the 254th power. That of zero, which nobody asks for, is zero.
pub(crate) const fn inverse(a: u8) -> u8 {
    let (mut power, mut result, mut step) = (a, 1, 1);
    // 254 = 2 + 4 + 8 + 16 + 32 + 64 + 128.
    while step < 8 {
        power = mul(power, power);
        result = mul(result, power);
        step += 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn products_are_those_of_the_standard() {
        // FIPS 197, section 4.2, and the pair of inverses of its example.
        assert_eq!(mul(0x57, 0x83), 0xc1);
        assert_eq!(mul(0x57, 0x13), 0xfe);
        assert_eq!(inverse(0x53), 0xca);
    }

    #[test]
    fn every_element_but_zero_has_one_inverse() {
        let mut seen = std::collections::BTreeSet::new();
        for a in 1..=255 {
            assert_eq!(mul(a, inverse(a)), 1);
            seen.insert(inverse(a));
        }
        assert_eq!(seen.len(), 255);
    }

    proptest! {
        #[test]
        fn the_laws_of_a_field_hold((a, b, c) in any::<(u8, u8, u8)>()) {
            prop_assert_eq!(mul(a, b), mul(b, a));
            prop_assert_eq!(mul(a, mul(b, c)), mul(mul(a, b), c));
            prop_assert_eq!(mul(a, add(b, c)), add(mul(a, b), mul(a, c)));
            prop_assert_eq!(mul(a, 1), a);
        }
    }
}
