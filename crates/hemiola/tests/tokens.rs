//! Event tokens are note-seq's, lose nothing but fractions of their grid, and never fail to decode.

mod support;

use hemiola::midi::{Instrument, PedalEvent, Score, WriteOptions, encode_midi};
use hemiola::music::{Note, QuantizedNote, separated};
use hemiola::tokens::{
    BOS, EOS, EVENTS, Event, EventState, MASK, NextNote, Overlaps, PAD, Repairs, SEP, TokenOptions,
    VOCABULARY, decode, duration_bin, duration_of_bin_s, dynamics_bin, encode, events_at_tempo,
    next_notes, notes_at_tempo, quantize, sounding_notes, tokenize, transposed_events,
    transposed_notes,
};
use proptest::prelude::*;
use serde::Deserialize;

fn note(onset_s: f64, offset_s: f64, pitch: u8, velocity: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    }
}

fn on_grid(start: u32, end: u32, pitch: u8, velocity: u8) -> QuantizedNote {
    QuantizedNote {
        start,
        end,
        pitch,
        velocity,
    }
}

fn score(instruments: Vec<Instrument>) -> Score {
    Score {
        instruments,
        ..Score::default()
    }
}

/// Two notes together, a longer silence, a short one: written out by hand from the table of ids.
const THREE_NOTES: [u16; 13] = [
    371, // velocity 61–64, bin 16
    60, 64, // begin
    280, 192, // 25 steps; 64 ends
    280, 188, // 25 steps; 60 ends
    355, 280, // a second and 25 steps
    387, 67, // velocity 125–127, bin 32; begins
    256, 195, // a step; 67 ends
];

fn three_notes() -> [Note; 3] {
    [
        note(0.0, 0.5, 60, 64),
        note(0.0, 0.25, 64, 63),
        note(1.7501, 1.7502, 67, 127),
    ]
}

#[test]
fn the_vocabulary_is_in_order() {
    assert_eq!((EVENTS, VOCABULARY), (388, 394));
    for (event, id) in [
        (Event::NoteOn(0), 0),
        (Event::NoteOn(127), 127),
        (Event::NoteOff(0), 128),
        (Event::NoteOff(127), 255),
        (Event::TimeShift(1), 256),
        (Event::TimeShift(100), 355),
        (Event::Velocity(1), 356),
        (Event::Velocity(32), 387),
    ] {
        assert_eq!((event.id(), Event::from_id(id)), (id, Some(event)));
    }
    for id in 0..EVENTS as u16 {
        assert_eq!(Event::from_id(id).map(Event::id), Some(id));
    }
    for id in [PAD, MASK, VOCABULARY as u16, u16::MAX] {
        assert_eq!(Event::from_id(id), None);
    }
    assert_eq!(Event::NoteOff(200).id(), 255);
    assert_eq!(Event::TimeShift(0).id(), 256);
}

#[test]
fn three_notes_by_hand() {
    let notes = quantize(&three_notes()).unwrap();
    assert_eq!(encode(&notes), THREE_NOTES);
    let decoded = decode(&THREE_NOTES);
    let expected = [
        on_grid(0, 50, 60, 62),
        on_grid(0, 25, 64, 62),
        on_grid(175, 176, 67, 126),
    ];
    assert_eq!(decoded.notes, expected);
    assert_eq!(decoded.positions, [1, 2, 10]);
    assert_eq!((decoded.steps, decoded.repairs), (176, Repairs::default()));
}

#[derive(Deserialize)]
struct Reference {
    file: String,
    is_drum_flag_cleared: bool,
    quantized_notes: Vec<(u32, u32, u8, u8)>,
    ids: Vec<u16>,
}

