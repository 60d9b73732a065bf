//! Progressions made up by the rules of tonal harmony: phrases of prolonged tonics, predominants, dominants and cadences,
//! applied and borrowed chords, modulations to related keys, loops of popular songs, and the diatonic modes.
//!
//! The rules are those that textbooks share, such as Aldwell, Schachter and Cadwallader, Harmony and Voice Leading, and
//! Kostka and Payne, Tonal Harmony; the weights are guesses at how common each is, revised after a look at how often chords
//! occur in the corpus When in Rome.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::SetInfo;
use super::progression::{DiatonicMode, LabelledChord, LabelledProgression};
use crate::music::roman::{LocalKey, Mode, RomanNumeral};
use crate::music::{PitchClassSet, SoundingChord};

pub const INFO: SetInfo = SetInfo {
    name: "made-progressions",
    licence: "made up, free",
    may_train: true,
    layout: "none: made from a seed",
};

/// A pattern of chords and how common it is.
type Pattern = (u32, &'static str);

const OPENINGS_IN_MAJOR: &[Pattern] = &[
    (6, "I"),
    (3, "I V6 I"),
    (3, "I V43 I6"),
    (3, "I viio6 I6"),
    (3, "I V65 I"),
    (2, "I V42 I6"),
    (2, "I IV64 I"),
    (2, "I V7 I"),
    (2, "I IV I"),
    (2, "I I6"),
    (2, "I6"),
    (1, "I V64 I6"),
    (1, "I IVM7 viiø7 I"),
    (1, "I viio7 I"),
    (1, "V7 I"),
    (1, "V I"),
];
const OPENINGS_IN_MINOR: &[Pattern] = &[
    (6, "i"),
    (3, "i V6 i"),
    (3, "i V43 i6"),
    (3, "i viio6 i6"),
    (3, "i V65 i"),
    (2, "i V42 i6"),
    (2, "i iv64 i"),
    (2, "i viio7 i"),
    (2, "i V7 i"),
    (2, "i viio43 i6"),
    (2, "i6"),
    (1, "i v6 iv6 V"),
    (1, "i iv i"),
    (1, "i VII6 III"),
    (1, "V7 i"),
    (1, "V i"),
];

const MIDDLES_IN_MAJOR: &[Pattern] = &[
    (3, "vi"),
    (2, "IV I6"),
    (1, "vi IV"),
    (3, "V7/vi vi"),
    (3, "V65/vi vi"),
    (3, "V7/IV IV"),
    (3, "V42/IV IV6"),
    (3, "V7/ii ii"),
    (3, "V65/ii ii"),
    (2, "viio7/vi vi"),
    (2, "viio7/ii ii"),
    (3, "viio6/ii ii6"),
    (1, "iii IV"),
    (1, "iii vi"),
    (1, "I V vi iii IV I IV V"),
    (1, "vi ii V I"),
    (1, "I IV viio iii vi ii V I"),
    (1, "iii7 vi7 ii7 V7 I"),
    (2, "I6 IV"),
    (1, "V7/iii iii"),
    (2, "I6 viio6 I"),
    (1, "V43/V V"),
    (1, "iv I"),
    (1, "bVI"),
    (1, "V7 vi"),
    (1, "IV6 V6 I"),
    (1, "I+ vi"),
    (1, "io7 I"),
    (4, "V7 I"),
    (3, "V65 I"),
    (3, "V42 I6"),
    (3, "V43 I"),
    (2, "V6 I"),
    (3, "V6/V V"),
    (3, "V65/V V"),
    (2, "V6/vi vi"),
    (1, "V/ii ii"),
    (2, "viio6/V V"),
    (2, "viio7/V V"),
    (2, "V I6 V"),
    (2, "I64 V7"),
    (2, "V42/V V6"),
];
const MIDDLES_IN_MINOR: &[Pattern] = &[
    (2, "VI"),
    (3, "iv i6"),
    (1, "VI iv"),
    (2, "V7/III III"),
    (2, "V65/III III"),
    (3, "V7/iv iv"),
    (3, "V65/iv iv"),
    (2, "V42/iv iv6"),
    (2, "viio7/iv iv"),
    (1, "V7/VI VI"),
    (1, "V7/VII VII"),
    (1, "VII III"),
    (1, "i iv VII III VI iio V i"),
    (1, "i7 iv7 VII7 IIIM7 VIM7 iiø7 V7 i"),
    (1, "i VII VI V"),
    (1, "i v6 VI"),
    (1, "III VI"),
    (1, "V7 VI"),
    (1, "viio6/III III"),
    (1, "bII6"),
    (1, "III+6 i"),
    (4, "V i"),
    (4, "V7 i"),
    (3, "V65 i"),
    (2, "V6 i"),
    (3, "V42 i6"),
    (2, "V43 i"),
    (2, "viio7/V V"),
    (2, "V65/V V"),
    (2, "i V i V"),
    (2, "i64 V"),
    (1, "viio43 i6"),
    (1, "V43/III III"),
];

const CADENCES_IN_MAJOR: &[Pattern] = &[
    (4, "ii6 V I"),
    (4, "ii65 V I"),
    (3, "ii65 V7 I"),
    (2, "IV V I"),
    (2, "IV V7 I"),
    (3, "ii6 Cad64 V7 I"),
    (3, "IV Cad64 V I"),
    (2, "ii V7 I"),
    (2, "ii7 V7 I"),
    (2, "V[no3][add4] V I"),
    (2, "ii65 V54 V I"),
    (2, "V7/V V"),
    (2, "V65/V V"),
    (2, "viio7/V V"),
    (2, "viio7/V Cad64 V7 I"),
    (3, "ii6 V"),
    (2, "IV6 V"),
    (2, "I6 V"),
    (3, "I V"),
    (2, "IV V7 vi"),
    (1, "IV I"),
    (1, "iv6 V"),
    (1, "iiø65 V7 I"),
    (1, "iv I"),
    (1, "Ger65 Cad64 V7 I"),
    (1, "It6 V"),
    (1, "Fr43 V"),
    (1, "bII6 V7 I"),
    (1, "V9 I"),
    (2, "V43 I"),
    (2, "viio6 I"),
    (1, "I64 V7 I"),
    (4, "V7 I"),
    (3, "ii6 V7 I"),
    (2, "V65/V V7 I"),
    (2, "Cad64 V7 I"),
    (2, "Cad64 V I"),
];
const CADENCES_IN_MINOR: &[Pattern] = &[
    (3, "iv V i"),
    (2, "iv V7 i"),
    (4, "iiø65 V i"),
    (3, "iio6 V i"),
    (3, "iio6 Cad64 V7 i"),
    (3, "iv Cad64 V i"),
    (1, "VI V7 i"),
    (2, "V[no3][add4] V i"),
    (2, "iiø65 V54 V i"),
    (2, "iv V"),
    (2, "iv6 V"),
    (2, "i V"),
    (2, "V7/V V"),
    (2, "viio7/V V"),
    (2, "iv V7 VI"),
    (2, "Ger65 V"),
    (2, "Ger65 Cad64 V7 i"),
    (1, "It6 V"),
    (1, "Fr43 V"),
    (2, "bII6 V7 i"),
    (1, "N6 Cad64 V7 i"),
    (2, "viio7 i"),
    (2, "V43 i"),
    (1, "viio6 i"),
    (2, "iv V I"),
    (1, "iv I"),
    (4, "V7 i"),
    (4, "V i"),
    (3, "iio6 V7 i"),
    (2, "Cad64 V i"),
    (2, "viio7/V V i"),
    (2, "V7 I"),
];

const LOOPS_IN_MAJOR: &[Pattern] = &[
    (3, "I V vi IV"),
    (2, "vi IV I V"),
    (3, "I IV V"),
    (2, "I vi IV V"),
    (2, "I IV"),
    (2, "I bVII IV I"),
    (1, "I ii IV V"),
    (1, "I7 IV7 I7 V7 IV7 I7"),
    (1, "IM7 ii7 iii7 IVM7"),
    (1, "ii7 V7 IM7"),
    (1, "I iii IV iv"),
    (1, "I II IV I"),
    (1, "I bIII IV"),
    (1, "bVI bVII I"),
];
const LOOPS_IN_MINOR: &[Pattern] = &[
    (3, "i VI III VII"),
    (3, "i VII VI VII"),
    (2, "i iv v"),
    (2, "i VII VI V"),
    (2, "i iv"),
    (1, "i7 iv7"),
    (1, "i III VII iv"),
    (1, "i VI VII"),
    (1, "i IV"),
];

/// Keys that music goes to, as numerals of the key it comes from.
const NEIGHBOURS_OF_MAJOR: &[Pattern] = &[
    (8, "V"),
    (5, "vi"),
    (4, "IV"),
    (3, "ii"),
    (2, "iii"),
    (1, "i"),
    (1, "bVI"),
];
const NEIGHBOURS_OF_MINOR: &[Pattern] = &[
    (8, "III"),
    (4, "v"),
    (4, "iv"),
    (3, "VI"),
    (3, "VII"),
    (2, "I"),
];

/// The share of chords over a bass of chance in the pieces that have most of them.
const MOST_INVERSIONS: f64 = 0.8;
/// The share of chords before which another is put in the pieces that have most of them.
const MOST_STRAYS: f64 = 0.3;

/// Chords that come between those of a pattern: what no pattern foresees.
const STRAYS_IN_MAJOR: &[Pattern] = &[
    (8, "I"),
    (6, "V"),
    (6, "V7"),
    (4, "IV"),
    (4, "ii"),
    (3, "vi"),
    (2, "ii7"),
    (2, "V7/V"),
    (2, "viio7"),
    (1, "viiø7"),
    (1, "iii"),
    (1, "viio"),
    (1, "V7/ii"),
    (1, "V7/vi"),
    (1, "V7/IV"),
    (1, "vi7"),
    (1, "IVM7"),
    (1, "IM7"),
    (1, "viio7/V"),
    (1, "viio7/ii"),
    (1, "i"),
    (1, "iv"),
];
const STRAYS_IN_MINOR: &[Pattern] = &[
    (8, "i"),
    (6, "V"),
    (6, "V7"),
    (4, "iv"),
    (3, "iiø7"),
    (2, "iio"),
    (2, "VI"),
    (2, "III"),
    (3, "viio7"),
    (1, "viio"),
    (1, "I"),
    (1, "IV"),
    (1, "VII"),
    (1, "V7/V"),
    (1, "V7/III"),
    (1, "V7/iv"),
    (1, "viio7/V"),
    (1, "viio7/iv"),
    (1, "bII"),
    (1, "v"),
    (1, "VIM7"),
];

/// How a progression comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Phrases,
    Loops,
    Modal,
}

