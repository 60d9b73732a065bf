//! Spectra against torchaudio, librosa and their definitions; streams against whole files.

use std::collections::HashMap;
use std::f64::consts::TAU;

use hemiola::features::{
    AnalysisWindow, Complex, Compression, ConstantQ, ConstantQConfig, FrameExtractor, Frames,
    LogFrequency, LogFrequencyConfig, Mel, MelConfig, MelNorm, MelScale, PadMode, Stft, StftConfig,
    extract, mfcc, power_to_db,
};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};

mod support;

const GOLDEN: &str = "conformance/librosa_golden";

/// The tensors of a reference file: name → (shape, values).
type Tensors = HashMap<String, (Vec<usize>, Vec<f64>)>;

fn tensors(path: &str) -> Option<Tensors> {
    let bytes = std::fs::read(support::shared(path)?).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |data: &[u8], dtype| -> Vec<f64> {
        match dtype {
            Dtype::F32 => data
                .as_chunks()
                .0
                .iter()
                .map(|&b| f32::from_le_bytes(b).into())
                .collect(),
            Dtype::F64 => data
                .as_chunks()
                .0
                .iter()
                .map(|&b| f64::from_le_bytes(b))
                .collect(),
            other => panic!("{path} holds {other:?}"),
        }
    };
    let entries = file.tensors().into_iter();
    Some(
        entries
            .map(|(name, t)| (name, (t.shape().to_vec(), read(t.data(), t.dtype()))))
            .collect(),
    )
}

fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// The one tensor `data` of a golden file, [bins, frames].
fn golden(name: &str) -> Option<(Vec<usize>, Vec<f64>)> {
    tensors(&format!("{GOLDEN}/{name}.safetensors"))?.remove("data")
}

fn signal() -> Option<Vec<f32>> {
    Some(to_f32(
        &tensors(&format!("{GOLDEN}/signal.safetensors"))?["y22"].1,
    ))
}

/// [bins, frames] as [frames, bins].
fn transposed(shape: &[usize], values: &[f64]) -> Frames {
    let (bins, n_frames) = (shape[0], shape[1]);
    let data = (0..n_frames * bins)
        .map(|i| values[i % bins * n_frames + i / bins] as f32)
        .collect();
    Frames::from_vec(data, bins)
}

/// The largest difference from an expected [bins, frames], as a share of the expected maximum,
/// and the largest relative to the value itself.
fn differences(
    name: &str,
    actual: &Frames,
    (shape, expected): &(Vec<usize>, Vec<f64>),
) -> (f64, f64) {
    assert_eq!(
        shape[..],
        [actual.n_bins(), actual.n_frames()],
        "{name}: [bins, frames]"
    );
    let maximum = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let (mut of_maximum, mut relative) = (0.0f64, 0.0f64);
    for (i, frame) in actual.iter().enumerate() {
        for (bin, &value) in frame.iter().enumerate() {
            assert!(value.is_finite(), "{name}: bin {bin} of frame {i}");
            let expected = expected[bin * actual.n_frames() + i];
            let difference = (f64::from(value) - expected).abs();
            of_maximum = of_maximum.max(difference / maximum);
            relative = relative.max(difference / expected.abs().max(f64::MIN_POSITIVE));
        }
    }
    println!("{name}: {of_maximum:.1e} of the maximum, {relative:.1e} relative");
    (of_maximum, relative)
}

#[test]
fn mel_equals_torchaudio() {
    let Some(reference) = tensors("conformance/parity/mel_front_end.safetensors") else {
        return;
    };
    let waveform = to_f32(&reference["input.waveform"].1);
    let linear = MelConfig {
        log: Compression::None,
        ..MelConfig::default()
    };
    let mel = extract(&mut Mel::new(&linear).unwrap(), &waveform);
    let (_, relative) = differences("torchaudio mel", &mel, &reference["output.mel"]);
    assert!(relative < 1e-4);
    let log_mel = extract(&mut Mel::new(&MelConfig::default()).unwrap(), &waveform);
    let (of_maximum, _) = differences("torchaudio log mel", &log_mel, &reference["output.log_mel"]);
    assert!(of_maximum < 1e-4);
}

#[test]
fn mel_equals_librosa() {
    let (Some(signal), Some(expected)) = (signal(), golden("melspectrogram")) else {
        return;
    };
    let mel = extract(&mut Mel::new(&MelConfig::librosa()).unwrap(), &signal);
    let (of_maximum, relative) = differences("librosa mel", &mel, &expected);
    assert!(of_maximum < 1e-5 && relative < 1e-4);
}

