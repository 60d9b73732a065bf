//! `hemiola infill`: a gap in a MIDI file is filled.

use std::path::PathBuf;

use anyhow::Result;
use hemiola::midi::MidiFile;
use hemiola::plot::{Colour, MarkedRange, NoteLayer, PianoRollOptions, piano_roll};
use hemiola::tasks::infill::{InfillOptions, Infiller};

use crate::midi_files::{MidiInput, MidiOutput, heard_notes, made_by, save_picture};
use crate::sampling::SamplingArgs;
use crate::{Outcome, progress, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    /// The MIDI file with the gap, or - for standard input
    input: PathBuf,
    /// Where the gap begins, in seconds; notes that begin in it are taken out
    #[arg(long, allow_negative_numbers = true, value_name = "SECONDS")]
    from: f64,
    /// Where the gap ends, in seconds
    #[arg(long, allow_negative_numbers = true, value_name = "SECONDS")]
    to: f64,
    /// The MIDI file to write, or - for standard output [default: INPUT-infilled.mid in this folder]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Also draw a piano roll (SVG or PNG) of what was given and what was made
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "bert")]
    model: String,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let output = MidiOutput::choose(args.output.as_deref(), Some(&args.input), "infilled")?;
    output.check(&[args.plot.as_deref()])?;
    let input = MidiInput::read(&args.input)?;
    let made_by = made_by(&args.model);
    let mut file = MidiFile::parse(&input.bytes, &input.path)?;
    let score = file.score();
    for warning in &score.warnings {
        eprintln!("warning: {}: {warning}", input.path.display());
    }
    let infiller = crate::models::open_infiller(&args.model)?;
    let piece = heard_notes(&score, infiller.tokens(), &input.path)?;
    let gap = args.from..args.to;
    Infiller::check(&piece, &gap)
        .map_err(|error| wrong_use(format!("{}: {error}", input.path.display())))?;
    let options = InfillOptions {
        sampler: args.sampling.sampler()?,
    };
    args.sampling.tell(&options.sampler);
    let bar = progress::bar(
        ((gap.end - gap.start) * 100.0) as u64,
        "{wide_bar} {percent} % {eta}",
    );
    let made = infiller.fill(&piece, gap.clone(), &options, &mut |seconds| {
        bar.set_position((seconds * 100.0) as u64);
    })?;
    bar.finish_and_clear();
    match made.len() {
        0 => eprintln!("warning: the model leaves the gap empty; another --seed may fill it"),
        notes => eprintln!("{notes} notes"),
    }
    file.remove_notes(gap.clone());
    file.add_track("infill", &made_by, &made)?;
    let bytes = file.to_bytes()?;
    if let Some(path) = &args.plot {
        let kept: Vec<_> = piece
            .into_iter()
            .filter(|note| !gap.contains(&note.onset_s))
            .collect();
        let layers = [
            NoteLayer::new("given", Colour::series(0), &kept),
            NoteLayer::new("made", Colour::series(1), &made),
        ];
        let options = PianoRollOptions {
            marked: vec![MarkedRange {
                name: "gap".into(),
                from_s: gap.start,
                to_s: gap.end,
            }],
            ..PianoRollOptions::default()
        };
        let name = input.path.file_name().unwrap_or_default().to_string_lossy();
        let picture = piano_roll(&format!("{name}, gap filled"), &layers, &options)?;
        save_picture(&picture, path)?;
    }
    output.write(&bytes)?;
    Ok(Outcome::Done)
}
