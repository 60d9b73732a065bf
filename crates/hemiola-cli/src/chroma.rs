//! `hemiola chroma`: how present each pitch class is in recordings.

use anyhow::Result;
use hemiola::audio::AudioStream;
use hemiola::formats::{ChromaFormat, ChromaTable};
use hemiola::plot;
use hemiola::tasks::chroma::ChromaExtractor;

use crate::Outcome;
use crate::batch::{self, Batch, Listener};
use crate::outputs::Format;

/// Pixels of a PNG for one CSS pixel.
const PNG_SCALE: f64 = 2.0;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    batch: batch::Args,
    /// Formats to write, several at once: csv (a row for each frame), npy (float32 [time, 12], from C to B), json, and
    /// pictures: svg, png [default: the extension of OUT; csv elsewhere]
    #[arg(long, value_delimiter = ',')]
    format: Vec<ChromaFormatArg>,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "chroma")]
    model: String,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ChromaFormatArg {
    Csv,
    Npy,
    Json,
    Svg,
    Png,
}

impl Format for ChromaFormatArg {
    const IN_FOLDER: Self = Self::Csv;
    const ON_STDOUT: Self = Self::Csv;

    fn not_for_a_terminal(self) -> Option<&'static str> {
        match self {
            Self::Npy => Some("NPY"),
            Self::Png => Some("PNG"),
            Self::Csv | Self::Json | Self::Svg => None,
        }
    }
}

pub fn run(args: Args) -> Result<Outcome> {
    let batch = Batch::plan(&args.batch, &args.format)?;
    let extractor = crate::models::open_chroma_extractor(&args.model, &args.device.device())?;
    batch.run(&PitchClasses {
        extractor,
        model: args.model,
    })
}

/// Hears pitch classes.
struct PitchClasses {
    extractor: ChromaExtractor,
    /// Its name.
    model: String,
}

impl PitchClasses {
    fn picture(&self, table: &ChromaTable) -> Result<plot::Picture> {
        let title = format!("Pitch classes, as {} hears them", self.model);
        Ok(plot::chroma(&title, &table.chroma)?)
    }
}

impl Listener for PitchClasses {
    type Format = ChromaFormatArg;
    type Found = ChromaTable;

    fn sample_rate(&self) -> u32 {
        self.extractor.sample_rate()
    }

    fn listen(
        &self,
        stream: &mut AudioStream,
        progress: &mut dyn FnMut(f64),
    ) -> Result<ChromaTable> {
        Ok(ChromaTable {
            model: Some(self.model.clone()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            ..ChromaTable::new(self.extractor.extract(stream, progress)?)
        })
    }

    fn encode(&self, table: &ChromaTable, format: ChromaFormatArg) -> Result<Vec<u8>> {
        Ok(match format {
            ChromaFormatArg::Csv => table.encode(ChromaFormat::Csv)?,
            ChromaFormatArg::Npy => table.encode(ChromaFormat::Npy)?,
            ChromaFormatArg::Json => table.encode(ChromaFormat::Json)?,
            ChromaFormatArg::Svg => self.picture(table)?.to_svg().into_bytes(),
            ChromaFormatArg::Png => self.picture(table)?.to_png(PNG_SCALE)?,
        })
    }
}
