//! One display of how far an analysis is, and of what it has found.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hemiola::analysis::Analysis;
use hemiola::music::key::KeyLabel;
use hemiola::tasks::analyze::{Heard, Part};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// All recordings that are heard at once.
pub struct Watch {
    lines: MultiProgress,
    is_many: bool,
}

/// What is shown of one recording, and goes with it: its waveform as far as it is read, and how far each part is.
pub struct Watching {
    name: String,
    line: ProgressBar,
    parts: Mutex<BTreeMap<Part, Option<f64>>>,
    wave: Mutex<Wave>,
    is_many: bool,
}

impl Watch {
    pub fn new(is_many: bool) -> Self {
        Self {
            lines: MultiProgress::new(),
            is_many,
        }
    }

    pub fn recording(&self, name: &str, sample_rate: u32) -> Watching {
        let line = self.lines.add(ProgressBar::no_length());
        let template = match self.is_many {
            true => "{spinner} {elapsed} {wide_msg}",
            false => "{spinner} {elapsed} {prefix}\n       {wide_msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            line.set_style(style);
        }
        line.enable_steady_tick(std::time::Duration::from_millis(200));
        line.set_message(name.to_owned());
        Watching {
            name: name.to_owned(),
            line,
            parts: Mutex::default(),
            wave: Mutex::new(Wave::new(sample_rate)),
            is_many: self.is_many,
        }
    }
}

impl Watching {
    /// Samples as they are read.
    pub fn read(&self, block: &[f32]) {
        let mut wave = self.wave.lock().unwrap_or_else(PoisonError::into_inner);
        wave.push(block);
        self.line.set_prefix(wave.drawn());
    }

    pub fn heard(&self, heard: Heard) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        match heard {
            Heard::Until(part, seconds) => parts.insert(part, Some(seconds)),
            Heard::All(part) => parts.insert(part, None),
        };
        let shown = parts.iter().map(|(part, seconds)| match seconds {
            Some(seconds) => format!("{part} {}", clock(*seconds)),
            None => format!("{part} done"),
        });
        let shown: Vec<String> = shown.collect();
        let name = match self.is_many {
            true => format!("{}: ", self.name),
            false => String::new(),
        };
        self.line.set_message(format!("{name}{}", shown.join("  ")));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

/// Minutes and seconds.
fn clock(seconds: f64) -> String {
    format!("{}:{:02}", seconds as u64 / 60, seconds as u64 % 60)
}

/// What an analysis found, in a line.
pub fn in_short(analysis: &Analysis) -> String {
    let mut found = vec![clock(analysis.recording.duration_s)];
    if let Some(KeyLabel::Key(key)) = &analysis.key {
        found.push(key.to_string());
    }
    if let Some(beats) = &analysis.beats {
        found.push(match beats.tempo_bpm {
            Some(bpm) => format!("{bpm:.0} BPM, {} beats a bar", beats.beats_per_bar),
            None => "no pulse".to_owned(),
        });
    }
    let mut count = |n: Option<usize>, what: &str| {
        found.extend(n.map(|n| format!("{n} {what}{}", if n == 1 { "" } else { "s" })));
    };
    let sounding = analysis.chords.as_ref().map(|chords| {
        let sounding = chords.iter().filter(|chord| chord.label.chord().is_some());
        sounding.count()
    });
    count(analysis.notes.as_ref().map(Vec::len), "note");
    count(sounding, "chord");
    count(analysis.onsets.as_ref().map(Vec::len), "onset");
    found.join(", ")
}

/// Columns of the waveform: at most these, at least half of them once there is much to show.
const COLUMNS: usize = 60;
/// Seconds of a column at first.
const FIRST_S: f64 = 0.25;

/// The waveform of a recording whose end is not known, as wide as a line: it is drawn closer when it has become too long.
struct Wave {
    sample_rate: f64,
    /// Peaks of columns, the last one unfinished.
    peaks: Vec<f32>,
    per_column: usize,
    in_last: usize,
    n_samples: usize,
}

impl Wave {
    fn new(sample_rate: u32) -> Self {
        let sample_rate = f64::from(sample_rate);
        Self {
            sample_rate,
            peaks: Vec::new(),
            per_column: ((FIRST_S * sample_rate) as usize).max(1),
            in_last: 0,
            n_samples: 0,
        }
    }

