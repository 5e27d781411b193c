//! All tensors of a model: one file, or several with an index.

use super::gguf::{self, GgufFile};
use super::mxfp4;
use super::read_bounded;
use super::rows::SourceRows;
use super::safetensors_file::SafetensorsFile;
use super::tensor::{NumberFormat, Tensor};
use crate::device::MatrixRows;
use crate::error::EngineError;
use crate::limits::{MAX_HEADER_BYTES, MAX_WEIGHT_FILES};
use crate::model::{Checkpoint, Part, Source};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const WHOLE: &str = "model.safetensors";
/// How names of all tensors but the head begin.
const WITH_HEAD: &str = "model.";
const INDEX: &str = "model.safetensors.index.json";

/// The weights of a folder. What nobody takes is an error at the end.
pub(crate) struct Weights {
    files: Vec<(String, WeightFile)>,
    /// Tensor to position in `files` and its name there.
    place: BTreeMap<String, (usize, String)>,
    taken: BTreeSet<String>,
    parameters: u64,
    indexed: bool,
}

/// One file.
enum WeightFile {
    Safetensors(SafetensorsFile),
    Gguf(GgufFile),
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens the files; reads no tensor yet. GGUF files count where there are no safetensors.
    pub(crate) fn open(folder: &Path) -> Result<Self, EngineError> {
        let index_path = folder.join(INDEX);
        let whole = folder.join(WHOLE).exists();
        let indexed = !whole && index_path.exists();
        let names = if indexed {
            let bytes = read_bounded(&index_path, MAX_HEADER_BYTES)?;
            let index: Index =
                serde_json::from_slice(&bytes).map_err(|source| EngineError::Json { file: INDEX, source })?;
            index.weight_map.into_values().collect::<BTreeSet<String>>()
        } else {
            BTreeSet::from([WHOLE.to_owned()])
        };
        if names.len() > MAX_WEIGHT_FILES {
            return Err(EngineError::TooManyFiles {
                found: names.len(),
                limit: MAX_WEIGHT_FILES,
            });
        }
        let mut weights = Self {
            files: Vec::new(),
            place: BTreeMap::new(),
            taken: BTreeSet::new(),
            parameters: 0,
            indexed,
        };
        let gguf = if whole || indexed {
            Vec::new()
        } else {
            gguf::open_all(folder)?
        };
        if !gguf.is_empty() {
            gguf.into_iter()
                .for_each(|(name, file)| weights.add(name, WeightFile::Gguf(file)));
            return Ok(weights);
        }
        for name in names {
            let path = folder.join(&name);
            if Path::new(&name).components().count() != 1 || path.file_name() != Some(name.as_ref()) {
                let source = std::io::Error::from(std::io::ErrorKind::InvalidFilename);
                return Err(EngineError::ReadFile { path, source });
            }
            weights.add(name, WeightFile::Safetensors(SafetensorsFile::open(&path)?));
        }
        Ok(weights)
    }

    fn add(&mut self, name: String, file: WeightFile) {
        let number = self.files.len();
        let tensors = file.names().into_iter();
        let tensors = tensors.map(|tensor| (name_of_text(&tensor), (number, tensor)));
        self.place.extend(tensors);
        self.files.push((name, file));
    }

    /// Models that were stored without a head have names without the first `model.`; they get it.
    pub(super) fn name_as_with_head(&mut self) {
        if self.place.keys().any(|name| name.starts_with(WITH_HEAD)) {
            return;
        }
        let place = std::mem::take(&mut self.place).into_iter();
        self.place = place
            .map(|(name, place)| (format!("{WITH_HEAD}{name}"), place))
            .collect();
    }

