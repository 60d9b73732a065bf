//! Chroma of a stream: however it is cut, saved or shared, it is that of the whole recording, and it comes in time.
#![cfg(feature = "neural")]

#[path = "support/drawn.rs"]
mod drawn_model;

use std::path::Path;

use drawn_model::drawn;
use hemiola::audio::{AudioStream, WavFormat, read_mono, write_wav};
use hemiola::burn::tensor::{Device, Tensor, TensorData};
use hemiola::checkpoint::{self, Card, Precision};
use hemiola::features::{FrameExtractor, FrontEnd, MelConfig, PadMode, extract};
use hemiola::models::music_cnn::{MusicCnn, MusicCnnConfig};
use hemiola::models::realtime_rnn::{RealTimeMusicRnn, RealTimeMusicRnnConfig};
use hemiola::tasks::chroma::{ChromaConfig, ChromaExtractor, ChromaState};
use hemiola::tasks::classify::ClassifierConfig;
use proptest::prelude::*;

const RATE: u32 = 8000;
const HOP: usize = 80;
const N_FFT: usize = 256;
const TOLERANCE: f32 = 1e-5;

type Frame = [f32; 12];

fn sizes() -> RealTimeMusicRnnConfig {
    RealTimeMusicRnnConfig {
        input_dim: 16,
        hidden_dim: 12,
        n_layers: 2,
    }
}

fn config() -> ChromaConfig {
    ChromaConfig {
        features: MelConfig {
            sample_rate: RATE,
            n_fft: N_FFT,
            hop_length: HOP,
            n_mels: 16,
            fmax: 4000.0,
            ..MelConfig::default()
        },
    }
}

fn model() -> RealTimeMusicRnn {
    drawn(3, |device| sizes().init(device))
}

fn extractor() -> ChromaExtractor {
    ChromaExtractor::new(&model(), &config()).unwrap()
}

/// A chord that comes and goes, over a little noise.
fn music(n_samples: usize) -> Vec<f32> {
    let mut state = 9u64;
    (0..n_samples)
        .map(|i| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
            let t = i as f32 / RATE as f32;
            let sine = |hz: f32| (std::f32::consts::TAU * hz * t).sin();
            let chord = sine(440.0) + sine(554.37) + sine(659.26);
            0.2 * chord * (3.0 * t).sin().abs() + 0.01 * noise
        })
        .collect()
}

/// The whole recording at once, through tensors: the other way to compute it.
fn by_tensors(samples: &[f32]) -> Vec<Frame> {
    let mut front_end = config().features.extractor().unwrap();
    let mel = extract(&mut front_end, samples);
    let shape = [1, mel.n_frames(), mel.n_bins()];
    let log_mel = Tensor::<3>::from_data(TensorData::new(mel.into_vec(), shape), &Device::flex());
    let chroma = model().forward(log_mel).chroma();
    let values: Vec<f32> = chroma.into_data().iter().collect();
    values.as_chunks::<12>().0.to_vec()
}

/// In parts of those lengths, again and again.
fn in_parts(extractor: &ChromaExtractor, samples: &[f32], parts: &[usize]) -> Vec<Frame> {
    let mut stream = extractor.stream();
    let mut chroma = Vec::new();
    let mut rest = samples;
    for &part in parts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(part.min(rest.len()));
        stream.push(now, &mut chroma);
        rest = later;
    }
    stream.finish(&mut chroma);
    chroma
}

fn assert_close(found: &[Frame], expected: &[Frame]) {
    assert_eq!(found.len(), expected.len());
    for (time, (found, expected)) in found.iter().zip(expected).enumerate() {
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= TOLERANCE, "[{time}]: {f}, expected {e}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_stream_is_the_whole_however_it_is_cut(
        n_samples in 1..6000usize,
        parts in prop::collection::vec(1..900usize, 1..6),
    ) {
        let samples = music(n_samples);
        let found = in_parts(&extractor(), &samples, &parts);
        prop_assert_eq!(found.len(), 1 + n_samples / HOP);
        assert_close(&found, &by_tensors(&samples));
    }
}