/// Makes the progression with the number; the same numbers make the same.
pub fn make(seed: u64, number: u64) -> LabelledProgression {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let style = *[(Style::Phrases, 8), (Style::Loops, 1), (Style::Modal, 1)]
        .choose_weighted(&mut rng, |&(_, weight)| weight)
        .map_or(&Style::Phrases, |(style, _)| style);
    let tonic = rng.random_range(0..12);
    let (inversions, strays) = match style {
        Style::Phrases => (
            rng.random_range(0.0..MOST_INVERSIONS),
            rng.random_range(0.0..MOST_STRAYS),
        ),
        Style::Loops | Style::Modal => (0.0, 0.0),
    };
    let mut maker = Maker {
        rng,
        chords: Vec::new(),
        inversions,
        strays,
    };
    let mode = match style {
        Style::Modal => maker.modal(tonic),
        Style::Phrases | Style::Loops => maker.tonal(tonic, style),
    };
    LabelledProgression {
        name: format!("made-{seed}-{number}"),
        chords: maker.chords,
        mode,
    }
}

struct Maker {
    rng: ChaCha8Rng,
    chords: Vec<LabelledChord>,
    /// How often a chord comes over a bass of chance.
    inversions: f64,
    /// How often a chord stands between those of a pattern.
    strays: f64,
}

