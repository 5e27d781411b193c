//! Plays a scene: its folder, its steps, what they print.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cocoon_bindings::ton::parse_address;
use serde_json::Value;

use crate::case::{Case, Kind, Scene, Stand, Step, words};
use crate::network::{Network, program};
use crate::stage::{Stage, WORDS};
use crate::{fixture, limit, redact, secret};

/// What daemons of a scene say on stderr.
const DAEMON_LOG: &str = "daemon.log";

/// How long a daemon may take to end when it is told to.
const TO_END: Duration = Duration::from_secs(30);

struct Play<'a> {
    scene: &'a Scene,
    stage: Stage,
    network: Option<&'a Network>,
    names: BTreeMap<String, String>,
    told: String,
    daemons: Vec<Running>,
}

/// A daemon of the scene, which ends with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        limit::kill(self.0.id());
        let _ = self.0.wait();
    }
}

/// The transcript of a scene, or what in it is not as its line says.
pub(crate) fn play(scene: &Scene, network: Option<&Network>) -> Result<String, String> {
    let stage = match scene.stand {
        Stand::Chain => Stage::start(),
        Stand::Folder | Stand::Network | Stand::Ending => Stage::without_chain(),
    };
    let mut names = BTreeMap::new();
    names.insert("WORDS".to_owned(), WORDS.to_owned());
    names.insert("NOBODY".to_owned(), format!("0:{}", "5".repeat(64)));
    names.insert("HASH".to_owned(), "ab".repeat(32));
    let image = cocoon_attest::simulated::simulated_measurements("keymanager").image_hash();
    names.insert("KEYMANAGER_IMAGE".to_owned(), image.to_string());
    match scene.stand {
        Stand::Chain => names.extend(stage.values()),
        Stand::Network | Stand::Ending => names.extend(network.ok_or("no network")?.values()),
        Stand::Folder => {}
    }
    let mut play = Play {
        scene,
        stage,
        network,
        names,
        told: format!("# {}\n", scene.title),
        daemons: Vec::new(),
    };
    for step in &scene.steps {
        play.step(step)?;
    }
    play.told.push('\n');
    Ok(play.told)
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Put { file, text } => {
                let path = self.folder().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                self.stage.write(file, &self.filled(text));
            }
            Step::Fixture(name) => fixture::put(name, self.folder()),
            Step::Keep { name, text } => drop(self.names.insert(name.clone(), self.filled(text))),
            Step::Let { name, pointer, line } => {
                let value = self.value(line)?;
                let found = value
                    .pointer(pointer)
                    .ok_or_else(|| format!("{line}: no {pointer}: {value}"))?;
                let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
                self.names.insert(name.clone(), found);
            }
            Step::Deliver { from, line } => {
                let message = self.value(line)?["message"].clone();
                self.stage.deliver(*from, &message);
            }
            Step::Start { name, pointer, line } => self.start(name, pointer, line)?,
            Step::Fund(ton) => self.stage.fund(self.names.get("OWNER").ok_or("no chain")?, *ton),
            Step::Advance(seconds) => self.stage.advance(*seconds),
            Step::Run(line) => drop(self.done(line)?),
            Step::Save { file, line } => {
                let value = self.value(line)?;
                self.stage.write(file, &value.to_string());
            }
            Step::Same(one, other) => {
                let (one, other) = (self.filled(one), self.filled(other));
                if plain(&one) != plain(&other) {
                    return Err(format!("{}: {one} is not {other}", self.scene.title));
                }
            }
            Step::Case(case) => self.case(case)?,
        }
        Ok(())
    }

    fn folder(&self) -> &Path {
        self.stage.folder()
    }

    /// A line with what its names stand for.
    fn filled(&self, line: &str) -> String {
        // Longer names first: one may begin as another.
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names.into_iter().fold(line.to_owned(), |line, (name, value)| {
            line.replace(&format!("${name}"), value)
        })
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(program());
        command.args(words(&self.filled(line)));
        command
            .current_dir(self.folder())
            .env_clear()
            .env("COCOON_PASSPHRASE_FILE", "passphrase")
            // What daemons do step by step is theirs; what they warn of is shown.
            .env("COCOON_LOG", "warn");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Some(network) = self.network {
            command
                .env("COCOON_DATA_DIR", network.data())
                .env("COCOON_KEYSTORE", "keystore");
        }
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        limit::output(&mut self.command(line))
    }

    /// Starts a daemon; gives it with what it prints until it is ready: a line, or an object of JSON.
    fn spawn(&self, line: &str) -> (Child, BufReader<ChildStdout>, String) {
        let mut command = self.command(line);
        let command = command.stdout(Stdio::piped());
        let log = std::fs::File::create(self.folder().join(DAEMON_LOG)).unwrap();
        let (mut daemon, _watch) = limit::spawn(command.stderr(log));
        let mut lines = BufReader::new(daemon.stdout.take().unwrap());
        let (mut told, mut next) = (String::new(), String::new());
        while lines.read_line(&mut next).unwrap() > 0 {
            told.push_str(&next);
            let is_ready = if told.starts_with('{') {
                next.trim_end() == "}"
            } else {
                !next.trim().is_empty()
            };
            if is_ready {
                break;
            }
            next.clear();
        }
        (daemon, lines, told)
    }

    /// Runs a daemon until it is ready, and tells it to end.
    fn run_daemon(&self, line: &str) -> Output {
        let (mut daemon, mut lines, mut told) = self.spawn(line);
        // It may have ended by itself, with an error that is looked at below.
        let _ = Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status();
        let end = Instant::now() + TO_END;
        while daemon.try_wait().unwrap().is_none() {
            if Instant::now() >= end {
                // Without an exit code it is a defect.
                limit::kill(daemon.id());
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        lines.read_to_string(&mut told).unwrap();
        let mut output = daemon.wait_with_output().unwrap();
        output.stdout = told.into_bytes();
        output.stderr = std::fs::read(self.folder().join(DAEMON_LOG)).unwrap();
        output
    }

    fn start(&mut self, name: &str, pointer: &str, line: &str) -> Result<(), String> {
        let (daemon, mut lines, told) = self.spawn(&format!("{line} --json"));
        self.daemons.push(Running(daemon));
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        let log = || std::fs::read_to_string(self.folder().join(DAEMON_LOG)).unwrap_or_default();
        let value: Value = serde_json::from_str(&told).map_err(|_| format!("{line}: {told}{}", log()))?;
        let found = value.pointer(pointer).and_then(Value::as_str);
        let found = found.ok_or_else(|| format!("{line}: no {pointer}: {told}"))?.to_owned();
        self.names.insert(name.to_owned(), found);
        Ok(())
    }

    fn done(&self, line: &str) -> Result<Output, String> {
        let output = self.run(line);
        let is_done = output.status.success();
        let why = || format!("{line}: exit {:?}\n{}", output.status.code(), text(&output.stderr));
        if is_done { Ok(output) } else { Err(why()) }
    }

    fn value(&self, line: &str) -> Result<Value, String> {
        let output = self.done(&format!("{line} --json"))?;
        serde_json::from_slice(&output.stdout).map_err(|error| format!("{line}: {error}"))
    }

    fn case(&mut self, case: &Case) -> Result<(), String> {
        let line = &case.line;
        let output = if case.is_daemon {
            self.run_daemon(line)
        } else {
            self.run(line)
        };
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if !case.is_revealing {
            let network = self.network.map(|network| network.data().join("keys"));
            let folders: Vec<&Path> = [self.folder()].into_iter().chain(network.as_deref()).collect();
            for printed in [&stdout, &stderr] {
                if let Some(what) = secret::found(printed, &folders) {
                    return Err(format!("{line}: it prints {what}"));
                }
            }
        }
        let wrong = is_wrong(case, output.status.code(), &stdout, &stderr);
        let folder = self.folder().canonicalize().unwrap().display().to_string();
        let mut folders = vec![(folder, "[DIR]")];
        if let Some(network) = self.network {
            folders.push((network.data().display().to_string(), "[NET]"));
        }
        let shown = |text: &str| redact::redacted(text, self.scene, &folders, &self.names);
        let printed = ended(&shown(&stdout));
        let printed = match printed.split_once('\n') {
            Some((first, _)) if case.is_long => format!("{first}\n[...]\n"),
            _ => printed,
        };
        let mut told = format!("$ cocoon {line}\n{printed}");
        for line in shown(&stderr).lines() {
            let _ = writeln!(told, "! {line}");
        }
        if let Some(code) = output.status.code().filter(|code| *code != 0) {
            let _ = writeln!(told, "exit {code}");
        }
        match wrong {
            Some(what) => Err(format!("{what}\n{told}")),
            None => {
                self.told.push_str(&told);
                Ok(())
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ended by a line's end where there is something.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}

/// What is not as every command must be.
fn is_wrong(case: &Case, code: Option<i32>, stdout: &str, stderr: &str) -> Option<&'static str> {
    let is_json = || serde_json::from_str::<Value>(stdout).is_ok();
    let has_hint = || {
        let lines: Vec<&str> = stderr.lines().collect();
        let error = lines.iter().position(|line| line.starts_with("error: "));
        error.is_some_and(|error| lines[error..].iter().any(|line| line.starts_with("hint: ")))
    };
    let causes = stderr.lines().filter(|line| line.starts_with("  caused by: ")).count();
    let has_verdict = case.has_verdict;
    match (case.kind, code) {
        (_, None | Some(70 | 101)) => Some("a defect, or it took too long"),
        (Kind::Happy, Some(0)) if stdout.is_empty() => Some("nothing on stdout"),
        (Kind::Happy, Some(0)) if stderr.contains("error: ") => Some("an error in spite of exit code 0"),
        (Kind::Happy, Some(0)) => None,
        (Kind::Happy, _) => Some("not done"),
        (Kind::Json, Some(0 | 1)) if !is_json() => Some("no JSON on stdout"),
        (Kind::Json, Some(0 | 1)) => None,
        (Kind::Json, _) => Some("not done"),
        (Kind::Error, Some(0)) => Some("no error"),
        (Kind::Error, Some(code)) if case.is_usage && code != 2 => Some("not an error of what was typed"),
        (Kind::Error, _) if causes > 1 => Some("all causes without -v"),
        (Kind::Error, _) if has_verdict && !stdout.is_empty() => None,
        (Kind::Error, _) if has_verdict => Some("no verdict"),
        (Kind::Error, _) if !stdout.is_empty() => Some("an error, and something on stdout"),
        (Kind::Error, _) if !has_hint() => Some("no error with a hint"),
        (Kind::Error, _) => None,
    }
}

/// One form of an address for all of them.
fn plain(text: &str) -> String {
    parse_address(text).map_or_else(|_| text.to_owned(), |address| address.to_string())
}
