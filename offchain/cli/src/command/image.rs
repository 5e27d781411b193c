//! `cocoon image`: guest images.

mod build;
mod folder;
mod measure;
mod root;
mod verify;

pub(crate) use build::build;
pub(crate) use measure::{measure, measured_hash};
pub(crate) use verify::verify;

use crate::failure::{Exit, Failure};

/// A manifest that cannot be made or read.
fn from_manifest(error: cocoon_manifest::ManifestError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Configuration, error, hint)
}

/// An image, a shape or a configuration that is not what it should be.
fn from_image(error: cocoon_image::ImageError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Configuration, error, hint)
}