#[test]
fn mel_filters_equal_librosa() {
    let Some((shape, expected)) = golden("mel_filterbank") else {
        return;
    };
    let bank = MelConfig::librosa().filterbank().unwrap();
    assert_eq!(shape, [bank.n_filters(), bank.n_inputs()]);
    for (i, row) in expected.chunks(shape[1]).enumerate() {
        let (start, weights) = bank.filter(i);
        for (bin, &expected) in row.iter().enumerate() {
            let actual = bin
                .checked_sub(start)
                .and_then(|j| weights.get(j))
                .copied()
                .unwrap_or(0.0);
            assert!(
                (f64::from(actual) - expected).abs() < 1e-8,
                "filter {i}, bin {bin}"
            );
        }
    }
}

/// 144 filter banks of both scales and their MATLAB originals.
#[test]
fn mel_filters_equal_the_auditory_toolbox() {
    let Some(reference) = tensors("conformance/librosa/melfb.safetensors") else {
        return;
    };
    let text =
        std::fs::read(support::shared("conformance/librosa/parameters.json").unwrap()).unwrap();
    let parameters: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let cases = parameters["melfb"].as_object().unwrap();
    assert_eq!(cases.len(), 144);
    let mut largest = 0.0f64;
    for (case, p) in cases {
        let whole = |name: &str| p[name].as_u64().unwrap() as usize;
        let htk = whole("htk") == 1;
        let config = MelConfig {
            sample_rate: whole("sr") as u32,
            n_fft: whole("nfft"),
            n_mels: whole("nfilts"),
            fmin: p["fmin"].as_f64().unwrap(),
            fmax: p["fmax"].as_f64().unwrap(),
            scale: if htk { MelScale::Htk } else { MelScale::Slaney },
            norm: MelNorm::Slaney,
            ..MelConfig::default()
        };
        let bank = config.filterbank().unwrap();
        let (shape, expected) = &reference[&format!("{case}/wts")];
        assert_eq!(shape[..], [bank.n_filters(), bank.n_inputs()]);
        for (i, row) in expected.chunks(shape[1]).enumerate() {
            let (start, weights) = bank.filter(i);
            for (bin, &expected) in row.iter().enumerate() {
                let actual = bin
                    .checked_sub(start)
                    .and_then(|j| weights.get(j))
                    .copied()
                    .unwrap_or(0.0);
                assert!(actual.is_finite() && actual >= 0.0, "{case}");
                largest = largest.max((f64::from(actual) - expected).abs());
            }
        }
    }
    println!("mel filters of the Auditory Toolbox: {largest:.1e}");
    assert!(largest < 1e-7);
}

#[test]
fn mel_pitch_equals_the_auditory_toolbox() {
    for (group, to_mel) in [("hz_to_mel", true), ("mel_to_hz", false)] {
        let Some(reference) = tensors(&format!("conformance/librosa/{group}.safetensors")) else {
            return;
        };
        let text =
            std::fs::read(support::shared("conformance/librosa/parameters.json").unwrap()).unwrap();
        let parameters: serde_json::Value = serde_json::from_slice(&text).unwrap();
        for (case, p) in parameters[group].as_object().unwrap() {
            let scale = if p["htk"] == 1 {
                MelScale::Htk
            } else {
                MelScale::Slaney
            };
            let inputs = match reference.get(&format!("{case}/f")) {
                Some((_, values)) => values.clone(),
                None => vec![p["f"].as_f64().unwrap()],
            };
            for (input, expected) in inputs.iter().zip(&reference[&format!("{case}/result")].1) {
                let actual = if to_mel {
                    scale.hz_to_mel(*input)
                } else {
                    scale.mel_to_hz(*input)
                };
                assert!(
                    (actual - expected).abs() <= 1e-4 * expected.abs(),
                    "{group} {case}: {input}"
                );
            }
        }
    }
}

#[test]
fn decibels_equal_librosa() {
    let Some((shape, mel)) = golden("melspectrogram") else {
        return;
    };
    let loudest = mel.iter().fold(0.0, |m: f64, &v| m.max(v)) as f32;
    for (name, reference) in [("power_to_db_ref1", 1.0), ("power_to_db_refmax", loudest)] {
        let mut frames = transposed(&shape, &mel);
        power_to_db(frames.as_mut_slice(), reference, 1e-10, Some(80.0));
        let (of_maximum, _) = differences(name, &frames, &golden(name).unwrap());
        assert!(of_maximum < 1e-6);
    }
}

#[test]
fn mfcc_equals_librosa() {
    let (Some(signal), Some(expected)) = (signal(), golden("mfcc")) else {
        return;
    };
    let mut mel = extract(&mut Mel::new(&MelConfig::librosa()).unwrap(), &signal);
    power_to_db(mel.as_mut_slice(), 1.0, 1e-10, Some(80.0));
    let (of_maximum, _) = differences("mfcc", &mfcc(&mel, 20).unwrap(), &expected);
    assert!(of_maximum < 1e-5);
}

