//! `hemiola evaluate chord`, `key` and `segment`: what is said of stretches of time.

use std::path::Path;

use anyhow::Result;
use hemiola::evaluation::{chord, key, segment};
use hemiola::formats;
use hemiola::music::Segment;

use super::pairing::Endings;
use super::table::Group;
use super::{Files, column, evaluate, to_json};
use crate::Outcome;

const CHORDS: Endings = Endings {
    known: &["lab", "txt", "tsv", "csv", "json"],
    left_out: &[],
    begins_well: |path| formats::begins_as_chords(path),
};

const KEYS: Endings = Endings {
    known: &["txt", "key", "lab", "tsv"],
    left_out: &[],
    begins_well: |path| formats::begins_as_key(path),
};

const SECTIONS: Endings = Endings {
    known: &["lab", "txt", "tsv"],
    left_out: &[],
    begins_well: |path| formats::begins_as_lab(path),
};

const CHORD_GROUPS: &[Group] = &[
    Group {
        heading: "chords",
        columns: &[
            column("root", &["root"]),
            column("thirds", &["thirds"]),
            column("majmin", &["majmin"]),
            column("7ths", &["sevenths"]),
            column("mirex", &["mirex"]),
        ],
    },
    Group {
        heading: "with the bass",
        columns: &[
            column("majmin", &["majmin_inv"]),
            column("7ths", &["sevenths_inv"]),
        ],
    },
    Group {
        heading: "segmentation",
        columns: &[
            column("under", &["underseg"]),
            column("over", &["overseg"]),
            column("seg", &["seg"]),
        ],
    },
];

const KEY_GROUPS: &[Group] = &[Group {
    heading: "key",
    columns: &[column("score", &["Weighted Score"])],
}];

const SECTION_GROUPS: &[Group] = &[
    Group {
        heading: "boundaries, 0.5 s",
        columns: &[
            column("P", &["Precision@0.5"]),
            column("R", &["Recall@0.5"]),
            column("F1", &["F-measure@0.5"]),
        ],
    },
    Group {
        heading: "boundaries, 3 s",
        columns: &[
            column("P", &["Precision@3.0"]),
            column("R", &["Recall@3.0"]),
            column("F1", &["F-measure@3.0"]),
        ],
    },
    Group {
        heading: "pairs of frames",
        columns: &[
            column("P", &["Pairwise Precision"]),
            column("R", &["Pairwise Recall"]),
            column("F1", &["Pairwise F-measure"]),
        ],
    },
    Group {
        heading: "classes",
        columns: &[
            column("V", &["V-measure"]),
            column("ARI", &["Adjusted Rand Index"]),
            column("AMI", &["Adjusted Mutual Information"]),
        ],
    },
];

pub fn chords(files: &Files) -> Result<Outcome> {
    evaluate(files, &CHORDS, CHORD_GROUPS, &|reference, estimate| {
        let (reference, estimate) = (
            filled(reference, formats::read_chords(reference)?),
            filled(estimate, formats::read_chords(estimate)?),
        );
        to_json(chord::evaluate(&reference, &estimate))
    })
}

pub fn keys(files: &Files) -> Result<Outcome> {
    evaluate(files, &KEYS, KEY_GROUPS, &|reference, estimate| {
        let (reference, estimate) = (formats::read_key(reference)?, formats::read_key(estimate)?);
        to_json(key::evaluate(reference, estimate))
    })
}

pub fn sections(files: &Files) -> Result<Outcome> {
    evaluate(files, &SECTIONS, SECTION_GROUPS, &|reference, estimate| {
        let (reference, estimate) = (
            filled(reference, formats::read_lab(reference)?),
            filled(estimate, formats::read_lab(estimate)?),
        );
        to_json(segment::evaluate(&reference, &estimate))
    })
}

/// The segments of a file; warns where there are none.
fn filled<L>(path: &Path, segments: Vec<Segment<L>>) -> Vec<Segment<L>> {
    if segments.is_empty() {
        eprintln!("warning: {}: there is no segment in it", path.display());
    }
    segments
}
