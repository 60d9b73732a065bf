//! Augmentation: levels in dB, decay in seconds, times kept.

use hemiola::augment::filter::{Biquad, Shape};
use hemiola::augment::mix::mix;
use hemiola::augment::noise::Noise;
use hemiola::augment::reverb::{Convolver, Room, RoomRange};
use hemiola::augment::stretch::time_stretch;
use hemiola::augment::{ClipAugment, SpectrogramMask, WaveformAugment};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const RATE: u32 = 16_000;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum()
}

fn tone(hz: f64, seconds: f64) -> Vec<f32> {
    let length = (seconds * f64::from(RATE)) as usize;
    (0..length)
        .map(|i| (0.5 * (std::f64::consts::TAU * hz * i as f64 / f64::from(RATE)).sin()) as f32)
        .collect()
}

#[test]
fn filters_have_the_gains_of_the_cookbook() {
    let gain = |shape, at| Biquad::new(shape, 1000.0, RATE).gain_db(at, RATE);
    let peak = Shape::Peak {
        gain_db: 9.0,
        q: 1.0,
    };
    assert!((gain(peak, 1000.0) - 9.0).abs() < 1e-9);
    assert!(gain(peak, 1.0).abs() < 0.01);
    let low = Shape::LowShelf { gain_db: -6.0 };
    assert!((gain(low, 1.0) + 6.0).abs() < 0.01 && gain(low, 7999.0).abs() < 0.01);
    assert!((gain(low, 1000.0) + 3.0).abs() < 1e-6);
    let high = Shape::HighShelf { gain_db: 8.0 };
    assert!(gain(high, 1.0).abs() < 0.01 && (gain(high, 7999.0) - 8.0).abs() < 0.01);
    assert!((gain(high, 1000.0) - 4.0).abs() < 1e-6);
    let q = std::f64::consts::FRAC_1_SQRT_2;
    assert!((gain(Shape::LowPass { q }, 1000.0) + 3.01).abs() < 0.01);
    assert!((gain(Shape::HighPass { q }, 1000.0) + 3.01).abs() < 0.01);
    assert!(gain(Shape::HighPass { q }, 100.0) < -39.0);
}

#[test]
fn a_filter_does_what_its_curve_says() {
    let filter = Biquad::new(
        Shape::Peak {
            gain_db: -10.0,
            q: 2.0,
        },
        800.0,
        RATE,
    );
    for hz in [200.0, 800.0, 3000.0] {
        let clean = tone(hz, 1.0);
        let mut filtered = clean.clone();
        filter.apply(&mut filtered);
        let found = 10.0 * (energy(&filtered[8000..]) / energy(&clean[8000..])).log10();
        assert!(
            (found - filter.gain_db(hz, RATE)).abs() < 0.05,
            "{found} dB at {hz} Hz"
        );
    }
}

#[test]
fn noise_is_as_soft_as_asked() {
    let clean = tone(440.0, 5.12);
    for kind in Noise::ALL {
        for snr_db in [15.0, 30.0, 50.0] {
            let mut noisy = clean.clone();
            kind.add(&mut noisy, snr_db, RATE, &mut rng(1));
            let noise: Vec<f32> = noisy.iter().zip(&clean).map(|(a, b)| a - b).collect();
            let found = 10.0 * (energy(&clean) / energy(&noise)).log10();
            assert!(
                (found - f64::from(snr_db)).abs() < 0.2,
                "{kind:?}: {found} dB for {snr_db}"
            );
        }
    }
}

/// Energy of a band one octave wide, from the difference of two low-pass filters of fourth order.
fn octave(samples: &[f32], hz: f64) -> f64 {
    let mut band = samples.to_vec();
    for _ in 0..2 {
        Biquad::new(Shape::HighPass { q: 0.7 }, hz / 1.41, RATE).apply(&mut band);
        Biquad::new(Shape::LowPass { q: 0.7 }, hz * 1.41, RATE).apply(&mut band);
    }
    energy(&band)
}

#[test]
fn coloured_noise_falls_per_octave_as_its_name_says() {
    // A band an octave wide holds twice the power of the one below in white noise, as much in pink, half in brown.
    for (kind, expected) in [
        (Noise::White, 3.01),
        (Noise::Pink, 0.0),
        (Noise::Brown, -3.01),
    ] {
        let samples = kind.samples(RATE as usize * 30, RATE, &mut rng(2));
        let rise = 10.0 * (octave(&samples, 1600.0) / octave(&samples, 200.0)).log10() / 3.0;
        assert!(
            (rise - expected).abs() < 0.5,
            "{kind:?}: {rise} dB an octave"
        );
    }
}

