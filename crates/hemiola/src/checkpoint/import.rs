//! Weights of other programs: PyTorch's pickles and safetensors files.

use std::path::Path;

use burn::store::pytorch_reader::{DType, PytorchReader};

use safetensors::SafeTensors;

use super::tensors::is_count;
use super::{Architecture, CONFIG_FILE, CheckpointConfig, NamedTensor, TensorFile};
use crate::error::{Error, Result};

/// Under what a training program keeps the weights beside its other state.
const WRAPPERS: [&str; 4] = ["state_dict.", "model_state_dict.", "model_state.", "model."];
/// What `DataParallel`, `torch.compile` and Lightning put before every name.
const PREFIXES: [&str; 3] = ["module.", "_orig_mod.", "model."];

/// An architecture whose sizes can be read off its tensors.
pub(super) trait Importable: Architecture {
    /// # Errors
    /// When the tensors do not tell; the message says which.
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String>;
}

/// Sizes and the task's settings for imported weights.
pub(super) struct Imported<M: Architecture> {
    pub model: M::Config,
    pub task: M::Task,
    /// What the tensors do not tell, one sentence each.
    pub assumed: Vec<String>,
}

impl CheckpointConfig {
    pub(super) fn imported<M: Architecture>(self, origin: &Path) -> Result<Imported<M>> {
        if self.architecture != M::NAME {
            return Err(Error::checkpoint(
                origin,
                format!(
                    "the configuration given is of the architecture {}; expected {}",
                    self.architecture,
                    M::NAME
                ),
            ));
        }
        let (model, task) = self.sections::<M>(origin)?;
        Ok(Imported {
            model,
            task,
            assumed: Vec::new(),
        })
    }

    /// The sections as the architecture reads them.
    pub(super) fn sections<M: Architecture>(&self, origin: &Path) -> Result<(M::Config, M::Task)> {
        let fault = |name: &str, e: serde_json::Error| {
            let file = match origin.file_name() == Some(CONFIG_FILE.as_ref()) {
                true => String::new(),
                false => format!("{CONFIG_FILE}, "),
            };
            Error::checkpoint(origin, format!("{file}section {name}: {e}"))
        };
        let model = serde_json::from_value(self.model.clone()).map_err(|e| fault("model", e))?;
        let task = serde_json::from_value(self.task.clone()).map_err(|e| fault("task", e))?;
        Ok((model, task))
    }
}

/// Reads a `.safetensors` file, or what `torch.save` wrote: a `state_dict`, alone or inside a dictionary of other
/// things, or a whole module. Names come without `module.` and the like before them.
///
/// # Errors
/// When the file cannot be read, is neither, or holds no tensor of floating-point numbers.
pub fn read_weights(path: &Path) -> Result<TensorFile> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let named_so = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"));
    let file = if named_so || SafeTensors::read_metadata(&bytes).is_ok() {
        TensorFile::parse(&bytes, path)?
    } else {
        read_pickle(path)?
    };
    if file.tensors.is_empty() {
        return Err(Error::checkpoint(
            path,
            "there is no tensor of weights in it",
        ));
    }
    Ok(file.unwrapped())
}

fn read_pickle(path: &Path) -> Result<TensorFile> {
    let fault = |what: String| {
        Error::checkpoint(
            path,
            format!("cannot be read as weights of PyTorch (.pt, .pth) or as .safetensors: {what}"),
        )
    };
    let reader = PytorchReader::new(path).map_err(|e| fault(e.to_string()))?;
    let mut tensors = Vec::new();
    for (name, tensor) in reader.tensors() {
        let values = |bytes: Vec<u8>| -> Option<Vec<f32>> {
            Some(match tensor.dtype() {
                DType::F32 => each(&bytes, f32::from_le_bytes),
                DType::F64 => each(&bytes, |b| f64::from_le_bytes(b) as f32),
                DType::F16 => each(&bytes, |b| half::f16::from_le_bytes(b).to_f32()),
                DType::BF16 => each(&bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
                // Counts of steps and batches, which no computation reads.
                _ => return None,
            })
        };
        if is_count(name) {
            continue;
        }
        let bytes = tensor.read().map_err(|e| fault(format!("{name}: {e}")))?;
        if let Some(values) = values(bytes) {
            tensors.push(NamedTensor {
                name: name.clone(),
                shape: tensor.shape().to_vec(),
                values,
            });
        }
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(TensorFile { tensors })
}

fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| number(*chunk)).collect()
}

impl TensorFile {
    /// The weights among other tensors, and their names without what is before all of them.
    fn unwrapped(mut self) -> Self {
        // The state of an optimiser may lie beside the weights; a prefix of all names does not hide it.
        for wrapper in WRAPPERS {
            let inside = |tensor: &NamedTensor| tensor.name.starts_with(wrapper);
            if self.tensors.iter().any(inside) {
                self.tensors.retain(inside);
                self.strip(wrapper);
                break;
            }
        }
        while let Some(prefix) = PREFIXES.into_iter().find(|prefix| {
            let names = self.tensors.iter().map(|tensor| &tensor.name);
            names.clone().count() > 0 && names.clone().all(|name| name.starts_with(prefix))
        }) {
            self.strip(prefix);
        }
        self
    }

    fn strip(&mut self, prefix: &str) {
        for tensor in &mut self.tensors {
            if let Some(rest) = tensor.name.strip_prefix(prefix) {
                tensor.name = rest.to_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(names: &[&str]) -> TensorFile {
        let tensors = names.iter().map(|name| NamedTensor {
            name: (*name).to_owned(),
            shape: vec![1],
            values: vec![0.0],
        });
        TensorFile {
            tensors: tensors.collect(),
        }
    }

    fn names(file: TensorFile) -> Vec<String> {
        file.tensors.into_iter().map(|tensor| tensor.name).collect()
    }

    #[test]
    fn names_lose_what_training_programs_put_before_them() {
        for (found, expected) in [
            (vec!["a.weight", "b"], vec!["a.weight", "b"]),
            (vec!["module.a", "module.b"], vec!["a", "b"]),
            (
                vec!["state_dict.module.a", "optimizer.state.0.exp_avg"],
                vec!["a"],
            ),
            (
                vec!["model._orig_mod.a", "optimizer.state.0.exp_avg"],
                vec!["a"],
            ),
            (vec!["model.a", "model.b"], vec!["a", "b"]),
            (
                vec!["state_dict.model.a", "state_dict.model.b"],
                vec!["a", "b"],
            ),
            // Only what stands before all of them is a prefix.
            (vec!["module.a", "b"], vec!["module.a", "b"]),
        ] {
            assert_eq!(names(file(&found).unwrapped()), expected, "{found:?}");
        }
    }
}
