//! `cocoon completions` and `cocoon man`: what shells and readers of manuals need, from the same declarations.

use std::path::Path;

use clap::CommandFactory as _;
use serde::Serialize;

use crate::args::{Cli, Shell};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::output::Output;

/// Prints completions.
pub(crate) fn completions(shell: Shell, output: Output) -> Result<Exit, Failure> {
    let (name, generator) = match shell {
        Shell::Bash => ("bash", clap_complete::Shell::Bash),
        Shell::Zsh => ("zsh", clap_complete::Shell::Zsh),
        Shell::Fish => ("fish", clap_complete::Shell::Fish),
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut Cli::command(), "cocoon", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    output.result(&Completions { shell: name, script }, |completions| {
        completions.script.clone()
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Completions {
    shell: &'static str,
    script: String,
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
        let files = std::fs::read_dir(out)?.collect::<Result<Vec<_>, _>>()?;
        let is_page = |file: &std::fs::DirEntry| file.path().extension().is_some_and(|section| section == "1");
        Ok(files.iter().filter(|file| is_page(file)).count())
    };
    let pages = written().or_fail(Exit::Configuration, &doing, hint)?;
    let folder = out.display().to_string();
    output.result(&Written { folder, pages }, |written| {
        format!("{} pages in {}", written.pages, written.folder)
    })?;
    Ok(Exit::Done)
}
