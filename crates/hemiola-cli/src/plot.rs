//! `hemiola plot`: a picture of an analysis.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hemiola::Error;
use hemiola::analysis::{Analysis, Overview, OverviewBuilder};
use hemiola::audio::AudioStream;
use hemiola::formats::check_writable;
use hemiola::plot::{Lane, LaneOptions, PictureFormat, lanes};

use crate::midi_files::save_picture;
use crate::{Outcome, wrong_use};

/// What is enough for a picture, Hz.
const SAMPLE_RATE: u32 = 22_050;
/// How much longer or shorter than the analysis a recording may be, s.
const SAME_LENGTH_S: f64 = 1.0;
/// The analysis in a folder.
const FILE: &str = "analysis.json";

#[derive(clap::Args)]
pub struct Args {
    /// An analysis.json, or the folder that holds it
    analysis: PathBuf,
    /// The picture's file; its ending is the format: .svg or .png
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What to draw, several with commas between: waveform, spectrogram, notes, chroma, chords, instruments, onsets, beats
    /// [default: all that there is]
    #[arg(long, value_name = "LANES", value_delimiter = ',', value_parser = lane)]
    lanes: Vec<Lane>,
    /// Where the picture begins
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    start: Option<f64>,
    /// Where the picture ends
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    end: Option<f64>,
    /// The recording, for its waveform and its spectrogram
    #[arg(long, value_name = "FILE")]
    audio: Option<PathBuf>,
    /// What stands above [default: the recording's name]
    #[arg(long)]
    title: Option<String>,
}

fn lane(name: &str) -> Result<Lane, Error> {
    name.trim().parse()
}

pub fn run(args: &Args) -> Result<Outcome> {
    let output = &args.output;
    PictureFormat::of_path(output).map_err(|error| wrong_use(error.to_string()))?;
    if output.is_dir() {
        return Err(wrong_use(format!(
            "{} is a folder; expected the name of a file",
            output.display()
        )));
    }
    check_writable(output)?;
    let path = match args.analysis.is_dir() {
        true => args.analysis.join(FILE),
        false => args.analysis.clone(),
    };
    let analysis = read(&path)?;
    let overview = match &args.audio {
        Some(audio) => overview(audio, &analysis)?,
        None => Overview::default(),
    };
    let options = LaneOptions {
        lanes: args.lanes.clone(),
        start_s: args.start,
        end_s: args.end,
    };
    let title = args.title.as_ref().unwrap_or(&analysis.recording.name);
    let mut drawn = lanes(title, &analysis, &overview, &options);
    let of_sound = |lane: &Lane| matches!(lane, Lane::Waveform | Lane::Spectrogram);
    if args.audio.is_none() && args.lanes.iter().any(of_sound) {
        drawn = drawn.map_err(|error| Error::config(format!("{error}; name it with --audio")));
    }
    let picture = drawn.with_context(|| path.display().to_string())?;
    save_picture(&picture, output)?;
    eprintln!("{}", output.display());
    Ok(Outcome::Done)
}

fn read(path: &Path) -> Result<Analysis> {
    let text = std::fs::read(path).map_err(|fault| Error::io(path, fault))?;
    Ok(serde_json::from_slice(&text).map_err(|fault| {
        Error::input(
            path,
            format!("expected the {FILE} of hemiola analyze, found something else: {fault}"),
        )
    })?)
}

/// Of the recording that was analysed, as far as its length tells.
fn overview(path: &Path, analysis: &Analysis) -> Result<Overview> {
    let mut stream = AudioStream::open(path, SAMPLE_RATE)?;
    let mut builder = OverviewBuilder::new(SAMPLE_RATE)?;
    let mut samples = 0;
    while let Some(block) = stream.next_block()? {
        builder.push(block);
        samples += block.len();
    }
    for warning in stream.warnings() {
        eprintln!("warning: {}: {warning}", path.display());
    }
    let length_s = samples as f64 / f64::from(SAMPLE_RATE);
    let analysed_s = analysis.recording.duration_s;
    if (length_s - analysed_s).abs() > SAME_LENGTH_S {
        eprintln!(
            "warning: {} lasts {length_s:.1} s, what was analysed {analysed_s:.1} s: is it another recording?",
            path.display()
        );
    }
    Ok(builder.finish())
}
