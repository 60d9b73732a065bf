//! Onset detection: a stream, a file and its spectra give the same activations and onsets.
#![cfg(feature = "neural")]

#[path = "support/drawn.rs"]
mod drawn_model;

use std::path::Path;

use drawn_model::drawn;
use hemiola::audio::{AudioStream, WavFormat, read_mono, write_wav};
use hemiola::checkpoint::{self, Card, Precision};
use hemiola::features::{Frames, FrontEnd, MelConfig, extract};
use hemiola::models::music_cnn::{MusicCnn, MusicCnnConfig, Output};
use hemiola::tasks::classify::ClassifierConfig;
use hemiola::tasks::onsets::OnsetDetector;
use hemiola::tasks::peak_picking::{PeakPicker, PeakPickingConfig};

const RATE: u32 = 16_000;

fn sizes() -> MusicCnnConfig {
    MusicCnnConfig {
        n_classes: 1,
        n_mels: 16,
        channels: [3, 4, 6],
        attention_hidden: 3,
        output: Output::Frame,
        ..MusicCnnConfig::default()
    }
}

fn task() -> ClassifierConfig<MelConfig> {
    ClassifierConfig {
        features: MelConfig {
            sample_rate: RATE,
            n_fft: 512,
            hop_length: 160,
            n_mels: 16,
            fmax: 8000.0,
            ..MelConfig::default()
        },
        onsets: Some(PeakPickingConfig {
            // Random weights are sure of nothing.
            threshold: 0.0005,
            pre_avg_s: 0.1,
            post_avg_s: 0.05,
            ..PeakPickingConfig::default()
        }),
        ..ClassifierConfig::default()
    }
}

fn model() -> MusicCnn {
    drawn(11, |device| sizes().init(device))
}

fn detector() -> OnsetDetector {
    OnsetDetector::new(model(), task()).unwrap()
}

/// Noise that swells five times a second.
fn noise(n_samples: usize) -> Vec<f32> {
    let mut state = 1u64;
    (0..n_samples)
        .map(|i| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
            0.5 * noise * (-8.0 * (i % 3200) as f32 / 3200.0).exp()
        })
        .collect()
}

fn write(path: &Path, samples: &[f32]) {
    write_wav(path, samples, 1, RATE, WavFormat::Int16).unwrap();
}

#[test]
fn streams_files_and_spectra_give_the_same() {
    let at = tempfile::tempdir().unwrap();
    let detector = detector();
    // Below a frame, a frame, some, one window and a frame, several windows.
    for n_samples in [1, 100, 161, 5000, 1024 * 160, 40 * 16_000 + 77] {
        let path = at.path().join("a.wav");
        write(&path, &noise(n_samples));
        let open = || AudioStream::open(&path, RATE).unwrap();
        let samples = read_mono(&path, RATE).unwrap();
        assert_eq!(samples.len(), n_samples);
        let mut extractor = task().features.extractor().unwrap();
        let frames = extract(&mut extractor, &samples);
        let whole = detector.frame_activations(&frames);
        assert_eq!(whole.len(), 1 + n_samples / 160);
        let mut read_s = 0.0;
        let streamed = detector.activations(&mut open(), |s| read_s = s).unwrap();
        assert_eq!(streamed, whole, "{n_samples}");
        assert!((read_s - n_samples as f64 / 16_000.0).abs() < 1e-9);
        // From a pipe, blocks are of other sizes.
        let bytes = std::io::Cursor::new(std::fs::read(&path).unwrap());
        let mut pipe = AudioStream::from_reader(bytes, "pipe", RATE).unwrap();
        let onsets = detector.detect(&mut pipe, |_| {}).unwrap();
        let mut picked = Vec::new();
        let mut picker = PeakPicker::new(detector.peak_picking(), 100.0);
        whole.iter().for_each(|&a| picker.push(a, &mut picked));
        picker.finish(&mut picked);
        assert_eq!(onsets, picked);
        assert!(
            onsets.len() >= n_samples / 40_000,
            "{n_samples}: {}",
            onsets.len()
        );
    }
}

#[test]
fn windows_do_not_show() {
    // Windows of 1024 frames overlap by what the model sees; without windows, all frames at once.
    use burn::tensor::activation::sigmoid;
    use burn::tensor::{Device, Tensor, TensorData};
    let mut extractor = task().features.extractor().unwrap();
    let frames = extract(&mut extractor, &noise(30 * 16_000));
    let found = detector().frame_activations(&frames);
    let data = TensorData::new(frames.as_slice().to_vec(), [1, frames.n_frames(), 16]);
    let input = Tensor::<3>::from_data(data, &Device::flex()).swap_dims(1, 2);
    let logits = model().forward(input).into_frames().unwrap();
    let expected: Vec<f32> = sigmoid(logits).into_data().iter().collect();
    assert_eq!(found.len(), expected.len());
    assert!(found.len() > 2 * 1024);
    for (frame, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (found - expected).abs() < 1e-5,
            "{frame}: {found} {expected}"
        );
    }
}