impl Maker {
    fn tonal(&mut self, tonic: u8, style: Style) -> DiatonicMode {
        let mode = match self.rng.random_bool(0.55) {
            true => Mode::Major,
            false => Mode::Minor,
        };
        let home = LocalKey::new(tonic, mode);
        let mut key = home;
        // From two to fifteen, few more often than many.
        let phrases = self.rng.random_range(1.0f64..4.0).exp2() as usize;
        for phrase in 0..phrases {
            match style {
                Style::Loops => self.repeat_loop(key),
                _ => self.phrase(key),
            }
            let change = match (style, key.mode()) {
                (Style::Loops, _) => 0.1,
                (_, Mode::Major) => 0.45,
                (_, Mode::Minor) => 0.65,
            };
            if phrase + 2 >= phrases || key != home && self.rng.random_bool(0.4) {
                key = home;
            } else if self.rng.random_bool(change) {
                key = self.neighbour(key);
            }
        }
        DiatonicMode::of_key_mode(mode)
    }

    fn phrase(&mut self, key: LocalKey) {
        let major = key.mode() == Mode::Major;
        let of = |in_major, in_minor| if major { in_major } else { in_minor };
        if self.rng.random_bool(0.85) {
            self.pattern(of(OPENINGS_IN_MAJOR, OPENINGS_IN_MINOR), key);
        }
        for _ in 0..self.rng.random_range(0..=3) {
            self.pattern(of(MIDDLES_IN_MAJOR, MIDDLES_IN_MINOR), key);
        }
        self.pattern(of(CADENCES_IN_MAJOR, CADENCES_IN_MINOR), key);
    }

