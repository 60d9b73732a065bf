//! Piano rolls hold what sounds, and give it back.

use hemiola::music::{BINARY_VELOCITY, FrameGrid, Keys, Note, PhraseShape, PianoRoll, RollOptions};
use proptest::prelude::*;

fn note(onset_s: f64, offset_s: f64, pitch: u8, velocity: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    }
}

fn roll(notes: &[Note], fps: f64, options: RollOptions) -> PianoRoll {
    PianoRoll::from_notes(notes, FrameGrid::per_second(fps).unwrap(), &options).unwrap()
}

/// Frame and key of everything above 0.
fn set(values: &[f32], keys: usize) -> Vec<(usize, usize)> {
    let above = values.iter().enumerate().filter(|&(_, &value)| value > 0.0);
    above.map(|(at, _)| (at / keys, at % keys)).collect()
}

#[test]
fn a_roll_by_hand() {
    let notes = [
        note(0.0, 0.5, 21, 127),
        note(0.24, 0.26, 108, 64), // a frame at least
        note(0.76, 1.0, 60, 1),    // from the nearest frame
        note(0.0, 9.0, 20, 64),
        note(0.0, 9.0, 109, 64),
    ];
    let options = RollOptions {
        onsets: true,
        ..RollOptions::default()
    };
    let binary = roll(&notes, 4.0, options);
    assert_eq!((binary.frames(), binary.left_out), (4, 2));
    assert_eq!(set(&binary.values, 88), [(0, 0), (1, 0), (1, 87), (3, 39)]);
    assert_eq!(
        set(binary.onsets.as_ref().unwrap(), 88),
        [(0, 0), (1, 87), (3, 39)]
    );
    assert!(
        binary
            .values
            .iter()
            .all(|&value| value == 0.0 || value == 1.0)
    );
    let back = binary.to_notes(0.5);
    assert_eq!(
        back,
        [
            note(0.0, 0.5, 21, BINARY_VELOCITY),
            note(0.25, 0.5, 108, BINARY_VELOCITY),
            note(0.75, 1.0, 60, BINARY_VELOCITY),
        ]
    );

    let options = RollOptions {
        keys: Keys::Midi,
        velocity: true,
        onsets: false,
    };
    let loud = roll(&notes[..3], 4.0, options);
    assert_eq!(loud.values.len(), 4 * 128);
    assert_eq!(
        (loud.values[21], loud.values[128 + 108]),
        (1.0, 64.0 / 127.0)
    );
    let velocities: Vec<u8> = loud.to_notes(1e-3).iter().map(|n| n.velocity).collect();
    assert_eq!(velocities, [127, 64, 1]);
}

#[test]
fn onsets_part_notes_without_a_gap() {
    let notes = [note(0.0, 0.5, 60, 64), note(0.5, 1.0, 60, 64)];
    let merged = roll(&notes, 10.0, RollOptions::default());
    assert_eq!(merged.to_notes(0.5), [note(0.0, 1.0, 60, 64)]);
    let options = RollOptions {
        onsets: true,
        ..RollOptions::default()
    };
    assert_eq!(roll(&notes, 10.0, options).to_notes(0.5), notes);
}

#[test]
fn a_threshold_decides() {
    let mut values = vec![0.0; 4 * 88];
    values[39] = 0.3;
    values[88 + 39] = 0.6;
    values[2 * 88 + 39] = f32::NAN;
    values[3 * 88 + 39] = 0.5;
    let grid = FrameGrid::per_second(2.0).unwrap();
    let options = RollOptions::default();
    let roll = PianoRoll::from_values(values.clone(), None, grid.clone(), &options).unwrap();
    assert_eq!(
        roll.to_notes(0.5),
        [note(0.5, 1.0, 60, 64), note(1.5, 2.0, 60, 64)]
    );
    assert_eq!(roll.to_notes(0.25)[0], note(0.0, 1.0, 60, 64));
    assert_eq!(roll.to_notes(0.7), []);
    values.pop();
    let message = PianoRoll::from_values(values, None, grid, &options)
        .unwrap_err()
        .to_string();
    assert!(message.contains("351 values"), "{message}");
}

