//! From the tones of a chord to its Roman numeral.

use super::{AugmentedSixth, Change, Figure, LocalKey, Mode, Quality, RomanNumeral, Seventh, Stem};
use crate::music::{N_PITCH_CLASSES, PitchClassSet};

const OCTAVE: u8 = N_PITCH_CLASSES as u8;

/// The tone on which the others stand in thirds, as far as they do; where several would do, rather the bass. `None` for no
/// tones.
pub fn probable_root(pitch_classes: PitchClassSet, bass: Option<u8>) -> Option<u8> {
    let score = |root: u8| {
        let has = |interval: u8| pitch_classes.contains((root + interval) % OCTAVE);
        let (minor, major) = (has(3), has(4));
        let third = match (minor, major) {
            (_, true) => 2.2,
            (true, false) => 2.0,
            (false, false) => 0.0,
        };
        let suspended = !minor && !major && has(5) && has(7);
        let fifth = if has(7) {
            3.0
        } else if minor && has(6) {
            1.5
        } else if major && has(8) {
            1.0
        } else if major && has(6) {
            0.5
        } else {
            0.0
        };
        let seventh = match (has(10), has(11)) {
            (true, _) => 1.0,
            (false, true) => 0.7,
            (false, false) if minor && has(6) && has(9) => 1.0,
            (false, false) => 0.0,
        };
        let strange = [
            has(1),
            has(5) && !suspended,
            has(6) && has(7),
            has(8) && has(7),
            has(9) && !(minor && has(6)),
        ];
        let strange = strange.into_iter().filter(|&tone| tone).count() as f64;
        let fourth = if suspended { 1.2 } else { 0.0 };
        let in_bass = if bass == Some(root) { 0.5 } else { 0.0 };
        third + fifth + seventh + fourth + in_bass - strange
    };
    pitch_classes
        .iter()
        .max_by(|&a, &b| score(a).total_cmp(&score(b)).then(b.cmp(&a)))
}

/// The Roman numeral of a chord on `root`, a pitch class, whose degree in `key` is `degree`, 1 to 7.
///
/// An augmented sixth chord is named as one, and a dominant or leading-note chord of another degree as applied, where the
/// chord is foreign to the key or a dominant seventh on another degree than the fifth. Missing tones are not written.
pub fn name_chord(
    pitch_classes: PitchClassSet,
    bass: u8,
    root: u8,
    degree: u8,
    key: LocalKey,
) -> RomanNumeral {
    if let Some(sixth) = augmented_sixth(pitch_classes, bass, key) {
        return sixth;
    }
    let direct = direct_name(pitch_classes, bass, root, degree, key);
    let has = |interval: u8| pitch_classes.contains((root + interval) % OCTAVE);
    let dominant_elsewhere = degree != 5 && has(4) && has(10);
    if (dominant_elsewhere || !is_native(pitch_classes, key))
        && let Some(applied) = applied_name(pitch_classes, bass, root, key)
    {
        return applied;
    }
    direct
}

/// Whether a scale of the key, in minor the natural or the harmonic, has all tones.
fn is_native(pitch_classes: PitchClassSet, key: LocalKey) -> bool {
    let within = |scale: [u8; 7]| {
        pitch_classes
            .iter()
            .all(|p| scale.contains(&((p + OCTAVE - key.tonic()) % OCTAVE)))
    };
    let mut harmonic = key.scale();
    harmonic[6] = 11;
    within(key.scale()) || within(harmonic)
}

fn augmented_sixth(set: PitchClassSet, bass: u8, key: LocalKey) -> Option<RomanNumeral> {
    let relative = set.transposed(-i32::from(key.tonic()));
    let bass_is_flat_six = (bass + OCTAVE - key.tonic()) % OCTAVE == 8;
    let kinds: [(AugmentedSixth, &[u8], &[u8]); 3] = [
        (AugmentedSixth::Italian, &[8, 0, 6], &[6]),
        (AugmentedSixth::German, &[8, 0, 3, 6], &[6, 5]),
        (AugmentedSixth::French, &[8, 0, 2, 6], &[4, 3]),
    ];
    let (kind, _, figures) = kinds.into_iter().find(|(_, tones, _)| {
        tones.len() == relative.len() && tones.iter().all(|&t| relative.contains(t))
    })?;
    bass_is_flat_six.then(|| {
        let mut numeral = plain(Stem::AugmentedSixth(kind));
        numeral.figures = written(figures);
        numeral
    })
}

