//! `hemiola tag`: which labels recordings have.

use std::fmt::Write;

use anyhow::Result;
use hemiola::audio::AudioStream;
use hemiola::tasks::tag::{Tag, Tagger, Tagging, WindowTags};
use serde::Serialize;

use crate::batch::{self, Batch, Listener};
use crate::outputs::Format;
use crate::{Outcome, models, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    batch: batch::Args,
    /// Formats to write, several at once: json (all labels, also over time, and attention), csv (a row for each window),
    /// txt (a label a line) [default: the extension of OUT; json in a folder; txt on standard output]
    #[arg(long, value_delimiter = ',')]
    format: Vec<TagFormat>,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "instruments")]
    model: String,
    /// Seconds from one window to the next [default: half a window]
    #[arg(long, value_name = "SECONDS")]
    step: Option<f64>,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TagFormat {
    Json,
    Csv,
    Txt,
}

impl Format for TagFormat {
    const IN_FOLDER: Self = Self::Json;
    const ON_STDOUT: Self = Self::Txt;
}

pub fn run(args: &Args) -> Result<Outcome> {
    let batch = Batch::plan(&args.batch, &args.format)?;
    let mut tagger = Tagger::of(&models::open(&args.model)?, &args.device.device())?;
    if let Some(step_s) = args.step {
        tagger = tagger
            .with_step(step_s)
            .map_err(|e| wrong_use(format!("--step: {e}")))?;
    }
    batch.run(&Tags {
        tagger,
        model: args.model.clone(),
    })
}

struct Tags {
    tagger: Tagger,
    model: String,
}

/// A file of tags as JSON.
#[derive(Serialize)]
struct Written<'a> {
    hemiola: &'a str,
    model: &'a str,
    duration_s: f64,
    /// The most likely first.
    tags: Vec<Tag>,
    /// The same for each window.
    over_time: Vec<WrittenWindow<'a>>,
}

#[derive(Serialize)]
struct WrittenWindow<'a> {
    #[serde(flatten)]
    window: &'a WindowTags,
    tags: Vec<Tag>,
}

/// Four decimals: more would say what nobody knows.
fn rounded(mut tags: Vec<Tag>) -> Vec<Tag> {
    for tag in &mut tags {
        tag.score = (tag.score * 1e4).round() / 1e4;
    }
    tags
}

impl Listener for Tags {
    type Format = TagFormat;
    type Found = Tagging;

    fn sample_rate(&self) -> u32 {
        self.tagger.sample_rate()
    }

    fn listen(&self, stream: &mut AudioStream, progress: &mut dyn FnMut(f64)) -> Result<Tagging> {
        Ok(self.tagger.tag(stream, progress)?)
    }

    fn encode(&self, found: &Tagging, format: TagFormat) -> Result<Vec<u8>> {
        Ok(match format {
            TagFormat::Json => {
                let windows = found.windows.iter().map(|window| WrittenWindow {
                    window,
                    tags: rounded(found.tags_of(window)),
                });
                let written = Written {
                    hemiola: env!("CARGO_PKG_VERSION"),
                    model: &self.model,
                    duration_s: found.duration_s,
                    tags: rounded(found.tags()),
                    over_time: windows.collect(),
                };
                let mut text = serde_json::to_vec(&written)?;
                text.push(b'\n');
                text
            }
            TagFormat::Csv => table(found)?,
            TagFormat::Txt => {
                let mut text = String::new();
                for tag in found.tags() {
                    writeln!(text, "{:.4}\t{}", tag.score, tag.label)?;
                }
                text.into_bytes()
            }
        })
    }
}

/// A column for each label, a row for each window.
fn table(found: &Tagging) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let labels = found.labels().iter().cloned();
    table.write_record(
        ["start_s", "end_s"]
            .map(str::to_owned)
            .into_iter()
            .chain(labels),
    )?;
    for window in &found.windows {
        let times = [window.start_s, window.end_s].map(|time| format!("{time:.3}"));
        let scores = window.scores.iter().map(|score| format!("{score:.4}"));
        table.write_record(times.into_iter().chain(scores))?;
    }
    Ok(table.into_inner()?)
}