    /// A tensor that must be there.
    fn tensor(&self, name: &str) -> Result<Tensor<'_>, EngineError> {
        let missing = || EngineError::MissingTensor { name: name.to_owned() };
        let (place, stored) = self.place.get(name).ok_or_else(missing)?;
        self.files[*place].1.tensor(stored)?.ok_or_else(missing)
    }

    /// A tensor that must be there and have `shape`; with its factors if it is fp8 or MXFP4.
    fn numbers_of(&self, name: &str, shape: &[usize]) -> Result<Tensor<'_>, EngineError> {
        if self.is_mxfp4(name) {
            return self.mxfp4(name, shape);
        }
        let tensor = self.tensor(name)?;
        if tensor.format() == NumberFormat::Byte {
            return Err(EngineError::TensorType {
                name: name.to_owned(),
                dtype: "U8".to_owned(),
            });
        }
        demand_shape(name, shape, tensor.shape())?;
        if tensor.format() != NumberFormat::F8E4m3 {
            return Ok(tensor);
        }
        let name = scales_name(name);
        let scales = self.tensor(&name)?;
        demand_shape(&name, &tensor.scales_shape(), scales.shape())?;
        if shape.len() != 2 || scales.format() == NumberFormat::F8E4m3 {
            return Err(EngineError::TensorType {
                name,
                dtype: "F8_E4M3".to_owned(),
            });
        }
        Ok(tensor.scaled(scales))
    }

    fn is_mxfp4(&self, name: &str) -> bool {
        !self.place.contains_key(name) && self.place.contains_key(&mxfp4::blocks_name(name))
    }

    /// A matrix in MXFP4: two tensors of bytes.
    fn mxfp4(&self, name: &str, shape: &[usize]) -> Result<Tensor<'_>, EngineError> {
        let (blocks_name, exponents_name) = (mxfp4::blocks_name(name), mxfp4::exponents_name(name));
        let (blocks, exponents) = (self.tensor(&blocks_name)?, self.tensor(&exponents_name)?);
        let expected = mxfp4::stored_shape(shape).ok_or_else(|| EngineError::TensorShape {
            name: name.to_owned(),
            expected: shape.to_vec(),
            found: blocks.shape().to_vec(),
        })?;
        demand_shape(&blocks_name, &expected, blocks.shape())?;
        demand_shape(&exponents_name, &expected[..expected.len() - 1], exponents.shape())?;
        for (name, tensor) in [(blocks_name, blocks), (exponents_name, exponents)] {
            if tensor.format() != NumberFormat::Byte {
                return Err(EngineError::TensorType {
                    name,
                    dtype: format!("{:?}", tensor.format()),
                });
            }
        }
        Ok(blocks.mxfp4(exponents))
    }

    /// Marks what a part reads as taken.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<(), EngineError> {
        let tensor = self.numbers_of(name, shape)?;
        let (numbers, is_f8) = (tensor.len() as u64, tensor.format() == NumberFormat::F8E4m3);
        if is_f8 {
            self.taken.insert(scales_name(name));
        }
        if self.is_mxfp4(name) {
            self.taken
                .extend([mxfp4::blocks_name(name), mxfp4::exponents_name(name)]);
        }
        if self.taken.insert(name.to_owned()) {
            self.parameters += numbers;
        }
        Ok(())
    }

    /// Refuses weights with a tensor that nobody asked for: they belong to another architecture.
    pub(crate) fn finish(&self) -> Result<(), EngineError> {
        match self.place.keys().find(|name| !self.taken.contains(*name)) {
            Some(name) => Err(EngineError::UnknownTensor {
                name: name.chars().take(200).collect(),
            }),
            None => Ok(()),
        }
    }

    /// Numbers of the tensors that were taken.
    pub(crate) fn parameters(&self) -> u64 {
        self.parameters
    }

    /// The files, relative to the folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let index = self.indexed.then(|| PathBuf::from(INDEX));
        index
            .into_iter()
            .chain(self.files.iter().map(|(name, _)| PathBuf::from(name)))
            .collect()
    }
}

impl Checkpoint for Weights {
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError> {
        for part in &source.parts {
            self.take(&part.tensor, &part.shape)?;
        }
        let tensors = source.parts.iter().map(|part| {
            let tensor = self.numbers_of(&part.tensor, &part.shape)?;
            Ok((part.clone(), tensor))
        });
        let parts = tensors.collect::<Result<Vec<(Part, Tensor<'_>)>, EngineError>>()?;
        Ok(Box::new(SourceRows::new(parts)))
    }

    fn pass_over(&mut self, tensor: &str) {
        match tensor.strip_suffix('*') {
            Some(start) => {
                let names = self.place.keys().filter(|name| name.starts_with(start));
                self.taken.extend(names.cloned());
            }
            None => drop(self.taken.insert(tensor.to_owned())),
        }
    }
}

impl WeightFile {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Safetensors(file) => file.names(),
            Self::Gguf(file) => file.names(),
        }
    }

    fn tensor(&self, name: &str) -> Result<Option<Tensor<'_>>, EngineError> {
        match self {
            Self::Safetensors(file) => file.tensor(name),
            Self::Gguf(file) => file.tensor(name),
        }
    }
}

