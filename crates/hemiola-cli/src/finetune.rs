//! `hemiola finetune`: a trained classifier learns other labels.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Result;
use hemiola::tasks::classify::Target;
use hemiola::training::FineTuning;

use crate::{Outcome, models, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    /// What to start from: a built-in model or a checkpoint folder
    #[arg(value_name = "CHECKPOINT")]
    from: String,
    /// A folder with a folder of recordings for each class; with --table, what its files are below
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// A CSV file with the columns file and any of tags, group, split
    #[arg(long, value_name = "CSV")]
    table: Option<PathBuf>,
    /// Recordings have any number of labels, not one class each
    #[arg(long)]
    tags: bool,
    /// The folder of the run; the new checkpoint is best in it
    #[arg(short, long, value_name = "FOLDER", default_value = "runs/finetune")]
    output: PathBuf,
    /// Tensors that do not learn at first, such as 'conv*'; may be repeated; '' for none [default: all but the head]
    #[arg(long, value_name = "PATTERN")]
    freeze: Option<Vec<String>>,
    /// The evaluation after which they learn, too; 0 never
    #[arg(long, value_name = "N", default_value = "4")]
    unfreeze_epoch: usize,
    /// A factor of the learning rate for some tensors, such as 'conv*=0.1'; may be repeated [default: a tenth for all but
    /// the head]
    #[arg(long, value_name = "PATTERN=FACTOR", value_parser = rate)]
    rate: Vec<(String, f64)>,
    /// Replace a value of the recipe, such as run.steps=500; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Print the recipe and do nothing
    #[arg(long)]
    print_recipe: bool,
    /// Go on from the last checkpoint of the output folder
    #[arg(long)]
    resume: bool,
    /// Show burn's dashboard in the terminal instead of a line per evaluation
    #[arg(long)]
    dashboard: bool,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

fn rate(text: &str) -> std::result::Result<(String, f64), String> {
    let (pattern, factor) = text
        .split_once('=')
        .ok_or("expected PATTERN=FACTOR, such as 'conv*=0.1'")?;
    let factor: f64 = factor
        .trim()
        .parse()
        .map_err(|_| format!("{factor} is no number"))?;
    Ok((pattern.trim().to_owned(), factor))
}

pub fn run(args: Args) -> Result<Outcome> {
    models::open(&args.from)?;
    let freeze = args.freeze.map(|patterns| {
        let named = patterns.into_iter().filter(|pattern| !pattern.is_empty());
        named.collect::<Vec<String>>()
    });
    let tuning = FineTuning {
        from: args.from,
        root: args.data,
        table: args.table,
        target: match args.tags {
            true => Target::Tags,
            false => Target::Class,
        },
        output: args.output,
        freeze,
        unfreeze_epoch: args.unfreeze_epoch,
        rates: args.rate.into_iter().collect::<BTreeMap<_, _>>(),
    };
    let recipe = tuning.recipe()?;
    let recipe = recipe
        .with(&args.overrides)
        .map_err(|e| wrong_use(e.to_string()))?;
    let text = recipe.to_toml()?;
    if args.print_recipe {
        write!(std::io::stdout().lock(), "{text}")?;
        return Ok(Outcome::Done);
    }
    let dashboard = args.dashboard && std::io::stdout().is_terminal();
    crate::train::train(&recipe, args.resume, dashboard, args.device)
}
