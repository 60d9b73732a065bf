//! Metrics equal to mir_eval 0.8 (Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014), and those of classes and rankings equal to scikit-learn's ([`classification`]).
//!
//! Every `evaluate` returns a struct that serialises with mir_eval's metric names.
//! An empty reference or estimate scores zero; of chords and sections, an empty estimate is one segment over all.

pub mod beat;
pub mod chord;
pub mod classification;
pub mod frames;
pub mod harmony;
mod intervals;
pub mod key;
mod matching;
pub mod multipitch;
pub mod ngram;
pub mod onset;
pub mod probe;
pub mod retrieval;
pub mod segment;
pub mod tempo;
pub mod transcription;
pub mod transcription_velocity;

/// The harmonic mean of precision and recall; zero where both are.
pub fn f_measure(precision: f64, recall: f64) -> f64 {
    if precision == 0.0 && recall == 0.0 {
        return 0.0;
    }
    2.0 * precision * recall / (precision + recall)
}

/// A share that is zero where there is nothing to share.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
