//! What fills a gap stays in it, however bad the model.

#[path = "support/drawn.rs"]
mod drawn;

use drawn::drawn;
use hemiola::models::music_bert::{MusicBert, MusicBertConfig};
use hemiola::music::Note;
use hemiola::tasks::infill::{InfillOptions, Infiller, InfillerConfig};
use hemiola::tasks::sampling::SamplerConfig;
use hemiola::tokens::{encode, quantize};

fn model(max_seq_len: usize) -> MusicBert {
    let config = MusicBertConfig {
        d_model: 16,
        n_heads: 2,
        n_layers: 1,
        max_seq_len,
        ..MusicBertConfig::default()
    };
    drawn(6, |device| config.init(device))
}

fn note(onset_s: f64, offset_s: f64, pitch: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity: 70,
    }
}

/// A scale in half seconds, over a note that sounds on and on and one that ends in the middle.
fn piece() -> Vec<Note> {
    let scale = (0..20u8).map(|n| {
        let onset_s = f64::from(n) * 0.5;
        note(onset_s, onset_s + 0.45, 60 + n)
    });
    scale
        .chain([note(0.25, 9.5, 40), note(1.0, 5.25, 45)])
        .collect()
}

#[test]
fn nothing_made_touches_what_is_outside() {
    let piece = piece();
    for max_seq_len in [24, 400] {
        let infiller = Infiller::new(model(max_seq_len), InfillerConfig::default()).unwrap();
        for (number, gap) in [0.0..1.0, 4.9..5.6, 4.0..8.0, 9.0..9.9, 3.333..3.347]
            .into_iter()
            .enumerate()
        {
            let options = InfillOptions {
                sampler: SamplerConfig {
                    seed: number as u64,
                    ..SamplerConfig::default()
                },
            };
            let mut told_s = Vec::new();
            let fill = |progress: &mut dyn FnMut(f64)| {
                infiller
                    .fill(&piece, gap.clone(), &options, progress)
                    .unwrap()
            };
            let made = fill(&mut |s: f64| told_s.push(s));
            assert!(told_s.is_sorted());
            assert_eq!(made, fill(&mut |_| {}), "the same seed, the same notes");
            for new in &made {
                assert!(new.offset_s > new.onset_s);
                assert!(new.onset_s >= gap.start - 0.0051 && new.offset_s <= gap.end + 0.0051);
                let from_before = piece.iter().filter(|old| !gap.contains(&old.onset_s));
                for old in from_before.filter(|old| old.pitch == new.pitch) {
                    let apart = new.offset_s <= old.onset_s + 0.0051
                        || new.onset_s >= old.offset_s - 0.0051;
                    assert!(apart, "{gap:?}: {new:?} touches {old:?}");
                }
            }
            if gap.end - gap.start > 0.5 {
                assert!(!made.is_empty(), "{gap:?}");
            }
        }
    }
}

#[test]
fn impossible_gaps_are_refused() {
    let infiller = Infiller::new(model(64), InfillerConfig::default()).unwrap();
    let fill = |piece: &[Note], from_s: f64, to_s: f64| {
        infiller.fill(piece, from_s..to_s, &InfillOptions::default(), &mut |_| {})
    };
    for (from_s, to_s) in [
        (-1.0, 2.0),
        (3.0, 2.0),
        (3.0, 3.0),
        (3.0, 3.0001),
        (9.0, 12.0),
        (f64::NAN, 2.0),
    ] {
        let message = fill(&piece(), from_s, to_s).unwrap_err().to_string();
        assert!(message.contains("the gap from"), "{message}");
    }
    assert!(fill(&[], 0.0, 1.0).is_err());
    assert!(Infiller::new(model(8), InfillerConfig::default()).is_err());
    let window = |window| InfillerConfig {
        window: Some(window),
        ..InfillerConfig::default()
    };
    assert!(Infiller::new(model(64), window(64)).is_ok());
    for impossible in [8, 65] {
        let error = Infiller::new(model(64), window(impossible)).unwrap_err();
        assert!(error.to_string().contains("task.window"), "{error}");
    }
}

#[test]
fn each_hidden_place_is_told_once() {
    let infiller = Infiller::new(model(24), InfillerConfig::default()).unwrap();
    let ids = encode(&quantize(&piece()).unwrap());
    let hidden: Vec<usize> = (0..ids.len()).step_by(5).collect();
    let told = infiller.predict(&ids, &hidden).unwrap();
    assert_eq!(told.len(), hidden.len());
    // What stands at a hidden place is never seen.
    let mut other = ids.clone();
    hidden.iter().for_each(|&place| other[place] = 3);
    assert_eq!(infiller.predict(&other, &hidden).unwrap(), told);
    assert!(infiller.predict(&ids, &[]).unwrap().is_empty());
    assert!(infiller.predict(&[], &[]).unwrap().is_empty());
    for (ids, hidden, word) in [(vec![9000], vec![], "9000"), (vec![60], vec![1], "place 1")] {
        let message = infiller.predict(&ids, &hidden).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
}
