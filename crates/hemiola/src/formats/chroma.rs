use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::encode_npy;
use crate::music::{Chroma, N_PITCH_CLASSES, PITCH_CLASS_NAMES};
use crate::{Error, Result};

/// How chroma is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChromaFormat {
    /// `time_s` and a column for each pitch class, a row for each frame: `.csv`.
    Csv,
    /// float32, [time, 12], from C to B: `.npy`.
    Npy,
    /// [`ChromaTable`]: `.json`.
    Json,
}

/// Chroma and where it comes from; its form in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChromaTable {
    /// Which model heard it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of the program that the model ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the columns of the frames are.
    pub pitch_classes: [String; N_PITCH_CLASSES],
    #[serde(flatten)]
    pub chroma: Chroma,
}

impl ChromaTable {
    pub fn new(chroma: Chroma) -> Self {
        Self {
            model: None,
            version: None,
            pitch_classes: PITCH_CLASS_NAMES.map(str::to_owned),
            chroma,
        }
    }

    /// The bytes of a file; as text, all numbers of the frames have four decimals.
    pub fn encode(&self, format: ChromaFormat) -> Result<Vec<u8>> {
        match format {
            ChromaFormat::Csv => Ok(self.csv().into_bytes()),
            ChromaFormat::Npy => {
                let frames = &self.chroma.frames;
                encode_npy(&[frames.len(), N_PITCH_CLASSES], frames.as_flattened())
            }
            ChromaFormat::Json => self.json(),
        }
    }

    fn csv(&self) -> String {
        let mut text = format!("time_s,{}\n", self.pitch_classes.join(","));
        for (index, frame) in self.chroma.frames.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{:.4}", self.chroma.time_s(index));
            for value in frame {
                let _ = write!(text, ",{value:.4}");
            }
            text.push('\n');
        }
        text
    }

    fn json(&self) -> Result<Vec<u8>> {
        let failed =
            |fault| Error::config(format!("the chroma cannot be written as JSON: {fault}"));
        let rounded = |value: f32| (f64::from(value) * 1e4).round() / 1e4;
        let frames: Vec<[f64; N_PITCH_CLASSES]> = self
            .chroma
            .frames
            .iter()
            .map(|frame| frame.map(rounded))
            .collect();
        let without_frames = Self {
            chroma: Chroma::new(self.chroma.fps),
            ..self.clone()
        };
        let mut value = serde_json::to_value(&without_frames).map_err(failed)?;
        value["frames"] = serde_json::to_value(frames).map_err(failed)?;
        let mut text = serde_json::to_vec(&value).map_err(failed)?;
        text.push(b'\n');
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ChromaTable {
        let mut chroma = Chroma::new(8.0);
        chroma.frames = vec![
            std::array::from_fn(|i| i as f32 / 16.0),
            [0.123_456; N_PITCH_CLASSES],
        ];
        ChromaTable {
            model: Some("chroma".into()),
            ..ChromaTable::new(chroma)
        }
    }

    #[test]
    fn rows_are_frames_and_columns_pitch_classes() {
        let csv = String::from_utf8(table().encode(ChromaFormat::Csv).unwrap()).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "time_s,C,C#,D,D#,E,F,F#,G,G#,A,A#,B");
        assert!(
            lines[1].starts_with("0.0000,0.0000,0.0625,0.1250,"),
            "{csv}"
        );
        assert_eq!(lines[2], format!("0.1250{}", ",0.1235".repeat(12)));

        let npy = table().encode(ChromaFormat::Npy).unwrap();
        assert!(String::from_utf8_lossy(&npy[..128]).contains("'shape': (2, 12)"));
        assert_eq!(npy.len(), 128 + 4 * 24);
        assert_eq!(npy[128 + 4..][..4], 0.0625f32.to_le_bytes());

        let json = table().encode(ChromaFormat::Json).unwrap();
        let read: ChromaTable = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.pitch_classes, table().pitch_classes);
        assert_eq!(
            (read.chroma.fps, read.chroma.frames[0]),
            (8.0, table().chroma.frames[0])
        );
        assert!(String::from_utf8(json).unwrap().contains("0.1235"));
    }

    #[test]
    fn nothing_heard_is_a_table_without_rows() {
        let empty = ChromaTable::new(Chroma::new(8.0));
        let csv = String::from_utf8(empty.encode(ChromaFormat::Csv).unwrap()).unwrap();
        assert_eq!(csv.lines().count(), 1);
        let npy = empty.encode(ChromaFormat::Npy).unwrap();
        assert!(String::from_utf8_lossy(&npy).contains("(0, 12)"));
    }
}
