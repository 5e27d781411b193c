//! Rotary positions.

use super::vectors::widest;
use crate::device::{RopeHeads, RopeTable};

widest! {
    /// Turns the heads of each row of `width` columns to its position.
    pub(crate) fn rope(rows: &mut [f32], width: usize, heads: RopeHeads, table: &RopeTable, positions: &[u32]) = rope_body
}

#[inline(always)]
fn rope_body(rows: &mut [f32], width: usize, heads: RopeHeads, table: &RopeTable, positions: &[u32]) {
    let half = table.half;
    for (row, position) in rows.chunks_exact_mut(width).zip(positions) {
        let angles = *position as usize * half..(*position as usize + 1) * half;
        let (cos, sin) = (&table.cos[angles.clone()], &table.sin[angles]);
        for head in 0..heads.heads {
            let first = head * heads.stride + heads.offset;
            let (low, high) = row[first..first + 2 * half].split_at_mut(half);
            for (((low, high), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                let (x, y) = (*low, *high);
                *low = x.mul_add(*cos, -(y * sin));
                *high = y.mul_add(*cos, x * sin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_turn_by_their_angles_and_other_columns_stay() {
        let (half, stride, width) = (3, 10, 25);
        let angle = |position: usize, i: usize| position as f64 / 10_f64.powi(i as i32);
        let each = |f: fn(f64) -> f64| {
            (0..9 * half)
                .map(|place| f(angle(place / half, place % half)) as f32)
                .collect()
        };
        let table = RopeTable {
            half,
            cos: each(f64::cos),
            sin: each(f64::sin),
        };
        let heads = RopeHeads {
            heads: 2,
            stride,
            offset: 4,
        };
        let positions = [8, 0, 3];
        let before: Vec<f32> = (0..width * 3).map(|i| (i as f32 * 0.9).cos()).collect();
        let mut after = before.clone();
        rope(&mut after, width, heads, &table, &positions);
        for row in 0..3 {
            for column in 0..width {
                let value = |column: usize| f64::from(before[row * width + column]);
                let expected = match column {
                    4..10 | 14..20 => {
                        let first = if column < 10 { 4 } else { 14 };
                        let i = (column - first) % half;
                        let (x, y) = (value(first + i), value(first + half + i));
                        let (sin, cos) = angle(positions[row] as usize, i).sin_cos();
                        if column - first < half {
                            x * cos - y * sin
                        } else {
                            y * cos + x * sin
                        }
                    }
                    _ => value(column),
                };
                assert!(
                    (f64::from(after[row * width + column]) - expected).abs() < 1e-6,
                    "row {row}, column {column}"
                );
            }
        }
    }
}