#[test]
fn ids_equal_note_seq() {
    let Some(folder) = support::shared("conformance/performance_tokens") else {
        return;
    };
    for number in 0..10 {
        let json = std::fs::read_to_string(folder.join(format!("{number:02}.json"))).unwrap();
        let reference: Reference = serde_json::from_str(&json).unwrap();
        let file = &reference.file;
        let score = Score::read(folder.join("../..").join(file)).unwrap();
        let options = TokenOptions {
            drums: reference.is_drum_flag_cleared,
            ..TokenOptions::NOTE_SEQ
        };
        let notes = quantize(&sounding_notes(&score, options.sustain, options.drums)).unwrap();
        let rows: Vec<_> = notes
            .iter()
            .map(|n| (n.start, n.end, n.pitch, n.velocity))
            .collect();
        assert_eq!(rows, reference.quantized_notes, "{file}");
        assert_eq!(tokenize(&score, &options).unwrap(), reference.ids, "{file}");

        // Nothing is lost but fractions of bins, and the grammar agrees.
        let separate = TokenOptions {
            overlaps: Overlaps::Separate,
            ..options
        };
        let ids = tokenize(&score, &separate).unwrap();
        let decoded = decode(&ids);
        let bins = |notes: &[QuantizedNote]| -> Vec<_> {
            notes
                .iter()
                .map(|n| (n.start, n.end, n.pitch, (n.velocity - 1) / 4))
                .collect()
        };
        assert_eq!(bins(&decoded.notes), bins(&separated(notes)), "{file}");
        assert_eq!(decoded.repairs, Repairs::default(), "{file}");
        assert_eq!(encode(&decoded.notes), ids, "{file}");
        let mut state = EventState::new();
        assert!(ids.iter().all(|&id| state.advance(id)), "{file}");
        assert!(state.advance(EOS), "{file}");
    }
}

#[test]
fn percussion_is_left_out_unless_asked_for() {
    let of = |pitch, is_drum| Instrument {
        is_drum,
        notes: vec![note(0.0, 0.1, pitch, 64)],
        ..Instrument::default()
    };
    let both = score(vec![of(60, false), of(36, true), of(72, false)]);
    let with_drums = TokenOptions {
        drums: true,
        ..TokenOptions::default()
    };
    let ids = |score: &Score, options| tokenize(score, &options).unwrap();
    assert_eq!(
        ids(&both, TokenOptions::default()),
        [371, 60, 72, 265, 188, 200]
    );
    assert_eq!(
        ids(&both, with_drums),
        [371, 36, 60, 72, 265, 164, 188, 200]
    );
    let only_drums = score(vec![of(36, true)]);
    assert_eq!(ids(&only_drums, TokenOptions::default()), [0_u16; 0]);
    assert_eq!(ids(&only_drums, with_drums), [371, 36, 265, 164]);
    assert_eq!(ids(&Score::default(), with_drums), [0_u16; 0]);
}

#[test]
fn the_pedal_holds_as_in_note_seq() {
    let pedal = |time_s, value| PedalEvent { time_s, value };
    let instrument = Instrument {
        notes: vec![
            note(0.0, 0.2, 60, 80),  // released before the pedal
            note(0.0, 1.0, 62, 80),  // released at the moment it goes down
            note(0.5, 3.0, 64, 80),  // begun again under the pedal while its key is held
            note(1.5, 3.5, 64, 80),  // released after the pedal
            note(1.6, 1.7, 65, 80),  // leaves nothing beside the next
            note(1.6, 1.9, 65, 70),  // held until the pedal rises
            note(2.0, 2.1, 66, 80),  // begun when the pedal rises
            note(4.0, 4.25, 67, 80), // under a pedal that never rises
        ],
        pedal: vec![pedal(1.0, 64), pedal(2.0, 63), pedal(4.0, 127)],
        ..Instrument::default()
    };
    let other = Instrument {
        notes: vec![note(4.0, 5.0, 40, 80), note(0.0, 0.5, 41, 80)],
        ..Instrument::default()
    };
    let drums = Instrument {
        is_drum: true,
        notes: vec![note(0.0, 9.0, 36, 80)],
        pedal: vec![pedal(6.0, 0)],
        ..Instrument::default()
    };
    let both = score(vec![instrument, other, drums]);
    let ends = |sustain| -> Vec<(u8, f64)> {
        let notes = sounding_notes(&both, sustain, false);
        notes.iter().map(|n| (n.pitch, n.offset_s)).collect()
    };
    let held = [
        (60, 0.2),
        (62, 2.0),
        (64, 1.5),
        (64, 3.5),
        (65, 2.0),
        (66, 2.1),
        (67, 6.0),
        (40, 5.0),
        (41, 0.5),
    ];
    assert_eq!(ends(true), held);
    assert_eq!(ends(false)[1..4], [(62, 1.0), (64, 3.0), (64, 3.5)]);
}

