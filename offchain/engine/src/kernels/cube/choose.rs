//! The choice of tokens, as the host's sampler makes it, with sums in f32: a cube for every row of logits.
//!
//! Tokens are ordered by logit, equal ones by number. Every bound (the best `k`, the probability `p`, the draw itself) is
//! a place in this order, found bit by bit: a logit, and among those equal to it a token. Sums are trees over the units,
//! each of which has every so-manieth token, so a choice is the same whatever is chosen beside it.

use super::numeric::{exp, tree_max, tree_sum};
use cubecl::prelude::*;

/// Words of a draw: temperature, top_p, top_k, min_p, and the random number in [0, 1).
pub(super) const DRAW_WORDS: usize = 5;
/// Stands for the token of a row in which something is not a number.
pub(crate) const NOT_A_NUMBER: u32 = 0xffff_ffff;

/// How a row's tokens are weighed and which may be chosen: those before a place in the order.
#[derive(CubeType, Clone, Copy)]
struct Among {
    first: usize,
    count: usize,
    best: f32,
    temperature: f32,
    min_p: f32,
    /// The last that may be chosen: a logit as [`order`] has it, and a token among those equal to it.
    least: u32,
    last: u32,
}

/// Numbers in the order of floating point numbers.
#[cube]
fn order(logit: f32) -> u32 {
    let bits = u32::reinterpret(logit);
    select((bits >> 31u32) == 1u32, !bits, bits | 0x8000_0000u32)
}

/// The weights of all tokens that may be chosen and come before a place in the order, or with `counts` how many they are.
/// With `by_token` the order is that of tokens alone.
#[cube]
fn passed(
    logits: &Array<f32>,
    among: Among,
    least: u32,
    last: u32,
    counts: bool,
    by_token: bool,
    room: &mut SharedMemory<f32>,
    #[comptime] units: usize,
) -> f32 {
    let mut sum = 0.0f32;
    let mut token = UNIT_POS as usize;
    while token < among.count {
        let logit = logits[among.first + token];
        let (key, number) = (order(logit), token as u32);
        let may = key > among.least || (key == among.least && number <= among.last);
        let by_order = key > least || (key == least && number <= last);
        let is_before = select(by_token, number <= last, by_order);
        if may && is_before {
            let weight = exp((logit - among.best) / among.temperature);
            if weight >= among.min_p && weight > 0.0 {
                sum += select(counts, 1.0f32, weight);
            }
        }
        token += units;
    }
    tree_sum(sum, room, units)
}

/// The first place in the order at which what was passed reaches `enough`, or with `exceeds` is more: a logit and a token.
#[cube]
fn place(
    logits: &Array<f32>,
    among: Among,
    enough: f32,
    exceeds: bool,
    counts: bool,
    by_token: bool,
    room: &mut SharedMemory<f32>,
    #[comptime] units: usize,
) -> (u32, u32) {
    let mut least = 0u32.runtime();
    if !by_token {
        let mut bit = 0x8000_0000u32.runtime();
        while bit > 0 {
            let sum = passed(logits, among, least + bit, NOT_A_NUMBER, counts, false, room, units);
            if select(exceeds, sum > enough, sum >= enough) {
                least += bit;
            }
            bit = bit >> 1u32;
        }
    }
    // The smallest token that suffices: one more than the greatest that does not.
    let mut last = 0u32.runtime();
    let mut bit = 0x4000_0000u32.runtime();
    while bit > among.count as u32 {
        bit = bit >> 1u32;
    }
    while bit > 0 {
        let next = last + bit;
        let sum = passed(logits, among, least, next - 1u32, counts, by_token, room, units);
        if !select(exceeds, sum > enough, sum >= enough) && next < among.count as u32 {
            last = next;
        }
        bit = bit >> 1u32;
    }
    (least, last)
}

/// Chooses a token for every row of `count` logits.
#[cube(launch_unchecked)]
pub(super) fn choose(
    logits: &Array<f32>,
    draws: &Array<u32>,
    tokens: &mut Array<u32>,
    count: usize,
    #[comptime] units: usize,
) {
    let row = CUBE_POS_X as usize;
    let unit = UNIT_POS as usize;
    let first = row * count;
    let mut room = SharedMemory::<f32>::new(units);
    let draw = row * DRAW_WORDS;
    let temperature = f32::reinterpret(draws[draw]);
    let top_p = f32::reinterpret(draws[draw + 1]);
    let top_k = draws[draw + 2];
    let min_p = f32::reinterpret(draws[draw + 3]);
    let uniform = f32::reinterpret(draws[draw + 4]);
    let mut broken = 0.0f32;
    let mut own = LOWEST.runtime();
    let mut token = unit;
    while token < count {
        let logit = logits[first + token];
        // Infinity and what is not a number have all bits of the exponent.
        let bits = u32::reinterpret(logit);
        if (bits & 0x7f80_0000u32) == 0x7f80_0000u32 {
            if bits != 0xff80_0000u32 {
                broken = 1.0f32;
            }
        } else if logit > own {
            own = logit;
        }
        token += units;
    }
    let is_broken = tree_max(broken, &mut room, units) > 0.0;
    let best = tree_max(own, &mut room, units);
    // The smallest of the tokens with the greatest logit: as numbers these are exact up to 2^24.
    let mut smallest = LOWEST.runtime();
    let mut token = unit;
    while token < count {
        let number = 0.0f32 - f32::cast_from(token as u32);
        if logits[first + token] == best && number > smallest {
            smallest = number;
        }
        token += units;
    }
    let likeliest = 0.0f32 - tree_max(smallest, &mut room, units);
    let mut chosen = u32::cast_from(likeliest);
    if is_broken || likeliest >= 16_777_216.0 {
        chosen = NOT_A_NUMBER;
    } else if temperature > 0.0 && top_k != 1u32 {
        let mut among = Among {
            first,
            count,
            best,
            temperature,
            min_p,
            least: 0u32,
            last: NOT_A_NUMBER,
        };
        let mut by_token = true;
        let all = passed(logits, among, 0u32, NOT_A_NUMBER, true, false, &mut room, units);
        if top_k > 0u32 && f32::cast_from(top_k) < all {
            let (least, last) = place(
                logits,
                among,
                f32::cast_from(top_k),
                false,
                true,
                false,
                &mut room,
                units,
            );
            among.least = least;
            among.last = last;
            by_token = false;
        }
        let mut total = passed(logits, among, 0u32, NOT_A_NUMBER, false, false, &mut room, units);
        if top_p < 1.0 {
            let (least, last) = place(logits, among, top_p * total, false, false, false, &mut room, units);
            among.least = least;
            among.last = last;
            by_token = false;
            total = passed(logits, among, 0u32, NOT_A_NUMBER, false, false, &mut room, units);
        }
        let (_, last) = place(logits, among, uniform * total, true, false, by_token, &mut room, units);
        chosen = last;
    }
    if unit == 0 {
        tokens[row] = chosen;
    }
}

/// The lowest finite number.
const LOWEST: f32 = -3.402_823_4e38;