#[test]
fn nothing_and_silence_are_heard_without_harm() {
    let detector = detector();
    assert!(detector.frame_activations(&Frames::new(16)).is_empty());
    let at = tempfile::tempdir().unwrap();
    for (n_samples, most) in [(0, 0), (1, 1), (16_000, 2)] {
        let path = at.path().join("silence.wav");
        write(&path, &vec![0.0; n_samples]);
        let mut stream = AudioStream::open(&path, RATE).unwrap();
        let onsets = detector.detect(&mut stream, |_| {}).unwrap();
        // Silence is the same everywhere but where it begins and ends.
        assert!(onsets.len() <= most, "{n_samples}: {onsets:?}");
    }
}

#[test]
fn checkpoints_keep_how_onsets_are_picked() {
    let at = tempfile::tempdir().unwrap();
    let folder = at.path().join("model");
    let save = |config: &MusicCnnConfig, task: &ClassifierConfig<MelConfig>| {
        let model = drawn(3, |device| config.init(device));
        checkpoint::save(
            &folder,
            &model,
            config,
            task,
            &Card::default(),
            Precision::Float32,
        )
        .unwrap();
    };
    let open = || OnsetDetector::open(&folder, &hemiola::Device::flex());
    save(&sizes(), &task());
    assert_eq!(
        open().unwrap().peak_picking(),
        task().onsets.as_ref().unwrap()
    );
    assert_eq!(open().unwrap().frames_per_second(), 100.0);

    let fault = |words: &[&str]| {
        let message = open().unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{word} is not in: {message}");
        }
    };
    save(
        &MusicCnnConfig {
            output: Output::Clip,
            ..sizes()
        },
        &task(),
    );
    fault(&["model", "\"frame\"", "\"clip\"", "music-cnn-onsets"]);
    save(
        &MusicCnnConfig {
            n_classes: 3,
            ..sizes()
        },
        &task(),
    );
    fault(&["one class", "3"]);
    save(
        &sizes(),
        &ClassifierConfig {
            onsets: None,
            ..task()
        },
    );
    fault(&["task.onsets"]);
    let features = MelConfig {
        n_mels: 20,
        ..task().features
    };
    save(&sizes(), &ClassifierConfig { features, ..task() });
    fault(&["20", "16"]);
    let onsets = PeakPickingConfig {
        threshold: 2.0,
        ..PeakPickingConfig::default()
    };
    save(
        &sizes(),
        &ClassifierConfig {
            onsets: Some(onsets),
            ..task()
        },
    );
    fault(&["task.onsets", "threshold is 2"]);
}

/// Decaying tones at known times, with noise 40 dB below.
#[cfg(feature = "bundled-weights")]
#[test]
fn the_built_in_model_finds_struck_tones() {
    let times: Vec<f64> = (0..16).map(|i| 0.4 + 0.31 * f64::from(i)).collect();
    let mut noise = 1u32;
    let mut samples: Vec<f32> = (0..6 * RATE)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            0.003 * (f64::from(noise) / f64::from(u32::MAX) - 0.5) as f32
        })
        .collect();
    for (i, &time_s) in times.iter().enumerate() {
        let hz = 110.0 * 2f64.powf(f64::from(i as u8 % 7) / 4.0);
        let first = (time_s * f64::from(RATE)) as usize;
        for (k, sample) in samples[first..].iter_mut().enumerate() {
            let t = k as f64 / f64::from(RATE);
            let tone: f64 = (1..=6)
                .map(|h| (std::f64::consts::TAU * hz * f64::from(h) * t).sin() / f64::from(h))
                .sum();
            *sample += (0.2 * tone * (-6.0 * t).exp()) as f32;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("struck.wav");
    write_wav(&file, &samples, 1, RATE, WavFormat::Int16).unwrap();
    let detector = OnsetDetector::bundled("onsets").unwrap();
    let mut stream = AudioStream::open(&file, detector.sample_rate()).unwrap();
    let found = detector.detect(&mut stream, |_| {}).unwrap();
    let found: Vec<f64> = found.iter().map(|onset| onset.time_s).collect();
    let scores = hemiola::evaluation::onset::evaluate(&times, &found);
    assert!(scores.f_measure >= 0.95, "{scores:?}: {found:?}");
}