/// The name that a tensor of a model with images has in the same model without them; others keep theirs.
fn name_of_text(tensor: &str) -> String {
    if let Some(older) = tensor.strip_prefix("language_model.") {
        return older.to_owned();
    }
    match tensor.strip_prefix("model.language_model.") {
        Some(rest) => format!("model.{rest}"),
        None => tensor.to_owned(),
    }
}

/// Where the factors of an fp8 tensor lie.
fn scales_name(tensor: &str) -> String {
    format!("{tensor}_scale_inv")
}

fn demand_shape(name: &str, expected: &[usize], found: &[usize]) -> Result<(), EngineError> {
    if found == expected {
        return Ok(());
    }
    Err(EngineError::TensorShape {
        name: name.to_owned(),
        expected: expected.to_vec(),
        found: found.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{Dtype, TensorView};

    fn write(folder: &Path, file: &str, tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) {
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            let view = TensorView::new(*dtype, shape.to_vec(), bytes).unwrap();
            (name.to_string(), view)
        });
        safetensors::serialize_to_file(views, None, &folder.join(file)).unwrap();
    }

    fn floats(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn parts_in_several_files_are_one_matrix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        write(
            path,
            "one.safetensors",
            &[("q", Dtype::F32, &[1, 2], floats(&[1.0, 2.0]))],
        );
        let halves = [0x40, 0x40, 0x80, 0x40]; // 3 and 4
        write(
            path,
            "two.safetensors",
            &[
                ("k", Dtype::BF16, &[1, 2], halves.to_vec()),
                ("extra", Dtype::F32, &[1], floats(&[0.0])),
            ],
        );
        let index = r#"{"weight_map": {"q": "one.safetensors", "k": "two.safetensors", "extra": "two.safetensors"}}"#;
        std::fs::write(path.join(INDEX), index).unwrap();

        let mut weights = Weights::open(path).unwrap();
        let source = Source::stacked([Part::new("q", &[1, 2]), Part::new("k", &[1, 2])]);
        assert_eq!(weights.numbers(&source).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(
            weights.numbers(&source).unwrap(),
            [1.0, 2.0, 3.0, 4.0],
            "a tensor may be read twice"
        );
        assert_eq!(weights.parameters(), 4);
        assert!(matches!(weights.finish(), Err(EngineError::UnknownTensor { name }) if name == "extra"));
        weights.pass_over("extra.*");
        assert!(weights.finish().is_err());
        weights.pass_over("ext*");
        weights.finish().unwrap();
        assert_eq!(weights.files().len(), 3);
        let narrow = Source::from(Part::new("q", &[2, 1]));
        assert!(matches!(weights.numbers(&narrow), Err(EngineError::TensorShape { .. })));
        let absent = Source::from(Part::new("v", &[1, 2]));
        assert!(matches!(weights.numbers(&absent), Err(EngineError::MissingTensor { name }) if name == "v"));
    }

    #[test]
    fn fp8_needs_factors_of_the_right_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let eights = || (Dtype::F8_E4M3, [2_usize, 3], vec![0x38; 6]);
        let (dtype, shape, bytes) = eights();
        let good = ("good", dtype, &shape[..], bytes.clone());
        let scale = ("good_scale_inv", Dtype::F32, &[1_usize, 1][..], floats(&[0.5]));
        let bad = ("bad", dtype, &shape[..], bytes.clone());
        let bad_scale = ("bad_scale_inv", Dtype::F32, &[2_usize][..], floats(&[0.5, 0.5]));
        write(
            path,
            WHOLE,
            &[good, scale, bad, bad_scale, ("bare", dtype, &shape, bytes)],
        );
        let mut weights = Weights::open(path).unwrap();
        let of = |name: &str| Source::from(Part::new(name, &[2, 3]));
        assert_eq!(weights.numbers(&of("good")).unwrap(), [0.5; 6]);
        assert_eq!(weights.parameters(), 6, "factors are no parameters");
        assert!(matches!(
            weights.numbers(&of("bad")),
            Err(EngineError::TensorShape { .. })
        ));
        assert!(matches!(
            weights.numbers(&of("bare")),
            Err(EngineError::MissingTensor { .. })
        ));
    }

    #[test]
    fn mxfp4_is_two_tensors_of_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let bytes = |name, shape, bytes| (name, Dtype::U8, shape, bytes);
        write(
            path,
            WHOLE,
            &[
                bytes(
                    "e_blocks",
                    &[1, 2, 1, 16][..],
                    [vec![0x22; 16], vec![0xaa; 16]].concat(),
                ),
                bytes("e_scales", &[1, 2, 1], vec![127, 128]),
                bytes("f_blocks", &[2, 1, 16], vec![0; 32]),
                bytes("f_scales", &[2], vec![127; 2]),
                bytes("g", &[2], vec![0; 2]),
            ],
        );
        let mut weights = Weights::open(path).unwrap();
        let second = Source::from(Part::new("e", &[1, 2, 32]).rows(1..2));
        assert_eq!(weights.numbers(&second).unwrap(), [-2.0; 32]);
        assert_eq!(weights.parameters(), 64, "exponents are no parameters");
        for (name, shape) in [
            ("f", &[2, 32][..]),
            ("e", &[1, 2, 31]),
            ("e", &[64]),
            ("e", &[1, 1, 64]),
        ] {
            let source = Source::from(Part::new(name, shape));
            assert!(
                matches!(weights.numbers(&source), Err(EngineError::TensorShape { .. })),
                "{name} {shape:?}"
            );
        }
        let plain = Source::from(Part::new("g", &[2]));
        assert!(matches!(weights.numbers(&plain), Err(EngineError::TensorType { .. })));
        weights.pass_over("f*");
        weights.pass_over("g");
        weights.finish().unwrap();
    }

    #[test]
    fn a_model_with_images_has_the_text_under_another_name() {
        for (prefix, head) in [
            ("language_model.model.", "language_model.lm_head"),
            ("model.language_model.", "lm_head"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (norm, head) = (format!("{prefix}norm"), head.to_owned());
            write(
                folder.path(),
                WHOLE,
                &[
                    (&norm, Dtype::F32, &[1], floats(&[1.0])),
                    (&head, Dtype::F32, &[1], floats(&[2.0])),
                ],
            );
            let mut weights = Weights::open(folder.path()).unwrap();
            let of = |name: &str| Source::from(Part::new(name, &[1]));
            assert_eq!(weights.numbers(&of("model.norm")).unwrap(), [1.0], "{prefix}");
            assert_eq!(weights.numbers(&of("lm_head")).unwrap(), [2.0], "{prefix}");
            weights.finish().unwrap();
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        write(path, WHOLE, &[("q", Dtype::F32, &[1, 2], floats(&[1.0, 2.0]))]);
        let whole = std::fs::read(path.join(WHOLE)).unwrap();
        let mut longer = whole.clone();
        longer.push(0);
        let mut huge = whole.clone();
        huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        for bytes in [
            &[][..],
            &whole[..7],
            &whole[..20],
            &whole[..whole.len() - 1],
            &longer,
            &huge,
        ] {
            std::fs::write(path.join(WHOLE), bytes).unwrap();
            assert!(
                matches!(Weights::open(path), Err(EngineError::Safetensors { .. })),
                "{}",
                bytes.len()
            );
        }
        std::fs::remove_file(path.join(WHOLE)).unwrap();
        std::fs::write(path.join(INDEX), r#"{"weight_map": {"q": "../q.safetensors"}}"#).unwrap();
        assert!(matches!(Weights::open(path), Err(EngineError::ReadFile { .. })));
        let many: BTreeMap<String, String> = (0..=MAX_WEIGHT_FILES).map(|n| (n.to_string(), n.to_string())).collect();
        let index = serde_json::json!({ "weight_map": many });
        std::fs::write(path.join(INDEX), index.to_string()).unwrap();
        assert!(matches!(Weights::open(path), Err(EngineError::TooManyFiles { .. })));
    }
}
