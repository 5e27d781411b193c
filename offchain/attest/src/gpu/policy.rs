//! Which accelerators are accepted: the table `[gpu]` of `attestation.toml`.

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::Deserialize;

use super::GoldenMeasurements;
use crate::{
    AttestError,
    limits::{MAX_GPU_BLOCKS, MAX_GPU_MEASUREMENTS, MAX_GPU_ROOTS},
};

/// Makers and measurements that are accepted of accelerators. The empty one proves nothing of any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuPolicy {
    /// The makers' root certificates (DER).
    pub roots: Vec<Vec<u8>>,
    /// Pairs of firmware and driver.
    pub golden: Vec<GoldenMeasurements>,
}

impl GpuPolicy {
    /// Whether anything could be proven by it.
    pub fn can_prove(&self) -> bool {
        !self.roots.is_empty() && !self.golden.is_empty()
    }
}

/// The table as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    /// PEM, any number of certificates each.
    roots: Vec<String>,
    accept: Vec<Pair>,
}

/// [`GoldenMeasurements`] with keys as TOML has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    blocks: BTreeMap<String, BTreeSet<String>>,
}

impl File {
    pub(crate) fn parse(self) -> Result<GpuPolicy, AttestError> {
        let mut roots = Vec::new();
        for text in &self.roots {
            let found = certificates_of_pem(text.as_bytes()).map_err(|_| unusable("roots: not PEM".to_owned()))?;
            if found.is_empty() {
                return Err(unusable("roots: no certificate in PEM".to_owned()));
            }
            roots.extend(found);
        }
        if roots.len() > MAX_GPU_ROOTS || self.accept.len() > MAX_GPU_MEASUREMENTS {
            let limits = format!("more than {MAX_GPU_ROOTS} roots or {MAX_GPU_MEASUREMENTS} pairs");
            return Err(unusable(limits));
        }
        if let Some(root) = roots.iter().find(|root| !super::is_root(root)) {
            let reason = format!("roots: a certificate of {} bytes is no root", root.len());
            return Err(unusable(reason));
        }
        let golden = self.accept.into_iter().map(Pair::parse);
        Ok(GpuPolicy {
            roots,
            golden: golden.collect::<Result<_, _>>()?,
        })
    }
}

impl Pair {
    fn parse(self) -> Result<GoldenMeasurements, AttestError> {
        let Self { name, blocks } = self;
        if blocks.is_empty() || blocks.len() > MAX_GPU_BLOCKS {
            return Err(unusable(format!("{name}: 1 to {MAX_GPU_BLOCKS} blocks are named")));
        }
        let block = |(index, values): (String, BTreeSet<String>)| {
            let wrong = |what: &str| unusable(format!("{name}: block {index} {what}"));
            let number: u8 = index.parse().map_err(|_| wrong("is no index from 0 to 255"))?;
            let is_hex = |value: &String| !value.is_empty() && hex::decode(value).is_ok();
            if values.is_empty() || !values.iter().all(is_hex) {
                return Err(wrong("has values that are not in hex, or none"));
            }
            Ok((number, values))
        };
        Ok(GoldenMeasurements {
            blocks: blocks.into_iter().map(block).collect::<Result<_, _>>()?,
            name,
        })
    }
}

/// The certificates (DER) of a PEM text, in its order.
pub(super) fn certificates_of_pem(text: &[u8]) -> Result<Vec<Vec<u8>>, rustls_pki_types::pem::Error> {
    CertificateDer::pem_slice_iter(text)
        .map(|one| one.map(|der| der.as_ref().to_vec()))
        .collect()
}

fn unusable(reason: String) -> AttestError {
    AttestError::PolicyFile {
        reason: format!("gpu: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Policy, simulated::SimulatedGpu};

    fn reason(text: &str) -> String {
        Policy::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn roots_and_measurements_are_read() {
        let gpu = SimulatedGpu::generate().unwrap();
        let text = format!(
            "[gpu]\nroots = [\"\"\"{}\"\"\"]\n[[gpu.accept]]\nname = \"one\"\nblocks = {{ 2 = [\"ab\", \"CD\"], 10 = [\"00\"] }}",
            gpu.root_pem()
        );
        let policy = Policy::from_toml(&text).unwrap().gpu;
        assert_eq!(policy.roots, [gpu.root_der().to_vec()]);
        assert_eq!(policy.golden[0].blocks.len(), 2);
        assert!(policy.golden[0].blocks[&2].contains("CD"));
        assert!(policy.can_prove() && !Policy::strict().gpu.can_prove());
    }

    #[test]
    fn mistakes_in_the_table_are_named() {
        let pair = |blocks: &str| format!("[[gpu.accept]]\nname = \"pair\"\nblocks = {{ {blocks} }}");
        for (text, part) in [
            ("[gpu]\nroot = []".to_owned(), "root"),
            ("[gpu]\nroots = [\"x\"]".to_owned(), "no certificate"),
            (pair(""), "blocks are named"),
            (pair("256 = [\"00\"]"), "block 256"),
            (pair("1 = [\"xy\"]"), "not in hex"),
            (pair("1 = []"), "or none"),
        ] {
            assert!(reason(&text).contains(part), "{text}: {}", reason(&text));
        }
        let leaf = SimulatedGpu::generate().unwrap().leaf_pem();
        assert!(reason(&format!("[gpu]\nroots = [\"\"\"{leaf}\"\"\"]")).contains("is no root"));
    }
}
