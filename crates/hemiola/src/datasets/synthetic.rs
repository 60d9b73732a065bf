//! Made-up piano music: what collections have too little of, above all low, soft, dense and repeated notes.

use std::path::PathBuf;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::expression::legato_pedal;
use super::performance::{Performance, one_keyboard};
use super::{DataSet, Item, SetInfo, Split};
use crate::error::{Error, Result};
use crate::music::Note;

const LOWEST: u8 = 21;
const HIGHEST: u8 = 108;
const LENGTH_S: f64 = 60.0;

pub(super) const INFO: SetInfo = SetInfo {
    name: "synthetic",
    licence: "none needed",
    may_train: true,
    layout: "no folder; made up from a seed",
};

/// Pieces of a minute, each told by the seed and its number; every tenth is dev.
#[derive(Debug)]
pub struct Synthetic {
    seed: u64,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy)]
enum Texture {
    Scattered,
    Chords,
    BassChords,
    Bass,
    Repeated,
    Scale,
    Arpeggio,
    Octaves,
}

const TEXTURES: [Texture; 8] = [
    Texture::Scattered,
    Texture::Chords,
    Texture::BassChords,
    Texture::Bass,
    Texture::Repeated,
    Texture::Scale,
    Texture::Arpeggio,
    Texture::Octaves,
];

impl Synthetic {
    /// `pieces` pieces from a seed.
    pub fn new(seed: u64, pieces: usize) -> Self {
        let items = (0..pieces)
            .map(|number| {
                let name = format!("{seed}-{number:04}");
                Item {
                    notes: PathBuf::from(&name),
                    name,
                    split: if number % 10 == 3 {
                        Split::Dev
                    } else {
                        Split::Train
                    },
                    audio: None,
                }
            })
            .collect();
        Self { seed, items }
    }
}

impl DataSet for Synthetic {
    fn info(&self) -> &'static SetInfo {
        &INFO
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn read(&self, item: &Item) -> Result<Performance> {
        let number = self
            .items
            .iter()
            .position(|other| other.name == item.name)
            .ok_or_else(|| Error::config(format!("there is no synthetic piece {}", item.name)))?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(number as u64 + 1);
        Ok(piece(&mut rng))
    }
}

fn piece(rng: &mut ChaCha8Rng) -> Performance {
    let mut notes = Vec::new();
    let mut now_s = 0.2;
    while now_s < LENGTH_S {
        let until_s = now_s + rng.random_range(4.0..10.0);
        let texture = TEXTURES[rng.random_range(0..TEXTURES.len())];
        passage(texture, now_s, until_s, &mut notes, rng);
        now_s = until_s + rng.random_range(0.0..0.6);
    }
    let notes = one_keyboard(notes);
    let pedal = if rng.random_bool(0.5) {
        legato_pedal(&notes, rng)
    } else {
        Vec::new()
    };
    Performance { notes, pedal }
}

/// Writes one passage of a texture from `now_s` to `until_s`.
fn passage(
    texture: Texture,
    mut now_s: f64,
    until_s: f64,
    notes: &mut Vec<Note>,
    rng: &mut ChaCha8Rng,
) {
    // Soft passages are as frequent as all others together.
    let mean: i32 = if rng.random_bool(0.5) {
        rng.random_range(15..50)
    } else {
        rng.random_range(40..115)
    };
    let step_s = match texture {
        Texture::Chords | Texture::BassChords => rng.random_range(0.25..1.2),
        Texture::Octaves => rng.random_range(0.15..0.6),
        Texture::Scattered => rng.random_range(0.06..0.5),
        _ => rng.random_range(0.07..0.35),
    };
    let touch = rng.random_range(0.3..2.0);
    let mut key: i32 = rng.random_range(30..96);
    let direction = if rng.random_bool(0.5) { 1 } else { -1 };
    let mut count = 0;
    while now_s < until_s {
        let keys: Vec<i32> = match texture {
            Texture::Scattered => vec![rng.random_range(i32::from(LOWEST)..=i32::from(HIGHEST))],
            Texture::Chords => {
                let low = rng.random_range(33..80);
                let size = rng.random_range(3..=10);
                (0..size).map(|_| low + rng.random_range(0..26)).collect()
            }
            Texture::BassChords => {
                let low = rng.random_range(i32::from(LOWEST)..40);
                let size = rng.random_range(2..=6);
                (0..size).map(|_| low + rng.random_range(0..30)).collect()
            }
            Texture::Bass => vec![rng.random_range(i32::from(LOWEST)..52)],
            Texture::Repeated => {
                if count % 8 == 7 {
                    key += rng.random_range(-7..=7);
                }
                vec![key]
            }
            Texture::Scale => {
                key += direction
                    * if count % 7 == 2 || count % 7 == 6 {
                        1
                    } else {
                        2
                    };
                vec![key]
            }
            Texture::Arpeggio => {
                key += direction * if count % 3 == 2 { 5 } else { 3 + count % 2 };
                vec![key]
            }
            Texture::Octaves => {
                key += rng.random_range(-4..=4);
                vec![key, key + 12]
            }
        };
        for key in keys {
            // Lines that run off the keyboard go on at its other end.
            let span = i32::from(HIGHEST - LOWEST) + 1;
            let pitch = LOWEST + (key - i32::from(LOWEST)).rem_euclid(span) as u8;
            let onset_s = now_s + rng.random_range(0.0..0.02);
            let length_s: f64 = step_s * touch * rng.random_range(0.7..1.3);
            notes.push(Note {
                onset_s,
                offset_s: onset_s + length_s.clamp(0.05, 6.0),
                pitch,
                velocity: (mean + rng.random_range(-14..=14)).clamp(6, 127) as u8,
            });
        }
        let uneven = if matches!(texture, Texture::Scattered) {
            rng.random_range(0.3..2.0)
        } else {
            rng.random_range(0.95..1.05)
        };
        now_s += step_s * uneven;
        count += 1;
    }
}
