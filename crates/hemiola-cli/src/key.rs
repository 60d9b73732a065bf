//! `hemiola key`: the key of recordings and MIDI files.

use anyhow::Result;
use hemiola::audio::AudioStream;
use hemiola::midi::Score;
use hemiola::tasks::chroma::ChromaExtractor;
use hemiola::tasks::key::{KeyFit, keys_of_chroma, keys_of_notes};
use serde_json::json;

use crate::batch::{self, Batch, Listener};
use crate::outputs::Format;
use crate::{Outcome, models};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    batch: batch::Args,
    /// Formats to write, several at once: txt (tonic and mode, tab separated; X where no pitch stands out), json (all keys and how well each fits)
    /// [default: the extension of OUT; txt elsewhere]
    #[arg(long, value_delimiter = ',')]
    format: Vec<KeyFormat>,
    /// The model of chroma that recordings are heard with: a built-in one or a checkpoint folder
    #[arg(long, default_value = "chroma")]
    model: String,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum KeyFormat {
    Txt,
    Json,
}

impl Format for KeyFormat {
    const IN_FOLDER: Self = Self::Txt;
    const ON_STDOUT: Self = Self::Txt;
}

pub fn run(args: &Args) -> Result<Outcome> {
    let batch = Batch::plan(&args.batch, &args.format)?;
    batch.run(&Keys {
        extractor: models::open_chroma_extractor(&args.model, &args.device.device())?,
        model: args.model.clone(),
    })
}

struct Keys {
    extractor: ChromaExtractor,
    model: String,
}

impl Listener for Keys {
    type Format = KeyFormat;
    /// The likeliest first; none where no pitch stands out.
    type Found = Vec<KeyFit>;
    const READS_SCORES: bool = true;

    fn sample_rate(&self) -> u32 {
        self.extractor.sample_rate()
    }

    fn listen(
        &self,
        stream: &mut AudioStream,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<KeyFit>> {
        let chroma = self.extractor.extract(stream, progress)?;
        Ok(keys_of_chroma(&chroma).unwrap_or_default())
    }

    fn read(&self, score: &Score) -> Result<Vec<KeyFit>> {
        Ok(keys_of_notes(&score.notes()).unwrap_or_default())
    }

    fn encode(&self, found: &Vec<KeyFit>, format: KeyFormat) -> Result<Vec<u8>> {
        let best = found.first().map(|fit| fit.key);
        Ok(match format {
            KeyFormat::Txt => match best {
                Some(key) => format!("{}\t{}\n", key.tonic, key.mode.as_str()).into_bytes(),
                None => b"X\n".to_vec(),
            },
            KeyFormat::Json => {
                let fit = |fit: &KeyFit| {
                    let rounded = (fit.correlation * 1e4).round() / 1e4;
                    json!({"key": fit.key.to_string(), "correlation": rounded})
                };
                let mut text = serde_json::to_vec(&json!({
                    "hemiola": env!("CARGO_PKG_VERSION"),
                    "model": self.model,
                    "key": best.map(|key| key.to_string()),
                    "keys": found.iter().map(fit).collect::<Vec<_>>(),
                }))?;
                text.push(b'\n');
                text
            }
        })
    }
}