#[test]
fn sequences_with_faults_are_mended() {
    let on = |pitch| Event::NoteOn(pitch).id();
    let off = |pitch| Event::NoteOff(pitch).id();
    let ids = [
        BOS,
        off(50), // sounds not
        on(60),
        on(62),
        off(62), // without length
        Event::TimeShift(10).id(),
        on(60), // sounds already
        SEP,
        Event::TimeShift(10).id(),
        off(60),
        1000,
        Event::TimeShift(10).id(),
        off(60),
        on(64),
        Event::TimeShift(5).id(), // 64 is not ended
        EOS,
        on(65),
    ];
    let decoded = decode(&ids);
    let expected = [
        on_grid(0, 20, 60, 98),
        on_grid(10, 30, 60, 98),
        on_grid(30, 35, 64, 98),
    ];
    assert_eq!(decoded.notes, expected);
    assert_eq!(decoded.positions, [2, 6, 13]);
    assert_eq!(decoded.steps, 35);
    let repairs = Repairs {
        lone_offs: 1,
        repeated_ons: 1,
        unended: 1,
        without_length: 1,
    };
    assert_eq!(decoded.repairs, repairs);
}

#[test]
fn overlaps_stay_or_are_separated() {
    let notes = [
        on_grid(0, 10, 60, 62),
        on_grid(0, 20, 60, 30),
        on_grid(15, 18, 60, 62),
    ];
    assert_eq!(
        encode(&notes),
        [371, 60, 363, 60, 265, 188, 260, 371, 60, 258, 188, 257, 188]
    );
    assert_eq!(
        separated(notes.to_vec()),
        [on_grid(0, 15, 60, 62), on_grid(15, 18, 60, 62)]
    );
}

#[test]
fn silence_is_a_chain_of_shifts() {
    let ids = encode(&quantize(&[note(3600.255, 3600.3, 60, 1)]).unwrap());
    assert_eq!(ids[..3600], [355; 3600]);
    assert_eq!(ids[3600..], [281, 356, 60, 259, 188]);
    assert_eq!(decode(&ids).notes, [on_grid(360_026, 360_030, 60, 2)]);
}

#[test]
fn impossible_notes_are_refused() {
    let refused = |note| quantize(&[note]).unwrap_err().to_string();
    assert!(refused(note(f64::NAN, 1.0, 60, 80)).contains("onset is NaN"));
    assert!(refused(note(-0.1, 1.0, 60, 80)).contains("0 or more"));
    assert!(refused(note(0.0, 1.0, 128, 80)).contains("pitch is 128"));
    assert!(refused(note(0.0, 1e300, 60, 80)).contains("within a day"));
    assert!(refused(note(86_400.0, 86_400.0, 60, 80)).contains("within a day"));
    assert_eq!(quantize(&[]).unwrap(), []);
    assert_eq!(
        quantize(&[note(1.0, 1.0, 60, 80)]).unwrap(),
        [on_grid(100, 101, 60, 80)]
    );
}

