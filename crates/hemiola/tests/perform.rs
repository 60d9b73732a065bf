//! What a model plays keeps the rules, however bad the model.

#[path = "support/drawn.rs"]
mod drawn;

use drawn::drawn;
use hemiola::Device;
use hemiola::models::music_transformer::{MusicTransformer, MusicTransformerConfig};
use hemiola::music::Note;
use hemiola::tasks::perform::{PerformOptions, Performer, PerformerConfig};
use hemiola::tasks::sampling::SamplerConfig;
use hemiola::tokens::{BOS, EVENTS, EventState, decode};

/// With a window so short that it slides often.
fn model(vocab_size: usize, max_seq_len: usize) -> MusicTransformer {
    let config = MusicTransformerConfig {
        d_model: 16,
        n_heads: 2,
        n_layers: 2,
        max_seq_len,
        vocab_size,
        ..MusicTransformerConfig::default()
    };
    drawn(5, |device| config.init(device))
}

fn performer(vocab_size: usize, max_seq_len: usize) -> Performer {
    let config = PerformerConfig {
        styles: ["pop", "folk"].map(String::from).to_vec(),
        ..PerformerConfig::default()
    };
    Performer::new(model(vocab_size, max_seq_len), config).unwrap()
}

fn options(seconds: f64, seed: u64) -> PerformOptions {
    PerformOptions {
        seconds,
        sampler: SamplerConfig {
            seed,
            ..SamplerConfig::default()
        },
        ..PerformOptions::default()
    }
}

const GIVEN: [Note; 2] = [
    Note {
        onset_s: 0.5,
        offset_s: 1.0,
        pitch: 60,
        velocity: 64,
    },
    Note {
        onset_s: 0.75,
        offset_s: 2.004,
        pitch: 64,
        velocity: 70,
    },
];

#[test]
fn every_event_keeps_the_grammar_and_every_note_is_closed_in_time() {
    for vocabulary in [EVENTS, 394] {
        let performer = performer(vocabulary, 40);
        for seed in 0..4 {
            let seconds = 60.0 + seed as f64 * 0.37;
            let options = options(seconds, seed);
            let mut told_s: Vec<f64> = Vec::new();
            let ids = performer
                .perform(&[], &options, &mut |s| told_s.push(s))
                .unwrap();
            assert!(ids.len() > 200, "the window slides: {}", ids.len());
            let mut state = EventState::new();
            let mut length = 0;
            for &id in &ids {
                assert!(state.advance(id), "{id}");
                if let Some(hemiola::tokens::Event::TimeShift(steps)) =
                    hemiola::tokens::Event::from_id(id)
                {
                    length += u32::from(steps);
                }
            }
            assert_eq!(state.sounding().count(), 0);
            assert_eq!(length, (seconds * 100.0).round() as u32);
            assert_eq!(decode(&ids).repairs, hemiola::tokens::Repairs::default());
            assert!(told_s.is_sorted() && told_s.last() == Some(&seconds));
            let again = performer.perform(&[], &options, &mut |_| {}).unwrap();
            assert_eq!(ids, again, "the same seed, the same events");
        }
    }
}

#[test]
fn a_key_that_the_model_forgets_is_released() {
    let performer = performer(394, 40);
    let options = PerformOptions {
        longest_note_s: 0.5,
        ..options(20.0, 3)
    };
    let notes = performer.generate(&options, &mut |_| {}).unwrap().notes;
    let longest = notes.iter().map(|n| n.offset_s - n.onset_s);
    let longest = longest.fold(0.0, f64::max);
    // The model of random weights forgets many.
    assert!((longest - 0.5).abs() < 1e-9, "{longest}");
}

#[test]
fn what_follows_begins_where_the_given_ends() {
    let performer = performer(394, 40);
    let made = performer
        .continuation(&GIVEN, &options(2.0, 1), &mut |_| {})
        .unwrap();
    assert!(made.notes.len() > 5 && made.events > 2 * made.notes.len());
    for note in &made.notes {
        assert!(note.onset_s >= 2.004 - 1e-9 && note.offset_s <= 4.004 + 1e-9);
    }
    // Where the model says nothing of loudness, it stays as it was.
    let soft = GIVEN.map(|note| Note {
        velocity: 10,
        ..note
    });
    let made = (0..20).find_map(|seed| {
        let made = performer.continuation(&soft, &options(1.0, seed), &mut |_| {});
        let notes = made.unwrap().notes;
        notes.first().filter(|note| note.velocity == 10).copied()
    });
    assert!(made.is_some(), "no first note as soft as the given");
    let error = performer.continuation(&[], &options(2.0, 1), &mut |_| {});
    assert!(error.unwrap_err().to_string().contains("no note"));
}

