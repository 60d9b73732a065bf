//! `hemiola onsets`: recordings in, the times out at which something begins.

use anyhow::Result;
use hemiola::audio::AudioStream;
use hemiola::formats::{OnsetFormat, OnsetList};
use hemiola::music::Onset;
use hemiola::tasks::onsets::OnsetDetector;
use hemiola::tasks::peak_picking::PeakPickingConfig;

use crate::batch::{self, Batch, Listener};
use crate::outputs::Format;
use crate::{Outcome, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    batch: batch::Args,
    /// Formats to write, several at once: txt (a time in seconds a line), csv, json [default: the extension of OUT; txt
    /// elsewhere]
    #[arg(long, value_delimiter = ',')]
    format: Vec<OnsetFormatArg>,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "onsets")]
    model: String,
    /// Least activation of an onset, 0 to 1: lower finds more [default: the model's own]
    #[arg(long)]
    threshold: Option<f32>,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnsetFormatArg {
    Txt,
    Csv,
    Json,
}

impl From<OnsetFormatArg> for OnsetFormat {
    fn from(format: OnsetFormatArg) -> Self {
        match format {
            OnsetFormatArg::Txt => OnsetFormat::Txt,
            OnsetFormatArg::Csv => OnsetFormat::Csv,
            OnsetFormatArg::Json => OnsetFormat::Json,
        }
    }
}

impl Format for OnsetFormatArg {
    const IN_FOLDER: Self = Self::Txt;
    const ON_STDOUT: Self = Self::Txt;
}

pub fn run(args: Args) -> Result<Outcome> {
    let batch = Batch::plan(&args.batch, &args.format)?;
    let mut detector = crate::models::open_onset_detector(&args.model, &args.device.device())?;
    if let Some(threshold) = args.threshold {
        let peaks = PeakPickingConfig {
            threshold,
            ..detector.peak_picking().clone()
        };
        detector = detector
            .with_peak_picking(peaks)
            .map_err(|error| wrong_use(format!("--threshold: {error}")))?;
    }
    batch.run(&Onsets {
        detector,
        model: args.model,
    })
}

/// Hears onsets.
struct Onsets {
    detector: OnsetDetector,
    /// Its name.
    model: String,
}

impl Listener for Onsets {
    type Format = OnsetFormatArg;
    type Found = OnsetList;

    fn sample_rate(&self) -> u32 {
        self.detector.sample_rate()
    }

    fn listen(&self, stream: &mut AudioStream, progress: &mut dyn FnMut(f64)) -> Result<OnsetList> {
        let onsets: Vec<Onset> = self.detector.detect(stream, progress)?;
        Ok(OnsetList {
            model: Some(self.model.clone()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            onsets,
        })
    }

    fn encode(&self, onsets: &OnsetList, format: OnsetFormatArg) -> Result<Vec<u8>> {
        Ok(onsets.encode(format.into())?)
    }
}