#[test]
fn stft_equals_librosa() {
    let (Some(signal), Some(expected)) = (signal(), tensors(&format!("{GOLDEN}/stft.safetensors")))
    else {
        return;
    };
    let config = StftConfig {
        pad_mode: PadMode::Constant,
        ..StftConfig::default()
    };
    let (re, im) = stft(&config, &signal);
    let (worst_re, _) = differences("stft, real part", &re, &expected["re"]);
    let (worst_im, _) = differences("stft, imaginary part", &im, &expected["im"]);
    assert!(worst_re < 1e-6 && worst_im < 1e-6);
}

fn stft(config: &StftConfig, samples: &[f32]) -> (Frames, Frames) {
    let mut stft = Stft::new(config).unwrap();
    let (mut re, mut im) = (Frames::new(stft.n_bins()), Frames::new(stft.n_bins()));
    let mut keep = |spectrum: &[Complex<f32>]| {
        for (re, value) in re.grow().iter_mut().zip(spectrum) {
            *re = value.re;
        }
        for (im, value) in im.grow().iter_mut().zip(spectrum) {
            *im = value.im;
        }
    };
    stft.push(samples, &mut keep);
    stft.finish(&mut keep);
    (re, im)
}

/// A shorter window stands in the middle of the transform, as torch and librosa have it.
#[test]
fn a_short_window_is_centred() {
    let config = StftConfig {
        n_fft: 16,
        win_length: Some(6),
        hop_length: 4,
        pad_mode: PadMode::Constant,
    };
    let signal: Vec<f32> = (0..40).map(|i| ((i * i) % 11) as f32 - 5.0).collect();
    let (re, im) = stft(&config, &signal);
    for (frame, k) in [(4usize, 0usize), (4, 3), (5, 8)] {
        let (mut expected_re, mut expected_im) = (0.0, 0.0);
        for i in 0..6 {
            let weight = 0.5 - 0.5 * (TAU * i as f64 / 6.0).cos();
            let value = weight * f64::from(signal[frame * 4 - 3 + i]);
            let phase = TAU * k as f64 * (i + 5) as f64 / 16.0;
            expected_re += value * phase.cos();
            expected_im -= value * phase.sin();
        }
        assert!((f64::from(re.frame(frame)[k]) - expected_re).abs() < 1e-5);
        assert!((f64::from(im.frame(frame)[k]) - expected_im).abs() < 1e-5);
    }
}

#[test]
fn constant_q_equals_librosa() {
    let Some(signal) = signal() else { return };
    let a0 = ConstantQConfig {
        fmin_hz: 27.5,
        n_bins: 88,
        ..ConstantQConfig::default()
    };
    let fine = ConstantQConfig {
        bins_per_octave: 48,
        n_bins: 352,
        ..a0.clone()
    };
    for (name, config) in [
        ("cqt_84", ConstantQConfig::default()),
        ("cqt_88_a0", a0),
        ("cqt_352_a0_48", fine),
    ] {
        let Some(expected) = golden(name) else { return };
        let frames = extract(&mut ConstantQ::new(&config).unwrap(), &signal);
        let (of_maximum, _) = differences(name, &frames, &expected);
        assert!(of_maximum < 1e-2);
    }
}

/// Against the sum that defines it, with librosa's normalisation.
#[test]
fn constant_q_equals_its_definition() {
    let config = ConstantQConfig {
        n_bins: 96,
        hop_length: 448,
        block_frames: 5,
        ..ConstantQConfig::default()
    };
    let mut noise = 7u32;
    let signal: Vec<f32> = (0..30_000)
        .map(|i| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise as f32 / u32::MAX as f32 - 0.5) + (i as f32 * 0.05).sin()
        })
        .collect();
    let frames = extract(&mut ConstantQ::new(&config).unwrap(), &signal);
    assert_eq!(frames.n_frames(), 1 + 30_000 / 448);
    let loudest = frames.as_slice().iter().copied().fold(0.0, f32::max);
    let mut largest = 0.0f64;
    for bin in (0..96).step_by(5) {
        let length = config.window_length(bin);
        let delay = config.window_delay(bin);
        let half = (length / 2.0) as isize;
        for frame in (0..frames.n_frames()).step_by(3) {
            let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
            for n in -half..=half + delay.ceil() as isize {
                let from_peak = n as f64 - delay;
                if from_peak.abs() > length / 2.0 {
                    continue;
                }
                let weight = 0.5 + 0.5 * (TAU * from_peak / length).cos();
                let phase = TAU * config.center_hz(bin) * n as f64 / 22_050.0;
                let at = (frame * config.hop_length) as isize + n;
                let sample = usize::try_from(at).ok().and_then(|i| signal.get(i));
                let value = weight * sample.copied().map_or(0.0, f64::from);
                sum += weight;
                re += value * phase.cos();
                im += value * phase.sin();
            }
            let expected = length.sqrt() / sum * (re * re + im * im).sqrt();
            largest = largest.max((f64::from(frames.frame(frame)[bin]) - expected).abs());
        }
    }
    println!(
        "constant-Q against its definition: {:.1e} of the maximum",
        largest / f64::from(loudest)
    );
    assert!(largest < 1e-3 * f64::from(loudest));
}

