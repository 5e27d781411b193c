//! `cocoon audit export`: receipts as rows.

use std::path::PathBuf;

use cocoon_audit::{Export, ExportFormat, Exported, Verdict, counted};
use serde::Serialize;

use super::{SHOWN_FROM, Subject};
use crate::args::Global;
use crate::args::audit::{AuditExportArgs, RowFormat};
use crate::failure::{self, Exit, Failure};
use crate::output::Output;
use crate::progress::Portion;

#[derive(Serialize)]
struct Shown {
    verdict: Verdict,
    folder: PathBuf,
    #[serde(flatten)]
    exported: Exported,
}

/// Runs the command.
pub(super) async fn run(global: &Global, args: AuditExportArgs, output: Output) -> Result<Exit, Failure> {
    let format = match args.format {
        RowFormat::Parquet => ExportFormat::Parquet,
        RowFormat::Jsonl => ExportFormat::JsonLines,
    };
    let subject = Subject::of(global, &args.source, output).await?;
    // A folder that cannot be used is found before the receipts are read.
    let export = Export::new(&args.out, format).map_err(failure::from_audit)?;
    let audited = subject.audit(None, None, output).await?;
    let mut bar = None;
    let mut progress = |done, all| {
        if all >= SHOWN_FROM {
            bar.get_or_insert_with(|| Portion::new(output, "Writing receipts"))
                .at(done, all);
        }
    };
    let written = export.write(subject.log().as_ref(), &audited, &mut progress).await;
    let exported = written.map_err(failure::from_audit)?;
    let verdict = audited.report.verdict;
    if verdict == Verdict::Different {
        output.note("What comes behind the difference is left out.");
        output.note(audited.report.sentence());
    }
    let folder = args.out;
    let shown = Shown {
        verdict,
        folder,
        exported,
    };
    output.result(&shown, |shown| {
        format!(
            "{} in {} of {}",
            counted(shown.exported.receipts, "receipt"),
            counted(shown.exported.files.len() as u64, "file"),
            shown.folder.display()
        )
    })?;
    // What is not settled yet is no fault of an export.
    Ok(if verdict == Verdict::Different {
        Exit::Negative
    } else {
        Exit::Done
    })
}