#[test]
fn a_recording_is_its_stream() {
    let at = tempfile::tempdir().unwrap();
    let path = at.path().join("a.wav");
    write_wav(&path, &music(20_077), 1, RATE, WavFormat::Int16).unwrap();
    let extractor = extractor();
    let mut read_s = 0.0;
    let mut open = AudioStream::open(&path, RATE).unwrap();
    let chroma = extractor.extract(&mut open, |s| read_s = s).unwrap();
    assert!((read_s - 20_077.0 / 8000.0).abs() < 1e-9);
    assert_eq!(chroma.fps, 100.0);
    assert_close(
        &chroma.frames,
        &by_tensors(&read_mono(&path, RATE).unwrap()),
    );
    assert!(
        chroma
            .frames
            .iter()
            .flatten()
            .all(|v| (0.0..=1.0).contains(v))
    );
    // What is played is not what is silent.
    let silence = by_tensors(&vec![0.0; 20_077]);
    let pairs = chroma
        .frames
        .as_flattened()
        .iter()
        .zip(silence.as_flattened());
    let furthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(furthest > 1e-3, "{furthest}");
}

#[test]
fn the_shortest_inputs_have_one_frame_and_none_has_none() {
    let extractor = extractor();
    for n_samples in [1, 2, N_FFT / 2, N_FFT / 2 + 1] {
        let samples = music(n_samples);
        let found = in_parts(&extractor, &samples, &[1]);
        assert_eq!(found.len(), 1 + n_samples / HOP);
        assert_close(&found, &by_tensors(&samples));
    }
    assert_eq!(in_parts(&extractor, &[], &[1]), Vec::<Frame>::new());
    let mut stream = extractor.stream();
    let mut chroma = Vec::new();
    stream.push(&[], &mut chroma);
    stream.finish(&mut chroma);
    assert!(chroma.is_empty());
}

#[test]
fn half_a_minute_of_silence_does_not_drift() {
    let silence = vec![0.0; 30 * RATE as usize];
    let found = in_parts(&extractor(), &silence, &[1024]);
    assert_eq!(found.len(), 3001);
    assert!(found.iter().flatten().all(|v| (0.0..=1.0).contains(v)));
    assert_close(&found, &by_tensors(&silence));
}

#[test]
fn a_stream_begins_anew_after_its_end() {
    let extractor = extractor();
    let samples = music(3000);
    let mut stream = extractor.stream();
    let mut chroma = Vec::new();
    stream.push(&samples, &mut chroma);
    stream.finish(&mut chroma);
    let first = std::mem::take(&mut chroma);
    assert_eq!(stream.n_frames(), 0);
    stream.push(&samples, &mut chroma);
    assert_eq!(stream.n_frames(), chroma.len() as u64);
    stream.finish(&mut chroma);
    assert_eq!(chroma, first);
}

#[test]
fn clones_and_saved_streams_go_on_from_the_same_moment() {
    for pad_mode in [PadMode::Reflect, PadMode::Constant] {
        let mut config = config();
        config.features.pad_mode = pad_mode;
        let extractor = ChromaExtractor::new(&model(), &config).unwrap();
        let samples = music(4000);
        // Before the first sample, before the first frame, between frames, and at the end.
        for cut in [0, 1, 100, 129, 2345, 4000] {
            let (before, after) = samples.split_at(cut);
            let mut stream = extractor.stream();
            let mut expected = Vec::new();
            stream.push(before, &mut expected);
            let mut clone = stream.clone();
            let text = serde_json::to_string(&stream.state()).unwrap();
            let state: ChromaState = serde_json::from_str(&text).unwrap();
            let mut resumed = extractor.stream();
            resumed.resume(&state).unwrap();
            assert_eq!(resumed.state(), state);
            let rest = |stream: &mut hemiola::tasks::chroma::ChromaStream| {
                let mut chroma = Vec::new();
                stream.push(after, &mut chroma);
                stream.finish(&mut chroma);
                chroma
            };
            let of_clone = rest(&mut clone);
            let of_resumed = rest(&mut resumed);
            let of_stream = rest(&mut stream);
            assert_eq!(of_clone, of_stream, "{cut}");
            assert_eq!(of_resumed, of_stream, "{cut}");
        }
    }
}

#[test]
fn states_of_other_streams_are_refused() {
    let extractor = extractor();
    let mut stream = extractor.stream();
    let mut chroma = Vec::new();
    stream.push(&music(1000), &mut chroma);
    let sound = stream.state();
    type Damage = fn(&mut ChromaState);
    let faults: [(&str, Damage); 6] = [
        ("hidden", |s| s.hidden[0].truncate(3)),
        ("layers", |s| s.hidden.truncate(1)),
        ("previous", |s| s.previous.clear()),
        ("finite", |s| s.hidden[1][2] = f32::NAN),
        ("windows of 256", |s| s.front_end.samples.truncate(9)),
        ("windows of 256", |s| s.front_end.next = usize::MAX),
    ];
    for (word, break_it) in faults {
        let mut state = sound.clone();
        break_it(&mut state);
        let message = stream.resume(&state).unwrap_err().to_string();
        assert!(message.contains(word), "{word} is not in: {message}");
        assert_eq!(stream.state(), sound, "{word}");
    }
}

