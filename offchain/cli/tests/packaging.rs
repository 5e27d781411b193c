//! What is packaged starts a command that exists: units of systemd and the Containerfile, read as their readers do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use clap::Parser as _;
use cocoon_cli::args::Cli;

const HARDENING: [&str; 8] = [
    "DynamicUser=yes",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "CapabilityBoundingSet=",
    "KillSignal=SIGTERM",
    "Restart=on-failure",
    "SystemCallFilter=@system-service",
];

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

fn parses<'a>(arguments: impl IntoIterator<Item = &'a str>) {
    let line: Vec<&str> = arguments.into_iter().collect();
    if let Err(error) = Cli::try_parse_from(&line) {
        panic!("{line:?}: {error}");
    }
}

/// The values of a key of a unit.
fn values<'a>(unit: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    unit.lines()
        .filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
}

/// Seconds that a daemon's running requests get when it stops, by its defaults.
fn drain_seconds(name: &str) -> f64 {
    match name {
        "cocoon-proxy.service" => cocoon_proxy::Timers::default().drain,
        "cocoon-worker.service" => {
            let text = "owner = 'x'\ndata_dir = 'x'\nmodels = []\nchain = { url = 'x', root = 'x' }";
            let config: cocoon_worker::WorkerConfig =
                cocoon_runner::config::parse("worker.toml".as_ref(), text).unwrap();
            config.drain_seconds as f64
        }
        _ => 5.0,
    }
}

#[test]
fn every_unit_starts_and_reloads_a_command_that_exists_and_gives_it_time_to_drain() {
    let mut count = 0;
    for entry in std::fs::read_dir(packaging().join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let unit = std::fs::read_to_string(&path).unwrap();
        let commands: Vec<&str> = values(&unit, "ExecStart").chain(values(&unit, "ExecReload")).collect();
        assert_eq!(values(&unit, "ExecStart").count(), 1, "{name}");
        for command in commands {
            assert!(command.starts_with("/usr/bin/cocoon"), "{name}: {command}");
            parses(command.split(' '));
        }
        for line in HARDENING {
            assert!(unit.lines().any(|found| found == line), "{name} lacks {line}");
        }
        let stop: f64 = values(&unit, "TimeoutStopSec").next().unwrap().parse().unwrap();
        assert!(stop >= drain_seconds(&name) + 15.0, "{name} is killed while it drains");
        let state = name.trim_end_matches(".service");
        assert_eq!(values(&unit, "StateDirectory").next(), Some(state), "{name}");
        count += 1;
    }
    assert_eq!(count, 4, "client, proxy, worker, localnet");
}

#[test]
fn the_container_starts_and_is_asked_for_its_health_by_commands_that_exist() {
    let text = std::fs::read_to_string(packaging().join("container/Containerfile")).unwrap();
    let list = |line: &str| -> Vec<String> { serde_json::from_str(line).unwrap() };
    let lines = || text.lines().map(str::trim);
    let entrypoint = lines()
        .find_map(|line| line.strip_prefix("ENTRYPOINT "))
        .map(list)
        .unwrap();
    assert_eq!(entrypoint, ["/usr/bin/cocoon"]);
    let commands: Vec<Vec<String>> = lines().filter_map(|line| line.strip_prefix("CMD ")).map(list).collect();
    let health = lines().filter_map(|line| line.strip_prefix("HEALTHCHECK ")?.split_once(" CMD "));
    let health: Vec<Vec<String>> = health.map(|(_, command)| list(command)).collect();
    assert_eq!((commands.len(), health.len()), (2, 2), "proxy and client");
    for command in commands {
        parses(entrypoint.iter().chain(&command).map(String::as_str));
    }
    for command in health {
        assert_eq!(command[0], entrypoint[0]);
        parses(command.iter().map(String::as_str));
    }
    assert!(
        lines().any(|line| line == "USER 65532:65532"),
        "it does not run as root"
    );
    assert!(
        lines()
            .filter(|line| line.starts_with("FROM "))
            .all(|line| line.contains(" scratch ") || line.contains(" base "))
    );
}
