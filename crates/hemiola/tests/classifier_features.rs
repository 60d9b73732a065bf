//! What classifiers hear, as numbers: where they lie, which channels are chosen, which checkpoints are taken.
#![cfg(feature = "neural")]

#[path = "support/drawn.rs"]
mod drawn;

use std::path::Path;

use drawn::drawn;
use hemiola::Device;
use hemiola::checkpoint::{Architecture, Card, CheckpointFiles, Precision, save};
use hemiola::features::{ConstantQConfig, MelConfig};
use hemiola::models::harmonic_cnn::HarmonicCnnConfig;
use hemiola::models::music_cnn::{MusicCnnConfig, Output, Pooling};
use hemiola::tasks::classify::ClassifierConfig;
use hemiola::tasks::features::{FeatureExtractor, FeatureMap, Features, Placement};

const RATE: u32 = 22_050;

fn tone(hz: f64, length_s: f64) -> Vec<f32> {
    let step = std::f64::consts::TAU * hz / f64::from(RATE);
    let count = (length_s * f64::from(RATE)) as usize;
    (0..count)
        .map(|n| 0.5 * (step * n as f64).sin() as f32)
        .collect()
}

fn stored<M: Architecture>(
    folder: &Path,
    model: &M,
    config: &M::Config,
    task: &M::Task,
) -> CheckpointFiles {
    save(
        folder,
        model,
        config,
        task,
        &Card::default(),
        Precision::Float32,
    )
    .unwrap();
    CheckpointFiles::read(folder).unwrap()
}

fn music_cnn(folder: &Path, output: Output, mel: MelConfig) -> CheckpointFiles {
    let sizes = MusicCnnConfig {
        n_classes: 3,
        channels: [4, 6, 8],
        attention_hidden: 5,
        pooling: Pooling::Attention,
        output,
        ..MusicCnnConfig::default()
    };
    let task = ClassifierConfig {
        features: mel,
        ..ClassifierConfig::default()
    };
    stored(
        folder,
        &drawn(3, |device| sizes.init(device)),
        &sizes,
        &task,
    )
}

fn heard(files: &CheckpointFiles, samples: &[f32]) -> Features {
    let extractor = FeatureExtractor::new(files, &Device::flex()).unwrap();
    assert_eq!(extractor.sample_rate(), RATE);
    extractor.extract(samples).unwrap()
}

fn loudest_bin_hz(features: &Features) -> f64 {
    let [_, _, time] = features.spectrogram.shape;
    let middle = |bin: &usize| features.spectrogram.values[bin * time + time / 2];
    let bins = 0..features.bins_hz.len();
    let loudest = bins.max_by(|a, b| middle(a).total_cmp(&middle(b))).unwrap();
    features.bins_hz[loudest]
}

#[test]
fn the_layers_of_music_cnn_lie_on_its_spectrogram() {
    let folder = tempfile::tempdir().unwrap();
    let files = music_cnn(folder.path(), Output::Clip, MelConfig::default());
    // 2 s: 1 + 44100 / 512 = 87 frames, halved and halved again, rounded down.
    let features = heard(&files, &tone(440.0, 2.0));
    let found: Vec<_> = [&features.spectrogram]
        .into_iter()
        .chain(&features.layers)
        .map(|map| (map.name, map.shape, map.frequency.step, map.time.step))
        .collect();
    assert_eq!(
        found,
        [
            ("spectrogram", [1, 128, 87], 1, 1),
            ("conv1", [4, 64, 43], 2, 2),
            ("harmonic", [6, 64, 43], 2, 2),
            ("temporal", [6, 64, 43], 2, 2),
            ("conv3", [8, 32, 21], 4, 4),
        ]
    );
    let attention = features.attention.as_ref().unwrap();
    assert_eq!(attention.len(), 21);
    assert!((attention.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    assert_eq!(
        (features.filters.shape, features.filters.centre),
        ([6, 4, 12], 5)
    );
    assert!((features.frame_s - 512.0 / 22_050.0).abs() < 1e-12);
    // The bands are 24.6 mel apart, at 440 Hz 25 Hz.
    assert!((loudest_bin_hz(&features) - 440.0).abs() < 13.0);

    let frames = tempfile::tempdir().unwrap();
    let files = music_cnn(frames.path(), Output::Frame, MelConfig::default());
    let features = heard(&files, &tone(440.0, 2.0));
    assert_eq!(features.layers[3].shape, [8, 32, 87]);
    assert_eq!(features.layers[3].time, Placement { first: 0, step: 1 });
    assert_eq!(features.attention, None);
}

#[test]
fn the_fourth_harmonic_is_read_two_octaves_above() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = HarmonicCnnConfig {
        channels: 2,
        combined: 3,
        ..HarmonicCnnConfig::default()
    };
    let task = ClassifierConfig::<ConstantQConfig>::default();
    let model = drawn(5, |device| sizes.init(device));
    let files = stored(folder.path(), &model, &sizes, &task);
    let features = heard(&files, &tone(440.0, 2.0));
    let semitone = 2f64.powf(1.0 / 16.0);
    let loudest = loudest_bin_hz(&features);
    assert!(
        (440.0 / semitone..440.0 * semitone).contains(&loudest),
        "{loudest}"
    );
    let [harmonics, combined] = features.layers.as_slice() else {
        panic!("expected two layers");
    };
    assert_eq!(
        (harmonics.shape, combined.shape),
        ([6, 128, 87], [3, 63, 42])
    );
    assert_eq!(combined.time, Placement { first: 1, step: 2 });
    // Fresh filters are shifts: row f of harmonic 4 is row f + 32 of the spectrogram.
    let (spectrogram, fourth) = (
        &features.spectrogram.values,
        &harmonics.values[3 * 128 * 87..],
    );
    for cell in 0..(128 - 32) * 87 {
        let expected = spectrogram[cell + 32 * 87];
        assert!((fourth[cell] - expected).abs() < 1e-3, "cell {cell}");
    }
    assert_eq!(
        features.filters.taps(3, 0)[features.filters.centre + 32],
        1.0
    );
    features.draw("a tone", 0.0, 4).unwrap();
}

#[test]
fn the_channels_that_vary_most_come_first() {
    let map = FeatureMap {
        name: "conv1",
        about: String::new(),
        shape: [4, 1, 3],
        // Variances: 2/3, 0, 6, 2/3.
        values: vec![0.0, 1.0, 2.0, 9.0, 9.0, 9.0, 0.0, 3.0, 6.0, -1.0, 0.0, 1.0],
        frequency: Placement { first: 0, step: 1 },
        time: Placement { first: 0, step: 1 },
    };
    assert_eq!(map.strongest(4), [2, 0, 3, 1]);
    assert_eq!(map.strongest(2), [2, 0]);
    assert_eq!(map.strongest(9).len(), 4);
    assert!(map.channel(4).unwrap_err().to_string().contains("0 to 3"));
}

#[test]
fn front_ends_that_do_not_fit_their_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mel = MelConfig {
        n_mels: 64,
        ..MelConfig::default()
    };
    let files = music_cnn(folder.path(), Output::Clip, mel);
    let fault = FeatureExtractor::new(&files, &Device::flex()).unwrap_err();
    let fault = fault.to_string();
    assert!(fault.contains("128") && fault.contains("64"), "{fault}");
}
