//! `hemiola data`: list, validate, render.

mod support;

use std::fs;
use std::path::Path;

use hemiola::datasets::cache::{read_index, read_notes};
use support::{folder, hemiola, shared, write_pairs};

#[test]
fn the_list_tells_licences_and_what_may_be_shipped() {
    let at = folder();
    let text = hemiola(at.path(), &["data", "list"]).succeeded();
    for name in [
        "chorales",
        "giantmidi",
        "maps",
        "nottingham",
        "pairs",
        "pop909",
        "synthetic",
    ] {
        assert!(
            text.text().lines().any(|line| line.starts_with(name)),
            "{name}"
        );
    }
    let list = hemiola(at.path(), &["data", "list", "--json"])
        .succeeded()
        .json();
    let maps = list
        .as_array()
        .unwrap()
        .iter()
        .find(|set| set["name"] == "maps")
        .unwrap();
    // Emiya, Badeau and David, 2010: no commercial use.
    assert_eq!(maps["licence"], "CC BY-NC-SA");
    assert_eq!(maps["may_train"], false);
}

#[test]
fn a_whole_data_set_is_counted() {
    let at = folder();
    write_pairs(&at.path().join("mine"), 5);
    let ran = hemiola(at.path(), &["data", "validate", "pairs", "mine"]).succeeded();
    assert!(
        ran.text().contains("5 items (4 train, 1 dev), 30 notes"),
        "{}",
        ran.text()
    );
    let Some(maps) = shared("data/audio/maps_dev") else {
        return;
    };
    let ran = hemiola(
        at.path(),
        &["data", "validate", "maps", maps.to_str().unwrap()],
    )
    .succeeded();
    // As /README.md of the reference data states.
    assert!(
        ran.text()
            .contains("24 items (0 train, 24 dev), 5981 notes, 0.20 h"),
        "{}",
        ran.text()
    );
}

#[test]
fn faults_of_a_data_set_are_told() {
    let at = folder();
    let run = |arguments: &[&str]| hemiola(at.path(), &[&["data", "validate"], arguments].concat());
    write_pairs(&at.path().join("mine"), 3);
    fs::remove_file(at.path().join("mine/1.mid")).unwrap();
    run(&["pairs", "mine"]).failed(1, &["mine/1.wav", "MIDI"]);
    fs::write(at.path().join("mine/1.mid"), "MThd, but no music").unwrap();
    run(&["pairs", "mine"]).failed(1, &["mine/1.mid"]);
    fs::remove_file(at.path().join("mine/1.wav")).unwrap();
    run(&["pairs", "mine"]).failed(1, &["mine/1.mid", "recording"]);
    run(&["pairs", "nowhere"]).failed(1, &["nowhere", "No such file"]);
    run(&["giantmidi", "mine"]).failed(2, &["--reserved"]);
    assert_eq!(run(&["mozart", "mine"]).code, 2);
    assert_eq!(run(&["pairs"]).code, 2);
}

#[test]
fn a_reserved_work_is_left_out() {
    let (Some(titles), Some(set)) = (
        shared("data/reserved_titles.txt"),
        shared("data/symbolic/giantmidi"),
    ) else {
        return;
    };
    let at = folder();
    let arguments = [
        "data",
        "validate",
        "giantmidi",
        set.to_str().unwrap(),
        "--reserved",
        titles.to_str().unwrap(),
    ];
    let ran = hemiola(at.path(), &arguments).succeeded();
    assert!(ran.text().contains(" items ("), "{}", ran.text());
}

const SOUNDFONT: &str = "/usr/share/sounds/sf2/TimGM6mb.sf2";

fn recipe(more: &str) -> String {
    format!(
        r#"seed = 3
sample_rate = 16000
{more}
[[sources]]
set = "synthetic"
train_hours = 0.004
dev_hours = 0.002
excerpt_s = [3.0, 6.0]
whole = false

[[pianos]]
name = "grand"
soundfont = "{SOUNDFONT}"
bank = 0
program = 0
weight = 1
"#
    )
}

#[test]
fn a_recipe_is_rendered_the_same_whatever_the_threads() {
    if !Path::new(SOUNDFONT).is_file() {
        assert!(std::env::var_os("CI").is_none(), "{SOUNDFONT} is missing");
        return;
    }
    let at = folder();
    fs::write(at.path().join("r.toml"), recipe("")).unwrap();
    for (out, jobs) in [("one", "1"), ("two", "2")] {
        let ran = hemiola(
            at.path(),
            &["data", "render", "r.toml", "-o", out, "-j", jobs],
        );
        assert!(ran.succeeded().stderr.contains("renditions"));
    }
    let index = read_index(&at.path().join("one")).unwrap();
    assert_eq!(index, read_index(&at.path().join("two")).unwrap());
    assert!(!index.renditions.is_empty());
    for entry in &index.renditions {
        let bytes = |folder| fs::read(at.path().join(folder).join(&entry.audio)).unwrap();
        assert!(bytes("one") == bytes("two"), "{}", entry.audio);
        let notes = read_notes(&at.path().join("one"), entry).unwrap();
        assert_eq!(notes.len(), entry.note_count);
    }
}

#[test]
fn impossible_recipes_are_refused_by_the_name_of_the_key() {
    let at = folder();
    let run = |text: &str| {
        fs::write(at.path().join("r.toml"), text).unwrap();
        hemiola(at.path(), &["data", "render", "r.toml", "-o", "out"])
    };
    run(&recipe("sed = 4")).failed(1, &["r.toml", "line 3", "sed"]);
    run(&recipe("variation = { tempo = [1.2, 0.8] }")).failed(1, &["r.toml", "tempo"]);
    run(&recipe("variation = { left_share = [0.8, 0.2] }")).failed(1, &["left_share"]);
    run(&recipe("variation = { tempos = [0.8, 1.2] }")).failed(1, &["r.toml", "tempos"]);
    run(&recipe("").replace("weight = 1", "weight = 0")).failed(1, &["grand", "weight"]);
    run(&recipe("").replace("0.004", "inf")).failed(1, &["train_hours", "inf"]);
    run(&recipe("").replace("16000", "0")).failed(1, &["sample_rate"]);
    run(&recipe("").replace("seed = 3", "")).failed(1, &["r.toml", "seed"]);
    run(&recipe("").replace(SOUNDFONT, "nowhere.sf2")).failed(1, &["nowhere.sf2", "No such file"]);
    run(&recipe("").replace("synthetic", "mozart")).failed(1, &["mozart", "synthetic"]);
    run("[[sources").failed(1, &["r.toml", "line 1"]);
    hemiola(at.path(), &["data", "render", "none.toml", "-o", "out"])
        .failed(1, &["none.toml", "No such file"]);
    assert_eq!(hemiola(at.path(), &["data", "render", "r.toml"]).code, 2);
    assert_eq!(
        hemiola(
            at.path(),
            &["data", "render", "r.toml", "-o", "out", "-j", "0"]
        )
        .code,
        2
    );
}

#[test]
fn the_recipe_of_the_shipped_model_is_possible() {
    let recipe = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../recipes/piano-renditions.toml"
    );
    hemiola::datasets::plan::RenderRecipe::read(recipe).unwrap();
}
