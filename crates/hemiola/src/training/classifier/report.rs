//! What a classifier is like after its training, and how right it is.

use std::io::Write;
use std::path::Path;

use burn::tensor::Device;
use serde::Serialize;

use super::Judge;
use super::objective::{DevClips, Judged};
use crate::checkpoint::{self, CONFIG_FILE, CheckpointFiles};
use crate::error::{Error, Result};
use crate::evaluation::classification::{ClassReport, ConfusionMatrix, TagReport};
use crate::features::FrontEnd;
use crate::formats::write_atomically;
use crate::plot::{Axis, FirstRow, HeatMapOptions, Matrix, Ticks, heat_map};
use crate::tasks::classify::{ClassifierConfig, ClassifierFrontEnd, ClassifierSizes, Target};
use crate::training::clips::{LabelledClip, Reference, measured_by};

/// All scores of a classifier on recordings with labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum LabelReport {
    Classes(ClassReport),
    Tags(TagReport),
}

impl LabelReport {
    fn of(judged: &Judged, clips: &[LabelledClip], labels: &[String], temperature: f64) -> Self {
        let probabilities = judged.probabilities(temperature);
        match judged.target() {
            Target::Class => {
                let classes = clips.iter().filter_map(|c| c.labels.first().copied());
                let reference: Vec<usize> = classes.collect();
                Self::Classes(ClassReport::of(&probabilities, &reference, labels))
            }
            Target::Tags => {
                let relevant: Vec<bool> = clips.iter().flat_map(|c| c.has(labels.len())).collect();
                Self::Tags(TagReport::of(&probabilities, &relevant, labels))
            }
        }
    }

    /// The share of recordings whose label scores highest, where each has one.
    pub fn accuracy(&self) -> Option<f64> {
        match self {
            Self::Classes(report) => Some(report.accuracy),
            Self::Tags(report) => report.one_label.as_ref().map(|one| one.accuracy),
        }
    }

    /// Which label was taken for which, with their names; where each recording has one.
    pub fn confusion(&self) -> Option<(Vec<String>, &ConfusionMatrix)> {
        match self {
            Self::Classes(report) => {
                let labels = report.classes.iter().map(|c| c.label.clone());
                Some((labels.collect(), &report.confusion))
            }
            Self::Tags(report) => {
                let one = report.one_label.as_ref()?;
                Some((one.labels.clone(), &one.confusion))
            }
        }
    }
}

/// What `report.json` says.
#[derive(Serialize)]
struct Written {
    /// What logits are divided by, chosen on these very recordings.
    temperature: f64,
    /// Expected calibration error before that.
    uncalibrated: f64,
    #[serde(flatten)]
    report: LabelReport,
}

fn calibration_error(report: &LabelReport) -> f64 {
    match report {
        LabelReport::Classes(report) => report.expected_calibration_error,
        LabelReport::Tags(report) => report.expected_calibration_error,
    }
}

/// Calibrates the best weights of a run, and writes beside them how right they are: `report.json`, and where every
/// recording has one label `confusion.csv` and `confusion.svg`.
pub(super) fn write<C: ClassifierSizes>(
    output: &Path,
    judge: &Judge<C>,
    dev: &DevClips,
    device: &Device,
) -> Result<()> {
    let best = output.join("best");
    let (model, _, mut task) = checkpoint::load::<C::Model>(&best, device)?;
    let judged = judge.recordings(&model, dev, device);
    let temperature = judged.temperature(dev);
    let before = LabelReport::of(&judged, dev, &task.labels, 1.0);
    let report = LabelReport::of(&judged, dev, &task.labels, temperature);
    task.temperature = temperature;
    set_task(&best, &task)?;
    if let Some((labels, confusion)) = report.confusion() {
        write_confusion(output, &labels, confusion)?;
    }
    let written = Written {
        temperature,
        uncalibrated: calibration_error(&before),
        report,
    };
    let text = serde_json::to_string_pretty(&written).map_err(|e| Error::config(e.to_string()))?;
    write_atomically(output.join("report.json"), |file| writeln!(file, "{text}"))
}

