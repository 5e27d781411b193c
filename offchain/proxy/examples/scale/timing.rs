//! Collects how long the spans last that the proxy opens for measuring.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::Result;

/// Target of the spans.
const TARGET: &str = "cocoon_proxy::timing";

/// Durations by the name of the span.
#[derive(Clone, Default)]
pub(crate) struct Timings(Arc<Mutex<BTreeMap<&'static str, Vec<Duration>>>>);

impl Timings {
    /// Collects from now on, in the whole process.
    pub(crate) fn install() -> Result<Self> {
        let timings = Self::default();
        let collector = tracing_subscriber::registry().with(Collector(timings.clone()));
        tracing::subscriber::set_global_default(collector)?;
        Ok(timings)
    }

    /// Takes what was collected.
    pub(crate) fn take(&self) -> BTreeMap<&'static str, Vec<Duration>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Collector(Timings);

struct Begun(Instant);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_span() && metadata.target() == TARGET {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_span() && metadata.target() == TARGET
    }

    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Begun(Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let now = Instant::now();
        let Some(span) = context.span(&id) else { return };
        let Some(begun) = span.extensions().get::<Begun>().map(|begun| begun.0) else {
            return;
        };
        let mut timings = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        timings.entry(span.name()).or_default().push(now - begun);
    }
}
