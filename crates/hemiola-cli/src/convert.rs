//! `hemiola convert`: annotations from one file format to another.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hemiola::formats::{Annotations, FileFormat, Kind, annotations_from, write_atomically};

use crate::inputs::{Input, expand_by, refuse_collisions};
use crate::outputs::{make_parent, write_one};
use crate::{Outcome, wrong_use};

#[derive(clap::Args)]
#[command(after_long_help = table())]
pub struct Args {
    /// Files, folders of files, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// A file (its extension is the format), a folder (gets a file for each input), or - for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// The format of the inputs [default: by extension and content]
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    from: Option<FileFormat>,
    /// The format to write [default: the extension of OUT]
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    to: Option<FileFormat>,
    /// What to convert, of files that tell several things or do not say what their labels are about [default: the first
    /// that the format takes]
    #[arg(long, value_name = "KIND", value_parser = kind_parser())]
    what: Option<Kind>,
    /// Beats that a score is written by, or that go into JAMS beside the rest: any file that beats can be read from
    #[arg(long, value_name = "FILE")]
    beats: Option<PathBuf>,
}

fn format_parser() -> impl TypedValueParser<Value = FileFormat> {
    PossibleValuesParser::new(FileFormat::ALL.map(FileFormat::as_str)).try_map(|name| {
        let format = FileFormat::ALL
            .into_iter()
            .find(|format| format.as_str() == name);
        format.ok_or("unknown format")
    })
}

fn kind_parser() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).try_map(|name| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
        kind.ok_or("unknown kind")
    })
}

/// What each format reads and writes.
fn table() -> String {
    let list = |kinds: &[Kind]| {
        let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        words.join(", ")
    };
    let mut text = String::from("Formats, what is read from them and what is written to them:\n");
    for format in FileFormat::ALL {
        let (reads, writes) = (list(format.reads()), list(format.writes()));
        let reads = if reads.is_empty() {
            "nothing".to_owned()
        } else {
            reads
        };
        text.push_str(&format!(
            "\n  {format}\n    reads {reads}\n    writes {writes}\n"
        ));
    }
    text.push_str(
        "\njson is also what hemiola analyze writes. sonic-visualiser is a layer as .csv, audacity a label\n\
         track as .txt; both are known by their content. Onsets can be read of whatever has notes.\n",
    );
    text
}

pub fn run(args: &Args) -> Result<Outcome> {
    let (inputs, problems) = expand(&args.inputs, args.from);
    let folder_given = args.inputs.iter().any(|path| path.is_dir());
    let target = Target::choose(args, inputs.len() > 1 || folder_given)?;
    if let Some(format) = args.from {
        let shares = |kind: &Kind| format.reads().contains(kind);
        if !target.format.writes().iter().any(shares) {
            return Err(wrong_use(format!(
                "{format} cannot become {}; it can become {}",
                target.format,
                format.targets()
            )));
        }
    }
    let takes_beats = [FileFormat::MusicXml, FileFormat::Mxl, FileFormat::Jams];
    if args.beats.is_some() && !takes_beats.contains(&target.format) {
        return Err(wrong_use(
            "--beats is for musicxml, mxl and jams; leave it out",
        ));
    }
    let beats = match &args.beats {
        Some(path) => {
            let found = read(path, None, Some(Kind::Beats))?;
            let missing = || format!("{}: there are no beats in it", path.display());
            Some(found.beats.with_context(missing)?)
        }
        None => None,
    };
    if target.is_folder {
        refuse_collisions(&inputs).map_err(|e| wrong_use(e.to_string()))?;
    }
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    let mut failed = !problems.is_empty();
    let mut told = BTreeSet::new();
    for input in &inputs {
        let converted = read(&input.path, args.from, args.what).and_then(|mut found| {
            if let Some(beats) = &beats {
                found.beats = Some(beats.clone());
            }
            target.write(input, &found, args.what, &mut told)
        });
        match converted {
            Ok(()) => {}
            Err(error) if crate::is_broken_pipe(&error) => return Err(error),
            // The one thing asked for.
            Err(error) if inputs.len() == 1 && problems.is_empty() => return Err(error),
            Err(error) => {
                failed = true;
                crate::report(&error);
            }
        }
    }
    Ok(match failed {
        true => Outcome::SomeFailed,
        false => Outcome::Done,
    })
}

fn read(path: &Path, from: Option<FileFormat>, what: Option<Kind>) -> Result<Annotations> {
    if path == Path::new("-") {
        let format = from.ok_or_else(|| {
            wrong_use("standard input has no extension; name its format with --from")
        })?;
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(annotations_from(&bytes, format, "standard input", what)?);
    }
    let format = from.or_else(|| FileFormat::of(path)).ok_or_else(|| {
        wrong_use(format!(
            "{}: this extension is of no format known; name one with --from",
            path.display()
        ))
    })?;
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(annotations_from(&bytes, format, path, what)?)
}

