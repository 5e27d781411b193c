//! `cocoon image build`: runs the build of the source tree and checks what came out.

use std::process::{Command, Stdio};

use super::folder::Folder;
use super::verify;
use crate::args::image::BuildImageArgs;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::output::Output;

/// Builds an image.
pub(crate) fn build(args: &BuildImageArgs, output: Output) -> Result<Exit, Failure> {
    let program = args.source.join("scripts/image/build");
    let mut command = Command::new(&program);
    command.arg("--runner").arg(&args.runner);
    command.arg("--spec").arg(&args.spec);
    command.arg("--out").arg(&args.out);
    for added in &args.added {
        command.arg("--add").arg(added);
    }
    if args.debug {
        command.arg("--debug");
    }
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().or_fail(
        Exit::Configuration,
        &format!("cannot run {}", program.display()),
        "run this in the source tree, or name it with --source",
    )?;
    if !status.success() {
        let error = anyhow::anyhow!("the build has failed");
        return Err(Failure::new(
            Exit::Configuration,
            error,
            "the build's own message above says why",
        ));
    }
    verify::show(&verify::of(&Folder::load(&args.out)?)?, output)
}
