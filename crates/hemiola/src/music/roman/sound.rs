//! What a Roman numeral sounds like in a key.

use super::{AugmentedSixth, Change, LocalKey, Mode, Quality, RomanNumeral, Seventh, Stem};
use crate::music::{N_PITCH_CLASSES, PitchClassSet};

const OCTAVE: i32 = N_PITCH_CLASSES as i32;

/// The tones of a Roman numeral in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// Pitch class of the root, which need not sound.
    pub root: u8,
    /// Pitch class of the lowest tone.
    pub bass: u8,
    pub pitch_classes: PitchClassSet,
    /// Degree of the root in the key, 1 to 7, by its spelling; of an applied chord as well: `V/V` stands on 2.
    pub degree: u8,
    /// Semitones from that degree of the key's scale, the natural one in minor, to the root.
    pub alteration: i8,
}

/// A tone by what it is above the root: scale steps (0 to 6), semitones.
#[derive(Debug, Clone, Copy)]
struct Tone {
    step: usize,
    semitones: i32,
}

/// Where a chord stands in its home key.
#[derive(Debug, Clone, Copy)]
struct Place {
    home: LocalKey,
    /// Scale steps and semitones of the root above the tonic of `home`.
    step: usize,
    semitones: i32,
    /// Scale steps of `home`'s tonic above that of the key in force.
    home_step: usize,
}

impl RomanNumeral {
    /// The tones in `key`.
    ///
    /// In minor the sixth and seventh degree are raised under minor and diminished chords and natural under major ones; a
    /// single accidental only confirms this (`vii` and `#vii` are the same, so are `VI` and `bVI`) or says otherwise
    /// (`#VI`, `bvii`). Sevenths, ninths and added tones are those of the scale, the natural one in minor, unless quality
    /// or accidentals say otherwise.
    pub fn sound(&self, key: LocalKey) -> Sound {
        let place = self.place(key);
        let tones = self.tones(&place);
        let root = i32::from(place.home.tonic()) + place.semitones;
        let pitch_class = |semitones: i32| (root + semitones).rem_euclid(OCTAVE) as u8;
        let sounding = tones.iter().map(|tone| pitch_class(tone.semitones));
        let step = (place.step + place.home_step) % 7;
        let natural = i32::from(key.tonic() + key.scale()[step]);
        let alteration = (root - natural + OCTAVE / 2).rem_euclid(OCTAVE) - OCTAVE / 2;
        Sound {
            root: pitch_class(0),
            bass: pitch_class(self.bass(&tones)),
            pitch_classes: PitchClassSet::new(sounding).unwrap_or_default(),
            degree: step as u8 + 1,
            alteration: alteration as i8,
        }
    }

    fn place(&self, key: LocalKey) -> Place {
        let (home, home_step) = match &self.target {
            None => (key, 0),
            Some(target) => {
                let place = target.place(key);
                let tonic = i32::from(place.home.tonic()) + place.semitones;
                let tonic = tonic.rem_euclid(OCTAVE) as u8;
                let mode = target.mode_as_tonic(place.home);
                let step = (place.step + place.home_step) % 7;
                (LocalKey::new(tonic, mode), step)
            }
        };
        let (step, semitones) = match self.stem {
            Stem::Neapolitan => (1, 1),
            Stem::Cadential => (0, 0),
            Stem::AugmentedSixth(AugmentedSixth::French) => (1, 2),
            Stem::AugmentedSixth(_) => (3, 6),
            Stem::Degree {
                accidental, degree, ..
            } => {
                let step = (usize::from(degree) + 6) % 7;
                let natural = i32::from(home.scale()[step]);
                let accidental = i32::from(accidental);
                let shift = match (home.mode(), step) {
                    (Mode::Minor, 5 | 6) => self.shift_in_minor(accidental),
                    _ => accidental,
                };
                (step, natural + shift)
            }
        };
        Place {
            home,
            step,
            semitones,
            home_step,
        }
    }

    /// Semitones above the natural sixth or seventh degree of minor.
    fn shift_in_minor(&self, accidental: i32) -> i32 {
        match (accidental, self.is_minor()) {
            (0, minor) => i32::from(minor),
            (1 | -1, _) => i32::from(accidental > 0),
            (2.., _) => accidental,
            (..=-2, _) => accidental + 1,
        }
    }

