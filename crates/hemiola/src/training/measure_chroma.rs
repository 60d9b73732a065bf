//! How well a model of chroma hears recordings whose notes are known.

use std::path::Path;

use serde::Serialize;

use super::chroma::targets;
use super::recordings::{Ends, references};
use crate::audio::AudioStream;
use crate::error::{Error, Result};
use crate::evaluation::classification::average_precision;
use crate::tasks::chroma::ChromaExtractor;

/// Scores of a folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChromaScores {
    /// Of all frames and pitch classes together: how well those that sound are ranked above those that do not.
    pub average_precision: f64,
    pub recordings: usize,
    pub frames: usize,
    /// The share of pitch classes that sound.
    pub sounding: f64,
}

/// Hears every recording of a folder, of the MAPS layout or with MIDI files, as a stream. A note sounds until key and sustain
/// pedal are up.
///
/// # Errors
/// When the folder has no recordings with notes, or one cannot be read.
pub fn measure_chroma(extractor: &ChromaExtractor, folder: &Path) -> Result<ChromaScores> {
    let (mut scores, mut sounding) = (Vec::new(), Vec::new());
    let references = references(folder, false, Ends::Damped)?;
    for reference in &references {
        let mut stream = AudioStream::open(&reference.audio, extractor.sample_rate())?;
        let chroma = extractor.extract(&mut stream, |_| {})?;
        if chroma.frames.is_empty() {
            return Err(Error::input(&reference.audio, "there is no sound in it"));
        }
        let notes = reference.notes.iter();
        let notes = notes.map(|note| (note.onset_s, note.offset_s, note.pitch));
        let targets = targets(notes, 0.0, chroma.frames.len(), chroma.fps);
        sounding.extend(targets.iter().map(|&target| target > 0.5));
        scores.extend_from_slice(chroma.frames.as_flattened());
    }
    let count = sounding.iter().filter(|&&sounds| sounds).count();
    Ok(ChromaScores {
        average_precision: average_precision(&scores, &sounding),
        recordings: references.len(),
        frames: sounding.len() / crate::music::N_PITCH_CLASSES,
        sounding: count as f64 / sounding.len().max(1) as f64,
    })
}