#[test]
fn the_grammar_allows_what_can_sound() {
    let allows = |state: &EventState| -> Vec<Event> {
        state.allowed().ids().filter_map(Event::from_id).collect()
    };
    let mut state = EventState::new();
    // Nothing has a velocity yet, nothing sounds, and an empty piece is none.
    assert_eq!(state.allowed().len(), 100 + 32);
    assert!(!state.allowed().contains(EOS));

    assert!(state.advance(Event::Velocity(16).id()));
    assert_eq!(
        allows(&state),
        (0..128).map(Event::NoteOn).collect::<Vec<_>>()
    );

    // A note has begun: another, a change of loudness or time.
    assert!(state.advance(60) && state.advance(127));
    assert_eq!(state.allowed().len(), 126 + 100 + 31);
    assert!(!state.allowed().contains(188) && !state.allowed().contains(60));
    assert_eq!(state.sounding().collect::<Vec<_>>(), [60, 127]);
    assert_eq!(state.closing(), [256, 188, 255]);

    // Time has passed, less than the longest shift: no more of it; ends.
    assert!(state.advance(Event::TimeShift(99).id()));
    assert_eq!(state.allowed().len(), 126 + 2 + 31);
    assert!(state.advance(188));
    assert_eq!(state.allowed().len(), 127 + 1 + 31 + 100);
    assert!(!state.allowed().contains(EOS));
    assert!(state.advance(255) && state.allowed().contains(EOS));
    assert!(state.advance(Event::TimeShift(100).id()) && state.advance(256));
    assert!(state.advance(EOS));
    assert_eq!(state.allowed().ids().collect::<Vec<_>>(), [PAD]);
    assert!(!state.advance(60) && state.advance(PAD));

    let mut logits = [0.0; VOCABULARY];
    EventState::after(&[371, 60, 256])
        .allowed()
        .restrict(&mut logits);
    let possible = logits.iter().filter(|logit| logit.is_finite()).count();
    assert_eq!(possible, 127 + 1 + 31);
    assert_eq!((logits[60], logits[188]), (f32::NEG_INFINITY, 0.0));
}

#[test]
fn the_grammar_goes_on_from_sequences_against_it() {
    // Two notes at once on one pitch: both have to end.
    let mut state = EventState::new();
    assert!([371, 60].iter().all(|&id| state.advance(id)));
    assert!(!state.advance(60));
    assert_eq!(state.closing(), [256, 188, 188]);
    state.advance(256);
    assert!(state.advance(188) && !state.allowed().contains(EOS));
    assert!(state.advance(188) && state.allowed().contains(EOS));
    // All pitches sound and a velocity waits for one: time goes on.
    let mut full: Vec<u16> = vec![371];
    full.extend(0..128);
    full.push(372);
    let state = EventState::after(&full);
    assert_eq!(
        state.allowed().ids().collect::<Vec<_>>(),
        (256..356).collect::<Vec<_>>()
    );
}

#[test]
fn targets_are_the_next_note() {
    let next = |pitch, duration_bin, dynamics_bin| {
        Some(NextNote {
            pitch,
            duration_bin,
            dynamics_bin,
        })
    };
    // 32 · log1000: of 50 is 18.1, of 25 is 14.9, of 1 is 0.
    let (first, second, third) = (next(60, 18, 3), next(64, 14, 3), next(67, 0, 7));
    let mut expected = vec![first, first, second];
    expected.extend([third; 8]);
    expected.extend([None; 2]);
    assert_eq!(next_notes(&THREE_NOTES), expected);
    // Special tokens have targets as well; what is no note is none.
    assert_eq!(next_notes(&[BOS, 60, 188, 371, 62]), [None; 5]);
    assert_eq!(next_notes(&[]), []);

    assert_eq!(
        [0.0, 0.01, 9.99, 10.0, 1e9].map(duration_bin),
        [0, 0, 31, 31, 31]
    );
    assert_eq!([f64::NAN, -1.0].map(duration_bin), [0, 0]);
    assert_eq!([1, 15, 16, 127, 255].map(dynamics_bin), [0, 0, 1, 7, 7]);
    for bin in 0..32 {
        assert_eq!(duration_bin(duration_of_bin_s(bin)), bin);
    }
    // A sixty-fourth of three decades above 10 ms.
    assert!((duration_of_bin_s(0) - 0.01 * 1000_f64.powf(1.0 / 64.0)).abs() < 1e-12);
}

