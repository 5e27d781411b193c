//! From the states of all tokens to one vector.

use crate::error::EngineError;
use crate::load::PoolingKind;

/// States, as they come.
pub(super) struct Pool {
    kind: PoolingKind,
    /// Their sum, or the last one.
    sum: Vec<f64>,
    tokens: usize,
}

impl Pool {
    pub(super) fn new(kind: PoolingKind) -> Self {
        Self {
            kind,
            sum: Vec::new(),
            tokens: 0,
        }
    }

    /// Takes the states of the next tokens, one row for each.
    pub(super) fn add(&mut self, states: &[f32], tokens: usize) {
        let hidden = states.len() / tokens.max(1);
        self.sum.resize(hidden, 0.0);
        for state in states.chunks_exact(hidden.max(1)) {
            for (sum, number) in self.sum.iter_mut().zip(state) {
                *sum = match self.kind {
                    PoolingKind::Mean => *sum + f64::from(*number),
                    PoolingKind::Last => f64::from(*number),
                };
            }
        }
        self.tokens += tokens;
    }

    /// The vector; the first `dimensions` of it, brought to length 1 if `normalized`.
    pub(super) fn finish(self, normalized: bool, dimensions: Option<usize>) -> Result<Vec<f32>, EngineError> {
        let mut numbers = self.sum;
        if self.kind == PoolingKind::Mean {
            numbers.iter_mut().for_each(|number| *number /= self.tokens as f64);
        }
        if let Some(dimensions) = dimensions {
            if !(1..=numbers.len()).contains(&dimensions) {
                return Err(EngineError::Parameter {
                    name: "dimensions",
                    allowed: "from 1 to the length of the model's vectors",
                });
            }
            numbers.truncate(dimensions);
        }
        let squares: f64 = numbers.iter().map(|number| number * number).sum();
        if !squares.is_finite() {
            return Err(EngineError::NotANumber);
        }
        // The smallest length is that of torch's normalize.
        let length = if normalized { squares.sqrt().max(1e-12) } else { 1.0 };
        Ok(numbers.into_iter().map(|number| (number / length) as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(kind: PoolingKind) -> Pool {
        let mut pool = Pool::new(kind);
        pool.add(&[1.0, 9.0, 3.0, 2.0], 2);
        pool.add(&[5.0, 1.0], 1);
        pool
    }

    #[test]
    fn states_of_several_steps_become_one_vector() {
        assert_eq!(pool(PoolingKind::Mean).finish(false, None).unwrap(), [3.0, 4.0]);
        assert_eq!(pool(PoolingKind::Mean).finish(true, None).unwrap(), [0.6, 0.8]);
        assert_eq!(pool(PoolingKind::Last).finish(false, None).unwrap(), [5.0, 1.0]);
    }

    #[test]
    fn a_vector_is_cut_before_it_is_normed() {
        assert_eq!(pool(PoolingKind::Mean).finish(true, Some(1)).unwrap(), [1.0]);
        for dimensions in [0, 3] {
            let refused = pool(PoolingKind::Mean).finish(true, Some(dimensions));
            assert!(matches!(
                refused,
                Err(EngineError::Parameter { name: "dimensions", .. })
            ));
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        let mut pool = Pool::new(PoolingKind::Last);
        pool.add(&[f32::NAN], 1);
        assert!(matches!(pool.finish(true, None), Err(EngineError::NotANumber)));
    }
}