#[test]
fn beats_give_the_frames() {
    // Beats of 1 s, then of 0.5 s.
    let grid = FrameGrid::beats(&[1.0, 2.0, 2.5], 4).unwrap();
    let starts: Vec<f64> = (0..11).map(|frame| grid.start_s(frame)).collect();
    assert_eq!(
        starts,
        [
            1.0, 1.25, 1.5, 1.75, 2.0, 2.125, 2.25, 2.375, 2.5, 2.625, 2.75
        ]
    );
    for (frame, &start_s) in starts.iter().enumerate() {
        assert_eq!(grid.nearest(start_s), frame);
        assert_eq!(grid.nearest(start_s + 0.06), frame);
        assert_eq!(grid.nearest(start_s - 0.06), frame);
    }
    assert_eq!(grid.nearest(-5.0), 0);
    let notes = [
        note(0.0, 1.0, 60, 64), // before the first beat
        note(0.5, 1.5, 62, 64),
        note(2.5, 2.75, 64, 64),
    ];
    let roll = PianoRoll::from_notes(&notes, grid, &RollOptions::default()).unwrap();
    assert_eq!((roll.frames(), roll.left_out), (10, 1));
    assert_eq!(
        roll.to_notes(0.5),
        [note(1.0, 1.5, 62, 64), note(2.5, 2.75, 64, 64)]
    );
}

#[test]
fn phrases_overlap_and_are_filled_up() {
    // One key per frame: frame f is on key f.
    let notes: Vec<Note> = (0..10)
        .map(|f| note(f64::from(f), f64::from(f + 1), 21 + f as u8, 64))
        .collect();
    let roll = roll(&notes, 1.0, RollOptions::default());
    let shape = PhraseShape {
        segments: 2,
        frames: 3,
        hop: 3,
    };
    let phrases: Vec<_> = roll.phrases(shape).unwrap().collect();
    let frames: Vec<_> = phrases.iter().map(|phrase| set(phrase, 88)).collect();
    let expected =
        |first: usize, count: usize| -> Vec<_> { (0..count).map(|at| (at, first + at)).collect() };
    assert!(phrases.iter().all(|phrase| phrase.len() == 2 * 3 * 88));
    assert_eq!(frames, [expected(0, 6), expected(3, 6), expected(6, 4)]);
    // A phrase that reaches the end is the last, also where it does so exactly.
    let count = |segments, frames, hop| {
        let shape = PhraseShape {
            segments,
            frames,
            hop,
        };
        roll.phrases(shape).map(Iterator::count)
    };
    assert_eq!(count(1, 10, 1).unwrap(), 1);
    assert_eq!(count(1, 9, 1).unwrap(), 2);
    assert_eq!(count(1, 5, 5).unwrap(), 2);
    assert_eq!(count(1, 1, 100).unwrap(), 2);
    assert_eq!(count(100, 100, 100).unwrap(), 1);
    for (segments, frames, hop) in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (usize::MAX, 2, 1)] {
        assert!(count(segments, frames, hop).is_err());
    }
}

#[test]
fn impossible_rolls_are_refused() {
    for fps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(FrameGrid::per_second(fps).is_err());
    }
    assert!(FrameGrid::at(vec![0.0]).is_err());
    assert!(FrameGrid::at(vec![0.0, 1.0, 1.0]).is_err());
    assert!(FrameGrid::at(vec![f64::NAN, 1.0]).is_err());
    assert!(FrameGrid::beats(&[0.0, 1.0], 0).is_err());
    assert!(FrameGrid::beats(&[], 4).is_err());
    let refused = |note| {
        let grid = FrameGrid::per_second(100.0).unwrap();
        PianoRoll::from_notes(&[note], grid, &RollOptions::default())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(note(0.0, 1e300, 60, 64)).contains("too large"));
    assert!(refused(note(1.0, 0.0, 60, 64)).contains("no place"));
    assert!(refused(note(f64::NAN, 0.0, 60, 64)).contains("no place"));
    let empty = roll(&[], 100.0, RollOptions::default());
    assert_eq!((empty.frames(), empty.to_notes(0.5)), (0, vec![]));
    let shape = PhraseShape {
        segments: 1,
        frames: 1,
        hop: 1,
    };
    assert_eq!(empty.phrases(shape).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rolls_with_onsets_and_velocities_give_notes_back(
        moves in prop::collection::vec((0_u32..20, 1_u32..20, 0_u8..128, 1_u8..=127), 0..60),
        fps in prop_oneof![Just(100.0), Just(31.25), 1.0..200.0_f64],
    ) {
        let mut free = [0; 128];
        let mut notes: Vec<Note> = moves.into_iter().map(|(gap, length, pitch, velocity)| {
            let start = free[usize::from(pitch)] + gap;
            free[usize::from(pitch)] = start + length;
            note(f64::from(start) / fps, f64::from(start + length) / fps, pitch, velocity)
        }).collect();
        notes.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(a.pitch.cmp(&b.pitch)));
        let options = RollOptions { keys: Keys::Midi, velocity: true, onsets: true };
        prop_assert_eq!(roll(&notes, fps, options).to_notes(1e-3), notes);
    }
}
