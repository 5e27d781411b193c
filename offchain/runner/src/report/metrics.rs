//! Figures in the text format of Prometheus (version 0.0.4).

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// The content type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Upper bounds for times of a disk or of a whole request, in seconds.
pub const LATENCY_SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0,
];

/// Upper bounds for times until a first token and between tokens, in seconds.
pub const FIRST_TOKEN_SECONDS: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
];

/// What kind of figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often which size was seen.
    Histogram,
}

impl Kind {
    /// The format's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A figure that a daemon tells; docs/operations.md lists each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// `cocoon_<role>_<what>_<unit>`.
    pub name: &'static str,
    /// What kind of figure it is.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    /// The names of its labels; `le` of a histogram is not among them.
    pub labels: &'static [&'static str],
}

impl Metric {
    /// A figure that only grows.
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Counter, help)
    }

    /// A figure that goes up and down.
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Gauge, help)
    }

    /// A distribution.
    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Histogram, help)
    }

    /// The same, told apart by these labels: dashboards and alerts are checked against them.
    pub const fn by(self, labels: &'static [&'static str]) -> Self {
        Self { labels, ..self }
    }

    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        let labels = &[];
        Self {
            name,
            kind,
            help,
            labels,
        }
    }
}

/// A page of figures that is being written.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a figure; each has its samples in one place.
    pub fn metric(&mut self, metric: &Metric) -> Samples<'_> {
        let Metric { name, kind, help, .. } = *metric;
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {}", kind.word());
        Samples { page: self, name }
    }

    /// A figure with one sample and no label.
    pub fn one(&mut self, metric: &Metric, value: f64) {
        self.metric(metric).sample(&[], value);
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, name: &str, end: &str, labels: &[(&str, &str)], value: f64) {
        let text = &mut self.0;
        text.push_str(name);
        text.push_str(end);
        for (place, (label, content)) in labels.iter().enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            let _ = write!(text, "{open}{label}=\"{}\"", escaped(content));
        }
        if !labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }
}

/// The samples of one figure.
#[derive(Debug)]
pub struct Samples<'a> {
    page: &'a mut Exposition,
    name: &'static str,
}

impl Samples<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.page.line(self.name, "", labels, value);
        self
    }

    /// The samples of a distribution: pairs of an upper bound and how many were not above it, the sum and the count.
    pub fn cumulative(
        &mut self,
        labels: &[(&str, &str)],
        buckets: impl IntoIterator<Item = (f64, u64)>,
        sum: f64,
        count: u64,
    ) -> &mut Self {
        let with = |bound: &str, page: &mut Exposition, value: u64| {
            let mut labels = labels.to_vec();
            labels.push(("le", bound));
            page.line(self.name, "_bucket", &labels, value as f64);
        };
        for (bound, seen) in buckets {
            with(&bound.to_string(), self.page, seen);
        }
        with("+Inf", self.page, count);
        self.page.line(self.name, "_sum", labels, sum);
        self.page.line(self.name, "_count", labels, count as f64);
        self
    }

    /// The samples of a [`Distribution`].
    pub fn distribution(&mut self, labels: &[(&str, &str)], seen: &Distribution) -> &mut Self {
        let Seen { counts, sum } = seen.seen();
        let mut count = 0;
        let mut buckets = Vec::with_capacity(seen.bounds.len());
        for (bound, more) in seen.bounds.iter().zip(&counts) {
            count += more;
            buckets.push((*bound, count));
        }
        count += counts.last().copied().unwrap_or(0);
        self.cumulative(labels, buckets, sum, count)
    }
}

/// How often which size was seen. Cheap to add to, from any thread.
#[derive(Debug)]
pub struct Distribution {
    bounds: &'static [f64],
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    /// One for each bound, and one for what is above all.
    counts: Vec<u64>,
    sum: f64,
}

impl Distribution {
    /// Nothing seen yet; `bounds` grow.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = vec![0; bounds.len() + 1];
        let seen = Mutex::new(Seen { counts, sum: 0.0 });
        Self { bounds, seen }
    }

    /// Counts one. What is no number is not counted.
    pub fn add(&self, size: f64) {
        if !size.is_finite() {
            return;
        }
        let place = self.bounds.partition_point(|bound| *bound < size);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = seen.counts.get_mut(place) {
            *count += 1;
        }
        seen.sum += size;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.seen().counts.into_iter().fold(0, u64::saturating_add)
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECONDS: Metric = Metric::histogram("cocoon_test_seconds", "Times.");

    #[test]
    fn a_page_is_as_prometheus_reads_it() {
        let mut page = Exposition::default();
        page.one(&Metric::gauge("cocoon_test_ready", "Whether it is ready."), 1.0);
        page.metric(&Metric::counter("cocoon_test_requests_total", "Requests."))
            .sample(&[("result", "a\"b\\c\nd")], 3.0)
            .sample(&[("result", "other"), ("model", "m")], 0.5);
        let times = Distribution::new(&[0.1, 1.0]);
        for seconds in [0.05, 0.1, 0.5, 7.0, f64::NAN] {
            times.add(seconds);
        }
        page.metric(&SECONDS).distribution(&[], &times);
        assert_eq!(
            page.into_text(),
            "# HELP cocoon_test_ready Whether it is ready.\n# TYPE cocoon_test_ready gauge\ncocoon_test_ready 1\n\
             # HELP cocoon_test_requests_total Requests.\n# TYPE cocoon_test_requests_total counter\n\
             cocoon_test_requests_total{result=\"a\\\"b\\\\c\\nd\"} 3\n\
             cocoon_test_requests_total{result=\"other\",model=\"m\"} 0.5\n\
             # HELP cocoon_test_seconds Times.\n# TYPE cocoon_test_seconds histogram\n\
             cocoon_test_seconds_bucket{le=\"0.1\"} 2\ncocoon_test_seconds_bucket{le=\"1\"} 3\n\
             cocoon_test_seconds_bucket{le=\"+Inf\"} 4\ncocoon_test_seconds_sum 7.65\ncocoon_test_seconds_count 4\n"
        );
    }

    proptest! {
        #[test]
        fn buckets_grow_and_end_with_the_count(sizes in proptest::collection::vec(-1.0f64..100.0, 0..50)) {
            let seen = Distribution::new(LATENCY_SECONDS);
            sizes.iter().for_each(|size| seen.add(*size));
            let mut page = Exposition::default();
            page.metric(&SECONDS).distribution(&[("model", "m")], &seen);
            let text = page.into_text();
            let buckets: Vec<f64> = text.lines()
                .filter(|line| line.contains("_bucket"))
                .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
                .collect();
            prop_assert_eq!(buckets.len(), LATENCY_SECONDS.len() + 1);
            prop_assert!(buckets.is_sorted());
            prop_assert_eq!(*buckets.last().unwrap(), sizes.len() as f64);
            prop_assert_eq!(seen.count(), sizes.len() as u64);
        }
    }
}
