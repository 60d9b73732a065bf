//! A folder of MIDI files: what can be read is read, the rest is named, and sides never change.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hemiola::datasets::midi_folder::{FolderRolls, MidiFolder, RollFrames};
use hemiola::datasets::reading::ReadAhead;
use hemiola::datasets::reserved::Reserved;
use hemiola::datasets::{DataSet, Item, Split};
use hemiola::midi::{WriteOptions, encode_midi, write_midi};
use hemiola::music::{Note, RollOptions};
use hemiola::tokens::TokenOptions;

const NOTE: Note = Note {
    onset_s: 0.5,
    offset_s: 1.0,
    pitch: 60,
    velocity: 64,
};

fn write(folder: &Path, name: &str, track: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let options = WriteOptions {
        name: track.into(),
        ..WriteOptions::default()
    };
    write_midi(path, &[NOTE], &options).unwrap();
}

fn names(folder: &MidiFolder) -> Vec<&str> {
    folder.items().iter().map(|i| i.name.as_str()).collect()
}

#[test]
fn folders_are_walked_in_order_and_faults_named() {
    let at = tempfile::tempdir().unwrap();
    for name in ["b.mid", "a/z.MIDI", "a/b/c.mid", "a.mid"] {
        write(at.path(), name, "");
    }
    std::fs::write(at.path().join("a/broken.mid"), "no MIDI").unwrap();
    std::fs::write(at.path().join("a/text.txt"), "no MIDI").unwrap();
    let silent = encode_midi(&[], &WriteOptions::default()).unwrap();
    std::fs::write(at.path().join("silent.mid"), silent).unwrap();

    let folder = MidiFolder::open(at.path(), None, 0.0).unwrap();
    assert_eq!(
        names(&folder),
        [
            "a.mid",
            "a/b/c.mid",
            "a/broken.mid",
            "a/z.MIDI",
            "b.mid",
            "silent.mid"
        ]
    );
    let read = folder.events(Split::Train, &TokenOptions::default());
    let pieces: Vec<_> = read.pieces.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(pieces, ["a.mid", "a/b/c.mid", "a/z.MIDI", "b.mid"]);
    assert_eq!(read.pieces[0].1, [305, 371, 60, 305, 188]);
    assert_eq!(read.skipped.len(), 2, "{:?}", read.skipped);
    assert!(read.skipped[0].contains("broken.mid"));
    assert!(read.skipped[1].contains("no note"), "{:?}", read.skipped);

    let rolls = |frames| FolderRolls {
        frames,
        roll: RollOptions::default(),
        sustain: false,
        drums: false,
    };
    // At 120 BPM a sixteenth lasts 1/8 s.
    for frames in [RollFrames::PerSecond(8.0), RollFrames::PerQuarter(4)] {
        let read = folder.rolls(Split::Train, &rolls(frames));
        assert_eq!((read.pieces.len(), read.skipped.len()), (4, 2));
        let roll = &read.pieces[0].1;
        let sounding: Vec<usize> = (0..roll.frames())
            .filter(|frame| roll.values[frame * 88 + 39] == 1.0)
            .collect();
        assert_eq!(sounding, [4, 5, 6, 7], "{frames:?}");
    }
    let bad = folder.rolls(Split::Train, &rolls(RollFrames::PerSecond(0.0)));
    assert_eq!(bad.skipped.len(), 6);
}

#[test]
fn folders_without_music_are_refused() {
    let at = tempfile::tempdir().unwrap();
    let message = |path: &Path, share| MidiFolder::open(path, None, share).unwrap_err().to_string();
    assert!(message(at.path(), 0.1).contains("expected MIDI files"));
    assert!(message(&at.path().join("missing"), 0.1).contains("missing"));
    assert!(message(at.path(), 1.5).contains("dev share of 1.5"));
    assert!(message(at.path(), f64::NAN).contains("NaN"));
}

#[test]
fn reserved_works_stay_out_by_path_and_by_track() {
    let at = tempfile::tempdir().unwrap();
    let list = at.path().join("reserved.txt");
    std::fs::write(&list, "Frédéric Chopin\tÉtude op. 10 no. 1 in C major\n").unwrap();
    let reserved = Reserved::read(&list).unwrap();
    write(at.path(), "Chopin/Op10/no_1.mid", "");
    write(at.path(), "Chopin/Op10/no_2.mid", "");
    write(at.path(), "Chopin/x.mid", "Etude op. 10 no. 1");
    write(at.path(), "y.mid", "Chopin, Etude op. 10 no. 1");
    write(at.path(), "z.mid", "Liszt, Etude op. 10 no. 1");

    let folder = MidiFolder::open(at.path(), Some(&reserved), 0.0).unwrap();
    assert_eq!(
        names(&folder),
        ["Chopin/Op10/no_2.mid", "Chopin/x.mid", "y.mid", "z.mid"]
    );
    assert_eq!(folder.left_out().len(), 1);
    assert!(folder.left_out()[0].starts_with("Chopin/Op10/no_1.mid: may be the reserved"));
    let read = folder.events(Split::Train, &TokenOptions::default());
    let pieces: Vec<_> = read.pieces.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(pieces, ["Chopin/Op10/no_2.mid", "z.mid"]);
    assert!(
        read.skipped
            .iter()
            .all(|why| why.contains("may be the reserved"))
    );
    assert!(folder.read(&folder.items()[1]).is_err());
    // Without the list nothing is reserved.
    assert_eq!(
        MidiFolder::open(at.path(), None, 0.0)
            .unwrap()
            .items()
            .len(),
        5
    );
}

