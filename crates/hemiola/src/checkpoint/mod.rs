//! Checkpoint folders in and out: `config.json`, `model.safetensors`, `README.md`.
//!
//! Tensors carry PyTorch's names and layouts, so that a `state_dict` of the same architecture loads
//! here and what is saved here loads into PyTorch.

mod architectures;
mod bundled;
mod card;
mod import;
mod registry;
mod tensors;

use std::io::Write;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::formats::write_atomically;

pub use bundled::{Bundled, bundled, bundled_models};
pub use card::{Card, Source, size_text};
pub use import::read_weights;
pub use registry::{CheckpointFiles, Description, Import, TensorInfo, architectures};
pub use tensors::{
    NamedTensor, Precision, TensorFile, count_parameters, load_tensors, named_tensors, tensor_paths,
};

/// A model that can be kept in a checkpoint.
pub trait Architecture: Module {
    /// The name in recipes, in checkpoints and on the command line.
    const NAME: &'static str;
    /// Sizes of the model.
    type Config: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What the model's task needs beside the weights: front end, thresholds.
    type Task: Serialize + DeserializeOwned + Send + Sync + 'static;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self>;

    /// The name in PyTorch of the parameter at `path` of this module.
    fn torch_name(path: &str) -> String;
}

/// `config.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointConfig {
    pub architecture: String,
    /// Version of the library that wrote it.
    #[serde(default)]
    pub hemiola: String,
    pub model: serde_json::Value,
    #[serde(default = "empty_section")]
    pub task: serde_json::Value,
}

fn empty_section() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

impl CheckpointConfig {
    /// Refuses sizes that so many numbers cannot be the weights of, before a model of these sizes is made.
    fn check_sizes(&self, numbers: usize) -> std::result::Result<(), String> {
        let size = |name: &str| self.model.get(name).and_then(serde_json::Value::as_u64);
        // A layer has a square matrix of its width at least.
        let width = size("d_model").or(size("hidden_dim")).unwrap_or(1);
        let layers = size("n_layers").unwrap_or(1);
        let least = width.saturating_mul(width).saturating_mul(layers);
        if least > numbers as u64 {
            return Err(format!(
                "{layers} layers of width {width} have at least {least} weights; there are {numbers}"
            ));
        }
        let sizes = self.model.as_object().into_iter().flatten();
        for (name, value) in sizes {
            if let Some(size) = value.as_u64().filter(|&size| size > numbers as u64) {
                return Err(format!(
                    "{name} is {size}, which is more than there are weights, {numbers}"
                ));
            }
        }
        Ok(())
    }
}

/// The file names of a checkpoint folder.
pub const CONFIG_FILE: &str = "config.json";
pub const TENSOR_FILE: &str = "model.safetensors";
pub const CARD_FILE: &str = "README.md";

/// Writes a model with its configuration and card; every file appears whole or not at all.
pub fn save<M: Architecture>(
    folder: &Path,
    model: &M,
    config: &M::Config,
    task: &M::Task,
    card: &Card,
    precision: Precision,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let json = |value: serde_json::Result<serde_json::Value>| {
        value.map_err(|e| Error::checkpoint(folder, e.to_string()))
    };
    let config = CheckpointConfig {
        architecture: M::NAME.to_owned(),
        hemiola: env!("CARGO_PKG_VERSION").to_owned(),
        model: json(serde_json::to_value(config))?,
        task: json(serde_json::to_value(task))?,
    };
    let tensors = tensors::serialize(model, precision, M::NAME)
        .map_err(|message| Error::checkpoint(folder, message))?;
    write_atomically(folder.join(TENSOR_FILE), |file| file.write_all(&tensors))?;
    let text = serde_json::to_string_pretty(&config)
        .map_err(|e| Error::checkpoint(folder, e.to_string()))?;
    write_atomically(folder.join(CONFIG_FILE), |file| {
        file.write_all(format!("{text}\n").as_bytes())
    })?;
    let card = card.to_markdown(&config, count_parameters(model), tensors.len());
    write_atomically(folder.join(CARD_FILE), |file| {
        file.write_all(card.as_bytes())
    })
}

/// Reads the configuration of a checkpoint folder.
pub fn read_config(folder: &Path) -> Result<CheckpointConfig> {
    let path = folder.join(CONFIG_FILE);
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    parse_config(&text, &path)
}

fn parse_config(text: &str, path: &Path) -> Result<CheckpointConfig> {
    serde_json::from_str(text)
        .map_err(|e| Error::checkpoint(path, format!("not a checkpoint's configuration: {e}")))
}

/// Reads a checkpoint folder: the model on `device`, its configuration and its task's.
pub fn load<M: Architecture>(folder: &Path, device: &Device) -> Result<(M, M::Config, M::Task)> {
    CheckpointFiles::read(folder)?.assemble(device)
}

/// Like [`load`], from a model that is built into the library.
pub fn load_bundled<M: Architecture>(
    model: &Bundled,
    device: &Device,
) -> Result<(M, M::Config, M::Task)> {
    CheckpointFiles::bundled(model)?.assemble(device)
}

/// Like [`load_bundled`], by the model's name.
///
/// # Errors
/// When no model of that name is built in.
pub fn load_built_in<M: Architecture>(name: &str) -> Result<(M, M::Config, M::Task)> {
    let model = bundled(name).ok_or_else(|| {
        let names: Vec<&str> = bundled_models().iter().map(|m| m.name).collect();
        Error::config(format!(
            "there is no built-in model {name}; there are: {}",
            names.join(", ")
        ))
    })?;
    load_bundled(model, &Device::flex())
}

impl CheckpointFiles {
    /// Like [`load`], from files already read.
    pub fn assemble<M: Architecture>(&self, device: &Device) -> Result<(M, M::Config, M::Task)> {
        if self.config.architecture != M::NAME {
            return Err(Error::checkpoint(
                &self.origin,
                format!(
                    "expected the architecture {}, found {}",
                    M::NAME,
                    self.config.architecture
                ),
            ));
        }
        let fault = |message: String| Error::checkpoint(&self.origin, message);
        let (config, task) = self.config.sections::<M>(&self.origin)?;
        let tensors = TensorFile::parse(&self.tensors, &self.origin)?;
        self.config
            .check_sizes(tensors.numbers())
            .map_err(|message| fault(format!("{CONFIG_FILE}: {message}")))?;
        let mut model = M::from_config(&config, device).map_err(|e| fault(e.to_string()))?;
        load_tensors(&mut model, tensors, &self.origin)?;
        Ok((model, config, task))
    }
}
