//! Latent spaces of phrases, of models with random weights.

#[path = "support/drawn.rs"]
mod drawn;

use drawn::drawn;
use hemiola::midi::{Score, TempoChange, WriteOptions, encode_midi};
use hemiola::models::music_vae::{Interpolation, MusicVae, MusicVaeConfig};
use hemiola::music::{Note, RollOptions};
use hemiola::tasks::phrases::{
    AttributeVector, MeasureOptions, Passage, PhraseSpace, PhraseSpaceConfig, PhraseThresholds,
    calibrate, measure,
};

const LATENT: usize = 12;

fn model(input_dim: usize, hierarchical: bool) -> MusicVae {
    let config = MusicVaeConfig {
        input_dim,
        latent_dim: LATENT,
        hidden_dim: 64,
        hierarchical,
    };
    drawn(3, |device| config.init(device))
}

fn space() -> PhraseSpace {
    PhraseSpace::new(model(176, true), PhraseSpaceConfig::default()).unwrap()
}

/// Quarter notes after some rest.
fn score(bpm: f64, rest: usize, count: usize, lowest: u8) -> Score {
    let quarter_s = 60.0 / bpm;
    let notes: Vec<Note> = (0..count)
        .map(|index| Note {
            onset_s: (rest + index) as f64 * quarter_s,
            offset_s: (rest + index + 1) as f64 * quarter_s,
            pitch: lowest + (index * 5 % 12) as u8,
            velocity: 80,
        })
        .collect();
    let options = WriteOptions {
        tempo_bpm: bpm,
        ..WriteOptions::default()
    };
    Score::from_bytes(&encode_midi(&notes, &options).unwrap(), "test").unwrap()
}

#[track_caller]
fn same_notes(found: &[Note], expected: &[Note], later_s: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert_eq!((a.pitch, a.velocity), (b.pitch, b.velocity));
        assert!(
            (a.onset_s - b.onset_s - later_s).abs() < 1e-6,
            "{a:?} {b:?}"
        );
        assert!(
            (a.offset_s - b.offset_s - later_s).abs() < 1e-6,
            "{a:?} {b:?}"
        );
    }
}

#[test]
fn the_first_phrase_begins_with_the_first_bar_that_has_notes() {
    // The first note is the second quarter note of the second bar; 60 quarter notes from there fill seven phrases and five.
    let space = space();
    let latents = space.encode(&score(120.0, 5, 60, 50)).unwrap();
    let starts: Vec<f64> = latents.iter().map(|latent| latent.start_s).collect();
    assert_eq!(
        starts,
        (0..8).map(|p| 2.0 + 4.0 * f64::from(p)).collect::<Vec<_>>()
    );
    assert!(latents.iter().all(|latent| latent.mean.len() == LATENT));
    let made = space.reconstruct(&score(120.0, 5, 60, 50)).unwrap();
    assert_eq!((made.start_s, made.end_s), (2.0, 34.0));
    assert!(
        made.notes
            .iter()
            .all(|n| n.onset_s >= 2.0 && n.offset_s <= 32.5)
    );
    assert!(made.notes.iter().all(|n| n.velocity == 80));
}

#[test]
fn the_ends_of_an_interpolation_are_the_reconstructions() {
    let (from, to) = (score(60.0, 4, 20, 40), score(240.0, 0, 8, 70));
    let space = space();
    let ends = [&from, &to].map(|score| space.reconstruct(score).unwrap());
    assert!(!ends[0].notes.is_empty());
    for way in [Interpolation::Linear, Interpolation::Spherical] {
        let passages = space.interpolate(&from, &to, 3, way).unwrap();
        same_notes(&passages[0].notes, &ends[0].notes, -4.0);
        same_notes(&passages[2].notes, &ends[1].notes, 0.0);
        // Three phrases at 60 BPM, two at 120, one at 240.
        let lengths = passages
            .iter()
            .map(|p| (p.start_s, (p.end_s * 1e6).round() / 1e6));
        assert_eq!(
            lengths.collect::<Vec<_>>(),
            [(0.0, 24.0), (0.0, 8.0), (0.0, 2.0)]
        );
        let bpm: Vec<f64> = passages.iter().map(|p| p.tempi[0].bpm.round()).collect();
        assert_eq!(bpm, [60.0, 120.0, 240.0]);
        let joined = Passage::joined(&passages);
        let count = passages.iter().map(|p| p.notes.len()).sum::<usize>();
        assert_eq!((joined.notes.len(), joined.end_s.round()), (count, 34.0));
        let read = Score::from_bytes(&joined.to_midi(None).unwrap(), "joined").unwrap();
        let tempi: Vec<f64> = read.tempo_changes.iter().map(|t| t.bpm.round()).collect();
        assert_eq!(tempi, [60.0, 120.0, 240.0]);
    }
    assert!(
        space
            .interpolate(&from, &to, 1, Interpolation::Linear)
            .is_err()
    );
}