    fn repeat_loop(&mut self, key: LocalKey) {
        let loops = match key.mode() {
            Mode::Major => LOOPS_IN_MAJOR,
            Mode::Minor => LOOPS_IN_MINOR,
        };
        let pattern = self.choose(loops);
        for _ in 0..self.rng.random_range(1..=4) {
            self.write(pattern, key);
        }
    }

    fn neighbour(&mut self, key: LocalKey) -> LocalKey {
        let neighbours = match key.mode() {
            Mode::Major => NEIGHBOURS_OF_MAJOR,
            Mode::Minor => NEIGHBOURS_OF_MINOR,
        };
        let name = self.choose(neighbours);
        let Ok(numeral) = name.parse::<RomanNumeral>() else {
            return key;
        };
        let mode = match name.contains(['I', 'V']) {
            true => Mode::Major,
            false => Mode::Minor,
        };
        LocalKey::new(numeral.sound(key).root, mode)
    }

    /// Triads and sevenths of one mode's scale that begin, and often come back, at its tonic.
    fn modal(&mut self, tonic: u8) -> DiatonicMode {
        let mode = DiatonicMode::ALL[self.rng.random_range(0..DiatonicMode::ALL.len())];
        let key = LocalKey::new(tonic, mode.key_mode());
        let scale = mode.scale();
        let length = self.rng.random_range(8..40);
        for place in 0..length {
            let step = match place == 0 || place + 1 == length || self.rng.random_bool(0.3) {
                true => 0,
                false => self.rng.random_range(0..7),
            };
            let size = if self.rng.random_bool(0.2) { 4 } else { 3 };
            let tone = |third: usize| (tonic + scale[(step + 2 * third) % 7]) % 12;
            let bass = match self.rng.random_bool(0.8) {
                true => tone(0),
                false => tone(1),
            };
            let set = PitchClassSet::new((0..size).map(tone)).unwrap_or_default();
            self.push(set, bass, tone(0), key, step as u8 + 1);
        }
        mode
    }

