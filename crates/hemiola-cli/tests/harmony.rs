//! `hemiola harmony`, run as a user runs it, with its built-in model.

mod support;

use std::fs;

use support::{Ran, folder, hemiola};
use tempfile::TempDir;

fn harmony(at: &TempDir, arguments: &[&str]) -> Ran {
    hemiola(at.path(), &[&["harmony"], arguments].concat())
}

#[test]
fn a_progression_has_its_numerals_in_every_key() {
    let at = folder();
    for (chords, key) in [
        ("C:maj A:min F:maj G:7 C:maj", "C major"),
        ("Eb:maj C:min Ab:maj Bb:7 Eb:maj", "Eb major"),
    ] {
        let ran = harmony(&at, &[chords]).succeeded();
        let rows: Vec<Vec<&str>> = ran
            .text()
            .lines()
            .map(|l| l.split('\t').collect())
            .collect();
        let numerals: Vec<&str> = rows.iter().map(|row| row[1]).collect();
        assert_eq!(numerals, ["I", "vi", "IV", "V7", "I"]);
        assert!(rows.iter().all(|row| row[2] == key), "{rows:?}");
        // Words may come one by one, and bars may part them.
        let words: Vec<&str> = chords.split(' ').collect();
        assert_eq!(harmony(&at, &words).succeeded().text(), ran.text());
        let barred = chords.replace(' ', " | ");
        assert_eq!(harmony(&at, &[&barred]).succeeded().text(), ran.text());
    }
}

#[test]
fn files_keep_their_times_and_json_says_the_same() {
    let at = folder();
    let lab = "0.0\t1.5\tN\n1.5\t3.0\tG:maj\n3.0\t4.0\tD:7/3\n4.0\t6.0\tG:maj\n";
    fs::write(at.path().join("a.lab"), lab).unwrap();
    let ran = harmony(&at, &["a.lab"]).succeeded();
    let rows: Vec<Vec<&str>> = ran
        .text()
        .lines()
        .map(|l| l.split('\t').collect())
        .collect();
    assert_eq!(rows[0][..4], ["0.000", "1.500", "N", "–"]);
    assert_eq!(rows[2][..4], ["3.000", "4.000", "D:7/3", "V65"]);
    harmony(&at, &["a.lab", "-o", "out/a.json"]).succeeded();
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(at.path().join("out/a.json")).unwrap()).unwrap();
    assert_eq!(json["mode"], "ionian");
    let chord = &json["chords"][2];
    assert_eq!(
        (&chord["numeral"], &chord["key"]),
        (&"V65".into(), &"G major".into())
    );
    assert_eq!(
        (&chord["degree"], &chord["start_s"]),
        (&5.into(), &3.0.into())
    );
    assert!(json["chords"][0]["numeral"].is_null());
}

#[test]
fn json_has_the_graph_that_the_network_reads() {
    let at = folder();
    let ran = harmony(&at, &["C F C N", "--format", "json"]).succeeded();
    let json: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
    let edges = json["edges"].as_array().unwrap();
    let there = |source: usize, target: usize, kind: &str| {
        edges.iter().any(|edge| {
            edge["source"] == source && edge["target"] == target && edge["type"] == kind
        })
    };
    for (source, target, kind) in [
        (0, 1, "next"),
        (0, 1, "fourth"),
        (1, 0, "fifth"),
        (0, 2, "repetition"),
        (2, 0, "repetition"),
        (2, 3, "next"),
    ] {
        assert!(there(source, target, kind), "{source} {target} {kind}");
    }
    assert!(!there(1, 0, "next") && !there(3, 0, "repetition"));
    // With its message to itself, what reaches a chord adds up to 1.
    for target in 0..4 {
        let into = edges.iter().filter(|edge| edge["target"] == target);
        let total: f64 = into.map(|edge| edge["weight"].as_f64().unwrap()).sum();
        assert!((0.05..1.0).contains(&total), "{total}");
    }
    let chords = json["chords"].as_array().unwrap().iter();
    let attention: f64 = chords
        .map(|chord| chord["attention"].as_f64().unwrap())
        .sum();
    assert!((attention - 1.0).abs() < 1e-5, "{attention}");
}

#[test]
fn the_graph_is_drawn() {
    let at = folder();
    fs::write(
        at.path().join("a.lab"),
        "0 1 C:maj\n1 2 A:min\n2 3 F:maj\n3 4 G:7\n",
    )
    .unwrap();
    harmony(&at, &["a.lab", "-o", "out/a.svg"]).succeeded();
    let svg = fs::read_to_string(at.path().join("out/a.svg")).unwrap();
    assert!(svg.starts_with("<svg"));
    for text in [
        ">A:min</text>",
        ">V7</text>",
        ">C major</text>",
        "a.lab",
        "fifth",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    let ran = harmony(&at, &["a.lab", "--format", "svg"]).succeeded();
    assert_eq!(ran.text(), svg);
    harmony(&at, &["C", "-o", "c.png"]).succeeded();
    let png = fs::read(at.path().join("c.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    // A longer piece is a table.
    let long = "C G ".repeat(300);
    harmony(&at, &[&long, "-o", "long.svg"]).failed(1, &["600 chords", "512", "json"]);
    assert!(!at.path().join("long.svg").exists());
}

#[test]
fn one_chord_and_ten_thousand_are_progressions() {
    let at = folder();
    assert_eq!(
        harmony(&at, &["C"]).succeeded().text(),
        "C:maj\tI\tC major\n"
    );
    let many = "C:maj F:maj G:7 C:maj ".repeat(2500);
    assert_eq!(
        harmony(&at, &[&many]).succeeded().text().lines().count(),
        10_000
    );
}

#[test]
fn what_is_no_progression_is_told() {
    let at = folder();
    fs::write(at.path().join("overlap.lab"), "0 2 C:maj\n1 3 G:maj\n").unwrap();
    for (input, words) in [
        ("C:maj Hm", &["chord 2", "Hm", "column 1"][..]),
        ("", &["empty progression"]),
        ("  | ", &["empty progression"]),
        ("missing.lab", &["missing.lab", "No such file"]),
        ("overlap.lab", &["overlap.lab", "line 2"]),
    ] {
        harmony(&at, &[input]).failed(1, words);
    }
    harmony(&at, &["C", "-o", "x.pdf"]).failed(2, &["pdf", "txt", "json", "svg", "png"]);
    harmony(&at, &["C", "-o", "x.txt", "--format", "json"]).failed(2, &["--format"]);
}
