//! `hemiola interpolate`: two pieces in, the steps from one to the other out.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hemiola::formats::{check_writable, write_atomically};
use hemiola::models::music_vae::Interpolation;
use hemiola::music::Note;
use hemiola::plot::{Colour, MarkedRange, NoteLayer, PianoRollOptions, Picture, piano_roll};
use hemiola::tasks::phrases::{MOST_STEPS, Passage};

use crate::midi_files::{MidiOutput, made_by, save_picture};
use crate::outputs::make_folder;
use crate::passages::{Input, SpaceArgs};
use crate::{Outcome, wrong_use};

/// All steps, one after the other.
const JOINED: &str = "joined.mid";

#[derive(clap::Args)]
pub struct Args {
    /// The MIDI file to begin with
    from: PathBuf,
    /// The MIDI file to end with
    to: PathBuf,
    /// Pieces to make, the two ends as the model remembers them included
    #[arg(long, default_value = "8", value_name = "N", value_parser = steps, allow_negative_numbers = true)]
    steps: usize,
    /// The folder to write: 01.mid, 02.mid and so on, and all of them one after the other in joined.mid
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Go on an arc instead of a straight line
    #[arg(long)]
    spherical: bool,
    #[command(flatten)]
    space: SpaceArgs,
}

/// A number of steps from one end to another.
pub fn steps(text: &str) -> Result<usize, String> {
    let steps = text
        .parse()
        .ok()
        .filter(|steps| (2..=MOST_STEPS).contains(steps));
    steps.ok_or_else(|| format!("expected from 2, the two ends, to {MOST_STEPS}"))
}

pub fn way(spherical: bool) -> Interpolation {
    match spherical {
        true => Interpolation::Spherical,
        false => Interpolation::Linear,
    }
}

pub fn run(args: Args) -> Result<Outcome> {
    if args.output == Path::new("-") {
        return Err(wrong_use(
            "-o -: steps are files; expected a folder for them",
        ));
    }
    if args.output.exists() && !args.output.is_dir() {
        return Err(wrong_use(format!(
            "-o {} is a file; expected a folder for the steps",
            args.output.display()
        )));
    }
    let names = step_names(args.steps);
    check_leftovers(&args.output, &names)?;
    check_writable(args.output.join(JOINED))?;
    MidiOutput::Stdout.check(&[args.space.plot.as_deref()])?;
    let space = args.space.open()?;
    let [from, to] = [
        Input::read(&args.from, &space)?,
        Input::read(&args.to, &space)?,
    ];
    let way = way(args.spherical);
    let passages = space
        .interpolate(&from.score, &to.score, args.steps, way)
        .with_context(|| format!("{} to {}", args.from.display(), args.to.display()))?;
    let joined = Passage::joined(&passages);

    let made_by = made_by(&args.space.model);
    let mut files = Vec::with_capacity(args.steps + 1);
    for (name, passage) in names.into_iter().zip(&passages) {
        files.push((name, passage.to_midi(Some(made_by.clone()))?));
    }
    files.push((JOINED.to_owned(), joined.to_midi(Some(made_by))?));

    let title = format!("{} to {} in {} steps", from.stem, to.stem, args.steps);
    let picture = drawn(&title, &passages, &joined, [&from.stem, &to.stem])?;
    make_folder(&args.output)?;
    for (name, bytes) in files {
        write_atomically(args.output.join(name), |file| file.write_all(&bytes))?;
    }
    if let Some(path) = &args.space.plot {
        save_picture(&picture, path)?;
    }
    eprintln!("{}", args.output.display());
    Ok(Outcome::Done)
}

/// The names of the files of so many steps, in their order.
fn step_names(steps: usize) -> Vec<String> {
    let digits = steps.to_string().len().max(2);
    (1..=steps)
        .map(|step| format!("{step:0digits$}.mid"))
        .collect()
}

/// Refuses a folder in which steps of another interpolation would stay beside the new ones.
fn check_leftovers(folder: &Path, names: &[String]) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    let mut found = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_other = |name: &String| {
        let stem = name.strip_suffix(".mid").unwrap_or_default();
        stem.len() >= 2 && stem.bytes().all(|digit| digit.is_ascii_digit()) && !names.contains(name)
    };
    match found.find(is_other) {
        Some(other) => Err(wrong_use(format!(
            "-o {} holds {other}, a step of another interpolation; name another folder or remove it",
            folder.display()
        ))),
        None => Ok(()),
    }
}

/// The steps one after the other: the ends and what lies between in colours of their own, every other step on another
/// ground.
fn drawn(title: &str, passages: &[Passage], joined: &Passage, ends: [&str; 2]) -> Result<Picture> {
    let mut notes: [Vec<Note>; 3] = Default::default();
    let mut marked = Vec::new();
    let mut all = joined.notes.iter();
    let mut from_s = 0.0;
    for (step, passage) in passages.iter().enumerate() {
        let layer = match step {
            0 => 0,
            _ if step == passages.len() - 1 => 2,
            _ => 1,
        };
        notes[layer].extend(all.by_ref().take(passage.notes.len()));
        let to_s = from_s + passage.end_s - passage.start_s;
        if step % 2 == 1 {
            marked.push(MarkedRange {
                name: "every other step".to_owned(),
                from_s,
                to_s,
            });
        }
        from_s = to_s;
    }
    let names = [ends[0], "between", ends[1]];
    let layers: Vec<NoteLayer> = (names.iter().zip(&notes).enumerate())
        .map(|(index, (name, notes))| NoteLayer::new(*name, Colour::series(index), notes))
        .collect();
    let options = PianoRollOptions {
        range_s: Some((0.0, joined.end_s)),
        marked,
        ..PianoRollOptions::default()
    };
    Ok(piano_roll(title, &layers, &options)?)
}
