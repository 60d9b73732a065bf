//! `hemiola evaluate beat` and `tempo`.

use anyhow::Result;
use hemiola::evaluation::{beat, tempo};
use hemiola::formats;
use hemiola::music::BeatTrack;

use super::pairing::Endings;
use super::table::Group;
use super::{Files, column, evaluate, to_json};
use crate::Outcome;

const BEATS: Endings = Endings {
    known: &["beats", "txt", "tsv", "csv", "json"],
    left_out: &[],
    begins_well: |path| formats::begins_as_beats(path),
};

const TEMPI: Endings = Endings {
    known: &["lab", "bpm", "txt", "tsv", "json"],
    left_out: &[],
    begins_well: |path| formats::begins_as_beats(path),
};

const BEAT_GROUPS: &[Group] = &[
    Group {
        heading: "beats",
        columns: &[
            column("F1", &["F-measure"]),
            column("Cemgil", &["Cemgil"]),
            column("Goto", &["Goto"]),
            column("P", &["P-score"]),
            column("Gain", &["Information gain"]),
        ],
    },
    Group {
        heading: "correct level",
        columns: &[
            column("CMLc", &["Correct Metric Level Continuous"]),
            column("CMLt", &["Correct Metric Level Total"]),
        ],
    },
    Group {
        heading: "any level",
        columns: &[
            column("Cemgil", &["Cemgil Best Metric Level"]),
            column("AMLc", &["Any Metric Level Continuous"]),
            column("AMLt", &["Any Metric Level Total"]),
        ],
    },
];

const TEMPO_GROUPS: &[Group] = &[Group {
    heading: "tempo",
    columns: &[
        column("P", &["P-score"]),
        column("One", &["One-correct"]),
        column("Both", &["Both-correct"]),
    ],
}];

pub fn beats(files: &Files) -> Result<Outcome> {
    evaluate(files, &BEATS, BEAT_GROUPS, &|reference, estimate| {
        let times_s = |track: BeatTrack| track.beats.iter().map(|beat| beat.time_s).collect();
        let reference: Vec<f64> = times_s(formats::read_beats(reference)?);
        let estimate: Vec<f64> = times_s(formats::read_beats(estimate)?);
        to_json(beat::evaluate(&reference, &estimate))
    })
}

pub fn tempi(files: &Files) -> Result<Outcome> {
    evaluate(files, &TEMPI, TEMPO_GROUPS, &|reference, estimate| {
        let (reference, estimate) = (
            formats::read_tempi(reference)?,
            formats::read_tempi(estimate)?,
        );
        to_json(tempo::evaluate(&reference, estimate.bpm))
    })
}