    /// Whether the third is minor.
    fn is_minor(&self) -> bool {
        match (self.quality, self.stem) {
            (Quality::Diminished | Quality::HalfDiminished, _) => true,
            (Quality::Augmented, _) => false,
            (Quality::ByCase, Stem::Degree { capital, .. }) => !capital,
            (Quality::ByCase, _) => false,
        }
    }

    fn mode_as_tonic(&self, home: LocalKey) -> Mode {
        match self.stem {
            Stem::Cadential => home.mode(),
            _ if self.is_minor() => Mode::Minor,
            _ => Mode::Major,
        }
    }

    /// Without root, third or whatever is left out, and with what is added.
    fn tones(&self, place: &Place) -> Vec<Tone> {
        let scale = place.home.scale();
        let in_scale = |step: usize| {
            let tone = i32::from(scale[(place.step + step) % 7]);
            (tone - place.semitones).rem_euclid(OCTAVE)
        };
        let mut tones = self.stack(place, &in_scale);
        let bass = self.inversion().bass_step();
        for figure in &self.figures {
            let step = (bass + usize::from(figure.number) + 6) % 7;
            let unaltered = figure.accidental == 0 && !figure.major;
            if unaltered && (tones.iter().any(|tone| tone.step == step) || self.is_sixth()) {
                continue;
            }
            if figure.major {
                tones.retain(|tone| tone.step != step);
                tones.push(Tone { step, semitones: 2 });
            } else {
                let accidental = i32::from(figure.accidental);
                alter(&mut tones, step, in_scale(step), accidental);
            }
        }
        for change in &self.changes {
            let Change::Omitted(interval) = *change else {
                continue;
            };
            tones.retain(|tone| tone.step != (usize::from(interval) + 6) % 7);
        }
        for change in &self.changes {
            match *change {
                Change::Omitted(_) => {}
                Change::Added {
                    accidental,
                    interval,
                } => {
                    let step = (usize::from(interval) + 6) % 7;
                    let semitones = in_scale(step) + i32::from(accidental);
                    tones.push(Tone {
                        step,
                        // A ninth is no root.
                        semitones: if step == 1 {
                            semitones.max(1)
                        } else {
                            semitones
                        },
                    });
                }
                Change::Altered {
                    accidental,
                    interval,
                } => {
                    let step = (usize::from(interval) + 6) % 7;
                    alter(&mut tones, step, in_scale(step), i32::from(accidental));
                }
            }
        }
        if tones.is_empty() {
            tones.push(Tone {
                step: 0,
                semitones: 0,
            });
        }
        tones
    }

    /// Root, third, fifth and what the figures pile on them.
    fn stack(&self, place: &Place, in_scale: &dyn Fn(usize) -> i32) -> Vec<Tone> {
        let of = |tones: &[(usize, i32)]| {
            let tones = tones.iter();
            tones
                .map(|&(step, semitones)| Tone { step, semitones })
                .collect::<Vec<_>>()
        };
        match self.stem {
            Stem::AugmentedSixth(kind) => {
                return of(match kind {
                    AugmentedSixth::Italian => &[(0, 0), (2, 2), (4, 6)],
                    AugmentedSixth::German => &[(0, 0), (2, 2), (4, 6), (6, 9)],
                    AugmentedSixth::Swiss => &[(0, 0), (2, 2), (4, 6), (5, 9)],
                    AugmentedSixth::French => &[(0, 0), (2, 4), (4, 6), (6, 10)],
                });
            }
            Stem::Cadential => {
                let third = i32::from(place.home.scale()[2]);
                return of(&[(0, 0), (2, third), (4, 7)]);
            }
            Stem::Neapolitan | Stem::Degree { .. } => {}
        }
        let third = if self.is_minor() { 3 } else { 4 };
        let fifth = match self.quality {
            Quality::Diminished | Quality::HalfDiminished => 6,
            Quality::Augmented => 8,
            Quality::ByCase => 7,
        };
        let mut tones = of(&[(0, 0), (2, third), (4, fifth)]);
        let inversion = self.inversion();
        if inversion.suspended {
            tones.retain(|tone| tone.step != 2);
            tones.push(Tone {
                step: 3,
                semitones: 5,
            });
        }
        if inversion.seventh || self.seventh.is_some() {
            let semitones = match (self.seventh, self.quality) {
                (Some(Seventh::Major), _) => 11,
                (Some(Seventh::Minor), _) | (None, Quality::HalfDiminished) => 10,
                (None, Quality::Diminished) => 9,
                (None, _) => in_scale(6).clamp(9, 11),
            };
            tones.push(Tone { step: 6, semitones });
        }
        for step in 0..inversion.piled {
            let step = [1, 3, 5][step.min(2)];
            tones.push(Tone {
                step,
                semitones: in_scale(step),
            });
        }
        tones
    }

