//! Which file holds which kind of annotation.

use std::path::Path;

use super::Kind;

/// How annotations are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileFormat {
    /// A standard MIDI file.
    Midi,
    /// A table with a heading, of notes, onsets, chords or chroma.
    Csv,
    /// A table of notes.
    Tsv,
    /// Notes of MAPS, onsets, one a line, or a key.
    Txt,
    /// A list of one kind, or a whole [`crate::analysis::Analysis`].
    Json,
    /// An array of chroma.
    Npy,
    /// A start, an end and a label a line.
    Lab,
    /// A time and the place in the bar a line.
    Beats,
    /// JAMS 0.3.
    Jams,
    /// MusicXML 4.0, partwise.
    MusicXml,
    /// The same, compressed.
    Mxl,
    /// An annotation layer as CSV.
    SonicVisualiser,
    /// A label track.
    Audacity,
}

impl FileFormat {
    pub const ALL: [Self; 13] = [
        Self::Midi,
        Self::Csv,
        Self::Tsv,
        Self::Txt,
        Self::Json,
        Self::Npy,
        Self::Lab,
        Self::Beats,
        Self::Jams,
        Self::MusicXml,
        Self::Mxl,
        Self::SonicVisualiser,
        Self::Audacity,
    ];

    /// In a word; that of most is their ending.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Midi => "mid",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Txt => "txt",
            Self::Json => "json",
            Self::Npy => "npy",
            Self::Lab => "lab",
            Self::Beats => "beats",
            Self::Jams => "jams",
            Self::MusicXml => "musicxml",
            Self::Mxl => "mxl",
            Self::SonicVisualiser => "sonic-visualiser",
            Self::Audacity => "audacity",
        }
    }

    /// How the names of its files end, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::SonicVisualiser => "csv",
            Self::Audacity => "txt",
            other => other.as_str(),
        }
    }

    /// By the ending of a file's name, in small or capital letters.
    pub fn of(path: impl AsRef<Path>) -> Option<Self> {
        let ending = path.as_ref().extension()?.to_string_lossy();
        Some(match ending.to_ascii_lowercase().as_str() {
            "midi" => Self::Midi,
            "xml" => Self::MusicXml,
            ending => Self::ALL
                .into_iter()
                .find(|format| format.as_str() == ending)?,
        })
    }

    /// What can be read from its files.
    pub fn reads(self) -> &'static [Kind] {
        use Kind::{Beats, Chords, Chroma, Key, Notes, Onsets, Sections, Tags};
        match self {
            Self::Midi => &[Notes, Onsets, Beats],
            Self::Csv => &[Notes, Onsets, Chords, Chroma],
            Self::Tsv => &[Notes, Onsets],
            Self::Txt => &[Notes, Onsets, Key],
            Self::Json => &[Notes, Onsets, Beats, Chords, Key, Tags, Chroma],
            Self::Npy => &[],
            Self::Lab => &[Chords, Key, Sections],
            Self::Beats => &[Beats],
            Self::Jams => &[Notes, Onsets, Beats, Chords, Key, Sections, Tags],
            Self::MusicXml | Self::Mxl => &[Notes, Onsets, Beats, Chords, Key],
            Self::SonicVisualiser => &[Notes, Onsets, Beats, Chords, Key, Sections],
            Self::Audacity => &[Onsets, Beats, Chords, Key, Sections],
        }
    }

    /// What can be written to its files; the first is what a file of several kinds is taken for.
    pub fn writes(self) -> &'static [Kind] {
        use Kind::{Beats, Chords, Chroma, Key, Notes, Onsets, Sections, Tags};
        match self {
            Self::Midi | Self::Tsv | Self::MusicXml | Self::Mxl => &[Notes],
            Self::Csv | Self::Json => &[Notes, Onsets, Chords, Chroma],
            Self::Txt => &[Onsets, Notes, Key],
            Self::Npy => &[Chroma],
            Self::Lab => &[Chords, Sections, Key, Notes],
            Self::Beats => &[Beats],
            Self::Jams => &[Notes, Onsets, Beats, Chords, Key, Sections, Tags],
            Self::SonicVisualiser => &[Notes, Onsets, Beats, Chords, Sections, Key],
            Self::Audacity => &[Chords, Sections, Beats, Onsets, Key, Notes, Tags],
        }
    }

    /// What of a kind its files have no place for, if anything.
    pub fn loses(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Lab | Self::Audacity, Kind::Notes) => Some("the velocities"),
            (Self::Txt, Kind::Notes) => Some("the velocities"),
            (Self::MusicXml | Self::Mxl, Kind::Notes) => {
                Some("times between the note values of the beats")
            }
            (Self::Txt | Self::SonicVisualiser | Self::Audacity, Kind::Onsets) => {
                Some("the strengths")
            }
            (Self::Audacity, Kind::Tags) => Some("the confidences"),
            (Self::Npy, Kind::Chroma) => Some("the frame rate"),
            (Self::Txt, Kind::Key) => Some("all keys but the first"),
            (Self::Jams, Kind::Chords) => Some("chords that are not known (X)"),
            _ => None,
        }
    }

    /// What its files can be turned into, for messages: `mid, csv, …`.
    pub fn targets(self) -> String {
        let shares = |target: &Self| {
            let mut written = target.writes().iter();
            written.any(|kind| self.reads().contains(kind))
        };
        let targets: Vec<&str> = (Self::ALL.into_iter().filter(shares))
            .map(Self::as_str)
            .collect();
        targets.join(", ")
    }
}

impl std::fmt::Display for FileFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why what a file says cannot be written in a format, and what can.
pub(super) fn refusal(told: &[Kind], target: FileFormat) -> String {
    let list = |kinds: &[Kind]| {
        let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        words.join(", ")
    };
    let takes = |format: &FileFormat| format.writes().iter().any(|kind| told.contains(kind));
    let fitting: Vec<&str> = (FileFormat::ALL.into_iter().filter(takes))
        .map(FileFormat::as_str)
        .collect();
    match told {
        [] => "there is nothing in it that could be converted".to_owned(),
        _ => format!(
            "it tells {}, and {target} takes {}; what it tells can go to {}",
            list(told),
            list(target.writes()),
            fitting.join(", ")
        ),
    }
}
