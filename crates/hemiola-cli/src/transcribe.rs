//! `hemiola transcribe`: recordings in, notes out.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use hemiola::audio::AudioStream;
use hemiola::formats::{self, NoteFormat};
use hemiola::music::Note;
use hemiola::tasks::note_decoding::NoteEnd;
use hemiola::tasks::transcribe::Transcriber;

use crate::inputs::{self, Input};
use crate::{Outcome, progress, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    /// Recordings, folders of recordings, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// A file (its extension is the format), a folder (gets STEM.mid and so on), or - for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
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
    /// Leave out files whose results, in every format asked for, are there already
    #[arg(long)]
    skip_existing: bool,
    /// Recordings transcribed at once
    #[arg(short, long, default_value = "1", value_name = "N")]
    jobs: NonZeroUsize,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum NoteFormatArg {
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

impl NoteFormatArg {
    fn extension(self) -> &'static str {
        match self {
            Self::Mid => "mid",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "mid" | "midi" => Some(Self::Mid),
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            _ => None,
        }
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

/// Where results go.
enum Target {
    Stdout(NoteFormatArg),
    File(PathBuf, NoteFormatArg),
    Folder(PathBuf, Vec<NoteFormatArg>),
}

impl Target {
    fn choose(args: &Args, n_inputs: usize, folder_given: bool) -> Result<Self> {
        let one = |default| match args.format.as_slice() {
            [] => Ok(default),
            [format] => Ok(*format),
            several => Err(wrong_use(format!(
                "{} formats need a folder: name one with -o",
                several.len()
            ))),
        };
        let many = n_inputs > 1 || folder_given;
        match &args.output {
            None if many => Err(wrong_use(
                "several recordings need a folder for their results: name one with -o",
            )),
            None => {
                let format = one(NoteFormatArg::Csv)?;
                if format == NoteFormatArg::Mid && std::io::stdout().is_terminal() {
                    return Err(wrong_use("MIDI is not for a terminal: name a file with -o"));
                }
                Ok(Self::Stdout(format))
            }
            Some(path) if path == Path::new("-") && many => Err(wrong_use(
                "standard output takes one recording; name a folder with -o",
            )),
            Some(path) if path == Path::new("-") => Ok(Self::Stdout(one(NoteFormatArg::Csv)?)),
            Some(path) => match NoteFormatArg::of(path) {
                Some(format) if !many && !path.is_dir() => {
                    let asked = one(format)?;
                    if asked != format {
                        return Err(wrong_use(format!(
                            "--format {} does not fit {}; drop one of them",
                            asked.extension(),
                            path.display()
                        )));
                    }
                    Ok(Self::File(path.clone(), format))
                }
                _ => {
                    let mut formats = args.format.clone();
                    if formats.is_empty() {
                        formats.push(NoteFormatArg::Mid);
                    }
                    Ok(Self::Folder(path.clone(), formats))
                }
            },
        }
    }

    /// The files that an input's results go to; none for standard output.
    fn files(&self, input: &Input) -> Vec<(PathBuf, NoteFormatArg)> {
        match self {
            Self::Stdout(_) => Vec::new(),
            Self::File(path, format) => vec![(path.clone(), *format)],
            Self::Folder(folder, formats) => formats
                .iter()
                .map(|&format| {
                    let mut name = folder.join(&input.stem).into_os_string();
                    name.push(".");
                    name.push(format.extension());
                    (PathBuf::from(name), format)
                })
                .collect(),
        }
    }
}

pub fn run(args: Args) -> Result<Outcome> {
    let (inputs, problems) = inputs::expand(&args.inputs);
    let folder_given = args.inputs.iter().any(|path| path.is_dir());
    let target = Target::choose(&args, inputs.len(), folder_given)?;
    if matches!(target, Target::Folder(..)) {
        inputs::refuse_collisions(&inputs).map_err(|e| wrong_use(e.to_string()))?;
    }
    let transcriber = transcriber(&args)?;
    // Nobody wants to hear after an hour that there is no place for the results.
    if let Target::Folder(folder, _) = &target {
        make_folder(folder)?;
    }

    let failed = AtomicBool::new(!problems.is_empty());
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    let next = AtomicUsize::new(0);
    let stdout = Mutex::new(());
    let work = || {
        while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = transcribe_one(&args, &transcriber, input, &target, &stdout) {
                if crate::is_broken_pipe(&error) {
                    return;
                }
                failed.store(true, Ordering::Relaxed);
                crate::report(&error);
            }
        }
    };
    let jobs = args.jobs.get().min(inputs.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..jobs {
            scope.spawn(work);
        }
        work();
    });
    Ok(if failed.into_inner() {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
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

fn transcribe_one(
    args: &Args,
    transcriber: &Transcriber,
    input: &Input,
    target: &Target,
    stdout: &Mutex<()>,
) -> Result<()> {
    let files = target.files(input);
    if args.skip_existing && !files.is_empty() && files.iter().all(|(path, _)| path.is_file()) {
        return Ok(());
    }
    let rate = transcriber.sample_rate();
    let mut stream = if input.is_stdin() {
        AudioStream::from_reader(std::io::stdin(), "standard input", rate)?
    } else {
        AudioStream::open(&input.path, rate)?
    };
    let length_s = stream.duration_s();
    let bar = progress::bar(
        length_s.unwrap_or(0.0).ceil() as u64,
        "{msg} {wide_bar} {percent}% {eta}",
    );
    bar.set_message(input.path.display().to_string());
    let read_s = Cell::new(0.0);
    let notes = transcriber.transcribe(&mut stream, |now_s| {
        read_s.set(now_s);
        bar.set_position(now_s as u64);
    });
    let notes = notes.inspect_err(|_| bar.finish_and_clear())?;
    bar.finish_and_clear();
    if read_s.get() == 0.0 {
        eprintln!(
            "warning: {}: there is no sound in this recording, not even silence; the result is empty",
            input.path.display()
        );
    }
    for warning in stream.warnings() {
        eprintln!("warning: {}: {warning}", input.path.display());
    }
    let made_by = format!("hemiola {} {}", env!("CARGO_PKG_VERSION"), args.model);
    if let Target::Stdout(format) = target {
        let _turn = stdout.lock().unwrap_or_else(|e| e.into_inner());
        let mut out = std::io::stdout().lock();
        out.write_all(&formats::encode_notes(
            &notes,
            (*format).into(),
            Some(&made_by),
        )?)?;
        out.flush()?;
    }
    for (path, _) in files {
        write(&path, &notes, &made_by)?;
    }
    Ok(())
}

pub fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: cannot make this folder", folder.display()))
}

fn write(path: &Path, notes: &[Note], made_by: &str) -> Result<()> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        make_folder(folder)?;
    }
    formats::write_notes(path, notes, Some(made_by))?;
    Ok(())
}
