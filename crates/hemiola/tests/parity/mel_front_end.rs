//! The mel spectrogram of torchaudio.

use crate::harness::Vector;

/// The mel front end has no weights: its outputs are all there is to compare.
pub fn mel_front_end(vector: &Vector) -> (f64, f64) {
    use hemiola::features::{Compression, Mel, MelConfig, extract};
    let waveform = &vector.get("input.waveform").values;
    let spectrum = |log| {
        let mut mel = Mel::new(&MelConfig {
            log,
            ..MelConfig::default()
        })
        .unwrap();
        extract(&mut mel, waveform)
    };
    let mut worst = 0.0f64;
    // A logarithm passes through zero, where a relative deviation says nothing.
    for (name, log, floor) in [
        ("mel", Compression::None, 1e-9),
        ("log_mel", Compression::Ln { offset: 1e-9 }, 1.0),
    ] {
        let expected = vector.get(&format!("output.{name}"));
        let frames = spectrum(log);
        let [bins, times] = [expected.shape[0], expected.shape[1]];
        assert_eq!((frames.n_bins(), frames.n_frames()), (bins, times));
        for bin in 0..bins {
            for time in 0..times {
                let e = f64::from(expected.values[bin * times + time]);
                let f = f64::from(frames.frame(time)[bin]);
                worst = worst.max((f - e).abs() / e.abs().max(floor));
            }
        }
    }
    assert!(
        worst <= 1e-4,
        "{}: relative deviation {worst:.2e}",
        vector.name
    );
    (worst, 0.0)
}
