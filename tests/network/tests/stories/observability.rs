//! Dashboards and alerts ask only for figures and labels that the runners have.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cocoon_runner::report::{CHAIN_METRICS, Kind, Metric};
use serde_json::Value;

const MANUAL: &str = include_str!("../../../../docs/observability.md");
const ALERTS: &str = include_str!("../../../../packaging/prometheus/alerts.yml");
const SCRAPE: &str = include_str!("../../../../packaging/prometheus/prometheus.yml");
const RUNBOOKS: &str = include_str!("../../../../docs/runbooks.md");

/// Labels that Prometheus adds, and the bound of a histogram's bucket.
const COMMON: [&str; 3] = ["instance", "job", "le"];

/// The dashboards, and the figures of which each shows every one.
fn dashboards() -> [(&'static str, &'static [Metric]); 4] {
    [
        ("network", &[]),
        ("proxy", cocoon_proxy::METRICS),
        ("worker", cocoon_worker::METRICS),
        ("client", cocoon_client::METRICS),
    ]
}

fn every_metric() -> impl Iterator<Item = &'static Metric> {
    let of_all = [cocoon_runner::report::METRICS, CHAIN_METRICS];
    let of_roles = [cocoon_proxy::METRICS, cocoon_worker::METRICS, cocoon_client::METRICS];
    of_all.into_iter().chain(of_roles).flatten()
}

fn dashboard(name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../packaging/grafana");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The panels of a dashboard that show something.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels.filter(|panel| panel["type"] != "row").collect()
}

fn expressions(dashboard: &Value) -> Vec<&str> {
    let targets = panels(dashboard)
        .into_iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap()).collect()
}

/// One alert, as the strict form of our file has it.
#[derive(Default, Debug)]
struct Alert {
    name: String,
    expr: String,
    runbook: String,
}

/// Reads the file line by line; a line of another form is an error, so nothing is passed over.
fn alerts() -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    let text = |quoted: &str| {
        let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        inner.unwrap_or_else(|| panic!("{quoted}")).replace("''", "'")
    };
    for line in ALERTS
        .lines()
        .filter(|line| !line.starts_with('#') && *line != "groups:")
    {
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("{line}"));
        let value = value.trim();
        match key {
            "  - name" | "    rules" | "        labels" | "        annotations" => {}
            "      - alert" => alerts.push(Alert {
                name: value.to_owned(),
                ..Alert::default()
            }),
            "        expr" => alerts.last_mut().unwrap().expr = text(value),
            "        for" => assert!(value.ends_with('m') || value.ends_with('h'), "{line}"),
            "          severity" => assert!(["critical", "warning"].contains(&value), "{line}"),
            "          summary" | "          description" => assert!(text(value).len() > 10, "{line}"),
            "          runbook" => alerts.last_mut().unwrap().runbook = text(value),
            _ => panic!("alerts.yml has a line of another form: {line}"),
        }
    }
    alerts
}

/// A figure in an expression: its name, what its labels must be, and whether a range of it is asked for.
struct Use<'a> {
    name: &'a str,
    matchers: Vec<(&'a str, &'a str, &'a str)>,
    is_range: bool,
}

/// The figures and the grouping labels of an expression.
fn read(expression: &str) -> (Vec<Use<'_>>, Vec<&str>) {
    let (mut uses, mut groups) = (Vec::new(), Vec::new());
    let mut rest = expression;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':' || c == '$';
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = rest[1..].split_once('"').expect("a string ends").1;
            continue;
        }
        if !is_word(first) {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if ["by", "on", "without", "ignoring"].contains(&word) {
            let inner = after.trim_start().strip_prefix('(').expect("a list of labels");
            let (labels, after) = inner.split_once(')').unwrap();
            groups.extend(labels.split(',').map(str::trim));
            rest = after;
        } else if word.starts_with("cocoon_") || word.starts_with("process_") || word == "up" {
            let mut matchers = Vec::new();
            if let Some(inner) = after.strip_prefix('{') {
                let (selector, after) = inner.split_once('}').unwrap();
                for matcher in selector.split(',').map(str::trim).filter(|matcher| !matcher.is_empty()) {
                    let at = matcher.find(['=', '!']).unwrap_or_else(|| panic!("{matcher}"));
                    let (label, condition) = matcher.split_at(at);
                    let (operator, value) = condition.split_once('"').unwrap();
                    matchers.push((label, operator, value.strip_suffix('"').unwrap()));
                }
                rest = after;
            }
            let is_range = rest.starts_with('[');
            uses.push(Use {
                name: word,
                matchers,
                is_range,
            });
        }
    }
    (uses, groups)
}

/// The figure that a name in an expression belongs to.
fn metric_of(name: &str) -> Option<&'static Metric> {
    every_metric().find(|metric| match metric.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|end| name.strip_suffix(end) == Some(metric.name)),
        _ => metric.name == name,
    })
}