fn small_extractors() -> Vec<Box<dyn FrameExtractor>> {
    let window = |n_fft, up_to_hz| AnalysisWindow { n_fft, up_to_hz };
    let mel = |pad_mode, hop_length| MelConfig {
        n_fft: 128,
        hop_length,
        n_mels: 12,
        pad_mode,
        ..MelConfig::default()
    };
    vec![
        Box::new(Mel::new(&mel(PadMode::Reflect, 48)).unwrap()),
        Box::new(Mel::new(&mel(PadMode::Reflect, 300)).unwrap()),
        Box::new(Mel::new(&mel(PadMode::Constant, 64)).unwrap()),
        Box::new(
            LogFrequency::new(&LogFrequencyConfig {
                hop_length: 64,
                fmin_hz: 220.0,
                bins_per_octave: 12,
                n_bins: 48,
                windows: vec![window(512, 600.0), window(256, 1000.0), window(128, 8000.0)],
                ..LogFrequencyConfig::default()
            })
            .unwrap(),
        ),
        Box::new(
            ConstantQ::new(&ConstantQConfig {
                hop_length: 60,
                fmin_hz: 880.0,
                n_bins: 36,
                block_frames: 3,
                ..ConstantQConfig::default()
            })
            .unwrap(),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_stream_gives_the_frames_of_the_whole_file(
        signal in prop::collection::vec(-1f32..1.0, 0..2000), cuts in prop::collection::vec(0usize..400, 0..30),
    ) {
        for mut extractor in small_extractors() {
            let whole = extract(extractor.as_mut(), &signal);
            let expected = if signal.is_empty() { 0 } else { 1 + signal.len() / extractor.hop_length() };
            prop_assert_eq!(whole.n_frames(), expected);

            let mut frames = Frames::new(extractor.n_bins());
            let mut pushed = 0;
            for cut in cuts.iter().copied().chain([signal.len()]) {
                let end = (pushed + cut).min(signal.len());
                extractor.push(&signal[pushed..end], &mut frames);
                pushed = end;
                let due = (pushed + extractor.hop_length()).saturating_sub(extractor.latency_samples()) / extractor.hop_length();
                prop_assert!(frames.n_frames() >= due.min(expected), "late: {} of {due}", frames.n_frames());
            }
            extractor.finish(&mut frames);
            prop_assert_eq!(&frames, &whole);
        }
    }
}

#[test]
fn configurations_survive_toml_and_refuse_unknown_fields() {
    let mel = MelConfig {
        log: Compression::PowerDb { floor: 1e-8 },
        ..MelConfig::librosa()
    };
    assert_eq!(
        toml::from_str::<MelConfig>(&toml::to_string(&mel).unwrap()).unwrap(),
        mel
    );
    let log_frequency = LogFrequencyConfig::default();
    let text = toml::to_string(&log_frequency).unwrap();
    assert_eq!(
        toml::from_str::<LogFrequencyConfig>(&text).unwrap(),
        log_frequency
    );
    let constant_q = ConstantQConfig::harmonic_cnn();
    let text = serde_json::to_string(&constant_q).unwrap();
    assert_eq!(
        serde_json::from_str::<ConstantQConfig>(&text).unwrap(),
        constant_q
    );
    assert!(toml::from_str::<MelConfig>("n_mel = 3").is_err());
}

#[test]
fn impossible_configurations_are_explained() {
    let mel = |config: MelConfig| Mel::new(&config).unwrap_err().to_string();
    assert!(
        mel(MelConfig {
            n_fft: 2047,
            ..MelConfig::default()
        })
        .contains("n_fft is 2047")
    );
    assert!(
        mel(MelConfig {
            fmax: 12_000.0,
            ..MelConfig::default()
        })
        .contains("11025")
    );
    assert!(
        mel(MelConfig {
            n_mels: 0,
            ..MelConfig::default()
        })
        .contains("n_mels")
    );
    let cqt = |config: ConstantQConfig| ConstantQ::new(&config).unwrap_err().to_string();
    assert!(
        cqt(ConstantQConfig {
            n_bins: 102,
            ..ConstantQConfig::default()
        })
        .contains("fewer bins")
    );
    assert!(
        cqt(ConstantQConfig {
            block_frames: 0,
            ..ConstantQConfig::default()
        })
        .contains("block_frames")
    );
    assert!(
        cqt(ConstantQConfig {
            fmin_hz: f64::NAN,
            ..ConstantQConfig::default()
        })
        .contains("fmin_hz")
    );
}
