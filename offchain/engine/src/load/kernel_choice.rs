//! Which of several ways a device does its products: measured at the first start, and kept beside the model.
//!
//! All ways have the same bits, so the choice changes times and nothing else, and a file that somebody else wrote can do
//! no more than make the model slow. Where it cannot be read or written, the model loads all the same.

use crate::error::EngineError;
use crate::model::Executor;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Beside the model's own files; no part of its manifest.
pub(super) const FILE: &str = ".cocoon-kernels.json";
/// Of the file's format.
const VERSION: u32 = 1;
/// Bytes of the file at most: names are short.
const MAX_BYTES: u64 = 16 * 1024;

/// What a choice was measured with. On anything else another may be better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    /// Name and version of this engine.
    pub(super) engine: String,
    /// As the driver names it.
    pub(super) device: String,
    /// Version of the driver.
    pub(super) driver: String,
    /// Hash of the model's matrices with their formats.
    pub(super) shapes: String,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    setting: Setting,
    plan: usize,
}

/// What was found in the folder.
enum Found {
    Plan(usize),
    Nothing,
    /// A file that is of no use, and why.
    Useless(&'static str),
}

/// Lets `executor` have the best of its plans: the one that was kept for this setting, else the one that `time` finds
/// fastest, which is kept. What went wrong with the file comes back, for an operator to read.
pub(super) fn settle(
    executor: &mut dyn Executor,
    folder: &Path,
    setting: Setting,
    time: &mut dyn FnMut(&mut dyn Executor) -> Result<Duration, EngineError>,
) -> Result<Vec<String>, EngineError> {
    let plans = executor.plans();
    let mut warnings = Vec::new();
    if plans < 2 {
        return Ok(warnings);
    }
    match find(folder, &setting, plans) {
        Found::Plan(plan) => {
            executor.take_plan(plan);
            return Ok(warnings);
        }
        Found::Nothing => {}
        Found::Useless(why) => warnings.push(format!("{FILE} is not used: {why}; it is measured again")),
    }
    let mut best: Option<(Duration, usize)> = None;
    for plan in 0..plans {
        executor.take_plan(plan);
        let taken = time(executor)?;
        if best.is_none_or(|(least, _)| taken < least) {
            best = Some((taken, plan));
        }
    }
    let plan = best.map_or(0, |(_, plan)| plan);
    executor.take_plan(plan);
    if keep(folder, setting, plan).is_err() {
        warnings.push(format!("{FILE} cannot be written: each start measures again"));
    }
    Ok(warnings)
}

fn find(folder: &Path, setting: &Setting, plans: usize) -> Found {
    let path = folder.join(FILE);
    let bytes = match super::read_bounded(&path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(EngineError::ReadFile { source, .. }) if source.kind() == ErrorKind::NotFound => return Found::Nothing,
        Err(_) => return Found::Useless("it cannot be read"),
    };
    let Ok(stored) = serde_json::from_slice::<Stored>(&bytes) else {
        return Found::Useless("it is damaged or of another version");
    };
    if stored.version != VERSION {
        return Found::Useless("it is of another version");
    }
    if stored.setting != *setting {
        return Found::Useless("it was measured with another device, driver, engine or model");
    }
    if stored.plan >= plans {
        return Found::Useless("there is no such plan");
    }
    Found::Plan(stored.plan)
}

/// Whoever reads it meanwhile sees the old file or the new one.
fn keep(folder: &Path, setting: Setting, plan: usize) -> std::io::Result<()> {
    let stored = Stored {
        version: VERSION,
        setting,
        plan,
    };
    let partial = folder.join(format!("{FILE}.partial"));
    std::fs::write(&partial, serde_json::to_vec_pretty(&stored)?)?;
    std::fs::rename(partial, folder.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, StepWork};

    /// Has plans and does nothing.
    struct Plans {
        count: usize,
        taken: usize,
    }

    impl Executor for Plans {
        fn blocks(&self) -> usize {
            0
        }

        fn plans(&self) -> usize {
            self.count
        }

        fn take_plan(&mut self, plan: usize) {
            self.taken = plan;
        }

        fn start(&mut self, _work: StepWork<'_>) -> Result<(), EngineError> {
            Ok(())
        }

        fn finish(&mut self) -> Result<Vec<Outcome>, EngineError> {
            Ok(Vec::new())
        }
    }

    fn setting(device: &str) -> Setting {
        Setting {
            engine: "cocoon-engine/0".to_owned(),
            device: device.to_owned(),
            driver: "12040".to_owned(),
            shapes: "00".repeat(32),
        }
    }

    /// The plan that is taken, how many were measured, and the warnings. The measured times are given.
    fn settled(folder: &Path, device: &str, times: &[u64]) -> (usize, usize, Vec<String>) {
        let mut executor = Plans {
            count: times.len(),
            taken: 99,
        };
        let mut measured = 0;
        let mut left = times.iter();
        let warnings = settle(&mut executor, folder, setting(device), &mut |_| {
            measured += 1;
            Ok(Duration::from_millis(*left.next().unwrap()))
        });
        (executor.taken, measured, warnings.unwrap())
    }

    #[test]
    fn the_fastest_plan_is_measured_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(settled(folder.path(), "one", &[30, 10, 20]), (1, 3, vec![]));
        assert_eq!(settled(folder.path(), "one", &[1, 2, 3]), (1, 0, vec![]));
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing else is left there"
        );
    }

    #[test]
    fn a_device_without_a_choice_is_not_measured_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(settled(folder.path(), "one", &[1]), (99, 0, vec![]));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_foreign_or_damaged_is_measured_again_with_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        settled(folder.path(), "one", &[2, 1]);
        let good = std::fs::read_to_string(&path).unwrap();
        let (plan, measured, warnings) = settled(folder.path(), "two", &[1, 2]);
        assert_eq!((plan, measured, warnings.len()), (0, 2, 1), "another device");
        let damaged = [
            good.replace("\"version\": 1", "\"version\": 2"),
            good.replace("\"plan\": 1", "\"plan\": 2"),
            good.replace("\"plan\": 1", "\"plan\": -1"),
            good.replace("\"plan\"", "\"more\": 1, \"plan\""),
            good[..good.len() / 2].to_owned(),
            String::new(),
            " ".repeat(MAX_BYTES as usize + 1),
        ];
        for text in damaged {
            assert_ne!(text, good);
            std::fs::write(&path, &text).unwrap();
            let (plan, measured, warnings) = settled(folder.path(), "one", &[3, 1]);
            assert_eq!((plan, measured, warnings.len()), (1, 2, 1));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), good, "it is mended");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let (plan, measured, warnings) = settled(&gone, "one", &[2, 1]);
        assert_eq!((plan, measured, warnings.len()), (1, 2, 1));
        assert!(warnings[0].contains("cannot be written"), "{warnings:?}");
    }
}
