//! `hemiola chords`: the chords of recordings.

use anyhow::Result;
use hemiola::audio::AudioStream;
use hemiola::formats::{ChordFormat, ChordList, Recording};
use hemiola::music::chord::Vocabulary;
use hemiola::tasks::chords::{ChordReader, spell_by_key};
use hemiola::tasks::chroma::ChromaExtractor;
use hemiola::tasks::key::keys_of_chroma;

use crate::batch::{self, Batch, Listener};
use crate::outputs::Format;
use crate::{Outcome, models};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    batch: batch::Args,
    /// Formats to write, several at once: lab (start, end, Harte's label), csv, json, jams [default: the extension of OUT;
    /// lab elsewhere]
    #[arg(long, value_delimiter = ',')]
    format: Vec<ChordFormatArg>,
    /// Which chords there are to choose from
    #[arg(long, value_enum, default_value = "majmin")]
    vocabulary: VocabularyArg,
    /// A model of chords: a built-in one or a checkpoint folder [default: triads, or chords for sevenths]
    #[arg(long)]
    model: Option<String>,
    /// The model of chroma whose frames it reads: a built-in one or a checkpoint folder
    #[arg(long, default_value = "chroma")]
    chroma: String,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ChordFormatArg {
    Lab,
    Csv,
    Json,
    Jams,
}

impl From<ChordFormatArg> for ChordFormat {
    fn from(format: ChordFormatArg) -> Self {
        match format {
            ChordFormatArg::Lab => ChordFormat::Lab,
            ChordFormatArg::Csv => ChordFormat::Csv,
            ChordFormatArg::Json => ChordFormat::Json,
            ChordFormatArg::Jams => ChordFormat::Jams,
        }
    }
}

impl Format for ChordFormatArg {
    const IN_FOLDER: Self = Self::Lab;
    const ON_STDOUT: Self = Self::Lab;
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum VocabularyArg {
    /// Major and minor triads
    Majmin,
    /// maj, min, maj7, min7 and 7
    Sevenths,
}

impl From<VocabularyArg> for Vocabulary {
    fn from(vocabulary: VocabularyArg) -> Self {
        match vocabulary {
            VocabularyArg::Majmin => Vocabulary::MajMin,
            VocabularyArg::Sevenths => Vocabulary::Sevenths,
        }
    }
}

pub fn run(args: &Args) -> Result<Outcome> {
    let batch = Batch::plan(&args.batch, &args.format)?;
    let model = args.model.as_deref().unwrap_or(match args.vocabulary {
        VocabularyArg::Majmin => "triads",
        VocabularyArg::Sevenths => "chords",
    });
    batch.run(&Chords {
        extractor: models::open_chroma_extractor(&args.chroma, &args.device.device())?,
        reader: models::open_chord_reader(model)?,
        vocabulary: args.vocabulary.into(),
        model: model.to_owned(),
    })
}

struct Chords {
    extractor: ChromaExtractor,
    reader: ChordReader,
    vocabulary: Vocabulary,
    model: String,
}

impl Listener for Chords {
    type Format = ChordFormatArg;
    type Found = ChordList;

    fn sample_rate(&self) -> u32 {
        self.extractor.sample_rate()
    }

    fn listen(&self, stream: &mut AudioStream, progress: &mut dyn FnMut(f64)) -> Result<ChordList> {
        let chroma = self.extractor.extract(stream, progress)?;
        let mut chords = self.reader.read(&chroma, self.vocabulary)?;
        // What has no pitch has no key, and no roots either.
        let keys = keys_of_chroma(&chroma).unwrap_or_default();
        spell_by_key(&mut chords, keys.first().map(|fit| fit.key));
        Ok(ChordList {
            model: Some(self.model.clone()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            recording: Recording {
                duration_s: chords.last().map(|chord| chord.end_s),
                ..Recording::default()
            },
            chords,
        })
    }

    fn encode(&self, chords: &ChordList, format: ChordFormatArg) -> Result<Vec<u8>> {
        Ok(chords.encode(format.into())?)
    }
}
