//! `hemiola transcribe`: recordings in, notes out.

use anyhow::Result;
use hemiola::audio::AudioStream;
use hemiola::formats::{self, NoteFormat};
use hemiola::music::Note;
use hemiola::tasks::note_decoding::NoteEnd;
use hemiola::tasks::transcribe::Transcriber;

use crate::batch::{self, Batch, Listener};
use crate::outputs::Format;
use crate::{Outcome, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    batch: batch::Args,
    /// Formats to write, several at once: mid, csv, json [default: the extension of OUT; mid in a
    /// folder; csv on standard output]
    #[arg(long, value_delimiter = ',')]
    format: Vec<NoteFormatArg>,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "piano")]
    model: String,
    /// Where a note ends: when it stops sounding (the pedal prolongs it), or when its key is released
    #[arg(long, value_enum, default_value = "sounding")]
    note_end: NoteEndArg,
    /// Least onset activation that begins a note, 0 to 1 [default: the model's own]
    #[arg(long)]
    onset_threshold: Option<f32>,
    /// Least frame activation that continues a note, 0 to 1 [default: the model's own]
    #[arg(long)]
    frame_threshold: Option<f32>,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum NoteFormatArg {
    #[value(alias = "midi")]
    Mid,
    Csv,
    Json,
}

impl From<NoteFormatArg> for NoteFormat {
    fn from(format: NoteFormatArg) -> Self {
        match format {
            NoteFormatArg::Mid => NoteFormat::Midi,
            NoteFormatArg::Csv => NoteFormat::Csv,
            NoteFormatArg::Json => NoteFormat::Json,
        }
    }
}

impl Format for NoteFormatArg {
    const IN_FOLDER: Self = Self::Mid;
    const ON_STDOUT: Self = Self::Csv;

    fn not_for_a_terminal(self) -> Option<&'static str> {
        (self == Self::Mid).then_some("MIDI")
    }
}

/// Where a note ends.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum NoteEndArg {
    /// When it stops sounding: the pedal prolongs it
    Sounding,
    /// When its key is released
    KeyRelease,
}

pub fn run(args: Args) -> Result<Outcome> {
    let batch = Batch::plan(&args.batch, &args.format)?;
    batch.run(&Notes {
        transcriber: transcriber(&args)?,
        made_by: format!("hemiola {} {}", env!("CARGO_PKG_VERSION"), args.model),
    })
}

/// Hears notes.
struct Notes {
    transcriber: Transcriber,
    /// What files say about their origin.
    made_by: String,
}

impl Listener for Notes {
    type Format = NoteFormatArg;
    type Found = Vec<Note>;

    fn sample_rate(&self) -> u32 {
        self.transcriber.sample_rate()
    }

    fn listen(&self, stream: &mut AudioStream, progress: &mut dyn FnMut(f64)) -> Result<Vec<Note>> {
        Ok(self.transcriber.transcribe(stream, progress)?)
    }

    fn encode(&self, notes: &Vec<Note>, format: NoteFormatArg) -> Result<Vec<u8>> {
        Ok(formats::encode_notes(
            notes,
            format.into(),
            Some(&self.made_by),
        )?)
    }
}

fn transcriber(args: &Args) -> Result<Transcriber> {
    let device = args.device.device();
    let transcriber = crate::models::open_transcriber(&args.model, &device)?;
    let mut decoding = transcriber.config().decoding.clone();
    if let Some(threshold) = args.onset_threshold {
        decoding.onset_threshold = threshold;
    }
    if let Some(threshold) = args.frame_threshold {
        decoding.frame_threshold = threshold;
    }
    decoding.validate().map_err(|e| wrong_use(e.to_string()))?;
    Ok(transcriber
        .with_decoding(decoding)
        .with_note_end(match args.note_end {
            NoteEndArg::Sounding => NoteEnd::Sounding,
            NoteEndArg::KeyRelease => NoteEnd::KeyRelease,
        }))
}
