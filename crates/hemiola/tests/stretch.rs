//! Time stretch and pitch shift, measured: pitch by the peak of the spectrum, times by onsets, level by mean power.
//!
//! `cargo test --release --test stretch -- --nocapture` prints the tables of BENCHMARKS.md.

use std::f64::consts::TAU;

use hemiola::audio::read_mono;
use hemiola::augment::Stretch;
use hemiola::augment::noise::Noise;
use hemiola::augment::stretch::{Stretcher, pitch_shift, stretch, time_stretch};
use hemiola::music::Note;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use realfft::RealFftPlanner;

const RATES: [u32; 2] = [16_000, 44_100];
/// Factor of length and semitones; the moderate ones, then the far ones.
const MODERATE: [(f64, f64); 10] = [
    (0.8, 0.0),
    (0.9, 0.0),
    (1.1, 0.0),
    (1.25, 0.0),
    (1.0, -5.0),
    (1.0, -2.0),
    (1.0, 0.5),
    (1.0, 2.0),
    (1.0, 5.0),
    (1.1, 2.0),
];
const FAR: [(f64, f64); 4] = [(0.5, 0.0), (2.0, 0.0), (1.0, -12.0), (1.0, 12.0)];

fn changes() -> impl Iterator<Item = (Stretch, bool)> {
    let change = |(factor, semitones), far| (Stretch { factor, semitones }, far);
    let moderate = MODERATE.into_iter().map(move |c| change(c, false));
    moderate.chain(FAR.into_iter().map(move |c| change(c, true)))
}

fn tones(hz: &[f64], seconds: f64, rate: u32) -> Vec<f32> {
    let sample = |i: usize| {
        let at = TAU * i as f64 / f64::from(rate);
        hz.iter().map(|hz| 0.2 * (at * hz).sin()).sum::<f64>() as f32
    };
    (0..(seconds * f64::from(rate)) as usize)
        .map(sample)
        .collect()
}

/// How far the strongest peak within a quarter tone of `hz` is from it, in cents: the middle of the sound under a
/// Gaussian window, whose logarithmic spectrum is a parabola.
fn cents(samples: &[f32], hz: f64, rate: u32) -> f64 {
    let n = (1.5 * f64::from(rate)) as usize & !1;
    let n = n.min(samples.len() & !1);
    let middle = &samples[(samples.len() - n) / 2..][..n];
    let plan = RealFftPlanner::<f64>::new().plan_fft_forward(4 * n);
    let mut padded = plan.make_input_vec();
    for (i, (padded, sample)) in padded.iter_mut().zip(middle).enumerate() {
        let x = (i as f64 - n as f64 / 2.0) / (n as f64 / 8.0);
        *padded = f64::from(*sample) * (-0.5 * x * x).exp();
    }
    let mut spectrum = plan.make_output_vec();
    plan.process(&mut padded, &mut spectrum).unwrap();
    let level = |bin: usize| spectrum[bin].norm_sqr().ln();
    let per_hz = 4.0 * n as f64 / f64::from(rate);
    let quarter = (0.5f64 / 12.0).exp2();
    let near = (hz / quarter * per_hz) as usize..=(hz * quarter * per_hz) as usize;
    let peak = near.max_by(|a, b| level(*a).total_cmp(&level(*b))).unwrap();
    let [left, top, right] = [peak - 1, peak, peak + 1].map(level);
    let exact = peak as f64 + 0.5 * (left - right) / (left - 2.0 * top + right);
    1200.0 * (exact / per_hz / hz).log2()
}

fn worst(values: impl IntoIterator<Item = f64>) -> f64 {
    let larger = |a: f64, b: f64| if b.abs() > a.abs() { b } else { a };
    values.into_iter().fold(0.0, larger)
}

fn power_db(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    10.0 * (sum / samples.len() as f64).log10()
}

/// Of the middle half, without what fades at the ends.
fn inner_db(samples: &[f32]) -> f64 {
    power_db(&samples[samples.len() / 4..samples.len() * 3 / 4])
}

