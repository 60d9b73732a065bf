//! The program `hemiola`: one file per verb.

mod analyze;
mod attribute;
mod augment;
mod batch;
mod beats;
mod chords;
mod chroma;
mod convert;
mod data;
mod doctor;
mod embed;
mod evaluate;
mod features;
mod finetune;
mod harmony;
mod infill;
mod inputs;
mod interpolate;
mod key;
mod listen;
mod man;
mod midi_files;
mod models;
mod onsets;
mod outputs;
mod passages;
mod perform;
mod plot;
mod progress;
mod sampling;
mod similar;
mod tag;
mod train;
mod transcribe;
mod vary;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Tensors come and go with every operator; the system's allocator returns their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Deep models of music: a recording goes in, notes come out.
///
/// Results go to files or standard output, messages and progress to standard error. The exit code is
/// 0 when all went well, 1 when something failed, 2 for wrong use.
#[derive(Parser)]
#[command(name = "hemiola", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Hear everything in recordings: notes, instruments, beats, chords, key; a page, MIDI, labels, JAMS, JSON, a table
    Analyze(analyze::Args),
    /// Turn recordings of a piano into notes (MIDI, CSV, JSON)
    Transcribe(transcribe::Args),
    /// Tell which instruments sound in recordings, or whatever labels a model was taught
    Tag(tag::Args),
    /// Find when something begins to sound in recordings (text, CSV, JSON)
    Onsets(onsets::Args),
    /// Find tempo, beats and bars of recordings and MIDI files (text, CSV, JSON)
    Beats(beats::Args),
    /// Tell how present each of the 12 pitch classes is over time (CSV, NPY, JSON, SVG, PNG)
    Chroma(chroma::Args),
    /// Name the chords of recordings (lab, CSV, JSON, JAMS)
    Chords(chords::Args),
    /// Name the Roman numerals and keys of chords, of MIDI files and of recordings (text, JSON)
    Harmony(harmony::Args),
    /// Find the key of recordings and MIDI files
    Key(key::Args),
    /// Hear a microphone, a pipe or a recording as it goes by: pitch classes and level, live or as JSON lines
    Listen(listen::Args),
    /// Put recordings into an index of what they sound like
    Embed(embed::Args),
    /// Find recordings that sound like one, what is there twice, or draw a map of all, from an index
    Similar(similar::Args),
    /// Make music from nothing (MIDI)
    Generate(perform::GenerateArgs),
    /// Go on where a MIDI file ends
    Continue(perform::ContinueArgs),
    /// Fill a gap in a MIDI file
    Infill(infill::Args),
    /// Go from one piece of music to another in steps, phrase by phrase
    Interpolate(interpolate::Args),
    /// Vary a piece of music at random, phrase by phrase
    Vary(vary::Args),
    /// Make a piece of music denser, higher, more major or fuller, phrase by phrase
    Attribute(attribute::Args),
    /// Vary a recording: pitch, length, mix, room, equaliser, noise, level (WAV)
    Augment(augment::Args),
    /// Show what a classifier hears of a recording: its spectrogram, its layers, its filters (SVG, PNG, NPY)
    Features(features::Args),
    /// Draw an analysis: waveform, spectrogram, notes, chroma, chords, instruments, onsets, beats over time (SVG, PNG)
    Plot(plot::Args),
    /// Train a model as a recipe says
    Train(train::Args),
    /// Teach a trained classifier your own labels
    Finetune(finetune::Args),
    /// Score estimates against references with the metrics of mir_eval
    Evaluate(evaluate::Args),
    /// List, validate and render music to learn from
    Data(data::Args),
    /// List, show, export and import models
    Models(models::Args),
    /// Turn notes, onsets, beats, chords, keys, sections and tags of one file format into another (MIDI, MusicXML, JAMS, lab,
    /// Sonic Visualiser, Audacity …)
    Convert(convert::Args),
    /// Tell whether what the program needs is there
    Doctor(doctor::Args),
    /// Write manual pages
    Man(man::Args),
    /// Print a shell's completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Analyze(args) => analyze::run(&args),
        Verb::Transcribe(args) => transcribe::run(args),
        Verb::Tag(args) => tag::run(&args),
        Verb::Onsets(args) => onsets::run(args),
        Verb::Beats(args) => beats::run(&args),
        Verb::Chroma(args) => chroma::run(args),
        Verb::Chords(args) => chords::run(&args),
        Verb::Key(args) => key::run(&args),
        Verb::Harmony(args) => harmony::run(&args),
        Verb::Listen(args) => listen::run(&args),
        Verb::Embed(args) => embed::run(&args),
        Verb::Similar(args) => similar::run(&args),
        Verb::Generate(args) => perform::generate(&args),
        Verb::Continue(args) => perform::go_on(&args),
        Verb::Infill(args) => infill::run(&args),
        Verb::Interpolate(args) => interpolate::run(args),
        Verb::Vary(args) => vary::run(args),
        Verb::Attribute(args) => attribute::run(args),
        Verb::Augment(args) => augment::run(&args),
        Verb::Features(args) => features::run(&args),
        Verb::Plot(args) => plot::run(&args),
        Verb::Train(args) => train::run(args),
        Verb::Finetune(args) => finetune::run(args),
        Verb::Evaluate(args) => evaluate::run(args),
        Verb::Data(args) => data::run(args),
        Verb::Models(args) => models::run(args),
        Verb::Convert(args) => convert::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Man(args) => man::run(&args, Cli::command()),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hemiola", &mut script);
            std::io::stdout()
                .write_all(&script)
                .map(|()| Outcome::Done)
                .map_err(Into::into)
        }
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            match error.downcast_ref::<WrongUse>() {
                Some(_) => ExitCode::from(2),
                None => ExitCode::from(1),
            }
        }
    }
}

/// Tells an error in one line: what failed, then why, without what was said already.
fn report(error: &anyhow::Error) {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.ends_with(&cause) {
            continue;
        }
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&cause);
    }
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    eprintln!("error: {}", lines.join(" "));
}

/// How a verb ended that reported its own failures.
enum Outcome {
    Done,
    SomeFailed,
}

/// Arguments that cannot be carried out together.
#[derive(Debug)]
struct WrongUse(String);

impl std::fmt::Display for WrongUse {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}

fn wrong_use(message: impl Into<String>) -> anyhow::Error {
    WrongUse(message.into()).into()
}

/// A reader that closed its end of the pipe has what it wanted.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