#[test]
fn keys_and_tempi_change() {
    let up = transposed_events(&THREE_NOTES, 2).unwrap();
    assert_eq!(
        up,
        [371, 62, 66, 280, 194, 280, 190, 355, 280, 387, 69, 256, 197]
    );
    assert_eq!(
        transposed_events(&THREE_NOTES, 60).map(|ids| ids[10]),
        Some(127)
    );
    assert_eq!(transposed_events(&THREE_NOTES, 61), None);
    assert_eq!(transposed_events(&THREE_NOTES, -61), None);
    assert_eq!(
        transposed_events(&[BOS, 188, EOS], -60),
        Some(vec![BOS, 128, EOS])
    );
    let notes = transposed_notes(&three_notes(), -60).unwrap();
    assert_eq!(notes.iter().map(|n| n.pitch).collect::<Vec<_>>(), [0, 4, 7]);
    assert_eq!(transposed_notes(&three_notes(), i8::MIN), None);

    let faster = notes_at_tempo(&three_notes(), 2.0).unwrap();
    assert_eq!((faster[0].onset_s, faster[0].offset_s), (0.0, 0.25));
    // 25 steps halved are 12.5, and halves go up; the shortest note stays a step long.
    assert_eq!(
        events_at_tempo(&THREE_NOTES, 2.0, Overlaps::Separate).unwrap(),
        [371, 60, 64, 268, 192, 267, 188, 318, 387, 67, 256, 195]
    );
    assert_eq!(
        events_at_tempo(&THREE_NOTES, 1.0, Overlaps::Separate).unwrap(),
        THREE_NOTES
    );
    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(notes_at_tempo(&three_notes(), factor).is_err());
        assert!(events_at_tempo(&THREE_NOTES, factor, Overlaps::Separate).is_err());
    }
    let message = events_at_tempo(&THREE_NOTES, 1e-6, Overlaps::Separate)
        .unwrap_err()
        .to_string();
    assert!(message.contains("a day at most"), "{message}");
}

prop_compose! {
    /// Notes on the grid, sorted, that do not overlap at one pitch.
    fn grid_notes()(moves in prop::collection::vec((0_u32..300, 1_u32..300, 0_u8..128, 1_u8..=32), 0..80)) -> Vec<QuantizedNote> {
        let mut free = [0; 128];
        let mut notes: Vec<_> = moves
            .into_iter()
            .map(|(gap, length, pitch, bin)| {
                let from = &mut free[usize::from(pitch)];
                let start = *from + gap;
                *from = start + length;
                on_grid(start, start + length, pitch, 4 * bin - 2)
            })
            .collect();
        notes.sort_by_key(|n| (n.start, n.pitch));
        notes
    }
}

