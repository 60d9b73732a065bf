//! Checkpoints whose architecture is known only by its name.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::SafeTensors;
use serde::Serialize;

use super::import::{Importable, Imported};
use super::{
    Bundled, CARD_FILE, CONFIG_FILE, Card, CheckpointConfig, Precision, TENSOR_FILE, TensorFile,
    bundled, bundled_models, card, load_tensors, parse_config, read_config, save, tensors,
};
use crate::error::{Error, Result};
use crate::formats::write_atomically;
use crate::models::chord_gnn::ChordProgressionGnn;
use crate::models::chord_hmm::ChordHmm;
use crate::models::contrastive::ContrastiveEncoder;
use crate::models::harmonic_cnn::HarmonicCnn;
use crate::models::music_bert::MusicBert;
use crate::models::music_bert_classifier::MusicBertClassifier;
use crate::models::music_cnn::MusicCnn;
use crate::models::music_transformer::MusicTransformer;
use crate::models::music_vae::MusicVae;
use crate::models::realtime_rnn::RealTimeMusicRnn;
use crate::models::transcription_rnn::MusicTranscriptionRnn;

/// What can be done with checkpoints of one architecture.
struct Entry {
    name: &'static str,
    parameters: fn(&CheckpointFiles) -> Result<usize>,
    encode: fn(&CheckpointFiles, Precision) -> Result<Vec<u8>>,
    import: fn(Import) -> Result<Vec<String>>,
}

/// Every architecture.
const ENTRIES: &[Entry] = &[
    Entry::of::<MusicTranscriptionRnn>(),
    Entry::of::<MusicTransformer>(),
    Entry::of::<MusicBert>(),
    Entry::of::<MusicBertClassifier>(),
    Entry::of::<RealTimeMusicRnn>(),
    Entry::of::<MusicVae>(),
    Entry::of::<ChordProgressionGnn>(),
    Entry::of::<ChordHmm>(),
    Entry::of::<MusicCnn>(),
    Entry::of::<HarmonicCnn>(),
    Entry::of::<ContrastiveEncoder>(),
];

/// The names of all architectures.
pub fn architectures() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().map(|entry| entry.name)
}

impl Entry {
    const fn of<M: Importable>() -> Self {
        Self {
            name: M::NAME,
            parameters: |files| {
                let (model, _, _) = files.assemble::<M>(&Device::flex())?;
                Ok(tensors::count_parameters(&model))
            },
            encode: |files, precision| {
                let (model, _, _) = files.assemble::<M>(&Device::flex())?;
                tensors::serialize(&model, precision, M::NAME)
                    .map_err(|message| Error::checkpoint(&files.origin, message))
            },
            import: import::<M>,
        }
    }

    fn named(name: &str, origin: &Path) -> Result<&'static Self> {
        let entry = ENTRIES.iter().find(|entry| entry.name == name);
        entry.ok_or_else(|| {
            let known: Vec<&str> = architectures().collect();
            let known = known.join(", ");
            Error::checkpoint(
                origin,
                format!("no architecture is called {name}; there are {known}"),
            )
        })
    }
}

/// The files of a checkpoint; what they hold is not yet checked against one another.
#[derive(Debug, Clone)]
pub struct CheckpointFiles {
    /// The folder, or a phrase that names the built-in model.
    pub origin: PathBuf,
    pub config: CheckpointConfig,
    /// The bytes of `model.safetensors`.
    pub tensors: Cow<'static, [u8]>,
    /// Empty where the folder has none.
    pub card: Cow<'static, str>,
}

/// What a checkpoint is.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    pub architecture: String,
    /// Version of the library that wrote it.
    pub hemiola: String,
    pub parameters: usize,
    /// Size of `model.safetensors`.
    pub bytes: usize,
    /// SPDX expression of the weights' licence, where the card tells it.
    pub licence: Option<String>,
    pub model: serde_json::Value,
    pub task: serde_json::Value,
    /// In order of their names.
    pub tensors: Vec<TensorInfo>,
    pub card: String,
}

/// A tensor without its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    pub name: String,
    /// As safetensors writes it: `F16`, `F32`.
    pub dtype: String,
    pub shape: Vec<usize>,
}

