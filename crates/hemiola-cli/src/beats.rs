//! `hemiola beats`: recordings and MIDI files in, the times out at which one would tap along.

use anyhow::Result;
use hemiola::audio::{AudioStream, SharedReading, Source};
use hemiola::formats::{BeatFormat, BeatList};
use hemiola::midi::Score;
use hemiola::music::{BeatTrack, Note};
use hemiola::tasks::beats::{BeatConfig, BeatDetector, BeatTracker};
use indicatif::ProgressBar;

use crate::batch::{self, Batch, Heard, Listener};
use crate::outputs::Format;
use crate::{Outcome, models, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    batch: batch::Args,
    /// Formats to write, several at once: beats (a time in seconds and the number of the beat in its bar a line), csv, json
    /// (with the tempo) [default: the extension of OUT; beats elsewhere]
    #[arg(long, value_delimiter = ',')]
    format: Vec<BeatFormatArg>,
    /// The model of onsets that recordings are heard with: a built-in one or a checkpoint folder
    #[arg(long, default_value = "onsets")]
    model: String,
    /// The model of chroma from which chords are heard: where they change, beats and bars begin
    #[arg(long, default_value = "chroma")]
    chroma: String,
    /// The model of chords: a built-in one or a checkpoint folder
    #[arg(long, default_value = "triads")]
    chords: String,
    /// Hear onsets alone: in half the time, and bars are a guess
    #[arg(long, conflicts_with_all = ["chroma", "chords"])]
    no_chords: bool,
    /// The slowest tempo that is looked for, beats a minute
    #[arg(long, value_name = "BPM")]
    min_bpm: Option<f64>,
    /// The fastest tempo that is looked for, beats a minute
    #[arg(long, value_name = "BPM")]
    max_bpm: Option<f64>,
    /// How many beats a bar may have, several at once [default: 3,4]
    #[arg(long, value_delimiter = ',', value_name = "N")]
    beats_per_bar: Vec<u8>,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BeatFormatArg {
    Beats,
    Csv,
    Json,
}

impl From<BeatFormatArg> for BeatFormat {
    fn from(format: BeatFormatArg) -> Self {
        match format {
            BeatFormatArg::Beats => BeatFormat::Beats,
            BeatFormatArg::Csv => BeatFormat::Csv,
            BeatFormatArg::Json => BeatFormat::Json,
        }
    }
}

impl Format for BeatFormatArg {
    const IN_FOLDER: Self = Self::Beats;
    const ON_STDOUT: Self = Self::Beats;
}

pub fn run(args: &Args) -> Result<Outcome> {
    let batch = Batch::plan(&args.batch, &args.format)?;
    let tracker = BeatTracker::new(args.config()).map_err(|error| wrong_use(error.to_string()))?;
    let device = args.device.device();
    let onsets = models::open_onset_detector(&args.model, &device)?;
    let mut detector = BeatDetector::new(onsets, tracker);
    if !args.no_chords {
        let chroma = models::open_chroma_extractor(&args.chroma, &device)?;
        detector = detector.with_chords(chroma, models::open_chord_reader(&args.chords)?);
    }
    batch.run(&Beats {
        detector,
        model: args.model.clone(),
    })
}

impl Args {
    fn config(&self) -> BeatConfig {
        let mut config = BeatConfig::default();
        config.min_bpm = self.min_bpm.unwrap_or(config.min_bpm);
        config.max_bpm = self.max_bpm.unwrap_or(config.max_bpm);
        if !self.beats_per_bar.is_empty() {
            config.bars.beats_per_bar.clone_from(&self.beats_per_bar);
        }
        config
    }
}

/// Hears beats.
struct Beats {
    detector: BeatDetector,
    /// The name of the model of onsets.
    model: String,
}

impl Listener for Beats {
    type Format = BeatFormatArg;
    type Found = BeatList;
    const READS_SCORES: bool = true;

    fn sample_rate(&self) -> u32 {
        self.detector.sample_rate()
    }

    /// Onsets and chords of one decoding.
    fn hear(&self, source: &Source, bar: &ProgressBar) -> Result<Heard<BeatList>> {
        if !self.detector.hears_chords() {
            return batch::hear_stream(self, source, bar);
        }
        let reading = SharedReading::open(source)?;
        bar.set_length(reading.duration_s().unwrap_or(0.0).ceil() as u64);
        let (track, reading) = self.detector.detect_with_chords(reading, |now_s| {
            bar.set_position(now_s as u64);
        })?;
        Ok(Heard {
            found: list(track, Some(self.model.clone())),
            duration_s: reading.duration_s,
            warnings: reading.warnings,
        })
    }

    fn listen(&self, stream: &mut AudioStream, progress: &mut dyn FnMut(f64)) -> Result<BeatList> {
        let track = self.detector.detect(stream, None, progress)?;
        Ok(list(track, Some(self.model.clone())))
    }

    /// Of all notes, drums included.
    fn read(&self, score: &Score) -> Result<BeatList> {
        let parts = score.instruments.iter();
        let notes: Vec<Note> = parts.flat_map(|part| part.notes.iter().copied()).collect();
        Ok(list(
            self.detector.tracker().track_notes(&notes, None),
            None,
        ))
    }

    fn encode(&self, beats: &BeatList, format: BeatFormatArg) -> Result<Vec<u8>> {
        Ok(beats.encode(format.into())?)
    }
}

fn list(track: BeatTrack, model: Option<String>) -> BeatList {
    BeatList {
        model,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        track,
    }
}
