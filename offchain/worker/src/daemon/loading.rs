//! From the configured models to backends that can answer.

use crate::backend::{Backend, Embeddings, Local, Upstream};
use crate::config::{BackendConfig, EngineConfig, ModelConfig, ParsedModel, root_hash};
use crate::error::WorkerError;
use crate::limits::ENGINE_QUEUE;
use cocoon_engine::{
    EmbedderHandle, EngineHandle, ManifestFailure, MemoryPlan, ModelCard, is_embedding_model, load_embedder,
    load_model, plan_memory,
};
use cocoon_manifest::{ModelManifest, ModelName};
use cocoon_ratls::SharedNetwork;

/// A model that can answer.
pub(super) struct Loaded {
    pub(super) model: ParsedModel,
    pub(super) backend: Backend,
    pub(super) manifest_hash: Option<String>,
}

/// Loads one model after the other and runs each once. Blocks.
pub(super) fn load_all(
    network: &SharedNetwork,
    configs: &[ModelConfig],
    models: &[ParsedModel],
) -> Result<Vec<Loaded>, WorkerError> {
    check_memory(configs, models)?;
    let load = |(config, model): (&ModelConfig, &ParsedModel)| {
        let (backend, manifest_hash) = match &config.backend {
            BackendConfig::Upstream { url } => (Backend::Upstream(Upstream::new(network.clone(), url)), None),
            BackendConfig::Engine(engine) => load(engine, &model.name)?,
        };
        Ok(Loaded {
            model: model.clone(),
            backend,
            manifest_hash,
        })
    };
    configs.iter().zip(models).map(load).collect()
}

/// Says what each model takes, and refuses before anything is loaded when all of them together do not fit.
fn check_memory(configs: &[ModelConfig], models: &[ParsedModel]) -> Result<(), WorkerError> {
    let mut plans = Vec::new();
    for (config, model) in configs.iter().zip(models) {
        if let BackendConfig::Engine(engine) = &config.backend {
            let plan = plan_memory(&engine.folder, &engine.options())?;
            tracing::info!(model = model.name.base(), %plan, "memory");
            plans.push(plan);
        }
    }
    fit_together(&plans)
}

/// One alone is refused by the engine, which says what would fit.
fn fit_together(plans: &[MemoryPlan]) -> Result<(), WorkerError> {
    let needed = plans.iter().map(MemoryPlan::total).fold(0, u64::saturating_add);
    let available = plans.iter().filter_map(|plan| plan.available).min();
    match available {
        Some(available) if plans.len() > 1 && needed > available => Err(WorkerError::Memory {
            models: plans.len(),
            needed_mib: needed.div_ceil(1 << 20),
            available_mib: available >> 20,
        }),
        _ => Ok(()),
    }
}

/// Refuses a folder that is not the one that the model's name stands for, if that is to be verified.
pub(crate) fn verify_name(config: &EngineConfig, name: &ModelName) -> Result<(), WorkerError> {
    let Some(expected) = root_hash(name).filter(|_| config.verify_name) else {
        return Ok(());
    };
    tracing::info!(model = name.base(), "verifying the model's files");
    let found = cocoon_archive::hash_folder(&config.folder, config.threads, &mut |_| {})?.root;
    match found == expected {
        true => Ok(()),
        false => Err(WorkerError::OtherModel {
            model: name.base().to_owned(),
            expected,
            found,
        }),
    }
}

/// Loads a model. One that makes vectors is told by its folder.
fn load(config: &EngineConfig, name: &ModelName) -> Result<(Backend, Option<String>), WorkerError> {
    verify_name(config, name)?;
    let (folder, options) = (config.folder.as_path(), config.options());
    let base = name.base().to_owned();
    if is_embedding_model(folder) {
        let model = load_embedder(folder, &options)?;
        let hash = manifest_hash(model.manifest(name.clone()), model.card());
        let embedder = EmbedderHandle::spawn(model.into_embedder(), ENGINE_QUEUE)?;
        return Ok((Backend::Embeddings(Embeddings::new(embedder, base)), hash));
    }
    let model = load_model(folder, options)?;
    for warning in model.warnings() {
        tracing::warn!(model = %name, "{warning}");
    }
    let hash = manifest_hash(model.manifest(name.clone()), model.card());
    let engine = EngineHandle::spawn(model.into_engine(), ENGINE_QUEUE)?;
    Ok((Backend::Local(Local::new(engine, base)), hash))
}

fn manifest_hash(manifest: Result<ModelManifest, ManifestFailure>, card: &ModelCard) -> Option<String> {
    let hash = match manifest {
        Ok(manifest) => Some(manifest.hash().to_string()),
        Err(error) => {
            tracing::warn!(%error, "the model has no manifest");
            None
        }
    };
    tracing::info!(parameters = card.parameters, manifest = ?hash, "model loaded");
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_engine::{EngineOptions, tiny};

    #[test]
    fn a_folder_that_its_name_does_not_stand_for_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_to(folder.path()).unwrap();
        let root = cocoon_archive::hash_folder(folder.path(), None, &mut |_| {})
            .unwrap()
            .root;
        let name: ModelName = format!("tiny@1:{root}").parse().unwrap();
        let mut config = EngineConfig::new(folder.path().to_owned());
        config.verify_name = true;
        verify_name(&config, &name).unwrap();
        std::fs::write(folder.path().join("added.json"), "{}").unwrap();
        let error = load(&config, &name).map(drop).unwrap_err();
        assert!(
            matches!(error, WorkerError::OtherModel { expected, .. } if expected == root),
            "{error}"
        );
        config.verify_name = false;
        verify_name(&config, &name).unwrap();
    }

    #[test]
    fn models_that_fit_alone_are_refused_when_they_do_not_fit_together() {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_to(folder.path()).unwrap();
        let mut plan = plan_memory(folder.path(), &EngineOptions::default()).unwrap();
        plan.available = Some(plan.total() + plan.total() / 2);
        assert!(fit_together(std::slice::from_ref(&plan)).is_ok());
        let error = fit_together(&[plan.clone(), plan.clone()]).unwrap_err();
        let WorkerError::Memory {
            models,
            needed_mib,
            available_mib,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!(models, 2);
        assert!(needed_mib > available_mib, "{needed_mib} {available_mib}");
        plan.available = Some(2 * plan.total());
        assert!(fit_together(&[plan.clone(), plan.clone()]).is_ok());
        plan.available = None;
        assert!(fit_together(&[plan.clone(), plan]).is_ok());
    }
}
