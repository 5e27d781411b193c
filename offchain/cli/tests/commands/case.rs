//! Cases as they are written down.
//!
//! A file is a list of scenes. A scene begins with the stand it needs and a title, and has one empty folder; its lines are
//! carried out in order:
//!
//! ```text
//! [folder] wallets                   nothing but a folder with a passphrase
//! [chain] ...                        and a chain with a root, a proxy contract and a wallet, whose time stands still
//! [network] ...                      and the local network that all these scenes share
//! [ending] ...                       the same, behind all others: these end it
//! [folder drawn] ..., [chain drawn]  keys, query ids or times are others in each run: addresses and hashes are not compared,
//!                                    but those that have a name
//!
//! put FILE TEXT                      writes a file for its owner alone; \n is a new line
//! fixture NAME                       puts something there that is no text (`fixture.rs`)
//! let NAME /POINTER LINE             runs LINE --json, and keeps a value of it as $NAME
//! let NAME = TEXT                    keeps a text
//! deliver BYTE LINE                  runs LINE --json, and delivers the message it exports from a wallet
//! start NAME /POINTER LINE           starts a daemon, and keeps a value of what it says with --json when it is ready
//! fund TON                           pays the wallet of $WORDS
//! advance SECONDS                    moves the chain's time
//! run LINE                           must work, and is not shown
//! save FILE LINE                     keeps what LINE --json prints in a file
//! same ONE OTHER                     two texts that must be the same
//! happy LINE                         exit code 0, something on stdout, no error
//! json LINE                          the same with --json; a verdict (1) may be negative
//! error LINE                         any other exit code but 70, nothing on stdout, an error that ends with a hint
//! verdict LINE                       an error whose verdict stands on stdout
//! usage LINE                         an error of what was typed (2), where nothing else can go wrong
//! happy! LINE, json! LINE            prints a secret, as it should
//! happy~ LINE, json~ LINE            prints much: only its first line is shown
//! happy& LINE, json& LINE            of a daemon: what it prints until it is ready, then it is told to end, and does
//! ```
//!
//! A line is split at spaces; `"` keeps some together. Names that every scene has: $WORDS, $NOBODY (an address), $HASH. Those of
//! a stand are in `stage.rs` and `network.rs`.

use std::path::{Path, PathBuf};

/// What a scene stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    Folder,
    Chain,
    Network,
    Ending,
}

/// What a case shows of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Happy,
    Json,
    Error,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Happy, Self::Json, Self::Error];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Happy => "happy",
            Self::Json => "json",
            Self::Error => "error",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One line of a scene.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put {
        file: String,
        text: String,
    },
    Fixture(String),
    Let {
        name: String,
        pointer: String,
        line: String,
    },
    Keep {
        name: String,
        text: String,
    },
    Deliver {
        from: u8,
        line: String,
    },
    Start {
        name: String,
        pointer: String,
        line: String,
    },
    Fund(u64),
    Advance(u32),
    Run(String),
    Save {
        file: String,
        line: String,
    },
    Same(String, String),
    Case(Case),
}

/// One command line, and what it must do.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) line: String,
    /// An error whose verdict stands on stdout.
    pub(crate) has_verdict: bool,
    /// Runs until it is told to end.
    pub(crate) is_daemon: bool,
    /// Refused for what was typed, whatever else there is.
    pub(crate) is_usage: bool,
    /// Prints a secret.
    pub(crate) is_revealing: bool,
    /// Only the first line is shown.
    pub(crate) is_long: bool,
}

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) stand: Stand,
    /// Keys, query ids or times are others in each run.
    pub(crate) is_drawn: bool,
    pub(crate) title: String,
    pub(crate) steps: Vec<Step>,
}

/// All cases of a noun.
#[derive(Debug)]
pub(crate) struct Noun {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) scenes: Vec<Scene>,
}

/// Where the cases are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

