//! `cocoon completions` and `cocoon man`: what shells and readers of manuals need, from the same declarations.

use std::path::Path;

use clap::CommandFactory as _;
use serde::Serialize;

use crate::args::{Cli, Shell};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::output::Output;

/// Prints completions.
pub(crate) fn completions(shell: Shell, output: Output) -> Result<Exit, Failure> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cocoon", &mut script);
    output.stdout(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Written {
    folder: String,
    pages: usize,
}

/// Writes manual pages.
pub(crate) fn man(out: &Path, output: Output) -> Result<Exit, Failure> {
    let hint = "check the path, its permissions and the free space";
    let doing = format!("cannot write manual pages into {}", out.display());
    let written = || -> std::io::Result<usize> {
        std::fs::create_dir_all(out)?;
        clap_mangen::generate_to(Cli::command(), out)?;
        std::fs::read_dir(out).map(Iterator::count)
    };
    let pages = written().or_fail(Exit::Configuration, &doing, hint)?;
    let folder = out.display().to_string();
    output.result(&Written { folder, pages }, |written| {
        format!("{} pages in {}", written.pages, written.folder)
    })?;
    Ok(Exit::Done)
}
