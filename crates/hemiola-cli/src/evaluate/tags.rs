//! `hemiola evaluate tags`: a classifier on recordings with labels.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use hemiola::checkpoint::Architecture;
use hemiola::evaluation::classification::ConfusionMatrix;
use hemiola::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use hemiola::models::music_cnn::MusicCnnConfig;
use hemiola::training::{LabelReport, Reference, measure};

use crate::{Outcome, models};

#[derive(clap::Args)]
pub struct Args {
    /// A folder with a folder of recordings for each label; with --table, what its files are below
    root: PathBuf,
    /// A CSV file with the columns file and tags
    #[arg(long, value_name = "CSV")]
    table: Option<PathBuf>,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "instruments")]
    model: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let files = models::open(&args.model)?;
    let reference = Reference {
        root: args.root.clone(),
        table: args.table.clone(),
    };
    let device = args.device.device();
    let (report, notes) = match files.config.architecture.as_str() {
        HarmonicCnn::NAME => measure::<HarmonicCnnConfig>(&files, &reference, &device)?,
        _ => measure::<MusicCnnConfig>(&files, &reference, &device)?,
    };
    for note in notes {
        eprintln!("note: {note}");
    }
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        false => write!(out, "{}", table(&report))?,
    }
    Ok(Outcome::Done)
}

fn table(report: &LabelReport) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            text.push_str(&format!("{name:28} {value:.4}\n"));
        }
    };
    line("accuracy", report.accuracy());
    match report {
        LabelReport::Classes(report) => {
            line("balanced accuracy", Some(report.balanced_accuracy));
            line("macro F1", Some(report.macro_f1));
            line("ROC-AUC", report.roc_auc);
            line("calibration error", Some(report.expected_calibration_error));
        }
        LabelReport::Tags(report) => {
            line("mean average precision", report.average_precision);
            line("mean ROC-AUC", report.roc_auc);
            line("calibration error", Some(report.expected_calibration_error));
            for scored in report.labels.iter().filter(|l| l.scores.support > 0) {
                let name = format!("  {} ({})", scored.label, scored.scores.support);
                line(&name, scored.scores.average_precision);
            }
        }
    }
    if let Some((labels, confusion)) = report.confusion() {
        text.push('\n');
        text.push_str(&confusion_table(&labels, confusion));
    }
    text
}

/// One row per label of the reference; columns are numbered like the rows.
fn confusion_table(labels: &[String], confusion: &ConfusionMatrix) -> String {
    let widest = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let mut text = format!("{:widest$}    ", "");
    (1..=labels.len()).for_each(|i| text.push_str(&format!(" {i:>4}")));
    text.push('\n');
    for (i, (label, row)) in labels.iter().zip(confusion.rows()).enumerate() {
        text.push_str(&format!("{label:widest$} {:>3}", i + 1));
        row.iter().for_each(|n| text.push_str(&format!(" {n:>4}")));
        text.push('\n');
    }
    text
}
