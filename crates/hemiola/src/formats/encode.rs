//! Annotations to files of any format.

use super::file_format::refusal;
use super::musicxml::{encode_music_xml, encode_mxl};
use super::{
    Annotations, BeatFormat, BeatList, ChordFormat, ChordList, ChromaFormat, ChromaTable,
    FileFormat, Kind, NoteFormat, OnsetFormat, OnsetList, encode_jams, encode_lab, encode_notes,
};
use super::{audacity, sonic_visualiser};
use crate::music::{Note, Segment, pitch_name};
use crate::{Error, Result};

impl Annotations {
    /// The kind that a file of a format gets of these: `what`, or else the first that the format writes and that is told.
    ///
    /// # Errors
    /// None is; the message says what is told and where that can go.
    pub fn kind_for(&self, format: FileFormat, what: Option<Kind>) -> Result<Kind> {
        let told = self.kinds();
        let fits = |kind: &Kind| told.contains(kind) && what.is_none_or(|what| what == *kind);
        let kind = format.writes().iter().copied().find(fits);
        kind.ok_or_else(|| {
            Error::config(match what {
                Some(what) if !told.is_empty() && !told.contains(&what) => {
                    let told: Vec<&str> = told.iter().map(|kind| kind.as_str()).collect();
                    format!("there are no {what} in it; it tells {}", told.join(", "))
                }
                Some(what) if !told.is_empty() => refusal(&[what], format),
                _ => refusal(&told, format),
            })
        })
    }

    /// The bytes of a file with one kind; JAMS gets all that are told where `what` is `None`. MusicXML is written with the
    /// beats, the chords and the key that are told.
    ///
    /// # Errors
    /// As [`Self::kind_for`], or something is out of the range of the format.
    pub fn encode(&self, format: FileFormat, what: Option<Kind>) -> Result<Vec<u8>> {
        let kind = self.kind_for(format, what)?;
        if format == FileFormat::Jams {
            return match what {
                None => encode_jams(self),
                Some(kind) => encode_jams(&self.only(kind)),
            };
        }
        match kind {
            Kind::Notes => self.encode_notes(format),
            Kind::Onsets => self.encode_onsets(format),
            Kind::Beats => self.encode_beats(format),
            Kind::Chroma => self.encode_chroma(format),
            Kind::Chords => self.encode_chords(format),
            Kind::Key => {
                let keys = self.keys.as_deref().unwrap_or_default();
                match (format, keys) {
                    (FileFormat::Txt, [first, ..]) => Ok(format!("{}\n", first.label).into_bytes()),
                    (FileFormat::Txt, []) => Ok(b"X\n".to_vec()),
                    _ => encode_segments(keys, format),
                }
            }
            Kind::Sections => encode_segments(self.sections.as_deref().unwrap_or_default(), format),
            Kind::Tags => {
                let tags = self.tags.iter().flatten();
                let labels = tags.map(|tag| (tag.start_s, tag.end_s, &tag.label.label));
                Ok(audacity::encode_label_track(labels).into_bytes())
            }
        }
    }

    /// Without the other kinds.
    fn only(&self, kind: Kind) -> Self {
        let mut one = Self {
            recording: self.recording.clone(),
            version: self.version.clone(),
            models: self.models.clone(),
            ..Self::default()
        };
        match kind {
            Kind::Notes => one.notes.clone_from(&self.notes),
            Kind::Onsets => one.onsets.clone_from(&self.onsets),
            Kind::Beats => one.beats.clone_from(&self.beats),
            Kind::Chords => {
                one.chords.clone_from(&self.chords);
                one.functions.clone_from(&self.functions);
            }
            Kind::Key => one.keys.clone_from(&self.keys),
            Kind::Sections => one.sections.clone_from(&self.sections),
            Kind::Tags => one.tags.clone_from(&self.tags),
            Kind::Chroma => one.chroma.clone_from(&self.chroma),
        }
        one
    }

    fn model(&self, kind: Kind) -> Option<String> {
        self.models.get(&kind).cloned()
    }