#[test]
fn rooms_decay_as_long_and_reflect_as_much_as_they_say() {
    // Shorter rooms are over before their decay can be measured this way.
    let range = RoomRange {
        rt60_s: [0.4, 2.5],
        ..RoomRange::default()
    };
    for seed in 0..20 {
        let room = Room::draw(&range, RATE, &mut rng(seed));
        assert_eq!(room.response[0], 1.0);
        let late = &room.response[1..];
        let ratio = -10.0 * energy(late).log10();
        assert!(
            (ratio - room.direct_to_reverberant_db).abs() < 0.1,
            "{ratio} dB"
        );
        // Schroeder: the energy still to come, from -10 to -30 dB, in the middle band.
        let mut band = late.to_vec();
        Biquad::new(Shape::HighPass { q: 0.7 }, 500.0, RATE).apply(&mut band);
        Biquad::new(Shape::LowPass { q: 0.7 }, 2000.0, RATE).apply(&mut band);
        let mut left: Vec<f64> = band
            .iter()
            .rev()
            .scan(0.0, |sum, s| {
                *sum += f64::from(*s).powi(2);
                Some(*sum)
            })
            .collect();
        left.reverse();
        let start = (f64::from(RATE) * (room.pre_delay_s + 0.08f64.min(room.rt60_s))) as usize;
        let reference = left[start.min(left.len() - 1)];
        let when = |db: f64| {
            left[start..]
                .iter()
                .position(|e| *e < reference * 10f64.powf(db / 10.0))
        };
        let (early, later) = (when(-5.0).unwrap(), when(-20.0).unwrap());
        let rt60 = 4.0 * (later - early) as f64 / f64::from(RATE);
        assert!(
            (rt60 / room.rt60_s - 1.0).abs() < 0.25,
            "{rt60} s for {} s",
            room.rt60_s
        );
    }
}

#[test]
fn fast_convolution_equals_the_sum_and_moves_nothing() {
    let mut random = rng(3);
    let signal: Vec<f32> = (0..20_000)
        .map(|_| random.random_range(-1.0..1.0))
        .collect();
    let mut response: Vec<f32> = (0..9000)
        .map(|_| random.random_range(-0.01..0.01))
        .collect();
    response[0] = 1.0;
    let mut fast = signal.clone();
    Convolver::new(&response).apply(&mut fast);
    for n in [0, 1, 17, 8191, 8192, 8193, 16_400, 19_999] {
        let slow: f64 = (0..=n.min(response.len() - 1))
            .map(|k| f64::from(response[k]) * f64::from(signal[n - k]))
            .sum();
        assert!(
            (slow - f64::from(fast[n])).abs() < 1e-4,
            "sample {n}: {slow} and {}",
            fast[n]
        );
    }
    let mut click = vec![0.0; 16_000];
    click[5000] = 1.0;
    Convolver::new(&response).apply(&mut click);
    assert!(click[..5000].iter().all(|s| s.abs() < 1e-5) && (click[5000] - 1.0).abs() < 1e-5);
}

#[test]
fn the_direct_sound_stays_in_time_through_everything() {
    let augment = WaveformAugment {
        room_probability: 1.0,
        noise_probability: 0.0,
        ..WaveformAugment::default()
    };
    let mut random = rng(4);
    for _ in 0..50 {
        let mut click = vec![0.0; RATE as usize];
        click[8000] = 0.9;
        augment.apply(&mut click, RATE, &mut random);
        let before = energy(&click[..7999]).sqrt();
        let after = energy(&click[7999..8016]).sqrt();
        assert!(
            before < 1e-3 * after,
            "sound before the click: {before} against {after}"
        );
    }
}

#[test]
fn gain_alone_is_exact_and_nothing_is_changed() {
    let clean = tone(300.0, 0.5);
    let mut same = clean.clone();
    WaveformAugment::none().apply(&mut same, RATE, &mut rng(5));
    assert_eq!(clean, same);
    let halved = WaveformAugment {
        gain_probability: 1.0,
        gain_db: [-6.0206, -6.0206],
        ..WaveformAugment::none()
    };
    halved.apply(&mut same, RATE, &mut rng(5));
    assert!(
        clean
            .iter()
            .zip(&same)
            .all(|(a, b)| (a / 2.0 - b).abs() < 1e-5)
    );
}