#[test]
fn an_impulse_is_heard_within_the_latency_and_not_before_it_sounds() {
    let extractor = extractor();
    let rate = f64::from(RATE);
    let latency = (extractor.latency_s() * rate).round() as usize;
    assert_eq!(latency, N_FFT / 2 + 1 + HOP);
    let mut longest = 0;
    // The first samples, and every place relative to a hop.
    for at in (0..4).chain(800..800 + HOP) {
        let mut streams = [extractor.stream(), extractor.stream()];
        let mut heard = [Vec::new(), Vec::new()];
        let (mut seen, mut centred) = (None, None);
        for i in 0..at + 400 {
            let impulse = if i == at { 1.0 } else { 0.0 };
            for ((stream, heard), sample) in streams.iter_mut().zip(&mut heard).zip([0.0, impulse])
            {
                stream.push(&[sample], heard);
            }
            // Samples from the impulse on, itself included.
            let since = (i + 1).saturating_sub(at);
            let differ =
                |(a, b): (&Frame, &Frame)| a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-6);
            if seen.is_none() && heard[0].iter().zip(&heard[1]).any(differ) {
                assert!(since > 0, "heard before it sounded");
                seen = Some(since);
            }
            let frames = heard[0].len();
            if centred.is_none() && frames > 0 && (frames - 1) * HOP >= at {
                centred = Some(since);
            }
        }
        let (seen, centred) = (seen.unwrap(), centred.unwrap());
        assert!(seen <= centred, "{at}: {seen} {centred}");
        longest = longest.max(centred);
    }
    // The method's bound, and no more than a hop's rounding above what is.
    assert!(
        (latency - 2..=latency).contains(&longest),
        "{longest} {latency}"
    );
}

#[test]
fn the_reference_preset_is_heard_within_70_ms() {
    let model = drawn(1, |device| RealTimeMusicRnnConfig::default().init(device));
    let extractor = ChromaExtractor::new(&model, &ChromaConfig::default()).unwrap();
    assert_eq!(extractor.sample_rate(), 22_050);
    assert_eq!(extractor.stream().front_end.hop_length(), 512);
    // Half of 2048 samples, one more, and a hop of 512, at 22050 Hz.
    assert!((extractor.latency_s() - 1537.0 / 22_050.0).abs() < 1e-12);
}

fn save(folder: &Path, task: &ChromaConfig) {
    let card = Card::default();
    checkpoint::save(folder, &model(), &sizes(), task, &card, Precision::Float32).unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let at = tempfile::tempdir().unwrap();
    let folder = at.path();
    let refused = |words: &[&str]| {
        let message = ChromaExtractor::open(folder, &Device::flex()).unwrap_err();
        let message = message.to_string();
        for word in words {
            assert!(message.contains(word), "{word} is not in: {message}");
        }
    };
    refused(&["config.json"]);
    save(folder, &config());
    let opened = ChromaExtractor::open(folder, &Device::flex()).unwrap();
    let samples = music(900);
    assert_close(&in_parts(&opened, &samples, &[900]), &by_tensors(&samples));
    let mut other = config();
    other.features.n_mels = 20;
    save(folder, &other);
    refused(&["20 bands", "n_mels", "16", "input_dim"]);
    let mut other = config();
    other.features.fmax = 9000.0;
    save(folder, &other);
    refused(&["fmax", "9000"]);
    let classifier = MusicCnnConfig {
        n_mels: 16,
        channels: [3, 4, 6],
        attention_hidden: 3,
        ..MusicCnnConfig::default()
    };
    let model: MusicCnn = drawn(5, |device| classifier.init(device));
    let (task, card) = (ClassifierConfig::default(), Card::default());
    checkpoint::save(
        folder,
        &model,
        &classifier,
        &task,
        &card,
        Precision::Float32,
    )
    .unwrap();
    refused(&["real-time-music-rnn", "music-cnn"]);
    let message = ChromaExtractor::bundled("nobody").unwrap_err().to_string();
    assert!(message.contains("nobody"), "{message}");
}
