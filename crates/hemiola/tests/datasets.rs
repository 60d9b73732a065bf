//! Data sets: what is read is what the files say, and what must stay apart stays apart.

mod support;

use std::collections::HashSet;
use std::path::Path;

use hemiola::datasets::reserved::Reserved;
use hemiola::datasets::{DataSet, Performance, Split, open, validate};
use hemiola::midi::PedalEvent;
use hemiola::music::Note;
use support::shared;

fn reserved() -> Option<Reserved> {
    shared("data/reserved_titles.txt").map(|path| Reserved::read(path).unwrap())
}

fn check(set: &dyn DataSet, train: usize, dev: usize, hours: f64) {
    let report = validate(set);
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.train_items, report.dev_items), (train, dev));
    assert!((report.hours - hours).abs() < 0.05, "{} h", report.hours);
}

#[test]
fn pop909_is_as_its_table_says() {
    let Some(folder) = shared("data/symbolic/pop909") else {
        return;
    };
    let set = open("pop909", &folder, None).unwrap();
    let report = validate(set.as_ref());
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.train_items, report.dev_items), (727, 91));
    for item in set.items() {
        let number: u32 = item.name.parse().unwrap();
        assert_eq!(item.split == Split::Dev, number % 10 == 3);
    }
}

#[test]
fn nottingham_and_chorales_are_as_their_tables_say() {
    let Some(folder) = shared("data/symbolic/nottingham") else {
        return;
    };
    check(
        open("nottingham", &folder, None).unwrap().as_ref(),
        930,
        104,
        19.4,
    );
    let Some(folder) = shared("data/symbolic/chorales") else {
        return;
    };
    // 92,536 sixteenths of 0.1875 s.
    check(
        open("chorales", &folder, None).unwrap().as_ref(),
        229,
        153,
        92_536.0 * 0.1875 / 3600.0,
    );
}

#[test]
fn maps_is_never_trained_on() {
    let Some(folder) = shared("data/audio/maps_dev") else {
        return;
    };
    let set = open("maps", &folder, None).unwrap();
    assert!(!set.may_train());
    let report = validate(set.as_ref());
    assert_eq!(
        (report.train_items, report.dev_items, report.notes),
        (0, 24, 5981)
    );
    assert_eq!(report.problems, Vec::<String>::new());
}

#[test]
fn reserved_works_are_not_in_giantmidi() {
    let (Some(folder), Some(reserved)) = (shared("data/symbolic/giantmidi"), reserved()) else {
        return;
    };
    let set = open("giantmidi", &folder, Some(&reserved)).unwrap();
    assert_eq!(validate(set.as_ref()).problems, Vec::<String>::new());
    for word in ["bergamasque", "D760"] {
        assert!(
            set.items().iter().all(|item| !item.name.contains(word)),
            "{word} is still there"
        );
    }
    assert_eq!(set.left_out().len(), 7);
    assert_eq!(set.items().len(), 41);
    assert!(
        open("giantmidi", &folder, None).is_err(),
        "the list of reserved works is required"
    );
}

#[test]
fn splits_never_share_an_item() {
    let Some(data) = shared("data") else { return };
    let reserved = reserved();
    for (name, folder) in [
        ("pop909", "symbolic/pop909"),
        ("giantmidi", "symbolic/giantmidi"),
        ("nottingham", "symbolic/nottingham"),
        ("chorales", "symbolic/chorales"),
        ("synthetic", ""),
    ] {
        let set = open(name, &data.join(folder), reserved.as_ref()).unwrap();
        let side = |split| -> HashSet<&str> {
            let items = set.items().iter().filter(|item| item.split == split);
            items.map(|item| item.name.as_str()).collect()
        };
        let (train, dev) = (side(Split::Train), side(Split::Dev));
        assert!(!train.is_empty() && !dev.is_empty(), "{name}");
        assert!(train.is_disjoint(&dev), "{name}");
    }
}

