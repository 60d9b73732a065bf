//! `hemiola evaluate`: estimates against references, with the metrics of mir_eval, and models against music.

mod beats;
mod chroma;
mod events;
mod harmony;
mod labels;
mod masked;
mod pairing;
mod phrases;
mod pieces;
mod probe;
mod similar;
mod table;
mod tags;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use hemiola::evaluation::multipitch::Frame;
use hemiola::evaluation::{frames, multipitch, onset, transcription, transcription_velocity};
use hemiola::formats::{self, NoteFormat};
use hemiola::midi::Score;
use hemiola::music::Note;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Outcome;
use crate::transcribe::NoteEndArg;
use pairing::{Endings, Pairing};
use table::{Column, Group};

/// Frames a second at which piano rolls are compared.
const FRAMES_PER_SECOND: f64 = 100.0;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Lists of notes: MIDI, TSV, CSV, TXT as in MAPS, JSON
    Transcription {
        #[command(flatten)]
        files: Files,
        /// Which ends the notes of MIDI files and of x.pedal.tsv beside x.tsv have
        #[arg(long, value_enum, default_value = "sounding")]
        note_end: NoteEndArg,
    },
    /// Onsets: one time in seconds a line, or lists of notes, of which those that begin within 30 ms are one onset
    Onset(Files),
    /// Beats: a time in seconds a line and, where it is known, the number of the beat in its bar (.beats, .txt), CSV, JSON
    Beat(beats::BeatArgs),
    /// Tempi: a line of two tempi in BPM and the weight of the first (.lab, .txt), or what `hemiola beats` writes as JSON
    Tempo(Files),
    /// Pitches frame by frame: a time in seconds and frequencies in Hz a line
    Multipitch(Files),
    /// Chords in Harte's syntax: a start, an end and a label a line (.lab, .txt), CSV, JSON
    Chord(Files),
    /// Keys: a tonic and major, minor or other
    Key(Files),
    /// Sections: a start, an end and a label a line
    Segment(Files),
    /// How likely a model finds the music in a folder of MIDI files
    Events(events::Args),
    /// How many hidden events a model tells in a folder of MIDI files
    Masked(masked::Args),
    /// A latent space of phrases on MIDI files: what it remembers, and how evenly it goes from phrase to phrase
    Phrases(phrases::Args),
    /// Keys and degrees of the chords of Roman-numeral analyses
    Harmony(harmony::Args),
    /// A classifier on recordings with labels: accuracy, average precision, confusion
    Tags(tags::Args),
    /// A model of chroma on recordings with notes: average precision
    Chroma(chroma::Args),
    /// Vectors of recordings: how often one half of a recording finds the other among all
    Similar(similar::Args),
    /// Vectors of recordings: what a linear model learns of labels from a few clips
    Probe(probe::Args),
}

#[derive(clap::Args)]
struct Files {
    /// What is right: a file, or a folder
    reference: PathBuf,
    /// What is scored: a file, or a folder with files of the same names
    estimate: PathBuf,
    /// Print JSON with the names of mir_eval
    #[arg(long)]
    json: bool,
}

/// The scores of two files, as JSON with mir_eval's names.
type Scorer<'a> = &'a dyn Fn(&Path, &Path) -> Result<Value>;

pub fn run(args: Args) -> Result<Outcome> {
    match args.task {
        Task::Transcription { files, note_end } => {
            let endings = Endings {
                known: &["pedal.tsv", "tsv", "csv", "json", "txt", "mid", "midi"],
                left_out: match note_end {
                    NoteEndArg::Sounding => &[],
                    NoteEndArg::KeyRelease => &["pedal.tsv"],
                },
                begins_well: |path| formats::begins_as_notes(path),
            };
            let score = |reference: &Path, estimate: &Path| {
                score_notes(
                    &Notes::read(reference, note_end)?,
                    &Notes::read(estimate, note_end)?,
                )
            };
            evaluate(&files, &endings, NOTE_GROUPS, &score)
        }
        Task::Beat(args) => beats::beats(&args),
        Task::Tempo(files) => beats::tempi(&files),
        Task::Chord(files) => labels::chords(&files),
        Task::Key(files) => labels::keys(&files),
        Task::Segment(files) => labels::sections(&files),
        Task::Events(args) => events::run(&args),
        Task::Masked(args) => masked::run(&args),
        Task::Harmony(args) => harmony::run(&args),
        Task::Tags(args) => tags::run(&args),
        Task::Chroma(args) => chroma::run(&args),
        Task::Similar(args) => similar::run(&args),
        Task::Probe(args) => probe::run(&args),
        Task::Phrases(args) => phrases::run(&args),
        Task::Onset(files) => evaluate(&files, &ONSETS, ONSET_GROUPS, &|reference, estimate| {
            let (reference, estimate) = (
                formats::read_onsets(reference)?,
                formats::read_onsets(estimate)?,
            );
            to_json(onset::evaluate(&reference, &estimate))
        }),
        Task::Multipitch(files) => {
            evaluate(&files, &SERIES, PITCH_GROUPS, &|reference, estimate| {
                let (reference, estimate) = (read_frames(reference)?, read_frames(estimate)?);
                to_json(multipitch::evaluate(&reference, &estimate))
            })
        }
    }
}

/// Notes begin where they do with and without the pedal.
const ONSETS: Endings = Endings {
    known: &["pedal.tsv", "txt", "tsv", "csv", "json", "mid", "midi"],
    left_out: &["pedal.tsv"],
    begins_well: |path| formats::begins_as_onsets(path),
};

const SERIES: Endings = Endings {
    known: &["txt", "tsv", "csv"],
    left_out: &[],
    begins_well: |_| true,
};

