//! `hemiola generate` and `hemiola continue`: music that a model makes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use hemiola::midi::{MidiFile, WriteOptions, encode_midi};
use hemiola::music::{Note, end_s};
use hemiola::plot::Matrix;
use hemiola::plot::attention_map;
use hemiola::tasks::perform::{Made, PerformOptions, Performer};
use hemiola::tokens::{Event, encode, quantize};

use crate::midi_files::{MidiInput, MidiOutput, draw, heard_notes, made_by, save_picture};
use crate::sampling::SamplingArgs;
use crate::{Outcome, progress, wrong_use};

/// Events of an attention map, the last ones; as many have their names beside them.
const MAPPED: usize = 64;

#[derive(clap::Args)]
pub struct GenerateArgs {
    /// The MIDI file to write, or - for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

#[derive(clap::Args)]
pub struct ContinueArgs {
    /// The MIDI file to go on from, or - for standard input
    input: PathBuf,
    /// The MIDI file to write, or - for standard output [default: INPUT-continued.mid in this folder]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Go on from this time in seconds; what begins later is left out [default: the end]
    #[arg(long, allow_negative_numbers = true, value_name = "SECONDS")]
    from: Option<f64>,
    #[command(flatten)]
    options: Options,
}

#[derive(clap::Args)]
struct Options {
    /// The style, one of those that `hemiola models show performer` lists [default: none]
    #[arg(long)]
    style: Option<String>,
    /// How long the new music is
    #[arg(long, allow_negative_numbers = true, default_value_t = 30.0)]
    seconds: f64,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Also draw a piano roll (SVG or PNG) of what was given and what was made
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Also draw (SVG or PNG) which earlier events the last ones attend to
    #[arg(long, value_name = "FILE")]
    attention: Option<PathBuf>,
    /// The layer of the attention map, counted from 0
    #[arg(long, default_value_t = 0, requires = "attention")]
    layer: usize,
    /// The head of the attention map, counted from 0
    #[arg(long, default_value_t = 0, requires = "attention")]
    head: usize,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "performer")]
    model: String,
}

impl Options {
    /// The model and what it is asked for, if it can do that.
    fn prepare(&self, output: &MidiOutput) -> Result<(Performer, PerformOptions)> {
        output.check(&[self.plot.as_deref(), self.attention.as_deref()])?;
        let performer = crate::models::open_performer(&self.model)?;
        let options = PerformOptions {
            style: self.style.clone(),
            seconds: self.seconds,
            sampler: self.sampling.sampler()?,
            ..PerformOptions::default()
        };
        let wrong = |error: hemiola::Error| wrong_use(error.to_string());
        performer.check(&options).map_err(wrong)?;
        if self.attention.is_some() {
            performer
                .attention(&[0], 1, None, self.layer, self.head)
                .map_err(wrong)?;
        }
        self.sampling.tell(&options.sampler);
        Ok((performer, options))
    }

    /// Makes music and shows how far it is.
    fn make(
        &self,
        make: impl FnOnce(&mut dyn FnMut(f64)) -> hemiola::Result<Made>,
    ) -> Result<Vec<Note>> {
        let bar = progress::bar(
            self.seconds.ceil() as u64,
            "{wide_bar} {pos} of {len} seconds of music {eta}",
        );
        let start = Instant::now();
        let Made { notes, events } = make(&mut |seconds| bar.set_position(seconds as u64))?;
        bar.finish_and_clear();
        let each_second = events as f64 / start.elapsed().as_secs_f64();
        eprintln!(
            "{} notes, {events} events, {each_second:.0} a second",
            notes.len()
        );
        Ok(notes)
    }

    fn pictures(
        &self,
        performer: &Performer,
        title: &str,
        given: &[Note],
        made: &[Note],
    ) -> Result<()> {
        if let Some(path) = &self.plot {
            draw(path, title, given, made)?;
        }
        if let Some(path) = &self.attention {
            let notes = quantize(&[given, made].concat())?;
            let ids = encode(&hemiola::music::separated(notes));
            let most = MAPPED.min(performer.model().config().max_seq_len);
            let n = ids.len().min(most);
            if n == 0 {
                bail!("{}: no event was made that could attend", path.display());
            }
            let weights =
                performer.attention(&ids, n, self.style.as_deref(), self.layer, self.head)?;
            let names: Vec<String> = ids[ids.len() - n..]
                .iter()
                .filter_map(|&id| Event::from_id(id))
                .map(|event| event.to_string())
                .collect();
            let title = format!(
                "{title}: attention of layer {}, head {}",
                self.layer, self.head
            );
            let map = attention_map(&title, Matrix::new(n, n, &weights)?, &names)?;
            save_picture(&map, path)?;
        }
        Ok(())
    }
}

pub fn generate(args: &GenerateArgs) -> Result<Outcome> {
    let output = MidiOutput::choose(args.output.as_deref(), None, "")?;
    let (performer, options) = args.options.prepare(&output)?;
    let made = args
        .options
        .make(|progress| performer.generate(&options, progress))?;
    let style = args.options.style.as_deref();
    let options = WriteOptions {
        name: style.unwrap_or_default().to_owned(),
        text: Some(made_by(&args.options.model)),
        ..WriteOptions::default()
    };
    let bytes = encode_midi(&made, &options)?;
    let title = style.map_or_else(
        || "Generated".to_owned(),
        |style| format!("Generated: {style}"),
    );
    args.options.pictures(&performer, &title, &[], &made)?;
    output.write(&bytes)?;
    Ok(Outcome::Done)
}

pub fn go_on(args: &ContinueArgs) -> Result<Outcome> {
    let output = MidiOutput::choose(args.output.as_deref(), Some(&args.input), "continued")?;
    let input = MidiInput::read(&args.input)?;
    let made_by = made_by(&args.options.model);
    let mut file = MidiFile::parse(&input.bytes, &input.path)?;
    for warning in &file.score().warnings {
        eprintln!("warning: {}: {warning}", input.path.display());
    }
    let (performer, options) = args.options.prepare(&output)?;
    let heard = |file: &MidiFile| heard_notes(&file.score(), performer.tokens(), &input.path);
    match args.from {
        Some(from_s) => {
            check_from(from_s, &heard(&file)?, &input.path)?;
            file.truncate(from_s);
        }
        None => file.release_pedals(),
    }
    let given = heard(&file)?;
    let made = args
        .options
        .make(|progress| performer.continuation(&given, &options, progress))?;
    file.add_track("continuation", &made_by, &made)?;
    let bytes = file.to_bytes()?;
    let name = input.path.file_name().unwrap_or_default().to_string_lossy();
    args.options
        .pictures(&performer, &format!("{name}, continued"), &given, &made)?;
    output.write(&bytes)?;
    Ok(Outcome::Done)
}

fn check_from(from_s: f64, given: &[Note], path: &Path) -> Result<()> {
    let first_s = given
        .iter()
        .fold(f64::INFINITY, |first, note| first.min(note.onset_s));
    let end_s = end_s(given);
    if from_s > first_s && from_s <= end_s {
        return Ok(());
    }
    Err(wrong_use(format!(
        "--from {from_s}: the notes of {} are at {first_s:.2} to {end_s:.2} s; name a time among them",
        path.display()
    )))
}
