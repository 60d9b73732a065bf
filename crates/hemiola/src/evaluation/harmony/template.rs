//! One key for the whole piece.

use super::ChordReading;
use crate::music::roman::{LocalKey, Mode, N_KEYS};
use crate::music::{N_PITCH_CLASSES, SoundingChord};

/// How well each tone fits a major and a minor key, from the tonic up (Krumhansl and Kessler, "Tracing the Dynamic Changes in
/// Perceived Tonal Organization in a Spatial Representation of Musical Keys", Psychological Review 89, 1982).
const MAJOR: [f64; N_PITCH_CLASSES] = [
    6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88,
];
const MINOR: [f64; N_PITCH_CLASSES] = [
    6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17,
];

/// The key whose profile correlates best with how many chords each tone is in, and the degrees of the chords' probable roots
/// in it.
pub fn read_by_template(chords: &[SoundingChord]) -> Vec<ChordReading> {
    let mut counts = [0.0; N_PITCH_CLASSES];
    for tone in chords.iter().flat_map(|chord| chord.pitch_classes().iter()) {
        counts[usize::from(tone)] += 1.0;
    }
    let fit = |&key: &LocalKey| {
        let profile = match key.mode() {
            Mode::Major => MAJOR,
            Mode::Minor => MINOR,
        };
        let tonic = usize::from(key.tonic());
        let turned: [f64; N_PITCH_CLASSES] =
            std::array::from_fn(|tone| profile[(tone + N_PITCH_CLASSES - tonic) % N_PITCH_CLASSES]);
        correlation(&counts, &turned)
    };
    let keys = (0..N_KEYS).rev().map(LocalKey::of_index);
    let key = keys.max_by(|a, b| fit(a).total_cmp(&fit(b)));
    let key = key.unwrap_or(LocalKey::of_index(0));
    let reading = |chord: &SoundingChord| ChordReading {
        key,
        degree: chord.probable_root().map_or(1, |root| key.degree_of(root)),
    };
    chords.iter().map(reading).collect()
}

/// Pearson's; 0 where one side does not vary.
fn correlation(a: &[f64; N_PITCH_CLASSES], b: &[f64; N_PITCH_CLASSES]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        product += (x - mean_a) * (y - mean_b);
        square_a += (x - mean_a).powi(2);
        square_b += (y - mean_b).powi(2);
    }
    let norm = (square_a * square_b).sqrt();
    if norm == 0.0 { 0.0 } else { product / norm }
}

#[cfg(test)]
mod tests {
    use super::super::tests::progression;
    use super::*;

    #[test]
    fn a_cadence_has_the_key_and_the_degrees_of_the_textbook() {
        for (text, key) in [
            ("m1 Eb: I b2 ii6 b3 V7 b4 I b5 vi b6 viio6", "Eb"),
            ("m1 f#: i b2 iio6 b3 V7 b4 i b5 VI b6 viio6", "f#"),
        ] {
            let piece = progression(text);
            let chords: Vec<_> = piece.chords.iter().map(|c| c.chord).collect();
            let found = read_by_template(&chords);
            let degrees: Vec<u8> = found.iter().map(|reading| reading.degree).collect();
            assert_eq!(degrees, [1, 2, 5, 1, 6, 7]);
            assert!(found.iter().all(|r| r.key == LocalKey::parse(key).unwrap()));
        }
        assert!(read_by_template(&[]).is_empty());
    }
}