/// A dominant or leading-note chord of a major or minor triad of the key.
fn applied_name(set: PitchClassSet, bass: u8, root: u8, key: LocalKey) -> Option<RomanNumeral> {
    let capitals = match key.mode() {
        Mode::Major => [true, false, false, true, true, false, false],
        Mode::Minor => [true, false, true, false, true, true, true],
    };
    let has = |interval: u8| set.contains((root + interval) % OCTAVE);
    let (steps_to_target, degree) = if has(4) && (has(7) || has(10)) && !has(11) {
        (5, 5)
    } else if has(3) && has(6) {
        (1, 7)
    } else {
        return None;
    };
    let tonic = (root + steps_to_target) % OCTAVE;
    let position = (tonic + OCTAVE - key.tonic()) % OCTAVE;
    let step = (key.scale().into_iter()).position(|natural| natural == position)?;
    if step == 0 || (key.mode() == Mode::Major && step == 6) {
        return None;
    }
    if key.mode() == Mode::Minor && step == 1 {
        return None;
    }
    let mode = match capitals[step] {
        true => Mode::Major,
        false => Mode::Minor,
    };
    let mut numeral = direct_name(set, bass, root, degree, LocalKey::new(tonic, mode));
    let target = Stem::Degree {
        accidental: 0,
        degree: step as u8 + 1,
        capital: capitals[step],
    };
    numeral.target = Some(Box::new(plain(target)));
    Some(numeral)
}

/// The numeral of the degree itself, with quality, inversion and added tones.
fn direct_name(set: PitchClassSet, bass: u8, root: u8, degree: u8, key: LocalKey) -> RomanNumeral {
    let has = |interval: u8| set.contains((root + interval) % OCTAVE);
    let suspended = !has(3) && !has(4) && has(5) && has(7);
    // Without a third, that of the scale.
    let scale_third = in_scale(key, degree, root, 2);
    let minor = !has(4) && (has(3) || scale_third == 3);
    let quality = match (minor, has(6), has(7), has(8)) {
        (true, true, false, _) if has(10) => Quality::HalfDiminished,
        (true, true, false, _) => Quality::Diminished,
        (false, false, false, true) => Quality::Augmented,
        _ => Quality::ByCase,
    };
    let seventh = if has(10) {
        Some(10)
    } else if has(11) {
        Some(11)
    } else {
        (quality == Quality::Diminished && has(9)).then_some(9)
    };
    let over_root = (bass + OCTAVE - root) % OCTAVE;
    let figures: &[u8] = match (over_root, seventh) {
        (3 | 4, Some(_)) => &[6, 5],
        (6..=8, Some(_)) => &[4, 3],
        (above, Some(seventh)) if above == seventh => &[4, 2],
        (_, Some(_)) => &[7],
        (3 | 4, None) => &[6],
        (6..=8, None) => &[6, 4],
        (_, None) if suspended => &[5, 4],
        (_, None) => &[],
    };
    let mut numeral = plain(Stem::Degree {
        accidental: accidental_of(root, degree, minor, key),
        degree,
        capital: !minor,
    });
    numeral.quality = quality;
    numeral.figures = written(figures);
    numeral.seventh = match (seventh, quality) {
        (Some(10), Quality::HalfDiminished) | (Some(9), _) | (None, _) => None,
        (Some(found), _) if in_scale(key, degree, root, 6) == found => None,
        (Some(11), _) => Some(Seventh::Major),
        (Some(_), _) => Some(Seventh::Minor),
    };
    let own = numeral.sound(key);
    let added = (1..=6).filter_map(|step| {
        let natural = in_scale(key, degree, root, step);
        let missing = |interval: u8| {
            let tone = (root + interval) % OCTAVE;
            set.contains(tone) && !own.pitch_classes.contains(tone)
        };
        let interval = step as u8 + 1;
        let interval = if interval == 2 { 9 } else { interval };
        (matches!(step, 1 | 3 | 5) && missing(natural)).then_some(Change::Added {
            accidental: 0,
            interval,
        })
    });
    numeral.changes = added.collect();
    numeral
}

/// Semitones from `root`, on `degree` of the key, to the scale's tone `steps` above it.
fn in_scale(key: LocalKey, degree: u8, root: u8, steps: usize) -> u8 {
    let natural = key.scale()[(usize::from(degree) + 6 + steps) % 7];
    (key.tonic() + natural + OCTAVE - root) % OCTAVE
}

/// The accidental that puts a numeral of the degree on the root; 0 where none within two semitones does.
fn accidental_of(root: u8, degree: u8, minor: bool, key: LocalKey) -> i8 {
    let reaches = |&accidental: &i8| {
        let stem = Stem::Degree {
            accidental,
            degree,
            capital: !minor,
        };
        plain(stem).sound(key).root == root
    };
    [0, 1, -1, 2, -2].into_iter().find(reaches).unwrap_or(0)
}

fn plain(stem: Stem) -> RomanNumeral {
    RomanNumeral {
        stem,
        quality: Quality::ByCase,
        seventh: None,
        figures: Vec::new(),
        changes: Vec::new(),
        expected: None,
        target: None,
    }
}

fn written(figures: &[u8]) -> Vec<Figure> {
    let figures = figures.iter();
    figures
        .map(|&number| Figure {
            accidental: 0,
            major: false,
            number,
        })
        .collect()
}
