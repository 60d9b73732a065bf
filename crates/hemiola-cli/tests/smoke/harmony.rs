//! The smallest harmony model, and what `hemiola evaluate harmony` says of it.

use std::fs;
use std::path::Path;

use crate::lesson::learns;
use crate::support::{folder, hemiola};

/// Nats of a choice by chance among so many.
fn chance(choices: f64) -> f64 {
    choices.ln()
}

fn write_analyses(folder: &Path) {
    let minuet = "Time Signature: 3/4\nm1 G: I\nm2 IV6\nm3 V65\nm4 I\nm5 V65/V\nm6 D: V7\nm7 ii65 b2 V7\nm8 I ||\n";
    let chorale = "Time Signature: 4/4\nm1 a: i b2 iiø65 b3 V b4 i\nm2 iv b2 V7 b3 VI b4 viio6\nm3-4 = m1-2\nm5 i b2 what\n";
    for (name, text) in [
        ("minuet", minuet),
        ("chorale", chorale),
        ("empty", "Composer: nobody\n"),
    ] {
        let at = folder.join(name);
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("analysis.txt"), text).unwrap();
    }
}

#[test]
fn harmony() {
    let at = folder();
    let guess = chance(24.0) + chance(7.0) + 0.2 * chance(7.0);
    let last = learns(at.path(), "chord-progression-gnn-harmony", guess, &[]);
    assert!(
        last["dev"]["key_and_degree_accuracy"].as_f64().unwrap() > 0.9,
        "{last}"
    );

    write_analyses(&at.path().join("analyses"));
    let arguments = [
        "evaluate",
        "harmony",
        "analyses",
        "--model",
        "run/best",
        "--baselines",
        "--json",
    ];
    let ran = hemiola(at.path(), &arguments).failed(1, &["empty", "no chord"]);
    let found = ran.json();
    assert_eq!(
        (&found["chords"], &found["pieces"]),
        (&26.into(), &2.into())
    );
    assert_eq!(found["left_out"]["words not understood"], 1);
    for scores in [
        &found,
        &found["baselines"]["one key by its profile"],
        &found["baselines"]["hidden Markov model"],
    ] {
        let accuracy = scores["key_accuracy"].as_f64().unwrap();
        assert!(
            accuracy > 0.6 && scores["degree_accuracy"].as_f64().unwrap() > 0.6,
            "{scores}"
        );
    }

    hemiola(
        at.path(),
        &["evaluate", "harmony", "nowhere", "--model", "run/best"],
    )
    .failed(1, &["nowhere"]);
}
