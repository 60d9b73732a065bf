//! What the page is made of: small numbers in JSON, large ones as bytes.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;

use super::PageAudio;
use crate::analysis::{Analysis, Function, LabelCurves, Overview};
use crate::music::chord::ChordLabel;
use crate::music::key::KeyLabel;
use crate::music::{BeatTrack, Chroma, N_PITCH_CLASSES, Note, Onset, Segment};
use crate::plot::names::{ChordKind, chord_name, key_name, numeral_name};

/// Frames of chroma a second at most.
const CHROMA_FPS: f64 = 20.0;
/// Cells of the spectrogram and of the chroma at most; frames are joined where there are more.
const SPECTROGRAM_CELLS: usize = 4_000_000;
const CHROMA_CELLS: usize = 500_000;

#[derive(Serialize)]
pub struct Data<'a> {
    title: &'a str,
    version: &'a str,
    duration_s: f64,
    sample_rate: u32,
    channels: usize,
    sha256: Option<&'a str>,
    warnings: &'a [String],
    models: Vec<(&'a str, &'a str)>,
    key: Option<String>,
    /// Onset and length in ms, pitch, velocity of each, by onset.
    notes: Option<Vec<u32>>,
    /// Time in ms and strength in percent of each, by time.
    onsets: Option<Vec<u32>>,
    beats: Option<Beats>,
    chords: Option<Chords>,
    instruments: Option<Instruments<'a>>,
    chroma: Option<Grid>,
    spectrogram: Option<Grid>,
    bands_hz: Vec<f64>,
    peaks_per_second: Option<f64>,
    /// The MIME type of what lies in the page.
    audio: Option<&'a str>,
}

#[derive(Serialize)]
struct Beats {
    tempo_bpm: Option<f64>,
    beats_per_bar: u8,
    /// Time in ms and number in the bar of each.
    beats: Vec<u32>,
}

#[derive(Serialize)]
struct Chords {
    /// Label, name and kind of each different chord.
    labels: Vec<(String, String, u8)>,
    numerals: Vec<String>,
    keys: Vec<String>,
    /// Start and end in ms, place in `labels`, in `numerals` and in `keys` or -1, of each.
    rows: Vec<i64>,
    /// Whether keys and numerals were looked for.
    harmony: bool,
}

#[derive(Serialize)]
struct Instruments<'a> {
    labels: &'a [String],
    scores: Vec<f64>,
    /// Start and end in ms of each window.
    windows: Vec<u32>,
}

/// Rows of bytes over time, of frames that lie 1 / fps apart from an edge on.
#[derive(Serialize)]
struct Grid {
    from_s: f64,
    fps: f64,
    rows: usize,
}

/// The data, and bytes by the name of the element that holds them.
pub fn of<'a>(
    analysis: &'a Analysis,
    overview: &Overview,
    audio: &PageAudio<'a>,
) -> (Data<'a>, Vec<(&'static str, Vec<u8>)>) {
    let mut blobs = Vec::new();
    let mut blob = |id, bytes| blobs.push((id, bytes));
    let recording = &analysis.recording;
    let peaks_per_second = positive(overview.peaks_per_second);
    if peaks_per_second.is_some() {
        blob("peaks", peaks(overview));
    }
    let spectrogram = spectrogram(overview).map(|(grid, bytes)| {
        blob("spectrogram", bytes);
        grid
    });
    let chroma = analysis
        .chroma
        .as_ref()
        .and_then(chroma)
        .map(|(grid, bytes)| {
            blob("chroma", bytes);
            grid
        });
    let instruments = analysis.instruments.as_ref().map(|curves| {
        let (instruments, bytes) = instruments(curves);
        blob("instruments", bytes);
        instruments
    });
    let models = analysis.models.iter();
    let data = Data {
        title: &recording.name,
        version: &analysis.version,
        duration_s: rounded(duration_s(analysis, overview), 3),
        sample_rate: recording.sample_rate,
        channels: recording.channels,
        sha256: recording.sha256.as_deref(),
        warnings: &recording.warnings,
        models: models
            .map(|of| (of.part.as_str(), of.model.as_str()))
            .collect(),
        key: analysis.key.as_ref().map(key_name),
        notes: analysis.notes.as_deref().map(notes),
        onsets: analysis.onsets.as_deref().map(onsets),
        beats: analysis.beats.as_ref().map(beats),
        chords: analysis
            .chords
            .as_deref()
            .map(|rows| chords(rows, analysis.harmony.as_deref())),
        instruments,
        chroma,
        spectrogram,
        bands_hz: overview
            .bands_hz
            .iter()
            .map(|hz| rounded(f64::from(*hz), 1))
            .collect(),
        peaks_per_second,
        audio: match audio {
            PageAudio::None => None,
            PageAudio::Embedded { mime, .. } => Some(mime),
        },
    };
    (data, blobs)
}

