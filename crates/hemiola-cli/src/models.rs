//! `hemiola models`: list, show, export, import.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use hemiola::checkpoint::{
    self, CheckpointConfig, CheckpointFiles, Import, Precision, TensorInfo, architectures,
    size_text,
};
use hemiola::tasks::chords::ChordReader;
use hemiola::tasks::chroma::ChromaExtractor;
use hemiola::tasks::features::FeatureExtractor;
use hemiola::tasks::harmony::HarmonyAnalyser;
use hemiola::tasks::infill::Infiller;
use hemiola::tasks::onsets::OnsetDetector;
use hemiola::tasks::perform::Performer;
use hemiola::tasks::phrases::PhraseSpace;
use hemiola::tasks::transcribe::Transcriber;

use crate::{Outcome, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// The models that are built in
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What a model is: sizes, parameters, tensors, card
    Show {
        /// A built-in model or a checkpoint folder
        model: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a model's checkpoint folder: config.json, model.safetensors (with PyTorch's names and layouts), README.md
    Export {
        /// A built-in model or a checkpoint folder
        model: String,
        /// The folder to write [default: the checkpoint's own; of a built-in model, one of its name]
        #[arg(short, long, value_name = "FOLDER")]
        output: Option<PathBuf>,
        /// The format of the weights
        #[arg(long, value_enum, default_value = "safetensors")]
        to: WeightFormat,
        /// The numbers of the weights
        #[arg(long, value_enum, default_value = "float32")]
        precision: PrecisionArg,
    },
    /// Make a checkpoint folder of weights trained with PyTorch
    Import {
        /// What torch.save wrote (.pt, .pth), or a .safetensors file
        file: PathBuf,
        /// The architecture that the weights are of
        #[arg(long, value_parser = PossibleValuesParser::new(architectures()))]
        arch: String,
        /// The folder to write
        #[arg(short, long, value_name = "FOLDER")]
        output: PathBuf,
        /// A checkpoint's config.json with the sizes [default: told by the tensors]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The numbers of the weights
        #[arg(long, value_enum, default_value = "float32")]
        precision: PrecisionArg,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum WeightFormat {
    /// https://github.com/huggingface/safetensors
    Safetensors,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum PrecisionArg {
    /// Half the size
    Float16,
    /// What the model computes with
    Float32,
}

impl From<PrecisionArg> for Precision {
    fn from(precision: PrecisionArg) -> Self {
        match precision {
            PrecisionArg::Float16 => Self::Float16,
            PrecisionArg::Float32 => Self::Float32,
        }
    }
}

/// Where to compute.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceArg {
    /// The processor
    Cpu,
}

impl DeviceArg {
    pub fn device(self) -> hemiola::Device {
        match self {
            Self::Cpu => hemiola::Device::flex(),
        }
    }
}

/// The built-in model of that name, or the checkpoint in that folder; a name of neither is wrong use.
pub fn open(name: &str) -> Result<CheckpointFiles> {
    CheckpointFiles::open(name).map_err(|error| {
        match checkpoint::bundled(name).is_some() || Path::new(name).is_dir() {
            true => error.into(),
            false => wrong_use(error.to_string()),
        }
    })
}

/// The transcription model of that name, or in that folder.
pub fn open_transcriber(name: &str, device: &hemiola::Device) -> Result<Transcriber> {
    let (model, _, task) = open(name)?.assemble(device)?;
    let transcriber = Transcriber::new(model, task);
    transcriber
        .validate()
        .with_context(|| format!("model {name}"))?;
    Ok(transcriber)
}

/// The model that tells onsets of that name, or in that folder.
pub fn open_onset_detector(name: &str, device: &hemiola::Device) -> Result<OnsetDetector> {
    let (model, _, task) = open(name)?.assemble(device)?;
    OnsetDetector::new(model, task).with_context(|| format!("model {name}"))
}

/// The model of chroma of that name, or in that folder.
pub fn open_chroma_extractor(name: &str, device: &hemiola::Device) -> Result<ChromaExtractor> {
    let (model, _, task) = open(name)?.assemble(device)?;
    ChromaExtractor::new(&model, &task).with_context(|| format!("model {name}"))
}

/// The model of chords of that name, or in that folder.
pub fn open_chord_reader(name: &str) -> Result<ChordReader> {
    let (model, _, task) = open(name)?.assemble(&hemiola::Device::flex())?;
    ChordReader::new(&model, task).with_context(|| format!("model {name}"))
}

/// The model that plays of that name, or in that folder.
pub fn open_performer(name: &str) -> Result<Performer> {
    let (model, _, task) = open(name)?.assemble(&hemiola::Device::flex())?;
    Performer::new(model, task).with_context(|| format!("model {name}"))
}

/// The model that fills gaps of that name, or in that folder.
pub fn open_infiller(name: &str) -> Result<Infiller> {
    let (model, _, task) = open(name)?.assemble(&hemiola::Device::flex())?;
    Infiller::new(model, task).with_context(|| format!("model {name}"))
}

/// The namer of harmony of that name, or in that folder.
pub fn open_harmony_analyser(name: &str) -> Result<HarmonyAnalyser> {
    let (model, _, task) = open(name)?.assemble(&hemiola::Device::flex())?;
    HarmonyAnalyser::new(model, task).with_context(|| format!("model {name}"))
}

/// The latent space of phrases of that name, or in that folder.
pub fn open_phrase_space(name: &str) -> Result<PhraseSpace> {
    let (model, _, task) = open(name)?.assemble(&hemiola::Device::flex())?;
    PhraseSpace::new(model, task).with_context(|| format!("model {name}"))
}

/// The classifier of that name, or in that folder, to look into.
pub fn open_feature_extractor(name: &str) -> Result<FeatureExtractor> {
    FeatureExtractor::new(&open(name)?, &hemiola::Device::flex())
        .with_context(|| format!("model {name}"))
}

pub fn run(args: Args) -> Result<Outcome> {
    match args.action {
        Action::List { json } => list(json)?,
        Action::Show { model, json } => show(&model, json)?,
        Action::Export {
            model,
            output,
            to: WeightFormat::Safetensors,
            precision,
        } => {
            let output = output.unwrap_or_else(|| PathBuf::from(&model));
            open(&model)?.export(&output, precision.into())?;
        }
        Action::Import {
            file,
            arch,
            output,
            config,
            precision,
        } => import(&file, &arch, &output, config.as_deref(), precision)?,
    }
    Ok(Outcome::Done)
}

fn list(json: bool) -> Result<()> {
    let mut rows = Vec::new();
    for model in checkpoint::bundled_models() {
        let description = CheckpointFiles::bundled(model)?.describe()?;
        rows.push((model.name, description));
    }
    let mut out = std::io::stdout().lock();
    if json {
        let rows: Vec<serde_json::Value> = rows
            .iter()
            .map(|(name, d)| {
                serde_json::json!({
                    "name": name,
                    "architecture": d.architecture,
                    "parameters": d.parameters,
                    "bytes": d.bytes,
                    "licence": d.licence,
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
    } else if rows.is_empty() {
        eprintln!("no model is built into this program");
    }
    for (name, d) in rows.iter().filter(|_| !json) {
        let licence = d.licence.as_deref().unwrap_or("no licence stated");
        writeln!(
            out,
            "{name:12} {:26} {:>12} parameters {:>7} {licence}",
            d.architecture,
            d.parameters,
            size_text(d.bytes)
        )?;
    }
    Ok(())
}

fn show(name: &str, json: bool) -> Result<()> {
    let description = open(name)?.describe()?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&description)?)?;
        return Ok(());
    }
    let d = &description;
    writeln!(out, "{name}: {}", d.architecture)?;
    writeln!(out, "{} parameters, {}", d.parameters, size_text(d.bytes))?;
    writeln!(out, "written by hemiola {}", d.hemiola)?;
    for (section, value) in [("model", &d.model), ("task", &d.task)] {
        writeln!(out, "\n{section} {}", serde_json::to_string_pretty(value)?)?;
    }
    writeln!(out, "\ntensors")?;
    let width = d.tensors.iter().map(|t| t.name.len()).max().unwrap_or(0);
    for TensorInfo { name, dtype, shape } in &d.tensors {
        writeln!(out, "  {name:width$}  {dtype:4} {shape:?}")?;
    }
    if !d.card.is_empty() {
        writeln!(out, "\n{}", d.card.trim_end())?;
    }
    Ok(())
}

fn import(
    file: &Path,
    architecture: &str,
    folder: &Path,
    config: Option<&Path>,
    precision: PrecisionArg,
) -> Result<()> {
    let config = config
        .map(|path| Ok::<_, anyhow::Error>((read_config(path)?, path)))
        .transpose()?;
    let import = Import {
        origin: file,
        tensors: checkpoint::read_weights(file)?,
        config,
        folder,
        precision: precision.into(),
    };
    for assumption in import.run(architecture)? {
        eprintln!("note: the tensors do not tell everything; taken: {assumption}");
    }
    Ok(())
}

fn read_config(path: &Path) -> Result<CheckpointConfig> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text)
        .with_context(|| format!("{}: not a checkpoint's configuration", path.display()))
}