#[test]
fn impossible_wishes_are_named() {
    let performer = performer(394, 40);
    let plain = options(2.0, 1);
    for (options, word) in [
        (
            PerformOptions {
                style: Some("polka".into()),
                ..plain.clone()
            },
            "pop, folk",
        ),
        (options(0.0, 1), "0 seconds"),
        (options(f64::NAN, 1), "NaN"),
        (options(1e9, 1), "a day"),
    ] {
        for result in [
            performer.check(&options),
            performer.generate(&options, &mut |_| {}).map(drop),
        ] {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
    let seeing = MusicTransformerConfig {
        causal: false,
        d_model: 8,
        n_heads: 2,
        n_layers: 1,
        max_seq_len: 8,
        ..MusicTransformerConfig::default()
    };
    let seeing = seeing.init(&Device::flex()).unwrap();
    assert!(Performer::new(seeing, PerformerConfig::default()).is_err());
}

#[test]
fn likelihoods_are_those_of_going_event_by_event() {
    let model = model(394, 40);
    let performer = Performer::new(model.clone(), PerformerConfig::default()).unwrap();
    let ids = performer
        .perform(&[], &options(40.0, 2), &mut |_| {})
        .unwrap();
    assert!(ids.len() > 60);
    // As long as all fits the window.
    let short = &ids[..39];
    let mut decoder = model.decoder(None).unwrap();
    let mut logits = decoder.push(&[BOS]).unwrap();
    let mut expected = 0.0;
    for &id in short {
        let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        expected += total.ln() - f64::from(logits[usize::from(id)]);
        logits = decoder.push(&[id]).unwrap();
    }
    let score = performer.score(short, None).unwrap();
    assert_eq!(score.events, 39);
    assert!(
        (score.nll - expected).abs() < 1e-3,
        "{} {expected}",
        score.nll
    );
    // Beyond it, no event is left out or counted twice: windows of 40 begin 20 events before what they tell.
    let all = performer.score(&ids, None).unwrap();
    assert_eq!(all.events, ids.len());
    let sequence = [&[BOS], &ids[..]].concat();
    let (mut told, mut expected) = (0, 0.0);
    while told + 1 < sequence.len() {
        let start = if told == 0 { 0 } else { told - 20 };
        let end = (start + 40).min(sequence.len() - 1);
        decoder.reset();
        let mut logits = decoder.push(&sequence[start..=told]).unwrap();
        for place in told + 1..=end {
            let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
            expected += total.ln() - f64::from(logits[usize::from(sequence[place])]);
            if place < end {
                logits = decoder.push(&sequence[place..=place]).unwrap();
            }
        }
        told = end;
    }
    assert!((all.nll - expected).abs() < 1e-2, "{} {expected}", all.nll);
    assert_eq!(performer.score(&[], None).unwrap().events, 0);
    assert!(performer.score(&[400], None).is_err());
}

#[test]
fn attention_falls_on_what_the_model_sees() {
    let performer = performer(394, 40);
    let ids = performer
        .perform(&[], &options(40.0, 2), &mut |_| {})
        .unwrap();
    let of = |ids: &[u16], n| performer.attention(ids, n, Some("pop"), 1, 1);
    let weights = of(&ids, 12).unwrap();
    assert_eq!(weights.len(), 12 * 12);
    for (row, weights) in weights.chunks(12).enumerate() {
        let sum: f32 = weights.iter().sum();
        // The rest falls on the 28 events before, and none on later ones.
        assert!(sum > 0.0 && sum < 1.0, "{sum}");
        assert!(weights[row + 1..].iter().all(|weight| *weight == 0.0));
    }
    let whole = of(&ids, 40).unwrap();
    let cut: Vec<f32> = (28..40)
        .flat_map(|row| whole[row * 40 + 28..(row + 1) * 40].to_vec())
        .collect();
    assert_eq!(cut, weights);
    for (ids, n) in [(&ids[..], 0), (&ids, 41), (&ids[..5], 6), (&[700], 1)] {
        assert!(of(ids, n).is_err());
    }
}