#[test]
fn clipping_bounds_peaks_and_keeps_what_is_soft() {
    let clip = WaveformAugment {
        clipping_probability: 1.0,
        clipping_db: [6.0, 6.0],
        ..WaveformAugment::none()
    };
    let clean = tone(300.0, 0.5);
    let mut clipped = clean.clone();
    clip.apply(&mut clipped, RATE, &mut rng(6));
    assert!(clipped.iter().all(|s| s.abs() <= 0.5));
    // Soft samples rise by the 6 dB, the loudest not at all.
    for (before, after) in clean.iter().zip(&clipped) {
        if (1e-3..0.05).contains(before) {
            assert!(
                (after / before / 1.995 - 1.0).abs() < 0.01,
                "{before} became {after}"
            );
        }
    }
    assert!(energy(&clipped) > 1.2 * energy(&clean));
}

#[test]
fn one_seed_gives_one_sound_and_silence_stays_finite() {
    let augment = WaveformAugment::default();
    augment.check().unwrap();
    let vary = |seed| {
        let mut samples = tone(220.0, 1.0);
        augment.apply(&mut samples, RATE, &mut rng(seed));
        samples
    };
    assert_eq!(vary(7), vary(7));
    assert_ne!(vary(7), vary(8));
    let mut random = rng(9);
    for length in [0, 1, 1000, 81_920] {
        for _ in 0..20 {
            let mut silence = vec![0.0; length];
            augment.apply(&mut silence, RATE, &mut random);
            assert_eq!(silence.len(), length);
            assert!(silence.iter().all(|s| s.is_finite()));
        }
    }
}

#[test]
fn wrong_descriptions_are_refused_in_words() {
    let wrong = WaveformAugment {
        noise_probability: 1.5,
        ..WaveformAugment::default()
    };
    assert!(
        wrong
            .check()
            .unwrap_err()
            .to_string()
            .contains("noise_probability is 1.5")
    );
    let wrong = WaveformAugment {
        snr_db: [40.0, 10.0],
        ..WaveformAugment::default()
    };
    assert!(wrong.check().unwrap_err().to_string().contains("snr_db"));
    assert!(toml::from_str::<WaveformAugment>("snr = 3").is_err());
}

#[test]
fn a_stream_of_noise_goes_on_where_it_was() {
    for kind in [Noise::White, Noise::Pink, Noise::Brown, Noise::Hum] {
        let whole = kind.samples(4096, RATE, &mut rng(10));
        let mut random = rng(10);
        let mut stream = kind.stream(RATE, &mut random);
        let mut parts = stream.samples(1024, &mut random);
        parts.extend(stream.samples(3072, &mut random));
        let apart = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-4, "{kind:?}");
    }
}

#[test]
fn mixing_is_as_soft_as_asked_and_repeats_what_is_short() {
    let clean = tone(440.0, 2.0);
    let other = tone(1000.0, 0.5);
    let mut mixed = clean.clone();
    mix(&mut mixed, &other, 6.0);
    let added: Vec<f32> = mixed.iter().zip(&clean).map(|(a, b)| a - b).collect();
    let found = 10.0 * (energy(&clean) / energy(&added)).log10();
    assert!((found - 6.0).abs() < 0.01, "{found} dB");
    assert!((added[100] - added[100 + other.len()]).abs() < 1e-5);
    for silent in [&[][..], &[0.0; 10]] {
        mix(&mut mixed, silent, 6.0);
    }
    let same: Vec<f32> = mixed.iter().zip(&clean).map(|(a, b)| a - b).collect();
    assert_eq!(added, same);
}