/// Replaces what a checkpoint's configuration says about the task.
fn set_task<F: ClassifierFrontEnd>(folder: &Path, task: &ClassifierConfig<F>) -> Result<()> {
    let fault = |e: serde_json::Error| Error::checkpoint(folder, e.to_string());
    let mut config = checkpoint::read_config(folder)?;
    config.task = serde_json::to_value(task).map_err(fault)?;
    let text = serde_json::to_string_pretty(&config).map_err(fault)?;
    write_atomically(folder.join(CONFIG_FILE), |file| writeln!(file, "{text}"))
}

fn write_confusion(output: &Path, labels: &[String], confusion: &ConfusionMatrix) -> Result<()> {
    let path = output.join("confusion.csv");
    let fault = |e: csv::Error| Error::input(&path, e.to_string());
    let mut table = csv::Writer::from_writer(Vec::new());
    let header = std::iter::once("reference \\ estimate").chain(labels.iter().map(String::as_str));
    table.write_record(header).map_err(fault)?;
    for (label, row) in labels.iter().zip(confusion.rows()) {
        let counts = row.iter().map(usize::to_string);
        table
            .write_record(std::iter::once(label.clone()).chain(counts))
            .map_err(fault)?;
    }
    let text = table
        .into_inner()
        .map_err(|e| Error::input(&path, e.to_string()))?;
    write_atomically(&path, |file| file.write_all(&text))?;

    let values: Vec<f32> = confusion
        .rows()
        .iter()
        .flat_map(|row| {
            let sum = row.iter().sum::<usize>().max(1) as f32;
            row.iter().map(move |&count| count as f32 / sum)
        })
        .collect();
    let matrix = Matrix::new(labels.len(), labels.len(), &values)?;
    let names = |side: &str| Axis::new(side, Ticks::Names(labels.to_vec()));
    let options = HeatMapOptions {
        columns: names("estimate"),
        rows: names("reference"),
        first_row: FirstRow::Top,
        square_cells: true,
        range: Some((0.0, 1.0)),
        value_label: "share of the reference's label".into(),
        ..HeatMapOptions::default()
    };
    let picture = heat_map("Which label is taken for which", matrix, &options)?;
    picture.save(output.join("confusion.svg"))
}

/// How right a checkpoint is on recordings with labels, and what was left out of them, a sentence each.
///
/// # Errors
/// When the checkpoint is none of a classifier, or its recordings cannot be read or have no label that it knows.
pub fn measure<C: ClassifierSizes>(
    files: &CheckpointFiles,
    reference: &Reference,
    device: &Device,
) -> Result<(LabelReport, Vec<String>)> {
    let (model, sizes, task) = files.assemble::<C::Model>(device)?;
    sizes.validate()?;
    task.check_labels(sizes.n_classes())
        .map_err(|e| Error::checkpoint(&files.origin, e.to_string()))?;
    let mut notes = Vec::new();
    let rate = task.features.sample_rate();
    let clips = measured_by(reference, &task.labels, rate, &mut notes)?;
    if task.target == Target::Class
        && let Some(clip) = clips.iter().find(|clip| clip.labels.len() != 1)
    {
        return Err(Error::input(
            reference.table.as_ref().unwrap_or(&reference.root),
            format!(
                "{} has {} labels; this model tells one class of each recording",
                clip.name,
                clip.labels.len()
            ),
        ));
    }
    let judge = Judge::<C> {
        extractor: task.features.extractor()?,
        target: task.target,
        window: (task.clip_s * f64::from(rate)).round() as usize,
        batch_size: 16,
    };
    let judged = judge.recordings(&model, &clips, device);
    let report = LabelReport::of(&judged, &clips, &task.labels, task.temperature);
    Ok((report, notes))
}
