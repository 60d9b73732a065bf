//! Rendering: what is heard is what was written.

use std::path::{Path, PathBuf};

use hemiola::audio::read_mono;
use hemiola::audio::render::{Part, RenderOptions, Renderer};
use hemiola::datasets::cache;
use hemiola::datasets::plan::{Piano, RenderRecipe, Source, Variation};
use hemiola::midi::PedalEvent;
use hemiola::music::{Note, midi_to_hz};

const RATE: u32 = 16_000;

/// A SoundFont with one preset: a 440 Hz sawtooth of ten harmonics that loops, on all keys, with a release of 50 ms.
fn sawtooth_font(folder: &Path) -> PathBuf {
    // 1000 samples at 44 kHz are ten periods of 440 Hz.
    let rate = 44_000u32;
    let samples: Vec<u8> = (0..1000)
        .map(|i| {
            let angle = std::f64::consts::TAU * 440.0 * f64::from(i) / f64::from(rate);
            (1..=10)
                .map(|h| (angle * f64::from(h)).sin() / f64::from(h))
                .sum::<f64>()
        })
        .chain([0.0; 46])
        .flat_map(|x| ((x * 12_000.0) as i16).to_le_bytes())
        .collect();
    let chunk = |name: &str, body: &[u8]| {
        let mut bytes = name.as_bytes().to_vec();
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes.extend(vec![0; body.len() % 2]);
        bytes
    };
    let words = |words: &[i32]| {
        words
            .iter()
            .flat_map(|w| (*w as u16).to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let named = |name: &str, rest: &[u8]| {
        let mut bytes = name.as_bytes().to_vec();
        bytes.resize(20, 0);
        bytes.extend(rest);
        bytes
    };
    let long = |words: &[u32]| {
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let preset = |name: &str, bag: i32| [named(name, &words(&[0, 0, bag])), vec![0; 12]].concat();
    let header = |name: &str, numbers: &[u32], key: u8| {
        [named(name, &long(numbers)), vec![key, 0], words(&[0, 1])].concat()
    };
    // 1200·log2(0.05 s) timecents; 41 instrument, 53 sample, 54 loop, 38 release.
    let (release, instrument, looped, sample) = ([38, -5186], [41, 0], [54, 1], [53, 0]);
    let pdta = [
        chunk("phdr", &[preset("Saw", 0), preset("EOP", 1)].concat()),
        chunk("pbag", &words(&[0, 0, 1, 0])),
        chunk("pmod", &[0; 10]),
        chunk("pgen", &words(&[instrument, [0, 0]].concat())),
        chunk(
            "inst",
            &[named("Saw", &words(&[0])), named("EOI", &words(&[1]))].concat(),
        ),
        chunk("ibag", &words(&[0, 0, 3, 0])),
        chunk("imod", &[0; 10]),
        chunk("igen", &words(&[release, looped, sample, [0, 0]].concat())),
        chunk(
            "shdr",
            &[
                header("Saw", &[0, 1000, 100, 900, rate], 69),
                header("EOS", &[0; 5], 0),
            ]
            .concat(),
        ),
    ]
    .concat();
    let info = [
        chunk("ifil", &words(&[2, 1])),
        chunk("isng", b"EMU8000\0"),
        chunk("INAM", b"Saw\0"),
    ]
    .concat();
    let list = |kind: &str, body: &[u8]| chunk("LIST", &[kind.as_bytes(), body].concat());
    let body = [
        b"sfbk".to_vec(),
        list("INFO", &info),
        list("sdta", &chunk("smpl", &samples)),
        list("pdta", &pdta),
    ]
    .concat();
    let path = folder.join("saw.sf2");
    std::fs::write(&path, chunk("RIFF", &body)).unwrap();
    path
}

fn renderer() -> Renderer {
    let folder = tempfile::tempdir().unwrap();
    Renderer::open(sawtooth_font(folder.path())).unwrap()
}

fn note(onset_s: f64, offset_s: f64, pitch: u8, velocity: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    }
}

fn options(transpose: i8, detune_cents: f64) -> RenderOptions {
    RenderOptions {
        sample_rate: RATE,
        transpose,
        detune_cents,
        ..RenderOptions::default()
    }
}

fn render(notes: &[Note], pedal: &[PedalEvent], options: &RenderOptions) -> Vec<f32> {
    let part = Part {
        notes,
        pedal,
        bank: 0,
        program: 0,
        is_drum: false,
    };
    renderer().render(&[part], options).unwrap()
}

fn at(seconds: f64) -> usize {
    (seconds * f64::from(RATE)).round() as usize
}

fn peak(samples: &[f32]) -> f32 {
    samples
        .iter()
        .fold(0.0, |peak, sample| peak.max(sample.abs()))
}

/// Strength of one frequency under a Hann window.
fn strength(samples: &[f32], hz: f64) -> f64 {
    let step = std::f64::consts::TAU / samples.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let windowed = f64::from(*sample) * (0.5 - 0.5 * (step * i as f64).cos());
        let angle = std::f64::consts::TAU * hz * i as f64 / f64::from(RATE);
        re += windowed * angle.cos();
        im += windowed * angle.sin();
    }
    re.hypot(im)
}

/// The cents by which the strongest frequency near a pitch lies above it.
fn cents_from(samples: &[f32], pitch: f64) -> f64 {
    let strengths = (-600..=600).map(|tenth| {
        let cents = f64::from(tenth) / 10.0;
        (cents, strength(samples, midi_to_hz(pitch + cents / 100.0)))
    });
    strengths.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
}

#[test]
fn pitch_follows_transposition_and_tuning() {
    for (pitch, transpose, detune) in [
        (69, 0, 0.0),
        (57, 6, 0.0),
        (69, -5, 30.0),
        (60, 3, -12.0),
        (69, 2, -200.0),
    ] {
        let sound = render(
            &[note(0.0, 1.6, pitch, 100)],
            &[],
            &options(transpose, detune),
        );
        let expected = f64::from(pitch) + f64::from(transpose) + detune / 100.0;
        let off = cents_from(&sound[at(0.1)..at(1.5)], expected);
        assert!(
            off.abs() <= 0.5,
            "pitch {pitch} {transpose:+} {detune:+} cents is {off} cents off"
        );
    }
}

#[test]
fn onsets_and_releases_are_where_they_were_written_in_every_tuning() {
    for (transpose, detune) in [(0, 0.0), (6, 30.0), (-5, -30.0), (3, -300.0)] {
        let notes: Vec<Note> = (0..6)
            .map(|i| {
                note(
                    0.3 + 0.737 * f64::from(i),
                    0.6 + 0.737 * f64::from(i),
                    60,
                    90,
                )
            })
            .collect();
        let sound = render(&notes, &[], &options(transpose, detune));
        let threshold = 0.1 * peak(&sound);
        for note in &notes {
            let before = at(note.onset_s - 0.1);
            let first = sound[before..]
                .iter()
                .position(|s| s.abs() > threshold)
                .unwrap();
            let found = (before + first) as f64 / f64::from(RATE);
            assert!(
                (found - note.onset_s).abs() < 0.003,
                "{found} instead of {}",
                note.onset_s
            );
            assert!(peak(&sound[at(note.offset_s - 0.02)..at(note.offset_s)]) > threshold);
            assert!(
                peak(&sound[at(note.offset_s + 0.12)..at(note.offset_s + 0.2)]) < 0.01 * threshold
            );
        }
    }
}

#[test]
fn the_pedal_holds_what_is_released_under_it() {
    let pedal = [(0.2, 127), (1.5, 0)].map(|(time_s, value)| PedalEvent { time_s, value });
    let notes = [note(0.1, 0.5, 69, 100)];
    let dry = render(&notes, &[], &options(0, 0.0));
    let held = render(&notes, &pedal, &options(0, 0.0));
    assert!(peak(&dry[at(1.2)..at(1.4)]) < 1e-4);
    assert!(peak(&held[at(1.2)..at(1.4)]) > 0.5 * peak(&held));
    assert!(peak(&held[at(1.7)..at(1.9)]) < 1e-4);
}

#[test]
fn the_velocity_curve_is_the_power_that_was_asked_for() {
    // Loudness goes with the square of the velocity (General MIDI level 2 guidelines).
    let level = |velocity, exponent| {
        let options = RenderOptions {
            velocity_exponent: exponent,
            ..options(0, 0.0)
        };
        20.0 * peak(&render(&[note(0.0, 0.5, 69, velocity)], &[], &options)).log10()
    };
    let fall = level(127, 1.0) - level(64, 1.0);
    assert!((fall - 11.9).abs() < 0.3, "{fall} dB");
    let steep = level(127, 2.0) - level(64, 2.0);
    assert!((steep - 23.8).abs() < 0.5, "{steep} dB");
    assert!(level(1, 1.0) > -70.0, "the softest notes are heard");
}

#[test]
fn impossible_wishes_are_refused_in_words() {
    let high = [note(0.0, 1.0, 126, 100)];
    let part = |program| Part {
        notes: &high,
        pedal: &[],
        bank: 0,
        program,
        is_drum: false,
    };
    let error = renderer().render(&[part(0)], &options(5, 0.0)).unwrap_err();
    assert!(error.to_string().contains("126 transposed by 5"), "{error}");
    let error = renderer().render(&[part(7)], &options(0, 0.0)).unwrap_err();
    assert!(error.to_string().contains("no program 7"), "{error}");
}

fn recipe(folder: &Path) -> RenderRecipe {
    RenderRecipe {
        seed: 5,
        sample_rate: RATE,
        reserved: None,
        pianos: vec![Piano {
            name: "saw".into(),
            soundfont: sawtooth_font(folder),
            bank: 0,
            program: 0,
            weight: 1.0,
        }],
        sources: vec![Source {
            set: "synthetic".into(),
            folder: PathBuf::new(),
            train_hours: 0.03,
            dev_hours: 0.01,
            excerpt_s: [15.0, 30.0],
            whole: false,
        }],
        variation: Variation {
            wide_detune_share: 0.5,
            ..Variation::default()
        },
    }
}

#[test]
fn the_cache_sounds_as_its_notes_say() {
    let folder = tempfile::tempdir().unwrap();
    let index = cache::render(&recipe(folder.path()), folder.path(), 2, &|_, _| ()).unwrap();
    assert_eq!(index, cache::read_index(folder.path()).unwrap());
    let hours: f64 = index
        .renditions
        .iter()
        .map(|entry| entry.duration_s)
        .sum::<f64>()
        / 3600.0;
    assert!((0.04..0.06).contains(&hours), "{hours} h");
    let (mut onsets, mut pitches) = (0, 0);
    for entry in &index.renditions {
        let sound = read_mono(folder.path().join(&entry.audio), RATE).unwrap();
        assert_eq!(sound.len(), at(entry.duration_s));
        let notes = cache::read_notes(folder.path(), entry).unwrap();
        assert_eq!(notes.len(), entry.note_count);
        let mut silent_from = 0.0f64;
        for (i, labelled) in notes.iter().enumerate() {
            let played = labelled.note;
            assert!(
                labelled.sounding_s >= played.offset_s
                    && labelled.sounding_s <= entry.duration_s + 1e-4
            );
            let alone_until = notes
                .get(i + 1)
                .map_or(entry.duration_s, |next| next.note.onset_s);
            // After silence, the first sound of a note must be at its label.
            if played.onset_s > silent_from + 0.12 && alone_until > played.onset_s + 0.02 {
                let from = at(silent_from + 0.1);
                let loud = 0.2 * peak(&sound[at(played.onset_s)..at(played.onset_s + 0.02)]);
                let first = sound[from..].iter().position(|s| s.abs() > loud).unwrap();
                let found = (from + first) as f64 / f64::from(RATE);
                assert!(
                    (found - played.onset_s).abs() < 0.01,
                    "{}: {found} for {}",
                    entry.rendition.id,
                    played.onset_s
                );
                onsets += 1;
            }
            if played.onset_s > silent_from + 0.1
                && alone_until.min(played.offset_s) > played.onset_s + 0.3
                && played.pitch > 40
            {
                let (start, end) = (at(played.onset_s + 0.01), at(played.onset_s + 0.29));
                let off = cents_from(&sound[start..end], f64::from(played.pitch))
                    - entry.rendition.detune_cents;
                assert!(
                    off.abs() < 8.0,
                    "{}: {off} cents at {}",
                    entry.rendition.id,
                    played.onset_s
                );
                pitches += 1;
            }
            silent_from = silent_from.max(labelled.sounding_s);
        }
    }
    assert!(onsets > 5, "only {onsets} onsets could be heard alone");
    assert!(pitches > 0, "no pitch could be heard alone");
}

#[test]
fn the_cache_follows_from_its_seed_and_goes_on_where_it_was() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recipe = recipe(one.path());
    let first = cache::render(&recipe, one.path(), 2, &|_, _| ()).unwrap();
    let second = cache::render(&recipe, two.path(), 1, &|_, _| ()).unwrap();
    assert_eq!(first, second);
    let bytes = |folder: &Path, path: &str| std::fs::read(folder.join(path)).unwrap();
    for entry in &first.renditions {
        for path in [&entry.audio, &entry.notes] {
            assert!(bytes(one.path(), path) == bytes(two.path(), path), "{path}");
        }
    }
    let (lost, kept) = (&first.renditions[0].audio, &first.renditions[1].audio);
    let original = bytes(one.path(), lost);
    std::fs::remove_file(one.path().join(lost)).unwrap();
    std::fs::write(one.path().join(kept), b"untouched").unwrap();
    let again = cache::render(&recipe, one.path(), 2, &|_, _| ()).unwrap();
    assert_eq!(again, first);
    assert!(bytes(one.path(), lost) == original);
    assert!(bytes(one.path(), kept) == b"untouched");
}
