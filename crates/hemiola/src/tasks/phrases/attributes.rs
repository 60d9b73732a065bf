//! Traits of a phrase that can be counted.

use crate::music::QuantizedNote;

/// A trait of phrases.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    pub name: &'static str,
    /// What there is more of.
    pub direction: &'static str,
    /// Of the notes of a phrase of so many frames of which so many make a beat; `None` where it has no meaning.
    measure: fn(&[QuantizedNote], f64, f64) -> Option<f64>,
    /// Whether single frames have it.
    of_frames: bool,
}

/// Those that vectors are computed for.
pub const ATTRIBUTES: [Attribute; 4] = [
    Attribute {
        name: "density",
        direction: "more notes in a beat",
        measure: density,
        of_frames: false,
    },
    Attribute {
        name: "register",
        direction: "higher pitches, in semitones of the mean",
        measure: register,
        of_frames: true,
    },
    Attribute {
        name: "mode",
        direction: "more major than minor, in correlation with the key profiles",
        measure: mode,
        of_frames: false,
    },
    Attribute {
        name: "polyphony",
        direction: "more notes at once",
        measure: polyphony,
        of_frames: true,
    },
];

impl Attribute {
    /// Those that phrases of so many frames have.
    pub(super) fn of_phrases(frames: usize) -> impl Iterator<Item = &'static Self> {
        ATTRIBUTES
            .iter()
            .filter(move |attribute| frames > 1 || attribute.of_frames)
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ATTRIBUTES.iter().find(|attribute| attribute.name == name)
    }

    /// `None` without notes.
    pub fn measure(
        &self,
        notes: &[QuantizedNote],
        frames: usize,
        frames_per_beat: f64,
    ) -> Option<f64> {
        let measured = (self.measure)(notes, frames as f64, frames_per_beat);
        measured.filter(|_| !notes.is_empty())
    }
}

fn density(notes: &[QuantizedNote], frames: f64, frames_per_beat: f64) -> Option<f64> {
    Some(notes.len() as f64 * frames_per_beat / frames)
}

fn length(note: &QuantizedNote) -> f64 {
    f64::from(note.end - note.start)
}

fn register(notes: &[QuantizedNote], _: f64, _: f64) -> Option<f64> {
    let pitches = notes
        .iter()
        .map(|note| length(note) * f64::from(note.pitch));
    Some(pitches.sum::<f64>() / notes.iter().map(length).sum::<f64>())
}

fn polyphony(notes: &[QuantizedNote], _: f64, _: f64) -> Option<f64> {
    let frames: std::collections::BTreeSet<u32> =
        notes.iter().flat_map(|note| note.start..note.end).collect();
    Some(notes.iter().map(length).sum::<f64>() / frames.len() as f64)
}

/// Ratings of the twelve tones after a major and a minor key: Krumhansl and Kessler, "Tracing the Dynamic Changes in
/// Perceived Tonal Organization in a Spatial Representation of Musical Keys" (Psychological Review 89, 1982).
const MAJOR: [f64; 12] = [
    6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88,
];
const MINOR: [f64; 12] = [
    6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17,
];

/// The best correlation of the pitch classes, each as long as it sounds, with a major key less that with a minor one.
fn mode(notes: &[QuantizedNote], _: f64, _: f64) -> Option<f64> {
    let mut sounding = [0.0; 12];
    for note in notes {
        sounding[usize::from(note.pitch % 12)] += length(note);
    }
    Some(best_key(&sounding, &MAJOR)? - best_key(&sounding, &MINOR)?)
}

/// The best correlation of cells `[frames, 128]` that sound with any major or minor key; `None` where all pitch classes
/// sound alike.
pub(super) fn key_clarity(cells: &[bool]) -> Option<f64> {
    let mut sounding = [0.0; 12];
    for (index, _) in cells.iter().enumerate().filter(|(_, sounds)| **sounds) {
        sounding[index % 128 % 12] += 1.0;
    }
    Some(best_key(&sounding, &MAJOR)?.max(best_key(&sounding, &MINOR)?))
}

/// The best correlation of pitch classes with a profile on any tonic.
fn best_key(sounding: &[f64; 12], profile: &[f64; 12]) -> Option<f64> {
    let keys = (0..12).map(|tonic| {
        let turned: [f64; 12] = std::array::from_fn(|class| profile[(class + 12 - tonic) % 12]);
        correlation(sounding, &turned)
    });
    keys.reduce(f64::max).filter(|best| best.is_finite())
}

/// Pearson's; not a number where one side is constant.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| -> f64 {
        let pairs = x.iter().zip(y);
        pairs.map(|(x, y)| (x - mean_x) * (y - mean_y)).sum()
    };
    let variances = product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b);
    product(a, mean_a, b, mean_b) / variances.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chord(pitches: &[u8], end: u32) -> Vec<QuantizedNote> {
        let note = |&pitch| QuantizedNote {
            start: 0,
            end,
            pitch,
            velocity: 64,
        };
        pitches.iter().map(note).collect()
    }

    #[test]
    fn a_bar_of_quarter_notes_is_counted() {
        let mut notes = chord(&[60, 67], 4);
        notes.extend([4, 8, 12].map(|start| QuantizedNote {
            start,
            end: start + 4,
            pitch: 72,
            velocity: 64,
        }));
        let measured = |name| Attribute::named(name).unwrap().measure(&notes, 16, 4.0);
        assert_eq!(measured("density"), Some(5.0 / 4.0));
        assert_eq!(measured("register"), Some((60.0 + 67.0 + 3.0 * 72.0) / 5.0));
        assert_eq!(measured("polyphony"), Some(5.0 / 4.0));
    }

    #[test]
    fn a_scale_is_clearer_than_all_keys_at_once() {
        let of = |pitches: &[usize]| {
            let mut cells = vec![false; 128];
            pitches.iter().for_each(|&pitch| cells[pitch] = true);
            key_clarity(&cells)
        };
        // Pearson's correlation of the tones of C major with the major profile on C.
        let scale = of(&[60, 62, 64, 65, 67, 69, 71]).unwrap();
        assert!((scale - 0.7564).abs() < 1e-4, "{scale}");
        assert!(of(&[60, 62, 64, 65, 66, 67, 68, 69, 71]).unwrap() < scale);
        assert_eq!(of(&(60..72).collect::<Vec<_>>()), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn triads_tell_the_mode_in_every_key() {
        let mode = |pitches: &[u8]| {
            let notes = chord(pitches, 2);
            Attribute::named("mode").unwrap().measure(&notes, 2, 4.0)
        };
        for root in 48..60 {
            assert!(mode(&[root, root + 4, root + 7]).unwrap() > 0.05);
            assert!(mode(&[root, root + 3, root + 7]).unwrap() < -0.05);
        }
        assert_eq!(mode(&(48..60).collect::<Vec<u8>>()), None);
        assert_eq!(mode(&[]), None);
    }
}
