//! One recording under another.

use super::noise::power;

/// The factor for something of mean power `other` to be `snr_db` softer than something of mean power `signal`; 0 where
/// one of them is silent.
pub fn gain_for_snr(signal: f64, other: f64, snr_db: f64) -> f64 {
    if signal > 0.0 && other > 0.0 {
        (signal / other).sqrt() * 10f64.powf(-snr_db / 20.0)
    } else {
        0.0
    }
}

/// Adds `other`, `snr_db` softer than `samples` in mean power. A shorter one is repeated, a longer one cut; silence stays
/// as it is.
pub fn mix(samples: &mut [f32], other: &[f32], snr_db: f32) {
    let used = &other[..other.len().min(samples.len())];
    let [signal, other] = [&*samples, used].map(|part| f64::from(power(part)));
    let gain = gain_for_snr(signal, other, f64::from(snr_db)) as f32;
    if gain > 0.0 {
        for (sample, other) in samples.iter_mut().zip(used.iter().cycle()) {
            *sample += gain * other;
        }
    }
}
