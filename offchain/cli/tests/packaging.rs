//! What is packaged starts a command that exists: units of systemd and the Containerfile, read as their readers do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use clap::Parser as _;
use cocoon_cli::args::Cli;

const HARDENING: [&str; 10] = [
    "DynamicUser=yes",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "CapabilityBoundingSet=",
    "KillSignal=SIGTERM",
    "Restart=on-failure",
    // A chain that is away for a while must not stop a service for good; what restarting does not mend must.
    "StartLimitIntervalSec=0",
    "RestartPreventExitStatus=2 3",
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

/// Seconds that are left for checkpoints and files after everything that a daemon waits for.
const SPARE_SECONDS: f64 = 15.0;

/// Seconds that a daemon takes at most to stop by its defaults: what it waits for, one after the other.
fn stop_seconds(name: &str) -> f64 {
    use cocoon_runner::limits::HTTP_DRAIN_TIMEOUT;
    let seconds = |waits: &[std::time::Duration]| waits.iter().sum::<std::time::Duration>().as_secs_f64();
    match name {
        "cocoon-client.service" => {
            use cocoon_client::limits::{DRAIN_LIMIT, RECEIPT_WAIT};
            seconds(&[HTTP_DRAIN_TIMEOUT, RECEIPT_WAIT, DRAIN_LIMIT])
        }
        "cocoon-proxy.service" => {
            use cocoon_proxy::limits::{LAST_PUBLICATION_TIMEOUT, STORE_CLOSE_TIMEOUT, TASKS_END_TIMEOUT};
            // Twice: the published log, and the store. HTTP ends while requests do.
            let closing = [
                TASKS_END_TIMEOUT,
                LAST_PUBLICATION_TIMEOUT,
                STORE_CLOSE_TIMEOUT,
                STORE_CLOSE_TIMEOUT,
            ];
            cocoon_proxy::Timers::default()
                .drain
                .max(HTTP_DRAIN_TIMEOUT.as_secs_f64())
                + seconds(&closing)
        }
        "cocoon-worker.service" => {
            let text = "owner = 'x'\ndata_dir = 'x'\nmodels = []\nchain = { url = 'x', root = 'x' }";
            let config: cocoon_worker::WorkerConfig =
                cocoon_runner::config::parse("worker.toml".as_ref(), text).unwrap();
            let closing = [cocoon_worker::limits::TASKS_END_TIMEOUT, HTTP_DRAIN_TIMEOUT];
            config.drain_seconds as f64 + seconds(&closing)
        }
        "cocoon-localnet.service" => seconds(&[cocoon_localnet::limits::SHUTDOWN_GRACE]),
        other => panic!("how long does {other} take to stop?"),
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
        let needed = stop_seconds(&name) + SPARE_SECONDS;
        assert!(
            stop >= needed,
            "{name} is killed after {stop} s, and may need {needed} s"
        );
        let state = name.trim_end_matches(".service");
        assert_eq!(values(&unit, "StateDirectory").next(), Some(state), "{name}");
        count += 1;
    }
    assert_eq!(count, 4, "client, proxy, worker, localnet");
}

/// Credentials that the head of a unit names for the configuration are those that the unit hands over.
#[test]
fn what_a_configuration_names_of_credentials_is_handed_over() {
    for (name, count) in [("cocoon-client", 2), ("cocoon-proxy", 2)] {
        let unit = std::fs::read_to_string(packaging().join(format!("systemd/{name}.service"))).unwrap();
        let prefix = format!("\"/run/credentials/{name}.service/");
        let mut named: Vec<&str> = unit
            .lines()
            .filter_map(|line| line.split_once(prefix.as_str())?.1.strip_suffix('"'))
            .collect();
        let mut given: Vec<&str> = values(&unit, "LoadCredential")
            .filter_map(|value| Some(value.split_once(':')?.0))
            .collect();
        named.sort_unstable();
        given.sort_unstable();
        assert_eq!((&named, named.len()), (&given, count), "{name}");
    }
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
    // Podman's own format has no health checks, and both tools kill after ten seconds.
    let podman =
        |tool: &'static str| lines().filter_map(move |line| line.strip_prefix("#   podman ")?.strip_prefix(tool));
    let build = podman("build ").next().unwrap();
    assert!(build.starts_with("--format docker "), "{build}");
    let stop = podman("run ").find_map(|options| options.split_once("--stop-timeout ")?.1.split(' ').next());
    let stop: f64 = stop.unwrap().parse().unwrap();
    let needed = stop_seconds("cocoon-proxy.service") + SPARE_SECONDS;
    assert!(stop >= needed, "killed after {stop} s, and may need {needed} s");
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