impl CheckpointFiles {
    /// # Errors
    /// When `config.json` or `model.safetensors` cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let config = read_config(folder)?;
        let path = folder.join(TENSOR_FILE);
        let tensors = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
        let card = std::fs::read(folder.join(CARD_FILE)).unwrap_or_default();
        Ok(Self {
            origin: folder.to_path_buf(),
            config,
            tensors: tensors.into(),
            card: String::from_utf8_lossy(&card).into_owned().into(),
        })
    }

    /// The built-in model of that name, or the checkpoint in that folder.
    ///
    /// # Errors
    /// When there is neither; see [`Self::read`].
    pub fn open(name: &str) -> Result<Self> {
        if let Some(model) = bundled(name) {
            return Self::bundled(model);
        }
        let folder = Path::new(name);
        if folder.is_dir() {
            return Self::read(folder);
        }
        let names: Vec<&str> = bundled_models().iter().map(|m| m.name).collect();
        let built_in = match names.as_slice() {
            [] => "there is none".to_owned(),
            names => names.join(", "),
        };
        Err(Error::config(format!(
            "model {name}: neither a built-in model ({built_in}) nor a checkpoint folder"
        )))
    }

    /// Of a model that is built into the library.
    ///
    /// # Errors
    /// When its configuration is of another version.
    pub fn bundled(model: &Bundled) -> Result<Self> {
        let origin = PathBuf::from(format!("built-in model {}", model.name));
        Ok(Self {
            config: parse_config(model.config, &origin)?,
            origin,
            tensors: model.tensors.into(),
            card: model.card.into(),
        })
    }

    /// Builds the model and checks every tensor on the way.
    ///
    /// # Errors
    /// When the checkpoint is damaged or does not fit its architecture; the message names the tensors at fault.
    pub fn describe(&self) -> Result<Description> {
        let parameters = (Entry::named(&self.config.architecture, &self.origin)?.parameters)(self)?;
        let file = SafeTensors::deserialize(&self.tensors)
            .map_err(|e| Error::checkpoint(&self.origin, format!("not a safetensors file: {e}")))?;
        let mut tensors: Vec<TensorInfo> = file
            .iter()
            .map(|(name, view)| TensorInfo {
                name: name.to_owned(),
                dtype: format!("{:?}", view.dtype()),
                shape: view.shape().to_vec(),
            })
            .collect();
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Description {
            architecture: self.config.architecture.clone(),
            hemiola: self.config.hemiola.clone(),
            parameters,
            bytes: self.tensors.len(),
            licence: card::licence(&self.card).map(str::to_owned),
            model: self.config.model.clone(),
            task: self.config.task.clone(),
            tensors,
            card: self.card.to_string(),
        })
    }

    /// Writes the checkpoint into a folder, which may be its own, with numbers of another precision.
    ///
    /// # Errors
    /// As [`Self::describe`]; when the folder cannot be written.
    pub fn export(&self, folder: &Path, precision: Precision) -> Result<()> {
        let entry = Entry::named(&self.config.architecture, &self.origin)?;
        let bytes = (entry.encode)(self, precision)?;
        let parameters = (entry.parameters)(self)?;
        let config = serde_json::to_string_pretty(&self.config)
            .map_err(|e| Error::checkpoint(&self.origin, e.to_string()))?;
        let card = card::with_facts(&self.card, &self.config, parameters, bytes.len());
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let write = |name: &str, bytes: &[u8]| {
            write_atomically(folder.join(name), |file| file.write_all(bytes))
        };
        write(TENSOR_FILE, &bytes)?;
        write(CONFIG_FILE, format!("{config}\n").as_bytes())?;
        write(CARD_FILE, card.as_bytes())
    }
}

/// Weights on their way from another program into a checkpoint folder.
#[derive(Debug, Clone)]
pub struct Import<'a> {
    /// The file they come from, for messages.
    pub origin: &'a Path,
    pub tensors: TensorFile,
    /// Sizes and the task's settings, and the file they come from; where there are none, both are inferred from the tensors.
    pub config: Option<(CheckpointConfig, &'a Path)>,
    pub folder: &'a Path,
    pub precision: Precision,
}

impl Import<'_> {
    /// Writes a checkpoint folder of the named architecture, and tells what had to be assumed.
    ///
    /// # Errors
    /// When tensors are missing, unknown or misshapen; the message names them. When the folder cannot be written.
    pub fn run(self, architecture: &str) -> Result<Vec<String>> {
        (Entry::named(architecture, self.origin)?.import)(self)
    }
}

fn import<M: Importable>(import: Import) -> Result<Vec<String>> {
    let Import {
        origin,
        tensors,
        config,
        folder,
        precision,
    } = import;
    let Imported {
        model: model_config,
        task,
        assumed,
    } = match config {
        Some((config, origin)) => {
            config
                .check_sizes(tensors.numbers())
                .map_err(|message| Error::checkpoint(origin, message))?;
            config.imported::<M>(origin)?
        }
        None => M::infer(&tensors).map_err(|message| Error::checkpoint(origin, message))?,
    };
    let mut model = M::from_config(&model_config, &Device::flex())?;
    load_tensors(&mut model, tensors, origin)?;
    let name = origin.file_name().unwrap_or(origin.as_os_str());
    let card = Card {
        summary: format!("Imported from {}.", name.to_string_lossy()),
        ..Card::default()
    };
    save(folder, &model, &model_config, &task, &card, precision)?;
    Ok(assumed)
}