fn seconds(notes: &[QuantizedNote]) -> Vec<Note> {
    notes.iter().map(|n| n.to_note(100.0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn notes_on_the_grid_come_back(notes in grid_notes()) {
        let ids = encode(&notes);
        let decoded = decode(&ids);
        prop_assert_eq!(&decoded.notes, &notes);
        prop_assert_eq!(decoded.repairs, Repairs::default());
        prop_assert_eq!(&quantize(&decoded.to_notes()).unwrap(), &notes);
        prop_assert_eq!(&encode(&decoded.notes), &ids);
        let mut state = EventState::new();
        prop_assert!(ids.iter().all(|&id| state.advance(id)));
        prop_assert_eq!(state.advance(EOS), !notes.is_empty());

        // Through a MIDI file as well.
        let bytes = encode_midi(&seconds(&notes), &WriteOptions::default()).unwrap();
        let score = Score::from_bytes(&bytes, "memory").unwrap();
        prop_assert_eq!(tokenize(&score, &TokenOptions::default()).unwrap(), ids);
    }

    #[test]
    fn notes_off_the_grid_move_by_half_a_step(
        times in prop::collection::vec((0.0..60.0_f64, 0.01..5.0_f64, 1_u8..=127), 1..60),
    ) {
        let wanted: Vec<Note> = (30..).zip(&times).map(|(pitch, &(onset_s, length_s, velocity))| {
            note(onset_s, onset_s + length_s, pitch, velocity)
        }).collect();
        let mut found = decode(&encode(&quantize(&wanted).unwrap())).to_notes();
        found.sort_by_key(|n| n.pitch);
        prop_assert_eq!(found.len(), wanted.len());
        for (a, b) in found.iter().zip(&wanted) {
            prop_assert_eq!(a.pitch, b.pitch);
            prop_assert!((a.onset_s - b.onset_s).abs() < 0.005 + 1e-9, "{:?} {:?}", a, b);
            prop_assert!((a.offset_s - b.offset_s).abs() < 0.01 + 1e-9, "{:?} {:?}", a, b);
            prop_assert!(a.velocity.abs_diff(b.velocity) <= 2, "{:?} {:?}", a, b);
        }
    }

    #[test]
    fn anything_decodes_and_then_stays(ids in prop::collection::vec(prop_oneof![0_u16..400, Just(60), Just(188), any::<u16>()], 0..300)) {
        let decoded = decode(&ids);
        for (note, &position) in decoded.notes.iter().zip(&decoded.positions) {
            prop_assert!(note.start < note.end && note.end <= decoded.steps);
            prop_assert_eq!(ids[position], u16::from(note.pitch));
        }
        prop_assert_eq!(decode(&encode(&decoded.notes)).notes, decoded.notes);
        prop_assert_eq!(next_notes(&ids).len(), ids.len());
        let mut state = EventState::after(&ids);
        prop_assert!(!state.allowed().is_empty());
        for id in state.closing() {
            state.advance(id);
        }
        prop_assert_eq!(state.sounding().count(), 0);
        // The ids that end everything end it for decoding, too.
        if !ids.contains(&EOS) {
            let closed = [ids.clone(), EventState::after(&ids).closing()].concat();
            prop_assert_eq!(decode(&closed).repairs.unended, 0);
        }
    }

    #[test]
    fn what_the_grammar_allows_needs_no_repair(choices in prop::collection::vec(any::<prop::sample::Index>(), 0..300)) {
        let mut state = EventState::new();
        let mut ids = Vec::new();
        for choice in choices {
            let allowed: Vec<u16> = state.allowed().ids().filter(|&id| id != EOS).collect();
            let id = allowed[choice.index(allowed.len())];
            prop_assert!(state.advance(id));
            ids.push(id);
        }
        ids.extend(state.closing());
        let decoded = decode(&ids);
        prop_assert_eq!(decoded.repairs, Repairs::default());
        let ons = ids.iter().filter(|&&id| id < 128).count();
        prop_assert_eq!(decoded.notes.len(), ons);
        prop_assert_eq!(&decode(&encode(&decoded.notes)).notes, &decoded.notes);
        prop_assert_eq!(&separated(decoded.notes.clone()), &decoded.notes);
    }

    #[test]
    fn a_key_there_and_back_is_the_same(notes in grid_notes(), semitones in -127_i8..=127) {
        let ids = encode(&notes);
        let low = notes.iter().map(|n| i32::from(n.pitch)).min();
        let high = notes.iter().map(|n| i32::from(n.pitch)).max();
        let fits = low.is_none_or(|low| low + i32::from(semitones) >= 0)
            && high.is_none_or(|high| high + i32::from(semitones) < 128);
        let moved = transposed_events(&ids, semitones);
        prop_assert_eq!(moved.is_some(), fits);
        if let Some(moved) = moved {
            let by_notes = transposed_notes(&seconds(&notes), semitones).unwrap();
            prop_assert_eq!(&encode(&quantize(&by_notes).unwrap()), &moved);
            prop_assert_eq!(transposed_events(&moved, -semitones), Some(ids));
        }
    }
}