#[test]
fn masks_are_as_many_and_as_wide_as_the_policy_says() {
    let policy = SpectrogramMask {
        frequency_masks: 1,
        frequency_bins: 8,
        time_masks: 1,
        time_frames: 50,
        time_share: 0.2,
    };
    let (bins, frames) = (40, 100);
    let original: Vec<f32> = (0..bins * frames).map(|i| 1.0 + (i % 97) as f32).collect();
    let mean = energy_mean(&original);
    let mut widest = [0, 0];
    let mut sum = [0, 0];
    for seed in 0..500 {
        let mut masked = original.clone();
        policy.apply(&mut masked, bins, &mut rng(seed)).unwrap();
        let hidden = |bin: usize, frame: usize| (masked[bin * frames + frame] - mean).abs() < 1e-3;
        let rows = (0..bins).filter(|bin| (0..frames).all(|frame| hidden(*bin, frame)));
        let columns = (0..frames).filter(|frame| (0..bins).all(|bin| hidden(bin, *frame)));
        let found = [rows.count(), columns.count()];
        for bin in 0..bins {
            for frame in 0..frames {
                let kept = masked[bin * frames + frame] == original[bin * frames + frame];
                assert!(kept || hidden(bin, frame));
            }
        }
        for axis in 0..2 {
            widest[axis] = widest[axis].max(found[axis]);
            sum[axis] += found[axis];
        }
    }
    // Widths are drawn evenly from 0 to 8 bins, and from 0 to a fifth of the 100 frames.
    assert_eq!(widest, [8, 20]);
    for (sum, mean) in sum.into_iter().zip([4.0, 10.0]) {
        let found = f64::from(sum as u32) / 500.0;
        assert!((found - mean).abs() < 0.1 * mean, "{found} for {mean}");
    }
    let error = policy.apply(&mut [0.0; 7], 2, &mut rng(0)).unwrap_err();
    assert!(error.to_string().contains("7 values"), "{error}");
    policy.apply(&mut [], 2, &mut rng(0)).unwrap();
}

fn energy_mean(values: &[f32]) -> f32 {
    (values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64) as f32
}

#[test]
fn clips_keep_their_length_and_a_seed_repeats_them() {
    let augment = ClipAugment::default();
    augment.check().unwrap();
    let other = tone(700.0, 0.7);
    let vary = |samples: &[f32], seed| {
        augment
            .apply(samples, Some(&other), RATE, &mut rng(seed))
            .unwrap()
    };
    let clip = tone(220.0, 1.0);
    assert_eq!(vary(&clip, 7), vary(&clip, 7));
    assert_ne!(vary(&clip, 7), vary(&clip, 8));
    for length in [0, 1, 1000] {
        for seed in 0..10 {
            let varied = vary(&clip[..length], seed);
            assert_eq!(varied.len(), length);
            assert!(varied.iter().all(|s| s.is_finite()));
        }
    }
}

#[test]
fn a_shortened_clip_goes_round() {
    let augment = ClipAugment {
        pitch_probability: 0.0,
        stretch_probability: 1.0,
        stretch_factor: [0.5, 0.5],
        mix_probability: 0.0,
        waveform: WaveformAugment::none(),
        ..ClipAugment::default()
    };
    let clip = tone(220.0, 1.0);
    let varied = augment.apply(&clip, None, RATE, &mut rng(1)).unwrap();
    assert_eq!(varied[..8000], varied[8000..]);
    assert_eq!(varied[..8000], time_stretch(&clip, RATE, 0.5).unwrap());
}

#[test]
fn wrong_descriptions_of_clips_are_refused_in_words() {
    let default = ClipAugment::default;
    for (wrong, words) in [
        (
            ClipAugment {
                pitch_probability: 2.0,
                ..default()
            },
            "pitch_probability is 2",
        ),
        (
            ClipAugment {
                stretch_factor: [1.2, 0.8],
                ..default()
            },
            "stretch_factor is [1.2, 0.8]",
        ),
        (
            ClipAugment {
                stretch_factor: [0.1, 0.8],
                ..default()
            },
            "0.25 to 4",
        ),
        (
            ClipAugment {
                pitch_semitones: [-30.0, 0.0],
                ..default()
            },
            "-24 to 24",
        ),
        (
            ClipAugment {
                mask: SpectrogramMask {
                    time_share: 2.0,
                    ..SpectrogramMask::default()
                },
                ..default()
            },
            "time_share is 2",
        ),
        (
            ClipAugment {
                waveform: WaveformAugment {
                    noise_probability: 1.5,
                    ..WaveformAugment::default()
                },
                ..default()
            },
            "noise_probability is 1.5",
        ),
    ] {
        let error = wrong.check().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let text = toml::to_string(&default()).unwrap();
    assert_eq!(toml::from_str::<ClipAugment>(&text).unwrap(), default());
}