#[test]
fn variations_are_those_of_their_seed_and_none_at_amount_0() {
    let (space, given) = (space(), score(100.0, 0, 24, 50));
    let remembered = space.reconstruct(&given).unwrap();
    assert_eq!(space.vary(&given, 0.0, 5).unwrap(), remembered);
    let varied = space.vary(&given, 0.8, 5).unwrap();
    assert_eq!(space.vary(&given, 0.8, 5).unwrap(), varied);
    assert!(varied.notes != remembered.notes);
    assert_ne!(space.vary(&given, 0.8, 6).unwrap().notes, varied.notes);
    for amount in [-0.1, 1.1, f64::NAN] {
        let message = space.vary(&given, amount, 1).unwrap_err().to_string();
        assert!(message.contains("from 0 to 1"), "{message}");
    }
}

#[test]
fn attributes_add_their_vectors() {
    let given = score(100.0, 0, 8, 50);
    let vector: Vec<f64> = (0..LATENT).map(|index| index as f64 - 5.0).collect();
    let config = PhraseSpaceConfig {
        attributes: vec![AttributeVector {
            name: "density".into(),
            direction: "more".into(),
            vector: vector.clone(),
            scale: 1.0,
        }],
        ..PhraseSpaceConfig::default()
    };
    let steered = PhraseSpace::new(model(176, true), config).unwrap();
    let piece = steered.read(&given).unwrap();
    let z = &steered.encode(&given).unwrap()[0].mean;
    let moved: Vec<f32> = z
        .iter()
        .zip(&vector)
        .map(|(z, v)| z - 2.0 * *v as f32)
        .collect();
    let found = steered.attribute(&given, &[("density", -2.0)]).unwrap();
    assert_eq!(found, steered.decode(&[moved], &piece).unwrap());
    assert!(found != steered.reconstruct(&given).unwrap());
    for (space, name, words) in [
        (
            &steered,
            "mode",
            "no attribute mode; expected one of density",
        ),
        (&space(), "density", "nor any other"),
    ] {
        let message = space
            .attribute(&given, &[(name, 1.0)])
            .unwrap_err()
            .to_string();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn silence_stays_silence() {
    // Phrases of eight quarter notes: the second of three is empty.
    let both = [
        score(120.0, 0, 8, 50).notes(),
        score(120.0, 16, 8, 50).notes(),
    ]
    .concat();
    let bytes = encode_midi(&both, &WriteOptions::default()).unwrap();
    let given = Score::from_bytes(&bytes, "test").unwrap();
    let made = space().vary(&given, 0.5, 1).unwrap();
    assert_eq!(made.end_s, 12.0);
    assert!(made.notes.iter().any(|n| n.onset_s >= 8.0));
    assert!(
        made.notes
            .iter()
            .all(|n| n.onset_s < 4.0 || n.onset_s >= 8.0)
    );
}

#[test]
fn an_onset_begins_a_note_of_a_frame_at_least() {
    let roll = RollOptions {
        onsets: true,
        ..RollOptions::default()
    };
    // One key over six frames: sounding and onset probabilities.
    let cells = [
        (0.1, 0.9),
        (0.2, 0.1),
        (0.8, 0.1),
        (0.8, 0.6),
        (0.7, 0.1),
        (0.1, 0.1),
    ];
    let mut rows = vec![0.0; 6 * 176];
    for (frame, (sounding, onset)) in cells.into_iter().enumerate() {
        rows[frame * 176 + 39] = sounding;
        rows[frame * 176 + 88 + 39] = onset;
    }
    let thresholds = PhraseThresholds {
        sounding: 0.5,
        onset: 0.5,
        sounding_begins: false,
    };
    let spans = |thresholds: PhraseThresholds| -> Vec<(u32, u32, u8)> {
        let notes = thresholds.notes(&rows, &roll, 64);
        notes.iter().map(|n| (n.start, n.end, n.pitch)).collect()
    };
    assert_eq!(spans(thresholds), [(0, 1, 60), (3, 5, 60)]);
    let also = PhraseThresholds {
        sounding_begins: true,
        ..thresholds
    };
    assert_eq!(spans(also), [(0, 1, 60), (2, 3, 60), (3, 5, 60)]);
}

#[test]
fn an_empty_configuration_is_told_by_the_model() {
    let config: PhraseSpaceConfig = serde_json::from_str("{}").unwrap();
    for (input_dim, hierarchical, frames) in [(88, true, 32), (176, true, 32), (256, false, 1)] {
        let space = PhraseSpace::new(model(input_dim, hierarchical), config.clone()).unwrap();
        assert_eq!((space.frames(), space.frames_per_beat()), (frames, 4.0));
        let latents = space.encode(&score(120.0, 0, 8, 50)).unwrap();
        assert_eq!(latents.len(), 32 / frames);
    }
    let message = PhraseSpace::new(model(90, true), config)
        .unwrap_err()
        .to_string();
    assert!(message.contains("90 numbers a frame"), "{message}");
}

#[test]
fn single_frames_are_interpolated_too() {
    let space = PhraseSpace::new(model(88, false), PhraseSpaceConfig::default()).unwrap();
    let (from, to) = (score(120.0, 0, 2, 50), score(120.0, 0, 4, 60));
    let passages = space
        .interpolate(&from, &to, 3, Interpolation::Linear)
        .unwrap();
    let lengths: Vec<f64> = passages
        .iter()
        .map(|p| (p.end_s * 1e6).round() / 1e6)
        .collect();
    assert_eq!(lengths, [1.0, 1.5, 2.0]);
    same_notes(
        &passages[0].notes,
        &space.reconstruct(&from).unwrap().notes,
        0.0,
    );
}

#[test]
fn what_calibration_finds_fits_the_model() {
    let space = space();
    let scores: Vec<Score> = (0..24)
        .map(|n| score(120.0, n % 3, 4 + n % 11, 30 + 2 * n as u8))
        .collect();
    let pieces: Vec<_> = scores
        .iter()
        .map(|score| space.read(score).unwrap())
        .collect();
    let phrases: Vec<Vec<f32>> = pieces
        .iter()
        .flat_map(|piece| piece.phrases.clone())
        .collect();
    let found = calibrate(space.model(), space.config(), &phrases, &phrases[..9]).unwrap();
    assert_eq!(
        calibrate(space.model(), space.config(), &phrases, &phrases[..9]).unwrap(),
        found
    );
    for attribute in &found.config.attributes {
        assert!(
            found
                .figures
                .contains_key(&format!("{}_right", attribute.name))
        );
    }
    assert!(found.figures["onset_f1"] > 0.0, "{:?}", found.figures);
    let text = serde_json::to_string(&found.config).unwrap();
    let read: PhraseSpaceConfig = serde_json::from_str(&text).unwrap();
    // At a half the rolls of random weights differ.
    let read = PhraseSpaceConfig {
        thresholds: PhraseThresholds::default(),
        ..read
    };
    let space = PhraseSpace::new(space.model().clone(), read).unwrap();

    let options = MeasureOptions {
        pairs: 60,
        ..MeasureOptions::default()
    };
    let scores = measure(&space, &pieces, &options).unwrap();
    let json = serde_json::to_value(&scores).unwrap();
    assert!(json["phrases"].as_u64().unwrap() > 20 && json["kl_nats"].is_number());
    // Random weights make the same of all phrases: no pair has two ends.
    assert_eq!((scores.active_units, &scores.ways), (0, &None));
    assert!(json.get("pairs").is_none(), "{json}");
    assert_eq!(measure(&space, &pieces, &options).unwrap(), scores);
    let message = measure(&space, &pieces[..1], &options)
        .unwrap_err()
        .to_string();
    assert!(message.contains("two or more"), "{message}");
}

#[test]
fn tempi_that_change_are_written_and_notes_keep_their_times() {
    let notes: Vec<Note> = (0..12)
        .map(|index| Note {
            onset_s: 0.37 * f64::from(index),
            offset_s: 0.37 * f64::from(index) + 0.2,
            pitch: 60,
            velocity: 64,
        })
        .collect();
    let changes = [(1.0, 60.0), (2.5, 33.3)].map(|(time_s, bpm)| TempoChange { time_s, bpm });
    let options = WriteOptions {
        tempo_bpm: 187.0,
        tempo_changes: &changes,
        ..WriteOptions::default()
    };
    let read = Score::from_bytes(&encode_midi(&notes, &options).unwrap(), "test").unwrap();
    let expected = [(0.0, 187.0), (1.0, 60.0), (2.5, 33.3)];
    assert_eq!(read.tempo_changes.len(), 3);
    for (change, (time_s, bpm)) in read.tempo_changes.iter().zip(expected) {
        assert!((change.time_s - time_s).abs() < 1e-3, "{change:?}");
        assert!((change.bpm - bpm).abs() < 1e-3, "{change:?}");
    }
    for (found, given) in read.notes().iter().zip(&notes) {
        assert!((found.onset_s - given.onset_s).abs() < 1e-3);
        assert!((found.offset_s - given.offset_s).abs() < 1e-3);
    }
    let backwards = [changes[1], changes[0]];
    let options = WriteOptions {
        tempo_changes: &backwards,
        ..options
    };
    assert!(encode_midi(&notes, &options).is_err());
}
