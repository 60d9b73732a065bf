//! Chords are counted in labelled chroma, and found again in other chroma.

use std::path::Path;
use std::sync::Arc;

use hemiola::Device;
use hemiola::formats::{ChromaFormat, ChromaTable, encode_lab};
use hemiola::music::chord::{ChordLabel, Vocabulary};
use hemiola::music::{Chroma, Segment};
use hemiola::tasks::chords::ChordReader;
use hemiola::training::{Recipe, train};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const FPS: f64 = 20.0;
const LABELS: [&str; 7] = ["C:maj", "A:min", "F:maj7", "G:7", "D:min7", "Eb:maj", "N"];

/// Chroma in which the tones of the chords sound, not always and not alone.
fn piece(seed: u64) -> (Chroma, Vec<Segment<ChordLabel>>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chroma = Chroma::new(FPS);
    let mut chords: Vec<Segment<ChordLabel>> = Vec::new();
    while chords.len() < 40 {
        let label: ChordLabel = LABELS.choose(&mut rng).unwrap().parse().unwrap();
        if chords.last().is_some_and(|last| last.label == label) {
            continue;
        }
        let start_s = chords.last().map_or(0.0, |last| last.end_s);
        let frames = rng.random_range(20..50);
        for _ in 0..frames {
            chroma.frames.push(std::array::from_fn(|pitch_class| {
                let sounds = label.tones().contains(pitch_class as u8) == rng.random_bool(0.9);
                rng.random_range(0.0..0.4) + if sounds { 0.5 } else { 0.0 }
            }));
        }
        chords.push(Segment {
            start_s,
            end_s: start_s + f64::from(frames) / FPS,
            label,
        });
    }
    (chroma, chords)
}

fn write(folder: &Path, name: &str, seed: u64) {
    std::fs::create_dir_all(folder).unwrap();
    let (chroma, chords) = piece(seed);
    let table = ChromaTable::new(chroma).encode(ChromaFormat::Csv).unwrap();
    std::fs::write(folder.join(format!("{name}.csv")), table).unwrap();
    std::fs::write(folder.join(format!("{name}.lab")), encode_lab(&chords)).unwrap();
}

fn learned(at: &Path) -> ChordReader {
    for seed in 0..8 {
        write(&at.join("train"), &seed.to_string(), seed);
    }
    write(&at.join("dev"), "a", 100);
    let recipe = at.join("recipe.toml");
    let text = format!(
        "architecture = \"chord-hmm\"\n[run]\noutput = {:?}\n[data]\nchroma = {:?}\ndev = {:?}\nlabels = [{:?}]\n",
        at.join("run"),
        at.join("train"),
        at.join("dev"),
        at.join("train"),
    );
    std::fs::write(&recipe, text).unwrap();
    let recipe = Recipe::read(&recipe, &[]).unwrap();
    let state = train(&recipe, &Device::flex(), false, false, Arc::new(|_| {})).unwrap();
    assert!(state.best_score.unwrap() > 0.95, "{state:?}");
    ChordReader::open(at.join("run/best").to_str().unwrap()).unwrap()
}

/// The share of time in which both say the same.
fn agreement(a: &[Segment<ChordLabel>], b: &[Segment<ChordLabel>]) -> f64 {
    let at = |list: &[Segment<ChordLabel>], time_s: f64| {
        let found = list
            .iter()
            .find(|s| s.start_s <= time_s && time_s < s.end_s);
        found.map(|segment| segment.label.clone())
    };
    let end = a.last().unwrap().end_s;
    let times: Vec<f64> = (0..(end * 10.0) as usize)
        .map(|i| i as f64 / 10.0 + 0.05)
        .collect();
    let same = times.iter().filter(|&&t| at(a, t) == at(b, t)).count();
    same as f64 / times.len() as f64
}

#[test]
fn chords_that_were_counted_are_found_again() {
    let at = tempfile::tempdir().unwrap();
    let reader = learned(at.path());
    let (chroma, chords) = piece(200);
    let found = reader.read(&chroma, Vocabulary::Sevenths).unwrap();
    assert!(agreement(&chords, &found) > 0.9, "{found:?}");
    // Without a gap from beginning to end, and no two alike in a row.
    assert_eq!(found[0].start_s, 0.0);
    assert_eq!(
        found.last().unwrap().end_s,
        chroma.frames.len() as f64 / FPS
    );
    for pair in found.windows(2) {
        assert_eq!(pair[0].end_s, pair[1].start_s);
        assert_ne!(pair[0].label, pair[1].label);
    }
    let triads = reader.read(&chroma, Vocabulary::MajMin).unwrap();
    let reduced: Vec<Segment<ChordLabel>> = chords
        .iter()
        .map(|chord| Segment {
            label: Vocabulary::MajMin.reduce(&chord.label),
            ..chord.clone()
        })
        .collect();
    assert!(agreement(&reduced, &triads) > 0.9);
}

#[test]
fn transposed_chroma_has_transposed_chords() {
    let at = tempfile::tempdir().unwrap();
    let reader = learned(at.path());
    let (chroma, _) = piece(201);
    let found = reader.read(&chroma, Vocabulary::Sevenths).unwrap();
    for up in [1usize, 5, 11] {
        let mut moved = chroma.clone();
        moved
            .frames
            .iter_mut()
            .for_each(|frame| frame.rotate_right(up));
        let moved = reader.read(&moved, Vocabulary::Sevenths).unwrap();
        let names = |list: &[Segment<ChordLabel>], up: i32| -> Vec<(u64, Vec<u8>)> {
            let tones = |s: &Segment<ChordLabel>| s.label.transposed(up).tones().iter().collect();
            list.iter()
                .map(|s| (s.start_s.to_bits(), tones(s)))
                .collect()
        };
        assert_eq!(names(&moved, 0), names(&found, up as i32));
    }
}

#[test]
fn a_follower_hears_what_sounds_soon_after_it_began() {
    let at = tempfile::tempdir().unwrap();
    let reader = learned(at.path());
    let (chroma, chords) = piece(202);
    let mut follower = reader.follow(FPS, Vocabulary::Sevenths).unwrap();
    assert_eq!(*follower.current(), ChordLabel::NoChord);
    let heard: Vec<ChordLabel> = chroma
        .frames
        .iter()
        .map(|f| follower.push(f).clone())
        .collect();
    let soon = chords.iter().filter(|chord| {
        let frame = ((chord.start_s + 0.8) * FPS) as usize;
        heard.get(frame) == Some(&chord.label)
    });
    assert!(soon.count() as f64 > 0.85 * chords.len() as f64);
}

#[test]
fn nothing_and_frames_of_another_width_are_told() {
    let at = tempfile::tempdir().unwrap();
    let reader = learned(at.path());
    assert_eq!(
        reader.read(&Chroma::new(FPS), Vocabulary::MajMin).unwrap(),
        []
    );
    let fault = reader
        .read_frames(&[0.0; 13], FPS, Vocabulary::MajMin)
        .unwrap_err()
        .to_string();
    assert!(fault.contains("13") && fault.contains("12"), "{fault}");
}