const fn column(heading: &'static str, path: &'static [&'static str]) -> Column {
    Column { heading, path }
}

const NOTE_GROUPS: &[Group] = &[
    Group {
        heading: "notes",
        columns: &[
            column("P", &["Precision_no_offset"]),
            column("R", &["Recall_no_offset"]),
            column("F1", &["F-measure_no_offset"]),
            column("AOR", &["Average_Overlap_Ratio_no_offset"]),
        ],
    },
    Group {
        heading: "with offsets",
        columns: &[
            column("P", &["Precision"]),
            column("R", &["Recall"]),
            column("F1", &["F-measure"]),
        ],
    },
    Group {
        heading: "with offsets and velocities",
        columns: &[
            column("P", &["velocity", "Precision"]),
            column("R", &["velocity", "Recall"]),
            column("F1", &["velocity", "F-measure"]),
        ],
    },
    Group {
        heading: "frames",
        columns: &[
            column("P", &["frames", "Precision"]),
            column("R", &["frames", "Recall"]),
            column("F1", &["frames", "F-measure"]),
        ],
    },
];

const ONSET_GROUPS: &[Group] = &[Group {
    heading: "onsets",
    columns: &[
        column("P", &["Precision"]),
        column("R", &["Recall"]),
        column("F1", &["F-measure"]),
    ],
}];

const PITCH_GROUPS: &[Group] = &[
    Group {
        heading: "pitches",
        columns: &[
            column("P", &["Precision"]),
            column("R", &["Recall"]),
            column("Acc", &["Accuracy"]),
            column("Error", &["Total Error"]),
        ],
    },
    Group {
        heading: "chroma",
        columns: &[
            column("P", &["Chroma Precision"]),
            column("R", &["Chroma Recall"]),
            column("Acc", &["Chroma Accuracy"]),
            column("Error", &["Chroma Total Error"]),
        ],
    },
];

/// Scores all pairs and prints what came of it; what cannot be scored does not stop the rest.
fn evaluate(files: &Files, endings: &Endings, groups: &[Group], score: Scorer) -> Result<Outcome> {
    let pairing = Pairing::find(&files.reference, &files.estimate, endings)?;
    let mut failed = !pairing.alone.is_empty();
    for problem in &pairing.alone {
        eprintln!("error: {problem}");
    }
    for warning in &pairing.warnings {
        eprintln!("warning: {warning}");
    }
    let mut scores = BTreeMap::new();
    for pair in pairing.pairs {
        match score(&pair.reference, &pair.estimate) {
            Ok(value) => drop(scores.insert(pair.stem, value)),
            Err(error) => {
                failed = true;
                crate::report(&error);
            }
        }
    }
    let mean = mean(&scores.values().collect::<Vec<_>>());
    let mut out = std::io::stdout().lock();
    if files.json {
        let all = serde_json::json!({ "files": scores, "mean": mean });
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
    } else if !scores.is_empty() {
        table::write(&mut out, groups, &scores, &mean)?;
    }
    Ok(match failed {
        true => Outcome::SomeFailed,
        false => Outcome::Done,
    })
}

/// Number by number, the mean over the files that have it; null without files.
fn mean(scores: &[&Value]) -> Value {
    let maps: Vec<&Map<String, Value>> = scores.iter().filter_map(|s| s.as_object()).collect();
    if !maps.is_empty() {
        let names: std::collections::BTreeSet<&String> =
            maps.iter().flat_map(|map| map.keys()).collect();
        let means = names.into_iter().map(|name| {
            let values: Vec<&Value> = maps.iter().filter_map(|map| map.get(name)).collect();
            (name.clone(), mean(&values))
        });
        return Value::Object(means.collect());
    }
    let numbers: Vec<f64> = scores.iter().filter_map(|s| table::number(s)).collect();
    match numbers.len() {
        0 => Value::Null,
        count => (numbers.iter().sum::<f64>() / count as f64).into(),
    }
}

fn to_json(scores: impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(scores)?)
}

/// A file's notes.
struct Notes {
    list: Vec<Note>,
    /// Whether the format tells velocities.
    with_velocities: bool,
}

impl Notes {
    fn read(path: &Path, note_end: NoteEndArg) -> Result<Self> {
        let format = NoteFormat::of(path)?;
        let list = if format == NoteFormat::Midi {
            let score = Score::read(path)?;
            for warning in &score.warnings {
                eprintln!("warning: {}: {warning}", path.display());
            }
            match note_end {
                NoteEndArg::Sounding => score.notes_with_pedal(),
                NoteEndArg::KeyRelease => score.notes(),
            }
        } else {
            formats::read_notes(path)?
        };
        if list.is_empty() {
            eprintln!("warning: {}: there is no note in it", path.display());
        }
        Ok(Self {
            list,
            with_velocities: format != NoteFormat::Maps,
        })
    }
}

fn score_notes(reference: &Notes, estimate: &Notes) -> Result<Value> {
    let (r, e) = (&reference.list, &estimate.list);
    let mut scores = to_json(transcription::evaluate(r, e))?;
    let with_velocities = reference.with_velocities && estimate.with_velocities;
    if let Value::Object(scores) = &mut scores {
        let frames = frames::evaluate(r, e, FRAMES_PER_SECOND);
        scores.insert("frames".into(), to_json(frames)?);
        if with_velocities {
            let velocity = transcription_velocity::evaluate(r, e);
            scores.insert("velocity".into(), to_json(velocity)?);
        }
    }
    Ok(scores)
}

fn read_frames(path: &Path) -> Result<Vec<Frame>> {
    let series = formats::read_pitch_series(path)?;
    let frames = series.into_iter().map(|(time_s, frequencies_hz)| Frame {
        time_s,
        frequencies_hz,
    });
    Ok(frames.collect())
}
