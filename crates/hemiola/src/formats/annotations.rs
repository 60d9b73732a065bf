//! What a file says of a recording, kind by kind.

use std::collections::BTreeMap;
use std::fmt;

use super::Recording;
use crate::analysis::{Analysis, Function};
use crate::music::chord::ChordLabel;
use crate::music::key::KeyLabel;
use crate::music::{BeatTrack, Chroma, Note, Onset, Segment};

/// What can be said of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Notes,
    Onsets,
    Beats,
    Chords,
    Key,
    Sections,
    Tags,
    Chroma,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Notes,
        Self::Onsets,
        Self::Beats,
        Self::Chords,
        Self::Key,
        Self::Sections,
        Self::Tags,
        Self::Chroma,
    ];

    /// In a word, in small letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notes => "notes",
            Self::Onsets => "onsets",
            Self::Beats => "beats",
            Self::Chords => "chords",
            Self::Key => "key",
            Self::Sections => "sections",
            Self::Tags => "tags",
            Self::Chroma => "chroma",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A label of a recording, such as an instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    pub label: String,
    /// 0–1, where told.
    pub confidence: Option<f64>,
}

/// What a file says of a recording; `None` is what it does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotations {
    pub recording: Recording,
    /// Of the program that made them.
    pub version: Option<String>,
    /// Which model made a kind.
    pub models: BTreeMap<Kind, String>,
    /// Sorted by onset, then pitch.
    pub notes: Option<Vec<Note>>,
    /// In the order of time.
    pub onsets: Option<Vec<Onset>>,
    pub beats: Option<BeatTrack>,
    /// In order and without overlap.
    pub chords: Option<Vec<Segment<ChordLabel>>>,
    /// In order and without overlap; one where the recording has one key.
    pub keys: Option<Vec<Segment<KeyLabel>>>,
    /// In order; they may overlap.
    pub sections: Option<Vec<Segment<String>>>,
    pub tags: Option<Vec<Segment<Tag>>>,
    pub chroma: Option<Chroma>,
    /// What the chords are in their keys.
    pub functions: Option<Vec<Segment<Function>>>,
    /// Where the recording lies among others.
    pub embedding: Option<Vec<f32>>,
    /// What of the file was left out, and how what it leaves open was understood.
    pub warnings: Vec<String>,
}

impl Annotations {
    /// The kinds that are told, with nothing in them too.
    pub fn kinds(&self) -> Vec<Kind> {
        let told = |kind: &Kind| match kind {
            Kind::Notes => self.notes.is_some(),
            Kind::Onsets => self.onsets.is_some(),
            Kind::Beats => self.beats.is_some(),
            Kind::Chords => self.chords.is_some(),
            Kind::Key => self.keys.is_some(),
            Kind::Sections => self.sections.is_some(),
            Kind::Tags => self.tags.is_some(),
            Kind::Chroma => self.chroma.is_some(),
        };
        Kind::ALL.into_iter().filter(told).collect()
    }

    /// The length of the recording in seconds; without it, the end of what comes last.
    pub fn duration_s(&self) -> f64 {
        fn last<L>(segments: Option<&Vec<Segment<L>>>) -> f64 {
            let ends = segments.into_iter().flatten().map(|segment| segment.end_s);
            ends.fold(0.0, f64::max)
        }
        let onsets = self.onsets.iter().flatten().map(|onset| onset.time_s);
        let beats = self.beats.iter().flat_map(|track| &track.beats);
        self.recording.duration_s.unwrap_or_else(|| {
            crate::music::end_s(self.notes.iter().flatten())
                .max(onsets.fold(0.0, f64::max))
                .max(beats.map(|beat| beat.time_s).fold(0.0, f64::max))
                .max(last(self.chords.as_ref()))
                .max(last(self.keys.as_ref()))
                .max(last(self.sections.as_ref()))
                .max(last(self.tags.as_ref()))
        })
    }
}

impl From<&Analysis> for Annotations {
    /// Of instruments, the scores in the whole recording.
    fn from(analysis: &Analysis) -> Self {
        let duration_s = analysis.recording.duration_s;
        let mut identifiers = BTreeMap::new();
        if let Some(sha256) = &analysis.recording.sha256 {
            identifiers.insert("sha256".to_owned(), sha256.clone());
        }
        let models = analysis.models.iter().filter_map(|model| {
            let kind = match model.part.as_str() {
                "instruments" => Kind::Tags,
                part => Kind::ALL.into_iter().find(|kind| kind.as_str() == part)?,
            };
            Some((kind, model.model.clone()))
        });
        let tags = analysis.instruments.as_ref().map(|curves| {
            let scored = curves.labels.iter().zip(&curves.scores);
            let tag = |(label, score): (&String, &f64)| Segment {
                start_s: 0.0,
                end_s: duration_s,
                label: Tag {
                    label: label.clone(),
                    confidence: Some(*score),
                },
            };
            scored.map(tag).collect()
        });
        let functions = analysis.harmony.as_ref().map(|functions| {
            let chords = analysis.chords.iter().flatten();
            let function = |(chord, function): (&Segment<ChordLabel>, &Function)| Segment {
                start_s: chord.start_s,
                end_s: chord.end_s,
                label: function.clone(),
            };
            chords.zip(functions).map(function).collect()
        });
        Self {
            recording: Recording {
                title: Some(analysis.recording.name.clone()).filter(|name| !name.is_empty()),
                duration_s: Some(duration_s),
                identifiers,
            },
            version: Some(analysis.version.clone()).filter(|version| !version.is_empty()),
            models: models.collect(),
            notes: analysis.notes.clone(),
            onsets: analysis.onsets.clone(),
            beats: analysis.beats.clone(),
            chords: analysis.chords.clone(),
            keys: analysis.key.map(|label| {
                vec![Segment {
                    start_s: 0.0,
                    end_s: duration_s,
                    label,
                }]
            }),
            sections: None,
            tags,
            chroma: analysis.chroma.clone(),
            functions,
            embedding: analysis.embedding.clone(),
            warnings: Vec::new(),
        }
    }
}
