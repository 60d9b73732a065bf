//! The folder of one analysis.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hemiola::analysis::{Analysis, Overview};
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
const REPORT: &str = "report.html";

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

    /// Whether it has the whole analysis of that recording for those parts, by this version.
    pub fn is_of(&self, sha256: Option<&str>, parts: &[&str]) -> bool {
        self.summary.as_ref().is_some_and(|summary| {
            summary.is_complete
                && sha256.is_some()
                && summary.sha256.as_deref() == sha256
                && summary.parts == parts
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
        let files = Self::files(analysis)?;
        let mut names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.push(REPORT.to_owned());
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
        for (name, bytes) in files {
            write_atomically(self.path.join(name), |out| out.write_all(&bytes))?;
        }
        write_atomically(self.path.join(REPORT), |out| {
            write_page(out, analysis, overview, &audio.as_page())
        })?;
        summary.is_complete = true;
        self.keep(&summary)
    }

    /// Each file's name and bytes, other than the report and the summary.
    fn files(analysis: &Analysis) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let model = |part: &str| {
            let of = analysis.models.iter().find(|m| m.part == part);
            of.map(|m| m.model.clone())
        };
        let version = Some(analysis.version.clone());
        let mut files = Vec::new();
        if let Some(notes) = &analysis.notes {
            let options = WriteOptions {
                text: model("notes")
                    .map(|name| format!("hemiola {}, model {name}", analysis.version)),
                beats: analysis
                    .beats
                    .as_ref()
                    .filter(|track| track.beats.len() > 1),
                ..WriteOptions::default()
            };
            files.push((NOTES, encode_midi(notes, &options)?));
        }
        if let Some(onsets) = &analysis.onsets {
            let list = OnsetList {
                model: model("onsets"),
                version: version.clone(),
                onsets: onsets.clone(),
            };
            files.push((ONSETS, list.encode(OnsetFormat::Txt)?));
        }
        if let Some(beats) = &analysis.beats {
            let list = BeatList {
                model: model("beats"),
                version: version.clone(),
                track: beats.clone(),
            };
            files.push((BEATS, list.encode(BeatFormat::Beats)?));
        }
        if let Some(chords) = &analysis.chords {
            let list = ChordList {
                model: model("chords"),
                version,
                chords: chords.clone(),
                ..ChordList::default()
            };
            files.push((CHORDS, list.encode(ChordFormat::Lab)?));
        }
        let mut json = serde_json::to_vec(analysis)?;
        json.push(b'\n');
        files.push((ANALYSIS, json));
        files.push((JAMS, encode_jams(&Annotations::from(analysis))?));
        Ok(files)
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
/// All files that an analysis may have beside its summary.
const FILES: [&str; 7] = [REPORT, NOTES, ONSETS, BEATS, CHORDS, ANALYSIS, JAMS];