#[test]
fn pitch_and_level_are_kept() {
    let notes = [82.41, 220.0, 440.0, 1760.0];
    let chord = [130.81, 164.81, 196.0, 261.63];
    let piano = read_mono(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo/piano.flac"),
        16_000,
    )
    .unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    println!(
        "| length | semitones | rate | cents: sines | chord | dB: sines | chord | pink noise | piano |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (change, far) in changes() {
        for rate in RATES {
            let apply = |samples: &[f32]| stretch(samples, rate, change).unwrap();
            let up = change.pitch_ratio();
            let sines: Vec<(f64, Vec<f32>, Vec<f32>)> = notes
                .iter()
                .map(|&hz| {
                    let sine = tones(&[hz], 2.0, rate);
                    (hz, apply(&sine), sine)
                })
                .collect();
            let sine_cents = worst(sines.iter().map(|(hz, new, _)| cents(new, hz * up, rate)));
            let sine_db = worst(
                sines
                    .iter()
                    .map(|(_, new, old)| inner_db(new) - inner_db(old)),
            );
            let played = tones(&chord, 2.0, rate);
            let changed = apply(&played);
            let chord_cents = worst(chord.map(|hz| cents(&changed, hz * up, rate)));
            let chord_db = inner_db(&changed) - inner_db(&played);
            let noise = Noise::Pink.samples(2 * rate as usize, rate, &mut rng);
            let noise_db = inner_db(&apply(&noise)) - inner_db(&noise);
            let piano_db = match rate {
                16_000 => power_db(&apply(&piano)) - power_db(&piano),
                _ => 0.0,
            };
            println!(
                "| {} | {} | {rate} | {sine_cents:.2} | {chord_cents:.2} | {sine_db:.2} | {chord_db:.2} | {noise_db:.2} | {piano_db:.2} |",
                change.factor, change.semitones
            );
            assert!(
                worst([sine_cents, chord_cents]).abs() < 2.0,
                "{change:?} at {rate} Hz"
            );
            assert!(
                worst([sine_db, chord_db]).abs() < 0.1,
                "{change:?} at {rate} Hz"
            );
            let (most_noise_db, most_piano_db) = if far { (3.0, 1.5) } else { (2.5, 1.0) };
            assert!(noise_db.abs() < most_noise_db, "{change:?} at {rate} Hz");
            assert!(piano_db.abs() < most_piano_db, "{change:?}");
        }
    }
}

/// Beginnings 0.25 to 0.55 s apart.
fn beginnings(rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut at = 0.3;
    let mut times = Vec::new();
    while at < 3.5 {
        times.push(at);
        at += rng.random_range(0.25..0.55);
    }
    times
}

#[derive(Debug, Clone, Copy)]
enum Struck {
    Click,
    Drum,
    String,
}

fn struck(kind: Struck, times: &[f64], rate: u32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let second = f64::from(rate);
    let mut samples = vec![0.0; 4 * rate as usize];
    for (number, time) in times.iter().enumerate() {
        let first = (time * second).round() as usize;
        let hz = 220.0 * ((number * 7 % 24) as f64 / 12.0).exp2();
        let after = samples[first..].iter_mut().take((0.24 * second) as usize);
        for (i, sample) in after.enumerate() {
            let t = i as f64 / second;
            *sample += match kind {
                Struck::Click => 0.8 * (-0.7f64).powi(i as i32),
                Struck::Drum => 0.5 * rng.random_range(-1.0..1.0) * (-t / 0.03).exp(),
                Struck::String => {
                    let partial = |h: f64| 0.3 / h * (TAU * hz * h * t).sin();
                    let sum: f64 = (1..8).map(|h| partial(f64::from(h))).sum();
                    sum * (1.0 - (-t / 0.001).exp()) * (-t / 0.08).exp()
                }
            } as f32;
        }
    }
    samples
}

/// When the energy of a millisecond first exceeds a quarter of the largest within 60 ms of `near_s`.
fn onset_s(samples: &[f32], near_s: f64, rate: u32) -> f64 {
    let second = f64::from(rate);
    let width = (second / 1000.0) as usize;
    let first = ((near_s - 0.06) * second) as usize;
    let last = (((near_s + 0.06) * second) as usize).min(samples.len());
    let energies: Vec<f32> = samples[first..last]
        .windows(width)
        .map(|w| w.iter().map(|s| s * s).sum())
        .collect();
    let most = energies.iter().copied().fold(0.0, f32::max);
    let found = energies.iter().position(|e| *e > 0.25 * most).unwrap();
    (first + found) as f64 / second
}

