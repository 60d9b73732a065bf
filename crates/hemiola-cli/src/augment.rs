//! `hemiola augment`: a recording in, a variation of it out.

mod effects;
mod layers;
mod spool;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Result;
use hemiola::audio::{Source, WavFile, WavFormat};
use hemiola::augment::Stretch;
use hemiola::augment::noise::Noise;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{Outcome, wrong_use};
use layers::Layers;

#[derive(clap::Args)]
pub struct Args {
    /// A recording, or - for standard input
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// Semitones to shift the pitch by, -24 to 24; the length stays
    #[arg(
        long,
        default_value = "0",
        value_name = "SEMITONES",
        allow_hyphen_values = true
    )]
    pitch: f64,
    /// How many times longer it becomes, 0.25 to 4; the pitch stays
    #[arg(
        long,
        default_value = "1",
        value_name = "FACTOR",
        allow_hyphen_values = true
    )]
    stretch: f64,
    /// Another recording to mix in, repeated if it is shorter, cut if it is longer
    #[arg(long, value_name = "OTHER")]
    mix: Option<PathBuf>,
    /// How much softer than INPUT the other recording is, in dB [default: drawn from 0 to 20]
    #[arg(long, value_name = "DB", requires = "mix", value_parser = decibels, allow_hyphen_values = true)]
    mix_db: Option<f64>,
    /// Put it into a random room that takes this many seconds to decay by 60 dB, 0.05 to 20
    #[arg(long, value_name = "RT60_S", value_parser = reverberation)]
    reverb: Option<f64>,
    /// A random equaliser of two to five peaks and shelves, each up to this strong, 0 to 40 dB
    #[arg(long, value_name = "DB", value_parser = equaliser)]
    eq: Option<f64>,
    /// Add noise at this signal-to-noise ratio, in dB
    #[arg(long, value_name = "DB", value_parser = decibels, allow_hyphen_values = true)]
    snr: Option<f64>,
    /// The noise that --snr adds
    #[arg(
        long,
        value_enum,
        default_value = "white",
        value_name = "KIND",
        requires = "snr"
    )]
    noise: NoiseArg,
    /// Raise or lower the level, in dB
    #[arg(long, value_name = "DB", value_parser = decibels, allow_hyphen_values = true)]
    gain: Option<f64>,
    /// The same seed makes the same variation
    #[arg(long, default_value = "1")]
    seed: u64,
    /// A WAV file, or - for standard output [default: INPUT-augmented.wav in this folder]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum NoiseArg {
    /// As much in every hertz
    White,
    /// 3 dB less per octave
    Pink,
    /// 6 dB less per octave
    Brown,
    /// 50 or 60 Hz with harmonics
    Hum,
    /// Short impulses at random times
    Clicks,
}

impl From<NoiseArg> for Noise {
    fn from(kind: NoiseArg) -> Self {
        match kind {
            NoiseArg::White => Self::White,
            NoiseArg::Pink => Self::Pink,
            NoiseArg::Brown => Self::Brown,
            NoiseArg::Hum => Self::Hum,
            NoiseArg::Clicks => Self::Clicks,
        }
    }
}

fn within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| format!("expected a number from {low} to {high}"))
}

fn decibels(text: &str) -> Result<f64, String> {
    within(text, -120.0, 120.0)
}

fn reverberation(text: &str) -> Result<f64, String> {
    within(text, 0.05, 20.0)
}

fn equaliser(text: &str) -> Result<f64, String> {
    within(text, 0.0, 40.0)
}

pub fn run(args: &Args) -> Result<Outcome> {
    let change = Stretch {
        factor: args.stretch,
        semitones: args.pitch,
    };
    change
        .check()
        .map_err(|error| wrong_use(error.to_string()))?;
    let others = [
        args.mix.is_some(),
        args.reverb.is_some(),
        args.eq.is_some(),
        args.snr.is_some(),
        args.gain.is_some(),
    ];
    if change == Stretch::NONE && !others.contains(&true) {
        return Err(wrong_use(
            "nothing to do: name a change, such as --pitch +2, --stretch 1.1, --mix, --reverb, --eq, --snr or --gain",
        ));
    }
    let output = Output::choose(args)?;

    let mut stream = Source::from(&args.input).open_at_source_rate()?;
    let rate = stream.sample_rate();
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let mut changed = effects::changed(args, &mut stream, change, &mut rng)?;
    for warning in stream.warnings() {
        eprintln!("warning: {}: {warning}", args.input.display());
    }
    let mut layers = Layers::new(args, &changed, rate, &mut rng)?;

    let mut wav = WavFile::create(output.path(), 1, rate, WavFormat::Int24)?;
    let mut clipped = 0u64;
    changed.rewind()?;
    while let Some(block) = changed.next_block()? {
        layers.add(block)?;
        clipped += block.iter().filter(|sample| sample.abs() > 1.0).count() as u64;
        wav.write(block)?;
    }
    wav.finish()?;
    if clipped > 0 {
        eprintln!(
            "warning: clipped where it is louder than full scale (samples: {clipped}); a lower --gain keeps them"
        );
    }
    output.deliver()?;
    Ok(Outcome::Done)
}

/// Where the result goes.
enum Output {
    File(PathBuf),
    /// A WAV file states its length at its start, so it is made before it is sent.
    Stdout(tempfile::TempDir, PathBuf),
}

impl Output {
    fn choose(args: &Args) -> Result<Self> {
        let stdio = Path::new("-");
        let output = match &args.output {
            Some(output) => output.clone(),
            None if args.input == stdio => stdio.to_owned(),
            None => {
                let stem = args.input.file_stem().unwrap_or_default().to_string_lossy();
                PathBuf::from(format!("{stem}-augmented.wav"))
            }
        };
        if output == stdio {
            if std::io::stdout().is_terminal() {
                return Err(wrong_use("WAV is not for a terminal: name a file with -o"));
            }
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("augmented.wav");
            return Ok(Self::Stdout(folder, path));
        }
        if output.is_dir() {
            return Err(wrong_use(format!(
                "-o {} is a folder; name a WAV file",
                output.display()
            )));
        }
        let is_wav =
            |e: &std::ffi::OsStr| e.eq_ignore_ascii_case("wav") || e.eq_ignore_ascii_case("wave");
        if !output.extension().is_some_and(is_wav) {
            return Err(wrong_use(format!(
                "-o {}: only WAV is written; name a file that ends in .wav",
                output.display()
            )));
        }
        Ok(Self::File(output))
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Stdout(_, path) => path,
        }
    }

    fn deliver(self) -> Result<()> {
        match self {
            Self::File(path) => eprintln!("{}", path.display()),
            Self::Stdout(_folder, path) => {
                std::io::copy(
                    &mut std::fs::File::open(path)?,
                    &mut std::io::stdout().lock(),
                )?;
            }
        }
        Ok(())
    }
}