    fn choose(&mut self, patterns: &'static [Pattern]) -> &'static str {
        let chosen = patterns.choose_weighted(&mut self.rng, |&(weight, _)| weight);
        chosen.map_or("I", |(_, pattern)| pattern)
    }

    fn pattern(&mut self, patterns: &'static [Pattern], key: LocalKey) {
        let pattern = self.choose(patterns);
        self.write(pattern, key);
    }

    fn write(&mut self, pattern: &str, key: LocalKey) {
        for name in pattern.split_whitespace() {
            if self.rng.random_bool(self.strays) {
                let stray = match key.mode() {
                    Mode::Major => self.choose(STRAYS_IN_MAJOR),
                    Mode::Minor => self.choose(STRAYS_IN_MINOR),
                };
                self.write_chord(stray, key);
            }
            self.write_chord(name, key);
        }
    }

    fn write_chord(&mut self, name: &str, key: LocalKey) {
        let Ok(numeral) = name.parse::<RomanNumeral>() else {
            return;
        };
        let sound = numeral.sound(key);
        let bass = match name != "Cad64" && self.rng.random_bool(self.inversions) {
            true => self.any_bass(sound.pitch_classes, sound.root),
            false => sound.bass,
        };
        // A chord is struck again, or stays for another measure.
        let times = if self.rng.random_bool(0.12) { 2 } else { 1 };
        for _ in 0..times {
            self.push(sound.pitch_classes, bass, sound.root, key, sound.degree);
        }
    }

    /// A tone of the chord: its third most often, then its root, its fifth, its seventh.
    fn any_bass(&mut self, set: PitchClassSet, root: u8) -> u8 {
        let tones: Vec<(u8, u32)> = (set.iter())
            .map(|tone| match (tone + 12 - root) % 12 {
                0 => (tone, 7),
                3 | 4 => (tone, 8),
                6..=8 => (tone, 3),
                9..=11 => (tone, 2),
                _ => (tone, 0),
            })
            .collect();
        let chosen = tones.choose_weighted(&mut self.rng, |&(_, weight)| weight);
        chosen.map_or(root, |&(tone, _)| tone)
    }

    fn push(&mut self, set: PitchClassSet, bass: u8, root: u8, key: LocalKey, degree: u8) {
        if let Ok(chord) = SoundingChord::new(set, bass) {
            self.chords.push(LabelledChord {
                onset: self.chords.len() as f64,
                chord,
                root,
                key,
                degree,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_of_roman_numerals() {
        let all = [
            OPENINGS_IN_MAJOR,
            OPENINGS_IN_MINOR,
            MIDDLES_IN_MAJOR,
            MIDDLES_IN_MINOR,
            CADENCES_IN_MAJOR,
            CADENCES_IN_MINOR,
            LOOPS_IN_MAJOR,
            LOOPS_IN_MINOR,
            NEIGHBOURS_OF_MAJOR,
            NEIGHBOURS_OF_MINOR,
            STRAYS_IN_MAJOR,
            STRAYS_IN_MINOR,
        ];
        for name in all.iter().flat_map(|patterns| patterns.iter()) {
            for name in name.1.split_whitespace() {
                let numeral: RomanNumeral = name.parse().unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(numeral.to_string(), name);
            }
        }
    }

    #[test]
    fn the_same_numbers_make_the_same_music_and_others_other() {
        assert_eq!(make(3, 5), make(3, 5));
        assert_ne!(make(3, 5).chords, make(3, 6).chords);
        assert_ne!(make(3, 5).chords, make(4, 5).chords);
    }

    #[test]
    fn dominants_lead_to_their_tonics() {
        let pieces: Vec<_> = (0..300).map(|number| make(1, number)).collect();
        let chords = pieces.iter().flat_map(|piece| piece.chords.windows(2));
        let of_dominants: Vec<_> = chords
            .filter(|pair| pair[0].degree == 5 && pair[1].key == pair[0].key)
            .collect();
        let resolved = of_dominants.iter().filter(|pair| pair[1].degree == 1);
        assert!(2 * resolved.count() > of_dominants.len());
        let modulating = pieces.iter().filter(|piece| {
            let first = piece.chords[0].key;
            piece.chords.iter().any(|chord| chord.key != first)
        });
        assert!(modulating.count() > 100);
    }
}
