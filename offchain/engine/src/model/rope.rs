//! Rotary positions: the table of angles, with the scalings that stretch a context. Formulas are those of
//! `modeling_rope_utils.py` of transformers, in f32 in its order.

use super::config::Config;
use crate::device::RopeTable;
use crate::error::EngineError;
use serde_json::{Map, Value};

/// Angles of one kind of layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RopeSpec {
    /// Columns that turn: twice the number of angles.
    pub(crate) dim: usize,
    /// Base of the frequencies.
    pub(crate) theta: f64,
    pub(crate) scaling: RopeScaling,
}

/// How frequencies are changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RopeScaling {
    /// Not at all.
    None,
    /// All are divided by the factor.
    Linear {
        /// At least 1.
        factor: f64,
    },
    /// Llama 3: low frequencies are divided, high ones stay, between them it goes over smoothly.
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        /// Positions of the model before it was stretched.
        original_positions: f64,
    },
    /// YaRN (arXiv 2309.00071): as Llama 3 with another ramp; cosines and sines are scaled besides.
    Yarn(Yarn),
}

/// Parameters of YaRN.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Yarn {
    pub(crate) factor: f64,
    pub(crate) beta_fast: f64,
    pub(crate) beta_slow: f64,
    /// Positions of the model before it was stretched.
    pub(crate) original_positions: f64,
    /// Whether the ramp's ends are whole numbers.
    pub(crate) truncate: bool,
    /// Of cosines and sines.
    pub(crate) attention_factor: f64,
}

impl RopeSpec {
    /// Reads `rope_parameters` of newer files, or `rope_theta` and `rope_scaling` of older ones.
    pub(crate) fn read(config: &mut Config, dim: usize, default_theta: Option<f64>) -> Result<Self, EngineError> {
        let theta = config.number("rope_theta", default_theta);
        let (name, fields) = match config.object("rope_parameters")? {
            Some(fields) => ("rope_parameters", fields),
            None => match config.object("rope_scaling")? {
                Some(fields) => ("rope_scaling", fields),
                None => ("rope_scaling", Map::new()),
            },
        };
        let theta = match fields.get("rope_theta") {
            Some(theta) => theta.as_f64().ok_or(Config::missing("rope_theta"))?,
            None => theta?,
        };
        let positions = config.dimension("max_position_embeddings")?;
        Self::of_fields(name, &fields, dim, theta, positions)
    }

    /// Reads the fields of one kind of layer; `name` is what the object is called.
    pub(crate) fn of_fields(
        name: &str,
        fields: &Map<String, Value>,
        dim: usize,
        theta: f64,
        positions: usize,
    ) -> Result<Self, EngineError> {
        if !(theta > 1.0 && theta.is_finite()) {
            return Err(Config::missing("rope_theta"));
        }
        let mut fields = Config::part(name, fields.clone());
        if fields.number("factor", Some(1.0))? < 1.0 {
            return Err(fields.unsupported("factor"));
        }
        fields.skip("rope_theta");
        let older = fields.text("type");
        let kind = fields
            .text("rope_type")
            .or(older)
            .unwrap_or_else(|| "default".to_owned());
        let original = fields.number("original_max_position_embeddings", Some(positions as f64));
        let scaling = match kind.as_str() {
            "default" => RopeScaling::None,
            "linear" => RopeScaling::Linear {
                factor: fields.number("factor", None)?,
            },
            "llama3" => RopeScaling::Llama3 {
                factor: fields.number("factor", None)?,
                low_freq_factor: fields.number("low_freq_factor", None)?,
                high_freq_factor: fields.number("high_freq_factor", None)?,
                original_positions: original?,
            },
            "yarn" => RopeScaling::Yarn(Yarn::read(&mut fields, original?)?),
            _ => return Err(fields.unsupported("rope_type")),
        };
        fields.finish()?;
        Ok(Self { dim, theta, scaling })
    }

    /// The angles of each frequency at position 1.
    fn frequencies(&self) -> Vec<f32> {
        let base = self.theta as f32;
        let plain = (0..self.dim / 2).map(|index| 1.0 / base.powf((2 * index) as f32 / self.dim as f32));
        match &self.scaling {
            RopeScaling::None => plain.collect(),
            RopeScaling::Linear { factor } => plain.map(|frequency| frequency / *factor as f32).collect(),
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_positions,
            } => {
                let (low, high, original) = (*low_freq_factor, *high_freq_factor, *original_positions);
                let scaled = |frequency: f32| {
                    let frequency = f64::from(frequency);
                    let wavelength = std::f64::consts::TAU / frequency;
                    if wavelength > original / low {
                        frequency / factor
                    } else if wavelength < original / high {
                        frequency
                    } else {
                        let smooth = (original / wavelength - low) / (high - low);
                        (1.0 - smooth) * frequency / factor + smooth * frequency
                    }
                };
                plain.map(|frequency| scaled(frequency) as f32).collect()
            }
            RopeScaling::Yarn(yarn) => yarn.scaled(self.dim, self.theta, plain),
        }
    }

    /// The table for positions 0 to `positions`.
    pub(crate) fn table(&self, positions: usize) -> RopeTable {
        let factor = match &self.scaling {
            RopeScaling::Yarn(yarn) => yarn.attention_factor as f32,
            _ => 1.0,
        };
        let frequencies = self.frequencies();
        let angles = (0..positions).flat_map(|position| frequencies.iter().map(move |f| position as f32 * f));
        let (sin, cos) = angles.map(|angle| (angle.sin() * factor, angle.cos() * factor)).unzip();
        RopeTable {
            half: self.dim / 2,
            cos,
            sin,
        }
    }
}

impl Yarn {
    fn read(fields: &mut Config, original_positions: f64) -> Result<Self, EngineError> {
        let factor = fields.number("factor", None)?;
        let log_scale = |mscale: f64| {
            if factor <= 1.0 {
                1.0
            } else {
                0.1 * mscale * factor.ln() + 1.0
            }
        };
        let mscale = fields.number("mscale", Some(0.0))?;
        let mscale_all_dim = fields.number("mscale_all_dim", Some(0.0))?;
        let derived = if mscale != 0.0 && mscale_all_dim != 0.0 {
            log_scale(mscale) / log_scale(mscale_all_dim)
        } else {
            log_scale(1.0)
        };
        Ok(Self {
            factor,
            beta_fast: fields.number("beta_fast", Some(32.0))?,
            beta_slow: fields.number("beta_slow", Some(1.0))?,
            original_positions,
            truncate: fields.flag("truncate", true)?,
            attention_factor: fields.number("attention_factor", Some(derived))?,
        })
    }

    fn scaled(&self, dim: usize, theta: f64, plain: impl Iterator<Item = f32>) -> Vec<f32> {
        let turns = |turns: f64| {
            dim as f64 * (self.original_positions / (turns * std::f64::consts::TAU)).ln() / (2.0 * theta.ln())
        };
        let (low, high) = (turns(self.beta_fast), turns(self.beta_slow));
        let (low, high) = if self.truncate {
            (low.floor(), high.ceil())
        } else {
            (low, high)
        };
        let (low, mut high) = (low.max(0.0), high.min(dim as f64 - 1.0));
        if low == high {
            high += 0.001; // the ramp may not have length 0
        }
        plain
            .enumerate()
            .map(|(index, frequency)| {
                let stretched = (((index as f64 - low) / (high - low)).clamp(0.0, 1.0)) as f32;
                frequency / self.factor as f32 * stretched + frequency * (1.0 - stretched)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