fn check(place: &str, expression: &str) {
    let (uses, groups) = read(expression);
    assert!(!uses.is_empty(), "{place}: {expression}");
    let mut labels: BTreeSet<&str> = COMMON.into();
    for used in &uses {
        if used.name != "up" {
            let metric = metric_of(used.name)
                .unwrap_or_else(|| panic!("{place} asks for {}, which no runner has: {expression}", used.name));
            let grows = metric.kind != Kind::Gauge;
            assert!(
                !grows || used.is_range,
                "{place}: {} only grows, ask how fast",
                used.name
            );
            labels.extend(metric.labels);
        }
        for (label, _, value) in &used.matchers {
            assert!(
                labels.contains(label),
                "{place}: {} has no label {label}: {expression}",
                used.name
            );
            if *label == "job" {
                assert!(SCRAPE.contains(&format!("- job_name: {value}\n")), "{place}: {value}");
            }
        }
    }
    for group in groups {
        assert!(labels.contains(group), "{place}: no figure has {group}: {expression}");
    }
}

#[test]
fn a_dashboard_asks_for_what_the_runners_have_and_shows_all_of_it_with_units_and_words() {
    let mut uids = BTreeSet::new();
    for (name, metrics) in dashboards() {
        let board = dashboard(name);
        assert!(uids.insert(board["uid"].as_str().unwrap().to_owned()), "{name}");
        assert!(board["description"].as_str().is_some_and(|text| text.ends_with('.')));
        let mut ids = BTreeSet::new();
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap();
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{name}, {title}: its id is taken"
            );
            let said = panel["description"].as_str().unwrap_or_default();
            assert!(said.len() > 10 && said.ends_with('.'), "{name}, {title}: {said}");
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
            assert!(!unit.is_empty(), "{name}, {title} has no unit");
            let place = &panel["gridPos"];
            let (x, width) = (place["x"].as_u64().unwrap(), place["w"].as_u64().unwrap());
            assert!(x + width <= 24, "{name}, {title} is wider than the page");
        }
        let expressions = expressions(&board);
        for expression in &expressions {
            check(name, expression);
        }
        for variable in board["templating"]["list"].as_array().unwrap() {
            let Some(query) = variable["query"]["query"].as_str() else {
                continue;
            };
            let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (metric, label) = inner.split_once(", ").unwrap();
            let metric = metric_of(metric).unwrap_or_else(|| panic!("{query}"));
            assert!(metric.labels.contains(&label) || COMMON.contains(&label), "{query}");
        }
        let shown: BTreeSet<&str> = expressions
            .iter()
            .flat_map(|expression| read(expression).0)
            .filter_map(|used| metric_of(used.name))
            .map(|metric| metric.name)
            .collect();
        for metric in metrics {
            assert!(shown.contains(metric.name), "{name}.json does not show {}", metric.name);
        }
    }
}

#[test]
fn an_alert_asks_for_what_the_runners_have_and_leads_to_a_runbook() {
    let alerts = alerts();
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(names.len(), alerts.len(), "two alerts have one name");
    assert!(alerts.len() > 30, "the file is read whole");
    for alert in &alerts {
        check(&alert.name, &alert.expr);
        let anchor = alert.runbook.strip_prefix("docs/runbooks.md#").unwrap();
        let title = anchor.replace('-', " ");
        let is_there = RUNBOOKS
            .lines()
            .any(|line| line.to_lowercase() == format!("## {title}"));
        assert!(is_there, "{}: {} is no runbook", alert.name, alert.runbook);
    }
}

#[test]
fn the_manual_lists_the_labels_of_every_figure_that_has_any() {
    let mut count = 0;
    for metric in every_metric().filter(|metric| !metric.labels.is_empty()) {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!("| `{}` | {} |", metric.name, labels.join(", "));
        assert!(
            MANUAL.lines().any(|line| line == row),
            "docs/observability.md lacks: {row}"
        );
        count += 1;
    }
    let listed = MANUAL.lines().filter(|line| line.starts_with("| `cocoon_"));
    assert_eq!(
        listed.count(),
        count,
        "docs/observability.md lists a figure that is none"
    );
}

/// Compares a runner's page with what its figures declare, and with the values of labels that dashboards and alerts name.
pub(crate) fn compare(role: &str, figures: &str, metrics: &[Metric]) {
    for line in figures.lines().filter(|line| !line.starts_with('#')) {
        let (uses, _) = read(line);
        let used = uses.first().unwrap_or_else(|| panic!("{line}"));
        let metric = metric_of(used.name).unwrap_or_else(|| panic!("{line}: no such figure"));
        let found: BTreeSet<&str> = used.matchers.iter().map(|(label, ..)| *label).collect();
        let declared: BTreeSet<&str> = metric.labels.iter().copied().collect();
        let found: BTreeSet<&str> = found.into_iter().filter(|label| *label != "le").collect();
        assert_eq!(found, declared, "{line}");
    }
    let boards: Vec<Value> = dashboards().iter().map(|(name, _)| dashboard(name)).collect();
    let alerts = alerts();
    let expressions = boards.iter().flat_map(expressions);
    for expression in expressions.chain(alerts.iter().map(|alert| alert.expr.as_str())) {
        for used in read(expression).0 {
            if !metrics.iter().any(|metric| used.name.starts_with(metric.name)) {
                continue;
            }
            for (label, _, value) in used.matchers.iter().filter(|(_, operator, _)| *operator != "=~") {
                let is_there = figures
                    .lines()
                    .any(|line| line.starts_with(used.name) && line.contains(&format!("{label}=\"{value}\"")));
                assert!(
                    is_there || COMMON.contains(label),
                    "{role} has no {}{{{label}={value:?}}}, which is asked for: {expression}",
                    used.name
                );
            }
        }
    }
}