impl Noun {
    pub(crate) fn all() -> Vec<Self> {
        let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = files
            .filter(|path| path.extension().is_some_and(|e| e == "cases"))
            .collect();
        files.sort();
        files.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut scenes: Vec<Scene> = Vec::new();
        for (number, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("{file}:{}: {line}", number + 1);
            if let Some(head) = line.strip_prefix('[') {
                let (stand, title) = head.split_once(']').unwrap_or_else(|| panic!("{place}"));
                let (stand, is_drawn) = match stand.split_once(' ') {
                    Some((stand, "drawn")) => (stand_of(stand), true),
                    _ => (stand_of(stand), matches!(stand, "network" | "ending")),
                };
                scenes.push(Scene {
                    stand: stand.unwrap_or_else(|| panic!("{place}")),
                    is_drawn,
                    title: title.trim().to_owned(),
                    steps: Vec::new(),
                });
            } else {
                let step = step(line).unwrap_or_else(|| panic!("{place}"));
                scenes.last_mut().unwrap_or_else(|| panic!("{place}")).steps.push(step);
            }
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Self { name, file, scenes }
    }

    /// All cases, each with its scene.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (&Case, &Scene)> {
        self.scenes.iter().flat_map(|scene| {
            scene.steps.iter().filter_map(move |step| match step {
                Step::Case(case) => Some((case, scene)),
                _ => None,
            })
        })
    }
}

fn stand_of(name: &str) -> Option<Stand> {
    match name {
        "folder" => Some(Stand::Folder),
        "chain" => Some(Stand::Chain),
        "network" => Some(Stand::Network),
        "ending" => Some(Stand::Ending),
        _ => None,
    }
}

fn step(line: &str) -> Option<Step> {
    let (word, rest) = line.split_once(' ')?;
    let rest = rest.trim();
    let owned = rest.to_owned();
    Some(match word {
        "put" => {
            let (file, text) = rest.split_once(' ')?;
            let (file, text) = (file.to_owned(), text.trim().replace("\\n", "\n"));
            Step::Put { file, text }
        }
        "fixture" => Step::Fixture(owned),
        "let" => {
            let (name, rest) = rest.split_once(' ')?;
            let (pointer, rest) = rest.trim().split_once(' ')?;
            let (name, line) = (name.to_owned(), rest.trim().to_owned());
            match pointer {
                "=" => Step::Keep { name, text: line },
                pointer => Step::Let {
                    name,
                    pointer: pointer.to_owned(),
                    line,
                },
            }
        }
        "deliver" => {
            let (from, line) = rest.split_once(' ')?;
            Step::Deliver {
                from: from.parse().ok()?,
                line: line.trim().to_owned(),
            }
        }
        "start" => {
            let (name, rest) = rest.split_once(' ')?;
            let (pointer, line) = rest.trim().split_once(' ')?;
            let (name, pointer, line) = (name.to_owned(), pointer.to_owned(), line.trim().to_owned());
            Step::Start { name, pointer, line }
        }
        "fund" => Step::Fund(rest.parse().ok()?),
        "advance" => Step::Advance(rest.parse().ok()?),
        "run" => Step::Run(owned),
        "save" => {
            let (file, line) = rest.split_once(' ')?;
            let (file, line) = (file.to_owned(), line.trim().to_owned());
            Step::Save { file, line }
        }
        "same" => {
            let (one, other) = rest.split_once(' ')?;
            Step::Same(one.to_owned(), other.trim().to_owned())
        }
        word => {
            let kind = match word.trim_end_matches(['&', '!', '~']) {
                "happy" => Kind::Happy,
                "json" => Kind::Json,
                "error" | "usage" | "verdict" => Kind::Error,
                _ => return None,
            };
            let line = if kind == Kind::Json {
                format!("{owned} --json")
            } else {
                owned
            };
            Step::Case(Case {
                kind,
                line,
                has_verdict: word == "verdict",
                is_usage: word == "usage",
                is_daemon: word.ends_with('&'),
                is_revealing: word.ends_with('!'),
                is_long: word.ends_with('~'),
            })
        }
    })
}

/// Splits at spaces; `"` keeps some together.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