    fn push(&mut self, block: &[f32]) {
        self.n_samples += block.len();
        let mut rest = block;
        while !rest.is_empty() {
            if self.peaks.is_empty() || self.in_last == self.per_column {
                self.peaks.push(0.0);
                self.in_last = 0;
            }
            let (now, later) = rest.split_at(rest.len().min(self.per_column - self.in_last));
            let peak = now.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
            if let Some(last) = self.peaks.last_mut() {
                *last = last.max(peak);
            }
            self.in_last += now.len();
            rest = later;
            if self.peaks.len() > COLUMNS {
                self.halve();
            }
        }
    }

    /// Two columns become one.
    fn halve(&mut self) {
        let was_alone = self.peaks.len() % 2 == 1;
        let two = self.peaks.chunks(2);
        self.peaks = two
            .map(|two| two.iter().copied().fold(0.0, f32::max))
            .collect();
        if !was_alone {
            self.in_last += self.per_column;
        }
        self.per_column *= 2;
    }

    fn drawn(&self) -> String {
        const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let most = self.peaks.iter().copied().fold(1e-3, f32::max);
        let bar = |peak: &f32| BARS[(peak / most * 8.0).round().clamp(0.0, 8.0) as usize];
        let bars: String = self.peaks.iter().map(bar).collect();
        format!("{bars} {}", clock(self.n_samples as f64 / self.sample_rate))
    }
}

#[cfg(test)]
mod tests {
    use hemiola::music::{BeatTrack, Segment};

    use super::*;

    #[test]
    fn the_waveform_fits_a_line_however_long_it_is() {
        let mut wave = Wave::new(100);
        // Louder in the second half; blocks that fit no column.
        for index in 0..7000 {
            wave.push(&[if index < 3500 { -0.25 } else { 0.5 }; 7]);
        }
        let drawn = wave.drawn();
        let (bars, time) = drawn.split_once(' ').unwrap();
        let bars: Vec<char> = bars.chars().collect();
        assert_eq!(time, "8:10");
        assert!((COLUMNS / 2..=COLUMNS).contains(&bars.len()), "{drawn}");
        let soft = bars.iter().take_while(|bar| **bar == '▄').count();
        assert!(soft.abs_diff(bars.len() / 2) <= 1, "{drawn}");
        assert!(bars[soft..].iter().all(|bar| *bar == '█'), "{drawn}");
    }

    #[test]
    fn what_is_not_heard_is_not_counted() {
        let chord = |label: &str| Segment {
            start_s: 0.0,
            end_s: 5.0,
            label: label.parse().unwrap(),
        };
        let mut analysis = Analysis {
            chords: Some(vec![chord("N")]),
            onsets: Some(Vec::new()),
            beats: Some(BeatTrack::default()),
            ..Analysis::default()
        };
        analysis.recording.duration_s = 65.0;
        assert_eq!(in_short(&analysis), "1:05, no pulse, 0 chords, 0 onsets");
        analysis.chords = Some(vec![chord("N"), chord("C:maj")]);
        analysis.beats = None;
        analysis.onsets = None;
        assert_eq!(in_short(&analysis), "1:05, 1 chord");
    }

    #[test]
    fn silence_is_drawn_as_such() {
        let mut wave = Wave::new(8000);
        wave.push(&[0.0; 4000]);
        assert_eq!(wave.drawn(), "   0:00");
        wave.push(&[]);
        assert_eq!(Wave::new(1).drawn(), " 0:00");
    }
}