/// Of the recording, or of what was heard where nothing is said of it.
fn duration_s(analysis: &Analysis, overview: &Overview) -> f64 {
    if let Some(duration_s) = positive(analysis.recording.duration_s) {
        return duration_s;
    }
    let notes = analysis.notes.iter().flatten().map(|note| note.offset_s);
    let chords = analysis.chords.iter().flatten().map(|chord| chord.end_s);
    let heard = notes
        .chain(chords)
        .filter(|end_s| end_s.is_finite())
        .fold(0.0, f64::max);
    let peaks = positive(overview.peaks_per_second);
    peaks.map_or(heard, |rate| heard.max(overview.peaks.len() as f64 / rate))
}

fn positive(value: f64) -> Option<f64> {
    (value.is_finite() && value > 0.0).then_some(value)
}

fn rounded(value: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    (value * unit).round() / unit
}

/// Whole milliseconds; times before the beginning count as it. As casts go, what is not a number is 0.
fn ms(seconds: f64) -> u32 {
    (seconds * 1000.0).round() as u32
}

fn notes(notes: &[Note]) -> Vec<u32> {
    let row = |note: &Note| {
        let (onset, offset) = (ms(note.onset_s), ms(note.offset_s));
        [
            onset,
            offset.saturating_sub(onset),
            note.pitch.into(),
            note.velocity.into(),
        ]
    };
    let mut rows: Vec<[u32; 4]> = notes.iter().map(row).collect();
    rows.sort_unstable_by_key(|[onset, _, pitch, _]| (*onset, *pitch));
    rows.into_flattened()
}

fn onsets(onsets: &[Onset]) -> Vec<u32> {
    let row = |onset: &Onset| [ms(onset.time_s), (onset.strength * 100.0).round() as u32];
    let mut rows: Vec<[u32; 2]> = onsets.iter().map(row).collect();
    rows.sort_unstable();
    rows.into_flattened()
}

fn beats(track: &BeatTrack) -> Beats {
    let mut rows: Vec<[u32; 2]> = track
        .beats
        .iter()
        .map(|beat| [ms(beat.time_s), beat.number.into()])
        .collect();
    rows.sort_unstable();
    Beats {
        tempo_bpm: track
            .tempo_bpm
            .and_then(positive)
            .map(|bpm| rounded(bpm, 2)),
        beats_per_bar: track.beats_per_bar,
        beats: rows.into_flattened(),
    }
}

/// Different things in the order in which they came.
struct Table<K, V> {
    places: HashMap<K, usize>,
    values: Vec<V>,
}

impl<K: Hash + Eq, V> Table<K, V> {
    fn new() -> Self {
        Self {
            places: HashMap::new(),
            values: Vec::new(),
        }
    }

    fn place(&mut self, key: K, value: impl FnOnce() -> V) -> i64 {
        let next = self.values.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.values.push(value());
        }
        place as i64
    }
}

