//! `hemiola interpolate`, `vary`, `attribute` and `evaluate phrases` with a model of random weights.

mod support;

use std::fs;
use std::path::Path;

use hemiola::checkpoint::{self, Card, Precision};
use hemiola::formats::write_notes;
use hemiola::midi::Score;
use hemiola::models::music_vae::MusicVaeConfig;
use hemiola::tasks::phrases::{AttributeVector, PhraseSpaceConfig};
use support::{Ran, drawn, folder, hemiola, melody};
use tempfile::TempDir;

fn save(folder: &Path, attributes: &[&str]) {
    let sizes = MusicVaeConfig {
        input_dim: 176,
        latent_dim: 32,
        hidden_dim: 64,
        hierarchical: true,
    };
    let attributes = attributes.iter().map(|name| AttributeVector {
        name: (*name).to_owned(),
        direction: "more".into(),
        vector: vec![8.0; 32],
        scale: 1.0,
    });
    let task = PhraseSpaceConfig {
        attributes: attributes.collect(),
        ..PhraseSpaceConfig::default()
    };
    let model = drawn(11, |device| sizes.init(device));
    let card = Card::default();
    checkpoint::save(folder, &model, &sizes, &task, &card, Precision::Float32).unwrap();
}

/// A folder with two tunes, a model with two attributes, and one without.
fn with_model() -> TempDir {
    let at = folder();
    for seed in [1, 2] {
        write_notes(at.path().join(format!("{seed}.mid")), &melody(seed), None).unwrap();
    }
    save(&at.path().join("model"), &["density", "mode"]);
    save(&at.path().join("plain"), &[]);
    at
}

fn run(at: &TempDir, arguments: &str) -> Ran {
    hemiola(at.path(), &arguments.split(' ').collect::<Vec<_>>())
}

/// A MIDI file of one track with these bytes of events, at 480 ticks a quarter note.
fn midi(kind: u8, events: &[u8]) -> Vec<u8> {
    let mut bytes = b"MThd\0\0\0\x06\0".to_vec();
    bytes.extend([kind, 0, 1, 0x01, 0xe0]);
    bytes.extend(b"MTrk");
    let events = [events, &[0, 0xff, 0x2f, 0]].concat();
    bytes.extend((events.len() as u32).to_be_bytes());
    bytes.extend(events);
    bytes
}

#[test]
fn steps_are_written_with_all_of_them_joined() {
    let at = with_model();
    run(
        &at,
        "interpolate 1.mid 2.mid --steps 3 -o new/out --model model --plot way.svg",
    )
    .succeeded();
    let out = at.path().join("new/out");
    let mut names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["01.mid", "02.mid", "03.mid", "joined.mid"]);
    let notes = |name: &str| Score::read(out.join(name)).unwrap().notes().len();
    let parts: usize = ["01.mid", "02.mid", "03.mid"].map(notes).iter().sum();
    assert!(parts > 0);
    assert_eq!(notes("joined.mid"), parts);
    let picture = fs::read_to_string(at.path().join("way.svg")).unwrap();
    assert!(picture.contains("1 to 2 in 3 steps"), "{picture}");
    run(
        &at,
        "interpolate 1.mid 2.mid --steps 2 -o arc --model model --spherical",
    )
    .succeeded();
    let ends = ["out/01.mid", "out/03.mid"].map(|name| at.path().join("new").join(name));
    for (end, name) in ends.iter().zip(["arc/01.mid", "arc/02.mid"]) {
        assert_eq!(
            fs::read(end).unwrap(),
            fs::read(at.path().join(name)).unwrap()
        );
    }
}

#[test]
fn one_piece_is_made_of_another() {
    let at = with_model();
    let made = |arguments: &str| {
        run(&at, &format!("{arguments} -o - --model model"))
            .succeeded()
            .stdout
    };
    let still = made("vary 1.mid --amount 0");
    assert_eq!(&still[..4], b"MThd");
    assert_eq!(made("attribute 1.mid --density +0"), still);
    assert!(made("attribute 1.mid --density +1") != still);
    assert_eq!(made("attribute 1.mid --density -1 --mode +1"), still);
    assert_eq!(
        made("vary 1.mid --amount 0.9 --seed 4"),
        made("vary 1.mid --amount 0.9 --seed 4")
    );
    run(&at, "vary 1.mid --model model --plot both.png").succeeded();
    assert!(Score::read(at.path().join("1-varied.mid")).is_ok());
    assert_eq!(&fs::read(at.path().join("both.png")).unwrap()[1..4], b"PNG");
}