    fn encode_notes(&self, format: FileFormat) -> Result<Vec<u8>> {
        let notes = self.notes.as_deref().unwrap_or_default();
        let format = match format {
            FileFormat::MusicXml => return encode_music_xml(self),
            FileFormat::Mxl => return encode_mxl(self),
            FileFormat::Csv => NoteFormat::Csv,
            FileFormat::Tsv => NoteFormat::Tsv,
            FileFormat::Txt => NoteFormat::Maps,
            FileFormat::Json => NoteFormat::Json,
            FileFormat::SonicVisualiser => {
                return Ok(sonic_visualiser::encode_notes_layer(notes).into_bytes());
            }
            FileFormat::Lab => {
                let named = |note: &Note| Segment {
                    start_s: note.onset_s,
                    end_s: note.offset_s,
                    label: note.pitch,
                };
                let segments: Vec<Segment<u8>> = notes.iter().map(named).collect();
                return Ok(encode_lab(&segments).into_bytes());
            }
            FileFormat::Audacity => {
                let named = |note: &Note| (note.onset_s, note.offset_s, pitch_name(note.pitch));
                let labels = notes.iter().map(named);
                return Ok(audacity::encode_label_track(labels).into_bytes());
            }
            _ => NoteFormat::Midi,
        };
        let model = self.models.get(&Kind::Notes).map(String::as_str);
        encode_notes(notes, format, model)
    }

    fn encode_onsets(&self, format: FileFormat) -> Result<Vec<u8>> {
        let onsets = self.onsets.clone().unwrap_or_default();
        let format = match format {
            FileFormat::SonicVisualiser => {
                let instants = onsets.iter().map(|onset| (onset.time_s, ""));
                return Ok(sonic_visualiser::encode_instants(instants).into_bytes());
            }
            FileFormat::Audacity => {
                let labels = onsets.iter().map(|onset| (onset.time_s, onset.time_s, ""));
                return Ok(audacity::encode_label_track(labels).into_bytes());
            }
            FileFormat::Csv => OnsetFormat::Csv,
            FileFormat::Json => OnsetFormat::Json,
            _ => OnsetFormat::Txt,
        };
        let list = OnsetList {
            model: self.model(Kind::Onsets),
            version: self.version.clone(),
            onsets,
        };
        list.encode(format)
    }

    fn encode_beats(&self, format: FileFormat) -> Result<Vec<u8>> {
        let beats = self.beats.iter().flat_map(|track| &track.beats);
        let text = match format {
            FileFormat::SonicVisualiser => {
                sonic_visualiser::encode_instants(beats.map(|beat| (beat.time_s, beat.number)))
            }
            FileFormat::Audacity => {
                let labels = beats.map(|beat| (beat.time_s, beat.time_s, beat.number));
                audacity::encode_label_track(labels)
            }
            _ => {
                let list = BeatList {
                    track: self.beats.clone().unwrap_or_default(),
                    ..BeatList::default()
                };
                return list.encode(BeatFormat::Beats);
            }
        };
        Ok(text.into_bytes())
    }

    fn encode_chroma(&self, format: FileFormat) -> Result<Vec<u8>> {
        let Some(chroma) = self.chroma.clone() else {
            return Err(Error::config("there is no chroma to write"));
        };
        let table = ChromaTable {
            model: self.model(Kind::Chroma),
            version: self.version.clone(),
            ..ChromaTable::new(chroma)
        };
        table.encode(match format {
            FileFormat::Npy => ChromaFormat::Npy,
            FileFormat::Json => ChromaFormat::Json,
            _ => ChromaFormat::Csv,
        })
    }

    fn encode_chords(&self, format: FileFormat) -> Result<Vec<u8>> {
        let chords = self.chords.clone().unwrap_or_default();
        let format = match format {
            FileFormat::Csv => ChordFormat::Csv,
            FileFormat::Json => ChordFormat::Json,
            FileFormat::Lab => ChordFormat::Lab,
            _ => return encode_segments(&chords, format),
        };
        let list = ChordList {
            model: self.model(Kind::Chords),
            version: self.version.clone(),
            recording: self.recording.clone(),
            chords,
        };
        list.encode(format)
    }
}

fn encode_segments<L: std::fmt::Display>(
    segments: &[Segment<L>],
    format: FileFormat,
) -> Result<Vec<u8>> {
    let text = match format {
        FileFormat::SonicVisualiser => sonic_visualiser::encode_regions(segments),
        FileFormat::Audacity => {
            let labels = segments.iter();
            audacity::encode_label_track(labels.map(|each| (each.start_s, each.end_s, &each.label)))
        }
        _ => encode_lab(segments),
    };
    Ok(text.into_bytes())
}
