//! Recordings with their onsets beside them.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::evaluation::onset::WINDOW_S;
use crate::features::{Frames, Mel, extract};
use crate::formats::read_onsets;
use crate::training::clips::{Clip, audio_files, decode, endings, first_of, name_below};

/// Endings of the files that may tell a recording's onsets; the first that is there does.
const ONSETS: [&str; 6] = ["txt", "tsv", "csv", "json", "mid", "midi"];

/// A recording and when something begins in it.
#[derive(Debug, Clone)]
pub struct OnsetRecording {
    pub clip: Clip,
    /// In order.
    pub onsets_s: Vec<f64>,
}

impl OnsetRecording {
    /// The frames of the whole recording.
    pub fn features(&self, extractor: &mut Mel) -> Frames {
        extract(extractor, &self.clip.window(0, self.clip.len()))
    }
}

/// The recordings of folders that `setting` names, as mono at `sample_rate` Hz, and a sentence about each folder of which
/// something is left out.
///
/// # Errors
/// When there is no such folder, or no recording in it that can be read and has its onsets beside it; when a file of onsets
/// cannot be read, or has onsets behind the recording's end.
pub fn read(
    setting: &str,
    folders: &[PathBuf],
    sample_rate: u32,
) -> Result<(Vec<OnsetRecording>, Vec<String>)> {
    let (mut recordings, mut notes) = (Vec::new(), Vec::new());
    for folder in folders {
        if !folder.is_dir() {
            let message = format!("there is no such folder; name one with --set {setting}=FOLDER");
            return Err(Error::input(folder, message));
        }
        let mut files = Vec::new();
        let mut alone = Vec::new();
        for audio in audio_files(folder)? {
            match onsets_beside(&audio) {
                Some(onsets) => files.push((audio, onsets)),
                None => alone.push(name_below(folder, &audio)),
            }
        }
        if files.is_empty() {
            let found = match alone.as_slice() {
                [] => "found no recording".to_owned(),
                alone => format!("found only {} without", first_of(alone)),
            };
            return Err(Error::input(
                folder,
                format!(
                    "expected recordings ({}), each with its onsets beside it (x.{}); {found}",
                    endings(),
                    ONSETS.join(", x.")
                ),
            ));
        }
        if !alone.is_empty() {
            notes.push(format!(
                "{}: {} of {} recordings have no onsets beside them and are left out: {}",
                folder.display(),
                alone.len(),
                alone.len() + files.len(),
                first_of(&alone)
            ));
        }
        let audio: Vec<PathBuf> = files.iter().map(|(audio, _)| audio.clone()).collect();
        let onsets: Vec<Vec<f64>> = files
            .iter()
            .map(|(_, onsets)| read_onsets(onsets))
            .collect::<Result<_>>()?;
        let (clips, skipped) = decode(folder, &audio, sample_rate)?;
        notes.extend(skipped);
        for ((clip, onsets_s), (_, path)) in clips.into_iter().zip(onsets).zip(&files) {
            if let Some(clip) = clip {
                check_end(path, &onsets_s, clip.len() as f64 / f64::from(sample_rate))?;
                recordings.push(OnsetRecording { clip, onsets_s });
            }
        }
    }
    Ok((recordings, notes))
}

fn onsets_beside(audio: &Path) -> Option<PathBuf> {
    let mut candidates = ONSETS.iter().map(|ending| audio.with_extension(ending));
    candidates.find(|path| path.is_file())
}

/// Refuses onsets that are of another, longer recording.
fn check_end(path: &Path, onsets_s: &[f64], length_s: f64) -> Result<()> {
    match onsets_s.last() {
        Some(&last_s) if last_s > length_s + WINDOW_S => Err(Error::input(
            path,
            format!(
                "its last onset is at {last_s} s, but the recording beside it ends at {length_s:.3} s; \
                 are they of the same music, and is the time in seconds?"
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{WavFormat, write_wav};
    use crate::formats::write_notes;
    use crate::music::Note;

    fn write(path: PathBuf, length: usize) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_wav(path, &vec![0.25; length], 1, 8000, WavFormat::Int16).unwrap();
    }

    fn note(onset_s: f64, pitch: u8) -> Note {
        Note {
            onset_s,
            offset_s: onset_s + 0.1,
            pitch,
            velocity: 64,
        }
    }

    #[test]
    fn events_and_notes_beside_recordings_are_onsets() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path();
        for (name, length) in [("a", 8000), ("b", 9000), ("c", 10_000), ("below/d", 11_000)] {
            write(root.join(format!("{name}.wav")), length);
        }
        write(root.join("lonely.wav"), 100);
        std::fs::write(root.join("a.txt"), "0.5\n0.25\n").unwrap();
        let notes = [note(0.1, 60), note(0.1, 64), note(0.75, 62)];
        write_notes(root.join("b.tsv"), &notes, None).unwrap();
        write_notes(root.join("b.pedal.tsv"), &[], None).unwrap();
        write_notes(root.join("c.mid"), &notes, None).unwrap();
        std::fs::write(root.join("below/d.txt"), "").unwrap();
        std::fs::write(root.join("broken.mp3"), "no sound").unwrap();
        std::fs::write(root.join("broken.txt"), "1\n").unwrap();
        let (found, said) = read("data.train", &[root.to_owned()], 8000).unwrap();
        let mut found: Vec<(usize, Vec<f64>)> = found
            .into_iter()
            .map(|r| (r.clip.len(), r.onsets_s))
            .collect();
        found.sort_by_key(|(length, _)| *length);
        let lengths: Vec<usize> = found.iter().map(|(length, _)| *length).collect();
        assert_eq!(lengths, [8000, 9000, 10_000, 11_000]);
        assert_eq!(found[0].1, [0.25, 0.5]);
        assert_eq!(found[1].1, [0.1, 0.75]);
        assert_eq!(found[2].1.len(), 2);
        assert!(found[3].1.is_empty());
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains("1 of 6") && said[0].contains("lonely.wav"),
            "{said:?}"
        );
        assert!(said[1].contains("broken.mp3"), "{said:?}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_told() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path();
        let fault = |path: &Path, words: &[&str]| {
            let error = read("data.dev", &[path.to_owned()], 8000).unwrap_err();
            let message = error.to_string();
            for word in words {
                assert!(message.contains(word), "{word} is not in: {message}");
            }
        };
        fault(
            &root.join("none"),
            &["none", "no such folder", "--set data.dev"],
        );
        fault(root, &["found no recording", "x.txt"]);
        write(root.join("a.wav"), 8000);
        fault(root, &["found only a.wav without"]);
        std::fs::write(root.join("a.txt"), "0.5\nsoon\n").unwrap();
        fault(root, &["a.txt", "line 2", "soon"]);
        std::fs::write(root.join("a.txt"), "0.5\n1.5\n").unwrap();
        fault(root, &["a.txt", "1.5 s", "1.000 s"]);
        std::fs::write(root.join("a.txt"), "0.5\n1.02\n").unwrap();
        assert!(read("data.dev", &[root.to_owned()], 8000).is_ok());
    }
}
