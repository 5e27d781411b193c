//! Each life of a network has a process of its own: nothing is left in it from another one, so that a seed replays the same
//! life wherever and whenever it is run.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::cheats::{self, Cheat};
use crate::plan::Plan;
use crate::planted::Planted;
use crate::setting::Setting;
use crate::{ears, entropy, long, panics, trace, world};

const SEED: &str = "COCOON_LIFE_SEED";
const PLANTED: &str = "COCOON_LIFE_PLANTED";
const COURSE: &str = "COCOON_LIFE_COURSE";
const IS_TOLD: &str = "COCOON_LIFE_TOLD";
/// The test that a process of a life is told to run.
const TEST: &str = "books_agree_after_any_faults";
/// What the line begins with that a process tells its outcome in.
const OUTCOME: &str = "life of a network: ";

/// A life to be lived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) seed: u64,
    pub(crate) planted: Option<Planted>,
    pub(crate) course: Course,
    /// Tells on the error stream what happens.
    pub(crate) is_told: bool,
}

/// What happens in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// What is drawn from its seed.
    Drawn,
    /// Much work and changing terms.
    Long,
    /// A cheat.
    With(Cheat),
}

impl Course {
    fn name(self) -> String {
        match self {
            Self::Drawn => "drawn".to_owned(),
            Self::Long => "long".to_owned(),
            Self::With(cheat) => format!("{cheat:?}"),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "drawn" => Some(Self::Drawn),
            "long" => Some(Self::Long),
            cheat => Cheat::parse(cheat).map(Self::With),
        }
    }

    fn live(self, life: Life) -> Result<(), String> {
        match self {
            Self::Drawn => {
                let plan = Plan::draw(life.seed);
                let setting = Setting::new(plan.proxies);
                world::live(&setting, plan, life)
            }
            Self::Long => long::live(life),
            Self::With(cheat) => cheats::live(cheat, life),
        }
    }
}

/// What became of it.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The same for lives that went the same way.
    pub(crate) trace: u64,
    /// What did not hold.
    pub(crate) problem: Option<String>,
}

impl Life {
    /// The life that this process is for, if it is for one.
    pub(crate) fn of_this_process() -> Option<Self> {
        let seed = std::env::var(SEED).ok()?.parse().expect("a seed");
        let planted = std::env::var(PLANTED).ok();
        let course = std::env::var(COURSE).unwrap_or_else(|_| Course::Drawn.name());
        Some(Self {
            seed,
            planted: planted.map(|name| Planted::parse(&name).expect("a planted fault")),
            course: Course::parse(&course).expect("a course"),
            is_told: std::env::var_os(IS_TOLD).is_some(),
        })
    }

    /// Lives it in this process, on a thread of its own, and tells the outcome.
    pub(crate) fn live(self) {
        std::panic::set_hook(Box::new(panics::keep));
        let thread = std::thread::spawn(move || {
            entropy::seed(self.seed);
            cocoon_ratls::run_in_place();
            if std::env::var_os("COCOON_TRACE").is_some() {
                trace::show();
                ears::show();
            }
            let outcome = std::panic::catch_unwind(|| self.course.live(self));
            let outcome = outcome.unwrap_or_else(|_| Err("it panicked".to_owned()));
            let outcome = panics::all().map_or(outcome, Err);
            (trace::sum(), outcome.err())
        });
        let (trace, problem) = thread.join().expect("panics are caught");
        let problem = problem.unwrap_or_default().replace('\n', " ");
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{OUTCOME}{trace:016x} {problem}").expect("somebody reads");
    }

    /// Lives it in another process and waits for the outcome.
    pub(crate) fn run(self) -> Outcome {
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command.args([TEST, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(SEED, self.seed.to_string());
        command.env(COURSE, self.course.name());
        if let Some(planted) = self.planted {
            command.env(PLANTED, format!("{planted:?}"));
        }
        if self.is_told {
            command.env(IS_TOLD, "1").stderr(Stdio::inherit());
        }
        let output = command.output().expect("a process starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let told = text
            .lines()
            .find_map(|line| line.strip_prefix(OUTCOME)?.split_once(' '));
        let Some((trace, problem)) = told else {
            let (end, errors) = (output.status, String::from_utf8_lossy(&output.stderr));
            return Outcome {
                trace: 0,
                problem: Some(format!("its process ended with {end}: {errors}")),
            };
        };
        Outcome {
            trace: u64::from_str_radix(trace, 16).expect("a number"),
            problem: Some(problem.to_owned()).filter(|problem| !problem.is_empty()),
        }
    }
}
