//! `hemiola evaluate beat` and `tempo`.

use std::path::Path;

use anyhow::{Result, bail};
use hemiola::evaluation::{beat, tempo};
use hemiola::formats;

use super::pairing::Endings;
use super::table::{Column, Group};
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

const BEAT_GROUPS: &[Group] = &[of_beats("beats"), CORRECT_LEVEL, ANY_LEVEL];
const DOWNBEAT_GROUPS: &[Group] = &[of_beats("downbeats"), CORRECT_LEVEL, ANY_LEVEL];

const fn of_beats(heading: &'static str) -> Group {
    Group {
        heading,
        columns: OF_BEATS,
    }
}

const OF_BEATS: &[Column] = &[
    column("F1", &["F-measure"]),
    column("Cemgil", &["Cemgil"]),
    column("Goto", &["Goto"]),
    column("P", &["P-score"]),
    column("Gain", &["Information gain"]),
];

const CORRECT_LEVEL: Group = Group {
    heading: "correct level",
    columns: &[
        column("CMLc", &["Correct Metric Level Continuous"]),
        column("CMLt", &["Correct Metric Level Total"]),
    ],
};

const ANY_LEVEL: Group = Group {
    heading: "any level",
    columns: &[
        column("Cemgil", &["Cemgil Best Metric Level"]),
        column("AMLc", &["Any Metric Level Continuous"]),
        column("AMLt", &["Any Metric Level Total"]),
    ],
};

const TEMPO_GROUPS: &[Group] = &[Group {
    heading: "tempo",
    columns: &[
        column("P", &["P-score"]),
        column("One", &["One-correct"]),
        column("Both", &["Both-correct"]),
    ],
}];

#[derive(clap::Args)]
pub struct BeatArgs {
    #[command(flatten)]
    files: Files,
    /// Score the first beats of bars alone
    #[arg(long)]
    downbeats: bool,
}

pub fn beats(args: &BeatArgs) -> Result<Outcome> {
    let times_s = |path: &Path| -> Result<Vec<f64>> {
        let track = formats::read_beats(path)?;
        if !args.downbeats {
            return Ok(track.beats.iter().map(|beat| beat.time_s).collect());
        }
        // Of a pick-up it may be unknown.
        if !track.beats.is_empty() && track.beats.iter().all(|beat| beat.number == 0) {
            bail!(
                "{}: does not say where bars begin; expected the number of each beat in its bar after its time",
                path.display()
            );
        }
        Ok(track.downbeats_s().collect())
    };
    let groups = match args.downbeats {
        true => DOWNBEAT_GROUPS,
        false => BEAT_GROUPS,
    };
    evaluate(&args.files, &BEATS, groups, &|reference, estimate| {
        to_json(beat::evaluate(&times_s(reference)?, &times_s(estimate)?))
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
