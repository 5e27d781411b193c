//! The models that are served, as clients ask for them.

use std::collections::BTreeMap;

use cocoon_market::WorkerView;
use cocoon_protocol::client::{WorkerInstanceV2, WorkerType, WorkerTypeV2, WorkerTypes, WorkerTypesV2};
use cocoon_protocol::context::{ContextLength, Contexts, ModelContext};

use crate::state::Proxy;

/// Models with their enabled workers, cheapest first.
pub(super) fn list(proxy: &Proxy) -> WorkerTypesV2 {
    let types = by_model(proxy)
        .into_iter()
        .map(|(name, mut workers)| {
            workers.sort_by_key(|worker| worker.coefficient);
            WorkerTypeV2 { name, workers }
        })
        .collect();
    WorkerTypesV2 { types }
}

/// The same for peers that only know summaries.
pub(super) fn old_list(proxy: &Proxy) -> WorkerTypes {
    let summary = |(name, workers): (String, Vec<WorkerInstanceV2>)| {
        let mut coefficients: Vec<i32> = workers.iter().map(|worker| worker.coefficient).collect();
        coefficients.sort_unstable();
        let at = |index: usize| coefficients.get(index).copied().unwrap_or(0);
        WorkerType {
            name,
            active_workers: i32::try_from(workers.len()).unwrap_or(i32::MAX),
            coefficient_min: at(0),
            coefficient_median: at(coefficients.len() / 2),
            coefficient_max: at(coefficients.len().saturating_sub(1)),
        }
    };
    WorkerTypes {
        types: by_model(proxy).into_iter().map(summary).collect(),
    }
}

/// What the models take, of those workers that have told it.
pub(super) fn contexts(proxy: &Proxy) -> Contexts {
    let mut models: BTreeMap<String, (ContextLength, ContextLength)> = BTreeMap::new();
    for (worker, state) in proxy.workers.views() {
        let Some(context) = worker.context().filter(|_| is_served(&state)) else {
            continue;
        };
        let (shortest, longest) = models
            .entry(worker.model.base().to_owned())
            .or_insert((context, context));
        *shortest = context.min(*shortest);
        *longest = context.max(*longest);
    }
    let row = |(name, (shortest, longest))| ModelContext {
        name,
        shortest,
        longest,
    };
    Contexts {
        models: models.into_iter().map(row).collect(),
    }
}

/// Whether a worker takes requests.
fn is_served(state: &WorkerView) -> bool {
    state.is_enabled && !state.is_draining
}

fn by_model(proxy: &Proxy) -> BTreeMap<String, Vec<WorkerInstanceV2>> {
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let mut models: BTreeMap<String, Vec<WorkerInstanceV2>> = BTreeMap::new();
    for (worker, state) in proxy.workers.views() {
        if is_served(&state) {
            models
                .entry(worker.model.base().to_owned())
                .or_default()
                .push(WorkerInstanceV2 {
                    flags: (),
                    coefficient: number(state.coefficient.get()),
                    active_requests: number(state.running),
                    max_active_requests: number(state.slots),
                });
        }
    }
    models
}
