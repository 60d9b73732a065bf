//! Whether two recordings are the same sound, one perhaps later than the other.

use super::passages::Passages;
use super::similarity::{dot, products};

/// Lags between two whole hops that are tried.
const FRACTIONS: usize = 4;

/// A recording has no more passages: weeks of sound.
const MOST_SLOTS: usize = 1_000_000;

/// How one recording lies in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// What is at t seconds in the second is at t + this in the first.
    pub offset_s: f64,
    /// How much the passages that meet agree on average: 1 where they are the same, 0 where they are as far apart as passages of
    /// the two that do not meet.
    pub agreement: f64,
}

/// Passages by the multiple of the hop at which they begin; `None` in silence.
pub struct Grid<'a> {
    passages: &'a Passages,
    slots: Vec<Option<usize>>,
    /// Products of each slot's vector with the next slot's.
    steps: Vec<f32>,
    n_filled: usize,
}

impl<'a> Grid<'a> {
    /// The last passage, which ends where the recording ends, is in no slot unless it begins where one would.
    pub fn new(passages: &'a Passages, hop_s: f64) -> Self {
        let mut slots = Vec::new();
        for (place, start_s) in passages.starts_s().iter().enumerate() {
            let at = start_s / hop_s;
            let slot = at.round().max(0.0) as usize;
            // Hops are whole samples; no recording is so long that this adds up to a hundredth of one.
            if (at - slot as f64).abs() < 0.01 && slot <= MOST_SLOTS {
                slots.resize(slots.len().max(slot + 1), None);
                slots[slot] = Some(place);
            }
        }
        let step = |pair: &[Option<usize>]| match pair {
            [Some(a), Some(b)] => dot(passages.vector(*a), passages.vector(*b)),
            _ => 0.0,
        };
        Self {
            n_filled: slots.iter().flatten().count(),
            steps: slots.windows(2).map(step).collect(),
            passages,
            slots,
        }
    }
}

/// The best of all alignments in which at least half of the shorter recording meets the longer one, if there is any.
///
/// `spread` is the mean squared distance between passages of the library. Between whole hops, a passage is taken to be on
/// the straight line between its neighbours.
pub fn align(a: &Grid, b: &Grid, hop_s: f64, spread: f64) -> Option<Alignment> {
    let width = a.passages.width();
    let products = products(a.passages.vectors(), b.passages.vectors(), width);
    let scale = scale(&products, spread);
    let least = a.n_filled.min(b.n_filled).div_ceil(2).max(1);
    let (n_a, n_b) = (a.slots.len() as isize, b.slots.len() as isize);
    let mut best: Option<Alignment> = None;
    for lag in 1 - n_b..n_a {
        for fraction in 0..FRACTIONS {
            let fraction = fraction as f32 / FRACTIONS as f32;
            let mut sum = 0.0;
            let mut met = 0;
            for slot in lag.max(0)..n_a.min(n_b + lag) {
                let between = (a.slots[slot as usize], (slot - lag) as usize, fraction);
                if let Some(cosine) = meet(&products, b, between) {
                    sum += 1.0 - 2.0 * (1.0 - f64::from(cosine)) / scale;
                    met += 1;
                }
            }
            let agreement = sum / f64::from(met);
            if met as usize >= least && best.is_none_or(|best| agreement > best.agreement) {
                best = Some(Alignment {
                    offset_s: (lag as f64 - f64::from(fraction)) * hop_s,
                    agreement,
                });
            }
        }
    }
    best
}

/// The squared distance that counts as no agreement: the mean between all passages of the one and all of the other, for two pieces
/// of one style are near one another wherever they meet; at most that of the library.
fn scale(products: &[f32], spread: f64) -> f64 {
    let mean = products.iter().map(|&p| f64::from(p)).sum::<f64>() / products.len().max(1) as f64;
    (2.0 * (1.0 - mean)).clamp(LEAST_SCALE * spread, spread)
}

/// Of the spread of a library: what is nearer than this on average, such as one long tone, differs by its encoding alone.
const LEAST_SCALE: f64 = 0.05;

/// The cosine of a passage of the first and what lies a fraction of a hop behind a slot of the second.
fn meet(
    products: &[f32],
    b: &Grid,
    (a, slot, fraction): (Option<usize>, usize, f32),
) -> Option<f32> {
    let row = &products[a? * b.passages.len()..][..b.passages.len()];
    let here = row[b.slots[slot]?];
    if fraction == 0.0 {
        return Some(here);
    }
    let next = row[(*b.slots.get(slot + 1)?)?];
    let (near, far) = (1.0 - fraction, fraction);
    let length =
        (near * near + far * far + 2.0 * near * far * b.steps[slot]).max(f32::MIN_POSITIVE);
    Some((near * here + far * next) / length.sqrt())
}
