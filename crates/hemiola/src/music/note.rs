use serde::{Deserialize, Serialize};

/// A sounding note.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Start in seconds.
    pub onset_s: f64,
    /// End in seconds; not before `onset_s`.
    pub offset_s: f64,
    /// MIDI pitch, 0–127 (60 is middle C).
    pub pitch: u8,
    /// MIDI velocity, 1–127.
    pub velocity: u8,
}

impl Note {
    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.offset_s - self.onset_s
    }

    /// Fundamental frequency in Hz in equal temperament, A4 = 440 Hz.
    pub fn frequency_hz(&self) -> f64 {
        midi_to_hz(f64::from(self.pitch))
    }
}

/// Frequency in Hz of a MIDI pitch, which may be fractional; A4 (69) is 440 Hz.
pub fn midi_to_hz(pitch: f64) -> f64 {
    440.0 * ((pitch - 69.0) / 12.0).exp2()
}

/// The end of the last note in seconds; 0 without notes.
pub fn end_s<'a>(notes: impl IntoIterator<Item = &'a Note>) -> f64 {
    let ends = notes.into_iter().map(|note| note.offset_s);
    ends.fold(0.0, f64::max)
}

/// The usual name of a MIDI pitch, without regard to key: `C4` for 60, `E♭5` for 75.
pub fn pitch_name(pitch: u8) -> String {
    const NAMES: [&str; 12] = [
        "C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B",
    ];
    let octave = i16::from(pitch / 12) - 1;
    format!("{}{octave}", NAMES[usize::from(pitch % 12)])
}
