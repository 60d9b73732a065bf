//! `hemiola features`: what a classifier hears of a recording.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hemiola::audio::Source;
use hemiola::formats::{check_writable, write_npy};
use hemiola::plot::PictureFormat;
use hemiola::tasks::features::Features;

use crate::midi_files::save_picture;
use crate::outputs::make_folder;
use crate::{Outcome, wrong_use};

/// The longest excerpt, s: what the layers find of it has to fit into memory.
const LONGEST_S: f64 = 120.0;

/// The most channels of a layer that a picture has room for.
const MOST_CHANNELS: i64 = 32;

/// Digital silence in 24 bits.
const SILENT: f32 = 1.0 / (1 << 23) as f32;

#[derive(clap::Args)]
pub struct Args {
    /// A recording, or - for standard input
    input: PathBuf,
    /// Draw a picture (SVG or PNG) [default FILE: that of -o, or INPUT.features.svg in this folder]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    plot: Option<Option<PathBuf>>,
    /// A folder for the numbers, one NPY file for each layer [channels, frequency, time]; or the picture's file, by its ending
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// A built-in model or a checkpoint folder, of the architecture music-cnn or harmonic-cnn
    #[arg(long, default_value = "instruments")]
    model: String,
    /// Where the excerpt begins
    #[arg(
        long,
        default_value_t = 0.0,
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    start: f64,
    /// How long the excerpt is, up to 120
    #[arg(
        long,
        default_value_t = 10.0,
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    seconds: f64,
    /// How many channels of each layer the picture shows, those that vary most
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=MOST_CHANNELS))]
    channels: u8,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let outputs = Outputs::choose(args)?;
    if !(args.start.is_finite() && args.start >= 0.0) {
        return Err(wrong_use(format!(
            "--start {}: expected 0 or more seconds",
            args.start
        )));
    }
    if !(args.seconds > 0.0 && args.seconds <= LONGEST_S) {
        return Err(wrong_use(format!(
            "--seconds {}: expected more than 0, up to {LONGEST_S}",
            args.seconds
        )));
    }
    outputs.check()?;
    let extractor = crate::models::open_feature_extractor(&args.model)?;
    let source = Source::from(&args.input);
    let mut stream = source.open(extractor.sample_rate())?;
    let samples = stream.read_excerpt(args.start, args.seconds)?;
    for warning in stream.warnings() {
        eprintln!("warning: {source}: {warning}");
    }
    let length_s = samples.len() as f64 / f64::from(extractor.sample_rate());
    if samples.iter().all(|sample| sample.abs() < SILENT) {
        eprintln!(
            "warning: {source}: silent in these {length_s:.2} s; what is shown is what the model makes of silence"
        );
    }
    let features = extractor
        .extract(&samples)
        .with_context(|| format!("{source}: {length_s:.3} s from {} s on", args.start))?;
    if let Some(path) = &outputs.picture {
        let title = title(args, &source, length_s);
        let picture = features.draw(&title, args.start, args.channels.into())?;
        save_picture(&picture, path)?;
        eprintln!("{}", path.display());
    }
    if let Some(folder) = &outputs.numbers {
        write_numbers(&features, folder)?;
        eprintln!("{}", folder.display());
    }
    Ok(Outcome::Done)
}

fn title(args: &Args, source: &Source, length_s: f64) -> String {
    let name = match source {
        Source::File(path) => path.file_name().unwrap_or_default().to_string_lossy(),
        Source::Stdin => "standard input".into(),
    };
    let hundredths = |seconds: f64| (seconds * 100.0).round() / 100.0;
    format!(
        "{name}, {} to {} s, as {} hears it",
        hundredths(args.start),
        hundredths(args.start + length_s),
        args.model
    )
}

/// Where the results go; one of them at least.
struct Outputs {
    picture: Option<PathBuf>,
    /// A folder.
    numbers: Option<PathBuf>,
}

impl Outputs {
    fn choose(args: &Args) -> Result<Self> {
        let drawn = |path: &&PathBuf| PictureFormat::of_path(path).is_ok();
        let named = args.output.as_ref().filter(drawn);
        let numbers = args.output.as_ref().filter(|path| !drawn(path));
        for path in [numbers, args.plot.as_ref().and_then(Option::as_ref)] {
            if path.is_some_and(|path| path == Path::new("-")) {
                return Err(wrong_use(
                    "standard output takes no picture and no folder; name a file that ends in .svg or .png, or a folder",
                ));
            }
        }
        let picture = match (&args.plot, named) {
            (Some(Some(_)), Some(path)) => {
                return Err(wrong_use(format!(
                    "the picture has two names, that of --plot and {}; drop one of them",
                    path.display()
                )));
            }
            (Some(Some(path)), None) => Some(path.clone()),
            (_, Some(path)) => Some(path.clone()),
            (Some(None), None) => Some(default_picture(&args.input)),
            (None, None) => None,
        };
        if picture.is_none() && numbers.is_none() {
            return Err(wrong_use(
                "nothing to write: ask for a picture with --plot, or name a folder for the numbers with -o",
            ));
        }
        Ok(Self {
            picture,
            numbers: numbers.cloned(),
        })
    }

    /// Refuses, before the work begins, what cannot be written.
    fn check(&self) -> Result<()> {
        if let Some(path) = &self.picture {
            PictureFormat::of_path(path).map_err(|error| wrong_use(error.to_string()))?;
            if path.is_dir() {
                return Err(wrong_use(format!(
                    "{} is a folder; expected the name of a file",
                    path.display()
                )));
            }
            check_writable(path)?;
        }
        if let Some(folder) = &self.numbers {
            if folder.exists() && !folder.is_dir() {
                return Err(wrong_use(format!(
                    "{} is a file; expected a folder for the numbers, or a picture that ends in .svg or .png",
                    folder.display()
                )));
            }
            check_writable(numbers_file(folder, "spectrogram"))?;
        }
        Ok(())
    }
}

fn default_picture(input: &Path) -> PathBuf {
    let stem = match input == Path::new("-") {
        true => "stdin".into(),
        false => input.file_stem().unwrap_or_default().to_string_lossy(),
    };
    PathBuf::from(format!("{stem}.features.svg"))
}

fn numbers_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.npy"))
}

fn write_numbers(features: &Features, folder: &Path) -> Result<()> {
    make_folder(folder)?;
    for map in [&features.spectrogram].into_iter().chain(&features.layers) {
        write_npy(numbers_file(folder, map.name), &map.shape, &map.values)?;
    }
    if let Some(weights) = &features.attention {
        write_npy(numbers_file(folder, "attention"), &[weights.len()], weights)?;
    }
    Ok(())
}