#[test]
fn onsets_stay_where_they_were() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    println!("| length | semitones | rate | ms: clicks | drums | strings |");
    println!("|---|---|---|---|---|---|");
    for (change, far) in changes() {
        for rate in RATES {
            let times = beginnings(&mut rng);
            let errors = [Struck::Click, Struck::Drum, Struck::String].map(|kind| {
                let played = struck(kind, &times, rate, &mut rng);
                let changed = stretch(&played, rate, change).unwrap();
                worst(times.iter().map(|time| {
                    let before = onset_s(&played, *time, rate);
                    1000.0
                        * (onset_s(&changed, time * change.factor, rate) - before * change.factor)
                }))
            });
            let [clicks, drums, strings] = errors;
            println!(
                "| {} | {} | {rate} | {clicks:.1} | {drums:.1} | {strings:.1} |",
                change.factor, change.semitones
            );
            let most_ms = if far { 10.0 } else { 5.0 };
            assert!(
                worst(errors).abs() < most_ms,
                "{change:?} at {rate} Hz: {errors:?}"
            );
        }
    }
}

#[test]
fn lengths_are_exact() {
    for rate in [8_000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000] {
        for length in [0, 1, 2, 999, 20_000] {
            let samples = vec![0.1; length];
            for factor in [0.5, 0.83, 1.1, 2.0] {
                let expected = (length as f64 * factor).round() as usize;
                assert_eq!(
                    time_stretch(&samples, rate, factor).unwrap().len(),
                    expected
                );
            }
            assert_eq!(pitch_shift(&samples, rate, -3.5).unwrap().len(), length);
        }
    }
}

#[test]
fn blocks_give_what_the_whole_gives() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let samples = struck(Struck::String, &beginnings(&mut rng), 16_000, &mut rng);
    let change = Stretch {
        factor: 1.1,
        semitones: 2.0,
    };
    let whole = stretch(&samples, 16_000, change).unwrap();
    for block in [1000, 4097, 30_000] {
        let mut stretcher = Stretcher::new(16_000, change).unwrap();
        let mut output = Vec::new();
        for part in samples.chunks(block) {
            stretcher.push(part, &mut output).unwrap();
        }
        stretcher.finish(&mut output).unwrap();
        assert!(output == whole, "in blocks of {block}");
    }
    assert_eq!(stretch(&samples, 16_000, Stretch::NONE).unwrap(), samples);
}

#[test]
fn silence_stays_silent_and_what_is_no_number_is_refused() {
    let silence = time_stretch(&[0.0; 16_000], 16_000, 1.3).unwrap();
    assert!(silence.iter().all(|s| *s == 0.0));
    let error = pitch_shift(&[0.0, f32::NAN], 16_000, 1.0).unwrap_err();
    assert!(error.to_string().contains("sample 1"), "{error}");
    for (factor, semitones, word) in [
        (0.2, 0.0, "0.25 to 4"),
        (f64::NAN, 0.0, "0.25 to 4"),
        (1.0, 24.5, "-24 to 24"),
        (0.4, -12.0, "at least 0.500"),
    ] {
        let error = stretch(&[0.0; 10], 16_000, Stretch { factor, semitones }).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    for corner in [
        (0.25, 24.0),
        (4.0, 24.0),
        (4.0, -24.0),
        (0.25, 0.0),
        (1.0, -24.0),
    ] {
        let (factor, semitones) = corner;
        let found = stretch(&[0.1; 4000], 16_000, Stretch { factor, semitones }).unwrap();
        assert_eq!(found.len(), (4000.0 * factor) as usize, "{corner:?}");
    }
}

#[test]
fn labels_follow() {
    let note = |onset_s, offset_s, pitch| Note {
        onset_s,
        offset_s,
        pitch,
        velocity: 64,
    };
    let change = Stretch {
        factor: 1.5,
        semitones: 2.0,
    };
    let found = change.notes(&[note(1.0, 2.0, 60), note(2.0, 3.0, 127)]);
    assert_eq!(found, [note(1.5, 3.0, 62)]);
}
