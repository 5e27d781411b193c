//! `cocoon image`: guest images.

mod build;
mod folder;
mod measure;
mod root;
mod verify;

pub(crate) use build::build;
pub(crate) use measure::measure;
pub(crate) use verify::verify;

use crate::failure::{Exit, Failure};

/// An image, a shape or a configuration that is not what it should be.
fn from_image(error: cocoon_image::ImageError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Configuration, error, hint)
}