/// Files as named, and those below the folders named whose extension is of a format.
fn expand(paths: &[PathBuf], from: Option<FileFormat>) -> (Vec<Input>, Vec<String>) {
    let fits = |path: &Path| {
        let found = FileFormat::of(path);
        found.is_some_and(|found| from.is_none_or(|from| from.extension() == found.extension()))
    };
    expand_by(paths, fits, "file in this folder is of a format known")
}

/// Where results go, and in which format.
struct Target {
    output: Option<PathBuf>,
    format: FileFormat,
    is_folder: bool,
}

impl Target {
    fn choose(args: &Args, many: bool) -> Result<Self> {
        let output = args.output.clone();
        let is_stdout = output.as_deref().is_none_or(|path| path == Path::new("-"));
        if is_stdout && many {
            return Err(wrong_use(
                "several files need a folder for their results: name one with -o",
            ));
        }
        let by_name = output.as_deref().and_then(FileFormat::of);
        let is_folder = !is_stdout
            && (many || by_name.is_none() || output.as_deref().is_some_and(Path::is_dir));
        let format = match (args.to, by_name) {
            (None, Some(format)) if !is_folder => format,
            (None, _) => {
                let place = if is_folder {
                    "a folder"
                } else {
                    "standard output"
                };
                return Err(wrong_use(format!(
                    "{place} has no extension that tells the format: name one with --to"
                )));
            }
            (Some(to), Some(found)) if !is_folder && to.extension() != found.extension() => {
                return Err(wrong_use(format!(
                    "--to {to} does not fit an output in .{}; drop one of them",
                    found.extension()
                )));
            }
            (Some(to), _) => to,
        };
        Ok(Self {
            output,
            format,
            is_folder,
        })
    }

    fn write(
        &self,
        input: &Input,
        found: &Annotations,
        what: Option<Kind>,
        told: &mut BTreeSet<String>,
    ) -> Result<()> {
        let of_input = || input.path.display().to_string();
        let kind = found.kind_for(self.format, what).with_context(of_input)?;
        let bytes = found.encode(self.format, what).with_context(of_input)?;
        match (&self.output, self.is_folder) {
            (Some(folder), true) => {
                let mut name = folder.join(&input.stem).into_os_string();
                name.push(format!(".{}", self.format.extension()));
                self.write_file(input, Path::new(&name), &bytes)?;
            }
            (Some(path), false) if path != Path::new("-") => {
                self.write_file(input, path, &bytes)?
            }
            _ => write_one(None, &bytes)?,
        }
        for warning in &found.warnings {
            eprintln!("warning: {}: {warning}", input.path.display());
        }
        for note in self.notes(found, kind, what) {
            if told.insert(note.clone()) {
                eprintln!("note: {note}");
            }
        }
        Ok(())
    }

    fn write_file(&self, input: &Input, path: &Path, bytes: &[u8]) -> Result<()> {
        let same = |path: &Path| std::fs::canonicalize(path).ok();
        if same(path).is_some_and(|written| same(&input.path) == Some(written)) {
            return Err(wrong_use(format!(
                "{} would be written over itself; name another place with -o",
                path.display()
            )));
        }
        make_parent(path)?;
        write_atomically(path, |file| std::io::Write::write_all(file, bytes))?;
        Ok(())
    }

    /// What does not get across.
    fn notes(&self, found: &Annotations, kind: Kind, what: Option<Kind>) -> Vec<String> {
        let format = self.format;
        let is_score = matches!(format, FileFormat::MusicXml | FileFormat::Mxl);
        let mut notes = Vec::new();
        if let Some(lost) = format.loses(kind) {
            notes.push(format!("{format} has no place for {lost}"));
        }
        if is_score
            && found
                .beats
                .as_ref()
                .is_none_or(|track| track.beats.is_empty())
        {
            notes.push(
                "no beats are told: the score is written as if at 120 BPM; name beats with --beats"
                    .to_owned(),
            );
        }
        let in_score = |other: &Kind| {
            is_score && matches!(other, Kind::Beats | Kind::Chords | Kind::Key | Kind::Onsets)
        };
        let others = found.kinds().into_iter().filter(|other| {
            // Beats and onsets are there wherever notes are.
            let follows = kind == Kind::Notes && matches!(other, Kind::Beats | Kind::Onsets);
            *other != kind && !in_score(other) && !follows
        });
        let others: Vec<&str> = others.map(Kind::as_str).collect();
        if what.is_none() && format != FileFormat::Jams && !others.is_empty() {
            notes.push(format!(
                "the {kind} are converted, not the {}; choose with --what",
                others.join(", ")
            ));
        }
        notes
    }
}