#[test]
fn sides_depend_on_names_alone() {
    let at = tempfile::tempdir().unwrap();
    let sides = |share| -> BTreeMap<String, Split> {
        let folder = MidiFolder::open(at.path(), None, share).unwrap();
        let items = folder.items().iter();
        items.map(|item| (item.name.clone(), item.split)).collect()
    };
    for number in 0..500 {
        std::fs::write(at.path().join(format!("{number:03}.mid")), "").unwrap();
    }
    let before = sides(0.2);
    for number in 500..1000 {
        std::fs::write(at.path().join(format!("{number:03}.mid")), "").unwrap();
    }
    let after = sides(0.2);
    assert!(before.iter().all(|(name, side)| after[name] == *side));
    let dev =
        |sides: &BTreeMap<String, Split>| sides.values().filter(|s| **s == Split::Dev).count();
    // Four standard deviations of 1000 draws.
    assert!(dev(&after).abs_diff(200) < 51, "{}", dev(&after));
    // A larger share keeps what was dev.
    let larger = sides(0.4);
    assert!(
        after
            .iter()
            .all(|(name, side)| *side == Split::Train || larger[name] == Split::Dev)
    );
    assert_eq!((dev(&sides(0.0)), dev(&sides(1.0))), (0, 1000));
}

fn items(count: usize) -> Vec<Item> {
    (0..count)
        .map(|number| Item {
            name: number.to_string(),
            split: Split::Train,
            notes: number.to_string().into(),
            audio: None,
        })
        .collect()
}

#[test]
fn items_are_read_ahead_in_order() {
    let counter = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = counter.clone();
    let mut ahead = ReadAhead::new(items(1000), 4, move |item| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(item.name.parse::<usize>().unwrap() * 2)
    });
    for expected in 0..10 {
        let (item, value) = ahead.next().unwrap();
        assert_eq!(
            (item.name, value.unwrap()),
            (expected.to_string(), 2 * expected)
        );
    }
    // Ten taken, four waiting, four being handed over, and the one in the reader's hand.
    assert!(counter.load(std::sync::atomic::Ordering::SeqCst) <= 10 + 4 + 4 + 1);
    drop(ahead);
    let all = ReadAhead::new(items(13), 0, |item| Ok(item.name.clone()));
    assert_eq!(all.count(), 13);
}

#[test]
fn a_panic_while_reading_is_not_taken_for_the_end() {
    let reading = std::panic::catch_unwind(|| {
        ReadAhead::new(items(3), 1, |item| {
            assert_ne!(item.name, "1");
            Ok(())
        })
        .count()
    });
    assert!(reading.is_err());
}

#[test]
fn collections_read_whole() {
    let Some(data) = support::shared("data/symbolic") else {
        return;
    };
    let drums = TokenOptions {
        drums: true,
        ..TokenOptions::default()
    };
    for (set, files, options) in [
        ("nottingham", 1034, TokenOptions::default()),
        ("pop909", 818, TokenOptions::default()),
        ("groove", 1150, drums),
    ] {
        let folder = MidiFolder::open(&data.join(set), None, 0.1).unwrap();
        let [train, dev] = [Split::Train, Split::Dev].map(|split| folder.events(split, &options));
        assert_eq!(folder.items().len(), files, "{set}");
        assert_eq!(train.pieces.len() + dev.pieces.len(), files, "{set}");
        assert!(
            dev.pieces.len() * 20 > files && dev.pieces.len() * 6 < files,
            "{set}"
        );
    }
    let folder = MidiFolder::open(&data.join("groove"), None, 0.0).unwrap();
    let read = folder.events(Split::Train, &TokenOptions::default());
    assert_eq!(read.pieces, []);
    assert!(
        read.skipped
            .iter()
            .all(|why| why.contains("no note in it besides percussion"))
    );

    let reserved = Reserved::read(data.join("../reserved_titles.txt")).unwrap();
    let folder = MidiFolder::open(&data.join("giantmidi/giantmidi"), Some(&reserved), 0.1).unwrap();
    assert!(
        names(&folder)
            .iter()
            .all(|name| !name.contains("bergamasque"))
    );
    assert!(!folder.left_out().is_empty());
}