    /// Semitones of the lowest tone above the root.
    fn bass(&self, tones: &[Tone]) -> i32 {
        let step = self.inversion().bass_step();
        let at = |step: usize| tones.iter().find(|tone| tone.step == step);
        // Where the bass itself is replaced, by its neighbour; a seventh by the sixth.
        let neighbours = match step {
            6 => [6, 5, 0],
            step => [step, step + 1, (step + 6) % 7],
        };
        let found = neighbours.into_iter().find_map(at).or(tones.first());
        found.map_or(0, |tone| tone.semitones)
    }

    fn is_sixth(&self) -> bool {
        matches!(self.stem, Stem::AugmentedSixth(_))
    }

    fn inversion(&self) -> Inversion {
        let mut numbers: Vec<u8> = self.figures.iter().map(|figure| figure.number).collect();
        let has = |number: u8| numbers.contains(&number);
        match self.stem {
            Stem::Cadential if numbers.is_empty() => numbers = vec![6, 4],
            Stem::AugmentedSixth(AugmentedSixth::French)
                if numbers.is_empty() || numbers == [6] =>
            {
                numbers = vec![4, 3];
            }
            Stem::AugmentedSixth(AugmentedSixth::Swiss)
                if numbers.is_empty() || numbers == [6] || (has(4) && has(3)) =>
            {
                numbers = vec![6, 5];
            }
            Stem::AugmentedSixth(_) if numbers.is_empty() => numbers = vec![6],
            _ => {}
        }
        Inversion::of(&numbers)
    }
}

/// What figures say of a chord as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Inversion {
    /// 0 to 3: root, third, fifth, seventh in the bass.
    number: usize,
    seventh: bool,
    /// The fourth in place of the third.
    suspended: bool,
    /// How many of ninth, eleventh and thirteenth.
    piled: usize,
}

impl Inversion {
    fn of(figures: &[u8]) -> Self {
        let has = |number: u8| figures.contains(&number);
        let inverted = |number, seventh| Self {
            number,
            seventh,
            ..Self::default()
        };
        let piled = (0..3).rev().find(|&i| has(9 + 2 * i)).map_or(0, |i| i + 1);
        if has(7) || piled > 0 {
            Self {
                number: 0,
                seventh: true,
                suspended: has(4) && !has(3),
                piled: piled.into(),
            }
        } else if has(6) && has(5) {
            inverted(1, true)
        } else if has(4) && has(3) {
            inverted(2, true)
        } else if has(2) && !has(5) {
            inverted(3, true)
        } else if has(6) && has(4) {
            inverted(2, false)
        } else if has(6) {
            inverted(1, false)
        } else {
            Self {
                suspended: has(4),
                ..Self::default()
            }
        }
    }

    fn bass_step(self) -> usize {
        2 * self.number
    }
}

/// Moves the tone of a step by `accidental`, or adds it, `in_scale` semitones above the root before it is moved.
fn alter(tones: &mut Vec<Tone>, step: usize, in_scale: i32, accidental: i32) {
    // The minor ninth of a dominant in minor is that of the scale, and flat by name.
    let moved = |semitones: i32| match step {
        1 => (semitones + accidental).max(1),
        _ => semitones + accidental,
    };
    match tones.iter_mut().find(|tone| tone.step == step) {
        Some(tone) => tone.semitones = moved(tone.semitones),
        None => tones.push(Tone {
            step,
            semitones: moved(in_scale),
        }),
    }
}
