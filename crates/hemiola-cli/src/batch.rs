//! Recordings one after another or several at once; a bad one does not stop the rest.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use hemiola::audio::{AudioStream, Source};
use hemiola::midi::Score;
use indicatif::ProgressBar;

use crate::inputs::{self, Input};
use crate::outputs::{Format, Target, make_folder};
use crate::{Outcome, progress, wrong_use};

/// What every verb of recordings is told.
#[derive(clap::Args)]
pub struct Args {
    /// Recordings, folders of recordings, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// A file (its extension is the format), a folder (gets a file for each recording and format), or - for standard
    /// output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Leave out files whose results, in every format asked for, are there already
    #[arg(long)]
    skip_existing: bool,
    /// Recordings heard at once
    #[arg(short, long, default_value = "1", value_name = "N")]
    jobs: NonZeroUsize,
}

/// What a verb does to each recording.
pub trait Listener: Sync {
    type Format: Format;
    type Found;
    /// Whether MIDI files are inputs, too.
    const READS_SCORES: bool = false;

    /// Hz, of the streams that [`Self::listen`] reads.
    fn sample_rate(&self) -> u32;

    /// Hears a recording to its end, and shows on `bar` how far it is: one stream, unless a verb says otherwise.
    fn hear(&self, source: &Source, bar: &ProgressBar) -> Result<Heard<Self::Found>>
    where
        Self: Sized,
    {
        hear_stream(self, source, bar)
    }

    /// Reads a stream to its end; `progress` is told the seconds read.
    fn listen(
        &self,
        stream: &mut AudioStream,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Self::Found>;

    /// What a MIDI file says of itself; only called of verbs that say [`Self::READS_SCORES`].
    fn read(&self, _score: &Score) -> Result<Self::Found> {
        anyhow::bail!("this is a MIDI file; expected a recording")
    }

    /// The bytes of a file of what was found.
    fn encode(&self, found: &Self::Found, format: Self::Format) -> Result<Vec<u8>>;
}

/// Has each item worked on, `jobs` at once; whoever finds that nothing is gained by going on takes no more.
pub fn each<T: Sync>(items: &[T], jobs: NonZeroUsize, work: impl Fn(&T) -> ControlFlow<()> + Sync) {
    let next = AtomicUsize::new(0);
    let run = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if work(item).is_break() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.get().min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
}

/// What was found in a recording.
pub struct Heard<T> {
    pub found: T,
    /// Seconds.
    pub duration_s: f64,
    pub warnings: Vec<String>,
}

/// Has one stream of a recording heard.
pub fn hear_stream<L: Listener>(
    listener: &L,
    source: &Source,
    bar: &ProgressBar,
) -> Result<Heard<L::Found>> {
    let mut stream = source.open(listener.sample_rate())?;
    bar.set_length(stream.duration_s().unwrap_or(0.0).ceil() as u64);
    let mut duration_s = 0.0;
    let found = listener.listen(&mut stream, &mut |now_s| {
        duration_s = now_s;
        bar.set_position(now_s as u64);
    })?;
    Ok(Heard {
        found,
        duration_s,
        warnings: stream.warnings().to_vec(),
    })
}

/// Which recordings are to be heard, and where the results go.
pub struct Batch<F> {
    inputs: Vec<Input>,
    /// What was named and cannot be looked at.
    problems: Vec<String>,
    target: Target<F>,
    skip_existing: bool,
    jobs: NonZeroUsize,
}

impl<F: Format> Batch<F> {
    /// # Errors
    /// Wrong use: inputs, output and formats that do not go together.
    pub fn plan(args: &Args, formats: &[F]) -> Result<Self> {
        let (inputs, problems) = inputs::expand(&args.inputs);
        let folder_given = args.inputs.iter().any(|path| path.is_dir());
        let many = inputs.len() > 1 || folder_given;
        let target = Target::choose(args.output.as_deref(), formats, many)?;
        if matches!(target, Target::Folder(..)) {
            inputs::refuse_collisions(&inputs).map_err(|e| wrong_use(e.to_string()))?;
        }
        Ok(Self {
            inputs,
            problems,
            target,
            skip_existing: args.skip_existing,
            jobs: args.jobs,
        })
    }

    /// Has every recording heard and the results written; failures are reported as they come.
    ///
    /// # Errors
    /// When the folder for the results cannot be made.
    pub fn run(&self, listener: &impl Listener<Format = F>) -> Result<Outcome> {
        // Nobody wants to hear after an hour that there is no place for the results.
        if let Target::Folder(folder, _) = &self.target {
            make_folder(folder)?;
        }
        let failed = AtomicBool::new(!self.problems.is_empty());
        for problem in &self.problems {
            eprintln!("error: {problem}");
        }
        each(&self.inputs, self.jobs, |input| {
            if let Err(error) = self.hear(input, listener) {
                if crate::is_broken_pipe(&error) {
                    return ControlFlow::Break(());
                }
                failed.store(true, Ordering::Relaxed);
                crate::report(&error);
            }
            ControlFlow::Continue(())
        });
        Ok(match failed.into_inner() {
            true => Outcome::SomeFailed,
            false => Outcome::Done,
        })
    }

    fn hear<L: Listener<Format = F>>(&self, input: &Input, listener: &L) -> Result<()> {
        if self.skip_existing && self.target.has_all(input) {
            return Ok(());
        }
        if L::READS_SCORES && inputs::is_midi(&input.path) {
            let found = listener
                .read(&Score::read(&input.path)?)
                .with_context(|| input.path.display().to_string())?;
            return self
                .target
                .write(input, |format| listener.encode(&found, format));
        }
        let bar = progress::bar(0, "{msg} {wide_bar} {percent}% {eta}");
        bar.set_message(input.path.display().to_string());
        let heard = listener.hear(&Source::from(&input.path), &bar);
        bar.finish_and_clear();
        let heard = heard?;
        if heard.duration_s == 0.0 {
            eprintln!(
                "warning: {}: there is no sound in this recording, not even silence; the result is empty",
                input.path.display()
            );
        }
        for warning in &heard.warnings {
            eprintln!("warning: {}: {warning}", input.path.display());
        }
        self.target
            .write(input, |format| listener.encode(&heard.found, format))
    }
}