fn chords(chords: &[Segment<ChordLabel>], harmony: Option<&[Function]>) -> Chords {
    let (mut labels, mut numerals, mut keys) = (Table::new(), Table::new(), Table::new());
    let mut rows = Vec::with_capacity(chords.len() * 5);
    for (index, chord) in chords.iter().enumerate() {
        let label = labels.place(&chord.label, || {
            let kind = ChordKind::of(&chord.label) as u8;
            (chord.label.to_string(), chord_name(&chord.label), kind)
        });
        let function = harmony.and_then(|functions| functions.get(index));
        let numeral = function.and_then(|function| function.numeral.as_deref());
        let numeral = numeral.map_or(-1, |text| numerals.place(text, || numeral_name(text)));
        let key = function.map_or(-1, |function| {
            keys.place(function.key, || key_name(&KeyLabel::Key(function.key)))
        });
        rows.extend([
            ms(chord.start_s).into(),
            ms(chord.end_s).into(),
            label,
            numeral,
            key,
        ]);
    }
    Chords {
        labels: labels.values,
        numerals: numerals.values,
        keys: keys.values,
        rows,
        harmony: harmony.is_some(),
    }
}

/// [windows, labels], and what they are.
fn instruments(curves: &LabelCurves) -> (Instruments<'_>, Vec<u8>) {
    let labels = curves.labels.len();
    let mut cells = Vec::with_capacity(curves.windows.len() * labels);
    for window in &curves.windows {
        let scores = window.scores.iter().copied().chain(std::iter::repeat(0.0));
        cells.extend(scores.take(labels).map(byte));
    }
    let ends = |window: &crate::analysis::LabelWindow| [ms(window.start_s), ms(window.end_s)];
    let scores = curves.scores.iter().copied().chain(std::iter::repeat(0.0));
    let finite = |score: f64| {
        if score.is_finite() {
            rounded(score, 4)
        } else {
            0.0
        }
    };
    let instruments = Instruments {
        labels: &curves.labels,
        scores: scores.take(labels).map(finite).collect(),
        windows: curves.windows.iter().flat_map(ends).collect(),
    };
    (instruments, cells)
}

/// Of 0–1.
fn byte(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

/// The lowest and the highest sample of each peak, as signed bytes.
fn peaks(overview: &Overview) -> Vec<u8> {
    let byte = |sample: f32| (sample * 127.0).round().clamp(-127.0, 127.0) as i8 as u8;
    overview
        .peaks
        .iter()
        .flatten()
        .map(|sample| byte(*sample))
        .collect()
}

/// Frames of `rows` bytes, `joined` of them in one.
fn grid(rows: usize, fps: f64, joined: usize) -> Grid {
    Grid {
        // A frame is centred on its time.
        from_s: -0.5 / fps,
        fps: fps / joined as f64,
        rows,
    }
}

fn spectrogram(overview: &Overview) -> Option<(Grid, Vec<u8>)> {
    let (rows, fps) = (overview.bands_hz.len(), positive(overview.spectrogram_fps)?);
    if rows == 0 {
        return None;
    }
    let joined = overview.levels.len().div_ceil(SPECTROGRAM_CELLS).max(1);
    let mut cells = Vec::with_capacity(overview.levels.len() / joined + rows);
    for frames in overview.levels.chunks(rows * joined) {
        let loudest = |row: usize| frames.iter().skip(row).step_by(rows).max();
        cells.extend((0..rows).map(|row| loudest(row).copied().unwrap_or(0)));
    }
    Some((grid(rows, fps, joined), cells))
}

fn chroma(chroma: &Chroma) -> Option<(Grid, Vec<u8>)> {
    let fps = positive(chroma.fps)?;
    let paced = (fps / CHROMA_FPS).ceil().max(1.0) as usize;
    let fitting = (chroma.frames.len() * N_PITCH_CLASSES).div_ceil(CHROMA_CELLS);
    let joined = paced.max(fitting);
    let mut cells = Vec::with_capacity(chroma.frames.len() / joined * N_PITCH_CLASSES);
    for frames in chroma.frames.chunks(joined) {
        let mean =
            |row: usize| frames.iter().map(|frame| frame[row]).sum::<f32>() / frames.len() as f32;
        cells.extend((0..N_PITCH_CLASSES).map(|row| byte(mean(row))));
    }
    Some((grid(N_PITCH_CLASSES, fps, joined), cells))
}
