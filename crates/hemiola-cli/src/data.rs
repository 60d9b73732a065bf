//! `hemiola data`: list, validate and render music to learn from.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use hemiola::datasets::plan::RenderRecipe;
use hemiola::datasets::reserved::Reserved;
use hemiola::datasets::{self, SETS, Split, cache};

use crate::{Outcome, progress, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// The data sets that can be read
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Read a whole data set and tell what is wrong with it
    Validate {
        /// The data set
        #[arg(value_parser = PossibleValuesParser::new(SETS.iter().map(|set| set.name)))]
        name: String,
        /// Where it is
        folder: PathBuf,
        /// Works that must stay out: composer, tab, title
        #[arg(long, value_name = "FILE")]
        reserved: Option<PathBuf>,
    },
    /// Play music on sampled pianos as a recipe says, into a folder of recordings with exact notes
    Render {
        /// The recipe (TOML)
        recipe: PathBuf,
        /// The folder; what it holds of an earlier run is kept
        #[arg(short, long, value_name = "FOLDER")]
        output: PathBuf,
        /// Renditions made at once [default: one for each processor]
        #[arg(short, long, value_name = "N")]
        jobs: Option<NonZeroUsize>,
    },
}

pub fn run(args: Args) -> Result<Outcome> {
    match args.action {
        Action::List { json } => list(json),
        Action::Validate {
            name,
            folder,
            reserved,
        } => validate(&name, &folder, reserved.as_deref()),
        Action::Render {
            recipe,
            output,
            jobs,
        } => render(&recipe, &output, jobs),
    }
}

fn list(json: bool) -> Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(SETS)?)?;
        return Ok(Outcome::Done);
    }
    let column = |heading: &str, cells: &mut dyn Iterator<Item = &str>| {
        cells.map(str::len).fold(heading.len(), usize::max)
    };
    let name = column("name", &mut SETS.iter().map(|set| set.name));
    let licence = column("licence", &mut SETS.iter().map(|set| set.licence));
    let mut row = |cells: [&str; 4]| {
        let [first, second, third, last] = cells;
        writeln!(out, "{first:name$}  {second:licence$}  {third:12}  {last}")
    };
    row(["name", "licence", "may train", "layout"])?;
    for set in SETS {
        let trains = if set.may_train { "yes" } else { "no" };
        row([set.name, set.licence, trains, set.layout])?;
    }
    writeln!(
        out,
        "\nmay train: its licence does not keep it to evaluation and research; weights trained on it carry its terms"
    )?;
    Ok(Outcome::Done)
}

fn validate(name: &str, folder: &Path, reserved: Option<&Path>) -> Result<Outcome> {
    if name == "giantmidi" && reserved.is_none() {
        return Err(wrong_use(
            "giantmidi holds works that may be reserved for tests; give their list with --reserved",
        ));
    }
    let reserved = reserved.map(Reserved::read).transpose()?;
    let set = datasets::open(name, folder, reserved.as_ref())?;
    let report = datasets::validate(set.as_ref());
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{name}: {} items ({} train, {} dev), {} notes, {:.2} h; licence: {}",
        report.train_items + report.dev_items,
        report.train_items,
        report.dev_items,
        report.notes,
        report.hours,
        set.licence()
    )?;
    for item in set.left_out() {
        writeln!(out, "left out: {item}")?;
    }
    for problem in &report.problems {
        eprintln!("error: {problem}");
    }
    Ok(match report.problems.is_empty() {
        true => Outcome::Done,
        false => Outcome::SomeFailed,
    })
}

fn render(recipe: &Path, folder: &Path, jobs: Option<NonZeroUsize>) -> Result<Outcome> {
    let recipe = RenderRecipe::read(recipe)?;
    let jobs = jobs
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get);
    let bar = progress::bar(0, "{wide_bar} {pos}/{len} renditions {eta}");
    let index = cache::render(&recipe, folder, jobs, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let index = index?;
    let hours = |split| {
        let of_split = index
            .renditions
            .iter()
            .filter(|entry| entry.rendition.split == split);
        of_split.map(|entry| entry.duration_s).sum::<f64>() / 3600.0
    };
    eprintln!(
        "{} renditions, {:.2} h to train on and {:.2} h of dev music: {}",
        index.renditions.len(),
        hours(Split::Train),
        hours(Split::Dev),
        folder.display()
    );
    Ok(Outcome::Done)
}