#[test]
fn wrong_use_is_told_and_nothing_is_written() {
    let at = with_model();
    for (arguments, words) in [
        (
            "interpolate 1.mid 2.mid --steps 1 -o out --model model",
            &["--steps", "from 2"][..],
        ),
        ("interpolate 1.mid 2.mid --model model", &["arguments"]),
        (
            "interpolate 1.mid 2.mid -o out --model nobody",
            &["nobody", "checkpoint folder"],
        ),
        (
            "interpolate 1.mid 2.mid -o out --model model --plot way.gif",
            &["way.gif", ".svg"],
        ),
        (
            "vary 1.mid --amount 1.5 -o out --model model",
            &["--amount", "0 to 1"],
        ),
        (
            "vary 1.mid --amount -0.5 -o out --model model",
            &["--amount", "0 to 1"],
        ),
        ("attribute 1.mid -o out --model model", &["--density"]),
        (
            "attribute 1.mid --density nan -o out --model model",
            &["--density", "-10 to +10"],
        ),
        (
            "attribute 1.mid --register +1 -o out --model model",
            &["register", "density, mode"],
        ),
        (
            "attribute 1.mid --density +1 -o out --model plain",
            &["plain", "nor any other"],
        ),
        (
            "attribute 1.mid --grandeur +1 -o out --model model",
            &["--grandeur"],
        ),
        ("evaluate phrases . --sets x --model model", &["arguments"]),
    ] {
        run(&at, arguments).failed(2, words);
        assert!(!at.path().join("out").exists(), "{arguments}");
    }
}

#[test]
fn music_that_cannot_be_read_is_told_and_nothing_is_written() {
    let at = with_model();
    let write = |name: &str, bytes: &[u8]| fs::write(at.path().join(name), bytes).unwrap();
    write("junk.mid", b"not a MIDI file");
    write("silent.mid", &midi(1, &[]));
    write("drums.mid", &midi(1, &[0, 0x99, 36, 90, 0x60, 0x89, 36, 0]));
    write("zero.mid", &midi(1, &[0, 0x90, 60, 90, 0, 0x80, 60, 0]));
    write("low.mid", &midi(1, &[0, 0x90, 5, 90, 0x60, 0x80, 5, 0]));
    for (name, words) in [
        ("nowhere.mid", &["nowhere.mid"][..]),
        ("junk.mid", &["junk.mid", "MIDI"]),
        ("silent.mid", &["silent.mid", "no note"]),
        ("drums.mid", &["drums.mid", "besides percussion"]),
        ("zero.mid", &["zero.mid", "no note"]),
        ("low.mid", &["low.mid", "pitches from 21 to 108"]),
    ] {
        for arguments in [
            format!("interpolate 1.mid {name} -o out --model model"),
            format!("vary {name} -o out --model model"),
        ] {
            run(&at, &arguments).failed(1, words);
            assert!(!at.path().join("out").exists(), "{arguments}");
        }
    }
    write("file", b"");
    run(&at, "interpolate 1.mid 2.mid -o file --model model").failed(2, &["file"]);
    run(&at, "vary 1.mid -o file/out.mid --model model").failed(1, &["file"]);
    run(&at, "vary 1.mid -o out --model .").failed(1, &["config.json"]);
}

#[test]
fn odd_files_are_read() {
    let at = with_model();
    let write = |name: &str, bytes: &[u8]| fs::write(at.path().join(name), bytes).unwrap();
    let note = [0, 0x90, 60, 90, 0x60, 0x80, 60, 0];
    write(
        "hanging.mid",
        &midi(1, &[0, 0x90, 60, 90, 0x60, 0xb0, 1, 1]),
    );
    write("type2.mid", &midi(2, &note));
    write(
        "tempo0.mid",
        &midi(1, &[&[0, 0xff, 0x51, 3, 0, 0, 0][..], &note].concat()),
    );
    // A sixteenth, in a bar of its own after half an hour.
    write(
        "late.mid",
        &midi(1, &[0xe9, 0xbc, 0x00, 0x90, 60, 90, 0x60, 0x80, 60, 0]),
    );
    for name in ["hanging.mid", "type2.mid", "tempo0.mid", "late.mid"] {
        run(&at, &format!("vary {name} -o {name}.out --model model")).succeeded();
        assert!(Score::read(at.path().join(format!("{name}.out"))).is_ok());
    }
}

#[test]
fn a_space_is_measured() {
    let at = with_model();
    fs::create_dir(at.path().join("music")).unwrap();
    for seed in 1..5 {
        write_notes(
            at.path().join(format!("music/{seed}.mid")),
            &melody(seed),
            None,
        )
        .unwrap();
    }
    let arguments = "evaluate phrases music --pairs 6 --steps 4 --model model";
    let scores = run(&at, &format!("{arguments} --json")).succeeded().json();
    assert_eq!(scores["pieces"], 4);
    let pairs = scores["pairs"].as_u64().unwrap();
    assert!((1..=6).contains(&pairs) && scores["steps"] == 4, "{scores}");
    for key in [
        "sounding_f1",
        "interpolation_spearman",
        "crossfade_reversals",
        "density_on_mode",
    ] {
        assert!(scores[key].is_number(), "{key} is not in {scores}");
    }
    let text = run(&at, arguments).succeeded();
    assert!(
        text.text()
            .lines()
            .any(|line| line.starts_with("active_units "))
    );

    fs::write(
        at.path().join("list.csv"),
        "file,split,set\n1.mid,dev,a\n2.mid,train,a\n3.mid,dev,b\n",
    )
    .unwrap();
    let listed = format!("{arguments} --json --list list.csv");
    assert_eq!(run(&at, &listed).succeeded().json()["pieces"], 2);
    run(&at, &format!("{listed} --sets a")).failed(1, &["two or more"]);
    fs::write(at.path().join("music/5.mid"), "junk").unwrap();
    let most = run(&at, &format!("{arguments} --json")).failed(1, &["5.mid"]);
    assert_eq!(most.json()["pieces"], 4);
}
