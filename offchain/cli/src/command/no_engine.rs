//! What a build without the engine answers to commands that load a model. They keep their place and their help, so that one
//! manual holds for every build.

use crate::failure::{Exit, Failure};

const HINT: &str = "use a build with the engine: `cargo build --release -p cocoon-cli`; `cocoon version` shows the features of a build";

/// That something cannot be done here.
pub(crate) fn failure(what: &str) -> Failure {
    let error = anyhow::anyhow!("{what}: this build has no engine");
    Failure::new(Exit::Configuration, error, HINT)
}

/// `cocoon up`.
pub(crate) mod up {
    use crate::args::{Global, UpArgs};
    use crate::failure::{Exit, Failure};
    use crate::output::Output;

    /// Refuses.
    pub(crate) async fn run(_: &Global, _: UpArgs, _: Output) -> Result<Exit, Failure> {
        Err(super::failure("a local network has a worker, which cannot run"))
    }
}

/// `cocoon audit replay`.
pub(crate) mod replay {
    use crate::args::Global;
    use crate::args::replay::ReplayArgs;
    use crate::failure::{Exit, Failure};
    use crate::output::Output;

    /// Refuses.
    pub(crate) async fn run(_: &Global, _: ReplayArgs, _: Output) -> Result<Exit, Failure> {
        Err(super::failure("nothing can be answered once more"))
    }
}

/// `cocoon model` where weights are read.
pub(crate) mod model {
    use crate::args::model::{BuildArgs, CheckArgs, ManifestArgs, QualityArgs};
    use crate::failure::{Exit, Failure};
    use crate::output::Output;

    /// Refuses.
    pub(crate) fn build(_: BuildArgs, _: Output) -> Result<Exit, Failure> {
        Err(super::failure("weights cannot be packed"))
    }

    /// Refuses.
    pub(crate) fn check(_: CheckArgs, _: Output) -> Result<Exit, Failure> {
        Err(super::failure("the model cannot be read"))
    }

    /// Refuses.
    pub(crate) fn manifest(_: ManifestArgs, _: Output) -> Result<Exit, Failure> {
        Err(super::failure("the model cannot be read"))
    }

    /// Refuses.
    pub(crate) fn quality(_: QualityArgs, _: Output) -> Result<Exit, Failure> {
        Err(super::failure("the model cannot be run"))
    }
}

/// `cocoon worker run`.
pub(crate) async fn worker(_: &std::path::Path, _: crate::output::Output) -> Result<Exit, Failure> {
    Err(failure("a worker cannot run"))
}
