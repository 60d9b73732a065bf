//! The folder of one analysis.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hemiola::analysis::{Analysis, ModelOf, Overview};
use hemiola::formats::{
    Annotations, BeatFormat, BeatList, ChordFormat, ChordList, OnsetFormat, OnsetList, encode_jams,
    write_atomically,
};
use hemiola::midi::{WriteOptions, encode_midi};
use hemiola::report::write_page;

use super::Place;
use super::page_audio::PageBytes;
use super::summary::Summary;
use crate::outputs::make_folder;

const SUMMARY: &str = "summary.json";
pub const REPORT: &str = "report.html";

/// Where the results of one recording lie, or will.
pub struct AnalysisFolder {
    path: PathBuf,
    summary: Option<Summary>,
}

impl AnalysisFolder {
    pub fn at(path: &Path) -> Self {
        let text = std::fs::read(path.join(SUMMARY)).ok();
        Self {
            path: path.to_owned(),
            summary: text.and_then(|text| serde_json::from_slice(&text).ok()),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is said of the recording; none before it was listened to.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary
            .as_ref()
            .filter(|s| s.is_complete || s.error.is_some())
    }

    /// Whether it has the whole analysis of that recording, of those parts by those models, by this version.
    pub fn is_of(&self, sha256: Option<&str>, models: &[ModelOf]) -> bool {
        self.summary.as_ref().is_some_and(|summary| {
            summary.is_complete
                && sha256.is_some()
                && summary.sha256.as_deref() == sha256
                && summary.models == models
                && summary.version == env!("CARGO_PKG_VERSION")
                && summary
                    .files
                    .iter()
                    .all(|name| self.path.join(name).is_file())
        })
    }

    /// What would be lost if the analysis of a recording were written here.
    pub fn other(&self, sha256: Option<&str>) -> Option<String> {
        match &self.summary {
            Some(known) if known.error.is_some() => None,
            Some(known) if sha256.is_some() && known.sha256.as_deref() == sha256 => None,
            Some(known) => Some(format!(
                "the analysis of another recording, {}",
                known.recording
            )),
            None => {
                let found = FILES.iter().find(|name| self.path.join(name).exists());
                found.map(|name| format!("a file {name} that is not known to be of an analysis"))
            }
        }
    }

    /// Keeps why there is no analysis; what is there of another recording stays.
    pub fn fail(&self, place: &Place, error: &anyhow::Error) {
        if self
            .summary
            .as_ref()
            .is_some_and(|known| known.error.is_none() && known.is_complete)
            || self.other(None).is_some()
        {
            return;
        }
        let name = place
            .input
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let kept = self.keep(&Summary::of_failure(&name, error));
        if let Err(error) = kept {
            crate::report(&error);
        }
    }

    /// Writes all files of an analysis, each whole or not at all; what is there of an analysis before and not of this one goes.
    pub fn write(&self, analysis: &Analysis, overview: &Overview, audio: &PageBytes) -> Result<()> {
        make_folder(&self.path)?;
        let names: Vec<String> = files_of(analysis).map(str::to_owned).collect();
        let mut summary = Summary::of(analysis, names);
        let before = self.summary.as_ref().map_or(&[][..], |known| &known.files);
        let gone: Vec<&String> = before
            .iter()
            .filter(|n| !summary.files.contains(n))
            .collect();
        for name in gone
            .into_iter()
            .filter(|name| FILES.contains(&name.as_str()))
        {
            let path = self.path.join(name);
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).with_context(|| path.display().to_string());
                }
                _ => {}
            }
        }
        self.keep(&summary)?;
        for name in files_of(analysis) {
            let path = self.path.join(name);
            match name {
                REPORT => write_atomically(path, |out| {
                    write_page(out, analysis, overview, &audio.as_page())
                })?,
                // The longest of all, of which no second copy is made in memory.
                ANALYSIS => write_atomically(path, |out| {
                    serde_json::to_writer(&mut *out, analysis)?;
                    out.write_all(b"\n")
                })?,
                _ => {
                    let bytes = encoded(name, analysis)?;
                    write_atomically(path, |out| out.write_all(&bytes))?;
                }
            }
        }
        summary.is_complete = true;
        self.keep(&summary)
    }

    fn keep(&self, summary: &Summary) -> Result<()> {
        make_folder(&self.path)?;
        let mut text = serde_json::to_vec_pretty(summary)?;
        text.push(b'\n');
        write_atomically(self.path.join(SUMMARY), |out| out.write_all(&text))?;
        Ok(())
    }
}

const NOTES: &str = "notes.mid";
const ONSETS: &str = "onsets.txt";
const BEATS: &str = "beats.beats";
const CHORDS: &str = "chords.lab";
const ANALYSIS: &str = "analysis.json";
const JAMS: &str = "analysis.jams";
/// All files that an analysis may have beside its summary, in the order in which they are written.
const FILES: [&str; 7] = [NOTES, ONSETS, BEATS, CHORDS, ANALYSIS, JAMS, REPORT];

/// The files of an analysis: those of what was listened for.
fn files_of(analysis: &Analysis) -> impl Iterator<Item = &'static str> {
    let Analysis {
        notes,
        onsets,
        beats,
        chords,
        ..
    } = analysis;
    let is_there = [
        notes.is_some(),
        onsets.is_some(),
        beats.is_some(),
        chords.is_some(),
        true,
        true,
        true,
    ];
    let files = FILES.into_iter().zip(is_there);
    files.filter_map(|(name, is_there)| is_there.then_some(name))
}

/// The bytes of a small file.
fn encoded(name: &str, analysis: &Analysis) -> Result<Vec<u8>> {
    let model = |part: &str| {
        let of = analysis.models.iter().find(|m| m.part == part);
        of.map(|m| m.model.clone())
    };
    let version = Some(analysis.version.clone());
    Ok(match name {
        NOTES => {
            let text =
                model("notes").map(|name| format!("hemiola {}, model {name}", analysis.version));
            let options = WriteOptions {
                text,
                beats: analysis
                    .beats
                    .as_ref()
                    .filter(|track| track.beats.len() > 1),
                ..WriteOptions::default()
            };
            encode_midi(analysis.notes.as_deref().unwrap_or_default(), &options)?
        }
        ONSETS => OnsetList {
            model: model("onsets"),
            version,
            onsets: analysis.onsets.clone().unwrap_or_default(),
        }
        .encode(OnsetFormat::Txt)?,
        BEATS => BeatList {
            model: model("beats"),
            version,
            track: analysis.beats.clone().unwrap_or_default(),
        }
        .encode(BeatFormat::Beats)?,
        CHORDS => ChordList {
            model: model("chords"),
            version,
            chords: analysis.chords.clone().unwrap_or_default(),
            ..ChordList::default()
        }
        .encode(ChordFormat::Lab)?,
        _ => encode_jams(&Annotations::from(analysis))?,
    })
}
