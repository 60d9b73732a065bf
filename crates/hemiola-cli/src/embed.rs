//! `hemiola embed`: recordings into an index, to be searched with `hemiola similar`.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use hemiola::Error;
use hemiola::audio::AudioStream;
use hemiola::index::{Embedding, GraphConfig, Index, IndexedFile, Stamp, hash_file};
use hemiola::tasks::embed::Embedder;

use crate::batch::each;
use crate::inputs::{self, Input};
use crate::{Outcome, models, progress, wrong_use};

/// The model of an index that is made without naming one.
pub const MODEL: &str = "embedding";

#[derive(clap::Args)]
pub struct Args {
    /// Recordings, or folders of recordings; what the index has already is not heard again
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The index, a file that is made where there is none
    #[arg(short, long, value_name = "INDEX")]
    output: PathBuf,
    /// Forget files that are no more
    #[arg(long)]
    prune: bool,
    /// Whether to keep graphs of neighbours beside the index, INDEX.tracks and INDEX.passages, with which hemiola similar compares
    /// what is near instead of everything
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    graph: GraphWhen,
    /// A built-in model or a checkpoint folder [default: that of the index; of a new one, embedding]
    #[arg(long)]
    model: Option<String>,
    /// Recordings heard at once
    #[arg(short, long, default_value = "1", value_name = "N")]
    jobs: NonZeroUsize,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum GraphWhen {
    /// Of more than 100,000 recordings or 1,000,000 passages, and where there are any already; made anew when a hundredth of
    /// the recordings came or went
    Auto,
    /// However small the index is, and with every change
    Always,
    /// None; those that are there are removed
    Never,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let (inputs, problems) = inputs::expand(&args.inputs);
    check(args, &inputs)?;
    let known = open_if_there(&args.output)?;
    if args.inputs.is_empty() {
        // Without a recording there is nothing to hear, so no model is needed.
        let known = known.with_context(|| {
            format!("{}: there is no index of this name", args.output.display())
        })?;
        let mut index = Index::update(&args.output, known.model())?;
        drop(known);
        if args.prune {
            prune(&mut index)?;
        }
        return keep_graphs(&mut index, args.graph);
    }
    let embedder = open_embedder(args.model.as_deref(), known.as_ref(), args.device)?;
    drop(known);
    crate::outputs::make_parent(&args.output)?;
    let index = Index::update(&args.output, embedder.identity())?;
    let library = Library {
        embedder,
        index: Mutex::new(index),
        counts: Counts::default(),
        stopped: AtomicBool::new(false),
    };
    let failed = library.take_in(&inputs, &problems, args.jobs);
    let mut index = library
        .index
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if library.stopped.into_inner() {
        return Ok(Outcome::SomeFailed);
    }
    let missing = match args.prune {
        true => {
            prune(&mut index)?;
            0
        }
        false => index.missing()?.len(),
    };
    tell(&index, &library.counts, missing)?;
    let graphs = keep_graphs(&mut index, args.graph)?;
    Ok(match failed {
        true => Outcome::SomeFailed,
        false => graphs,
    })
}

/// The graphs of neighbours as asked for. Without them nothing is lost but time, so the index is complete either way.
fn keep_graphs(index: &mut Index, when: GraphWhen) -> Result<Outcome> {
    let config = match when {
        GraphWhen::Auto => GraphConfig::default(),
        GraphWhen::Always => GraphConfig::ALWAYS,
        GraphWhen::Never => {
            index.remove_graphs()?;
            return Ok(Outcome::Done);
        }
    };
    let bar = progress::bar(0, "graph of neighbours {wide_bar} {pos} of {len} {eta}");
    let made = index.update_graphs(&config, |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    match made {
        Ok(true) => eprintln!(
            "{}: graphs of neighbours are up to date",
            index.path().display()
        ),
        Ok(false) => {}
        Err(fault) => {
            let library = index.path().display();
            crate::report(&anyhow::Error::new(fault).context(format!(
                "{library} is complete, but a graph of neighbours could not be made, so hemiola similar compares everything"
            )));
            return Ok(Outcome::SomeFailed);
        }
    }
    Ok(Outcome::Done)
}

fn check(args: &Args, inputs: &[Input]) -> Result<()> {
    if args.inputs.is_empty() && !args.prune && args.graph == GraphWhen::Auto {
        return Err(wrong_use(
            "nothing to do: name recordings or folders, or ask for --prune, --graph always or --graph never",
        ));
    }
    if args.output == Path::new("-") {
        return Err(wrong_use(
            "an index is a file that is changed in place: name one with -o, such as library.hml",
        ));
    }
    if inputs.iter().any(|input| input.path == Path::new("-")) {
        return Err(wrong_use(
            "an index keeps files, by their names: standard input has none. hemiola similar - compares it with an index",
        ));
    }
    Ok(())
}

fn open_if_there(path: &Path) -> Result<Option<Index>> {
    match std::fs::metadata(path) {
        // A file without a byte is what a writer left that was killed before it had written anything.
        Ok(found) if found.len() > 0 || found.is_dir() => Ok(Some(Index::open(path)?)),
        _ => Ok(None),
    }
}

/// The model asked for, else that of an index, else the built-in one.
pub fn open_embedder(
    name: Option<&str>,
    index: Option<&Index>,
    device: models::DeviceArg,
) -> Result<Embedder> {
    let made_with = index.map(|index| index.model().name.as_str());
    if name.or(made_with).is_none() && hemiola::checkpoint::bundled(MODEL).is_none() {
        return Err(wrong_use(format!(
            "this hemiola has no built-in model {MODEL}; name a checkpoint folder with --model, such as a recipe of \
             contrastive-encoder trains"
        )));
    }
    let name = name.or(made_with).unwrap_or(MODEL);
    let opened = models::open(name);
    let files = match index {
        Some(index) if Some(name) == made_with => opened.with_context(|| {
            format!(
                "{}: made with the model {name}; say where it is now with --model",
                index.path().display()
            )
        })?,
        _ => opened?,
    };
    let embedder = Embedder::of(&files, &lasting_name(name), &device.device())?;
    if let Some(index) = index {
        index.check_model(embedder.identity())?;
    }
    Ok(embedder)
}

/// A model's name that means the same from any folder.
fn lasting_name(name: &str) -> String {
    if hemiola::checkpoint::bundled(name).is_some() {
        return name.to_owned();
    }
    let folder = std::fs::canonicalize(name).ok();
    let folder = folder.and_then(|folder| folder.to_str().map(str::to_owned));
    folder.unwrap_or_else(|| name.to_owned())
}

fn prune(index: &mut Index) -> Result<()> {
    for file in index.prune()? {
        eprintln!(
            "{}: forgotten: {}",
            index.path().display(),
            file.path.display()
        );
    }
    Ok(())
}

/// An index that recordings are taken into.
struct Library {
    embedder: Embedder,
    index: Mutex<Index>,
    counts: Counts,
    /// Whether the index can no longer be written to: then nothing is gained by going on.
    stopped: AtomicBool,
}

/// How many files were what.
#[derive(Default)]
struct Counts {
    heard: AtomicUsize,
    unchanged: AtomicUsize,
    known: AtomicUsize,
}

/// What became of a file.
enum Taken {
    Unchanged,
    /// The recording is there under another name; these names of it are no more.
    Known(Vec<IndexedFile>),
    Heard(Embedding),
}

/// What went wrong with a file.
enum Trouble {
    Recording(anyhow::Error),
    Index(anyhow::Error),
}

impl Library {
    /// Takes in files, several at once; tells whether anything failed.
    fn take_in(&self, inputs: &[Input], problems: &[String], jobs: NonZeroUsize) -> bool {
        let failed = AtomicBool::new(!problems.is_empty());
        for problem in problems {
            eprintln!("error: {problem}");
        }
        let bar = progress::bar(inputs.len() as u64, "{wide_bar} {pos} of {len} {eta}");
        each(inputs, jobs, |input| {
            if self.stopped.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            let result = self.take(&input.path);
            bar.suspend(|| match result {
                Ok(taken) => self.count(&input.path, &taken),
                Err(Trouble::Recording(error)) => {
                    failed.store(true, Ordering::Relaxed);
                    crate::report(&error);
                }
                Err(Trouble::Index(error)) => {
                    failed.store(true, Ordering::Relaxed);
                    // What stops one, stops all; it is told once.
                    if !self.stopped.swap(true, Ordering::Relaxed) {
                        crate::report(&error);
                    }
                }
            });
            bar.inc(1);
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        failed.into_inner()
    }

    fn take(&self, path: &Path) -> Result<Taken, Trouble> {
        let stamp = Stamp::of(path).map_err(|e| Trouble::Recording(e.into()))?;
        if self.with_index(|index| index.has_unchanged(path, stamp))? {
            return Ok(Taken::Unchanged);
        }
        let content = hash_file(path).map_err(|e| Trouble::Recording(e.into()))?;
        if let Some(gone) = self.with_index(|index| index.name(path, stamp, &content))? {
            return Ok(Taken::Known(gone));
        }
        let embedding = self.hear(path, stamp).map_err(Trouble::Recording)?;
        self.with_index(|index| index.add(path, stamp, &content, &embedding))?;
        Ok(Taken::Heard(embedding))
    }

    fn with_index<T>(
        &self,
        work: impl FnOnce(&mut Index) -> hemiola::Result<T>,
    ) -> Result<T, Trouble> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut index).map_err(|error| match &error {
            Error::Input { path, .. } if path == index.path() => Trouble::Index(error.into()),
            // Such as a file that went away meanwhile.
            _ => Trouble::Recording(error.into()),
        })
    }

    fn hear(&self, path: &Path, stamp: Stamp) -> Result<Embedding> {
        let mut stream = AudioStream::open(path, self.embedder.sample_rate())?;
        let embedding = self
            .embedder
            .embed(&mut stream, |_| {})
            .with_context(|| path.display().to_string())?;
        for warning in stream.warnings() {
            eprintln!("warning: {}: {warning}", path.display());
        }
        if Stamp::of(path)? != stamp {
            bail!(
                "{}: changed while it was heard; run the same command again when it is complete",
                path.display()
            );
        }
        Ok(embedding)
    }

    fn count(&self, path: &Path, taken: &Taken) {
        let counted = match taken {
            Taken::Unchanged => &self.counts.unchanged,
            Taken::Known(gone) => {
                for file in gone {
                    eprintln!(
                        "{}: moved here from {}",
                        path.display(),
                        file.path.display()
                    );
                }
                &self.counts.known
            }
            Taken::Heard(embedding) => {
                if embedding.passages.is_empty() {
                    eprintln!(
                        "warning: {}: there is nothing to hear in this recording; nothing will be like it",
                        path.display()
                    );
                }
                &self.counts.heard
            }
        };
        counted.fetch_add(1, Ordering::Relaxed);
    }
}

fn tell(index: &Index, counts: &Counts, missing: usize) -> Result<()> {
    let (tracks, files) = index.counts()?;
    let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    eprintln!(
        "{}: {tracks} recordings in {files} files; {} heard, {} unchanged, {} known by content",
        index.path().display(),
        of(&counts.heard),
        of(&counts.unchanged),
        of(&counts.known)
    );
    if missing > 0 {
        eprintln!(
            "{}: {missing} of these files are no more; --prune forgets them",
            index.path().display()
        );
    }
    Ok(())
}