#[test]
fn titles_are_told_apart_only_by_numbers_of_one_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("titles.txt");
    std::fs::write(
        &path,
        "# works\nFrédéric Chopin\tÉtude op. 10 no. 1 in C major\nW. A. Mozart\tPiano Sonata K. 331, 3rd movement (Alla turca)\n\
         Claude Debussy\tSuite bergamasque: Clair de lune\nFranz Schubert\tWanderer Fantasy D. 760, 3rd section\n",
    )
    .unwrap();
    let reserved = Reserved::read(&path).unwrap();
    let is = |text: &str| reserved.matches(text).is_some();
    assert!(is("Chopin_Etudes_Op10_xyz_no_1_cut.mid"));
    assert!(is("Chopin, Etudes, Op. 10"));
    assert!(!is("Chopin_Etudes_Op10_g0hoN6_HDVU_no_9_cut.mid"));
    assert!(!is("Chopin_Polonaise-fantaisie_Op61_177qJoCI9Zw.mid"));
    assert!(is("Mozart, Sonata in A major"));
    assert!(is("Mozart_Piano_Sonata_K331_mov_3"));
    assert!(!is("Mozart_Piano_Sonata_K331_mov_1"));
    assert!(!is("Mozart, Sonata in C major, K. 330, 3rd movement"));
    assert!(is("Debussy_Suite_bergamasque_cut_no_3.mid"));
    assert!(is("Debussy_Clair_de_Lune.mid"));
    assert!(!is("Debussy_Estampes_no_3.mid"));
    assert!(is("Schubert_Fantasie_in_C_major_D760_mov_1.mid"));
    assert!(!is("Schubert, Impromptus, D. 899, No. 4"));
    assert!(!is("Liszt, Etude, Op. 10 no. 1"));
}

fn note(onset_s: f64, offset_s: f64, pitch: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity: 64,
    }
}

#[test]
fn excerpts_keep_the_pedal_as_it_stands() {
    let pedal = [(0.5, 127), (3.0, 0)].map(|(time_s, value)| PedalEvent { time_s, value });
    let whole = Performance {
        notes: vec![note(0.0, 1.0, 60), note(1.0, 1.5, 62), note(2.0, 9.0, 64)],
        pedal: pedal.to_vec(),
    };
    let cut = whole.excerpt(1.0, 3.0);
    assert_eq!(cut.notes, vec![note(0.0, 0.5, 62), note(1.0, 3.0, 64)]);
    assert_eq!(cut.sounding_ends(), vec![2.0, 3.0]);
    let slow = cut.stretched(2.0);
    assert_eq!(slow.sounding_ends(), vec![4.0, 6.0]);
}

#[test]
fn a_recording_without_its_notes_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let touch = |name: &str| std::fs::write(folder.path().join(name), b"").unwrap();
    let error =
        |set: &str, folder: &Path| open(set, folder, None).map(|_| ()).unwrap_err().to_string();
    assert!(error("pairs", folder.path()).contains("found neither"));
    touch("a.wav");
    touch("a.mid");
    touch("b.flac");
    assert!(error("pairs", folder.path()).contains("b.flac"));
    assert!(error("maps", folder.path()).contains("a.wav"));
    touch("b.mid");
    touch("c.mid");
    assert!(error("pairs", folder.path()).contains("c.mid"));
    std::fs::remove_file(folder.path().join("c.mid")).unwrap();
    assert_eq!(open("pairs", folder.path(), None).unwrap().items().len(), 2);
}

#[test]
fn the_published_layout_of_maps_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.wav"), b"").unwrap();
    let table = "OnsetTime\tOffsetTime\tMidiPitch\n1.5\t2.0\t69\n\n0.5\t0.75\t60\n";
    std::fs::write(folder.path().join("x.txt"), table).unwrap();
    let set = open("maps", folder.path(), None).unwrap();
    let notes = set.read(&set.items()[0]).unwrap().notes;
    assert_eq!(notes, vec![note(0.5, 0.75, 60), note(1.5, 2.0, 69)]);
    std::fs::write(folder.path().join("x.txt"), "OnsetTime\n1.5 2.0 230\n").unwrap();
    let error = set.read(&set.items()[0]).unwrap_err().to_string();
    assert!(
        error.contains("x.txt") && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn synthetic_music_is_possible_low_and_soft_and_follows_from_its_seed() {
    let set = open("synthetic", Path::new(""), None).unwrap();
    let mut keys = HashSet::new();
    let (mut low, mut soft, mut all) = (0, 0, 0);
    for item in &set.items()[..60] {
        let piece = set.read(item).unwrap();
        assert_eq!(piece, set.read(item).unwrap());
        assert_eq!(piece.problem(), None);
        for note in &piece.notes {
            assert!((21..=108).contains(&note.pitch));
            keys.insert(note.pitch);
            low += usize::from(note.pitch < 48);
            soft += usize::from(note.velocity < 45);
            all += 1;
        }
        for pair in piece.notes.iter().enumerate() {
            let next = piece.notes[pair.0 + 1..]
                .iter()
                .find(|next| next.pitch == pair.1.pitch);
            assert!(next.is_none_or(|next| next.onset_s >= pair.1.offset_s));
        }
    }
    assert_eq!(keys.len(), 88);
    assert!(4 * low > all, "{low} of {all} notes are low");
    assert!(3 * soft > all, "{soft} of {all} notes are soft");
}
