//! From seconds to ticks.

use super::{LONGEST_S, TempoChange};
use crate::music::{Beat, BeatTrack};
use crate::{Error, Result};

/// Ticks are never coarser than this, so that times are off by half of it at most.
const COARSEST_TICK_S: f64 = 0.001;
/// Ticks per quarter note are a multiple of this, so that notes of every usual length have whole ticks.
const RESOLUTION_STEP: f64 = 480.0;
/// What the format can hold (24 bits of microseconds per quarter) and a tempo still means something.
pub const TEMPI_BPM: std::ops::RangeInclusive<f64> = 4.0..=1000.0;

pub(super) struct Clock {
    /// Ticks per quarter note.
    pub(super) resolution: u16,
    /// At least one; the first begins at tick 0.
    pub(super) stretches: Vec<Stretch>,
    /// Where time signatures begin, by tick.
    pub(super) bars: Vec<Bars>,
}

/// Music of one tempo.
pub(super) struct Stretch {
    pub(super) start: u32,
    /// When the file's player is at `start`.
    start_s: f64,
    pub(super) microseconds_per_quarter: u32,
    ticks_per_second: f64,
}

/// Bars of one length.
pub(super) struct Bars {
    pub(super) start: u32,
    pub(super) n_quarters: u8,
}

impl Clock {
    pub(super) fn of_tempi(bpm: f64, changes: &[TempoChange]) -> Result<Self> {
        let mut tempi = vec![(0.0, bpm)];
        tempi.extend(changes.iter().map(|change| (change.time_s, change.bpm)));
        if let Some((_, bpm)) = tempi.iter().find(|(_, bpm)| !TEMPI_BPM.contains(bpm)) {
            return Err(Error::config(format!(
                "a tempo of {bpm} BPM; expected {} to {}",
                TEMPI_BPM.start(),
                TEMPI_BPM.end()
            )));
        }
        let slowest = tempi.iter().map(|tempo| tempo.1).fold(f64::MAX, f64::min);
        let resolution = resolution((6e7 / slowest).round() / 1e6);
        let mut clock = Self {
            resolution: resolution as u16,
            stretches: Vec::with_capacity(tempi.len()),
            bars: Vec::new(),
        };
        for (time_s, bpm) in tempi {
            let microseconds = (6e7 / bpm).round();
            let (start, start_s) = match clock.stretches.last() {
                None => (0, 0.0),
                Some(last) => {
                    let start = clock.tick(time_s).filter(|&start| start >= last.start);
                    let start = start.ok_or_else(|| {
                        Error::config(format!(
                            "a tempo that begins at {time_s} s; expected rising times within a day"
                        ))
                    })?;
                    let ticks = f64::from(start - last.start);
                    (start, last.start_s + ticks / last.ticks_per_second)
                }
            };
            clock.stretches.push(Stretch {
                start,
                start_s,
                microseconds_per_quarter: microseconds as u32,
                ticks_per_second: resolution * 1e6 / microseconds,
            });
        }
        Ok(clock)
    }

    /// A quarter note a beat, so that the times of beats are met to a microsecond. Music before the first beat has as many
    /// quarter notes as keep its tempo nearest to that of the beats.
    ///
    /// # Errors
    /// Beats lie too close together, too far apart, or not in the order of time.
    pub(super) fn of_beats(beats: &[Beat]) -> Result<Self> {
        let [shortest, longest] = [60.0 / TEMPI_BPM.end(), 60.0 / TEMPI_BPM.start()];
        let mut quarters_s: Vec<f64> = beats.iter().map(|beat| beat.time_s).collect();
        let mut slowest = 0.0_f64;
        for (index, two) in quarters_s.windows(2).enumerate() {
            let quarter_s = two[1] - two[0];
            if !(shortest..=longest).contains(&quarter_s) {
                return Err(Error::config(format!(
                    "beat {} is {quarter_s} s after the one before; expected {shortest} to {longest} s",
                    index + 2
                )));
            }
            slowest = slowest.max(quarter_s);
        }
        let first_s = quarters_s[0];
        if !(0.0..=LONGEST_S).contains(&first_s) || quarters_s.last() > Some(&LONGEST_S) {
            return Err(Error::config(format!(
                "beats from {first_s} s to {} s; expected 0 s to a day",
                quarters_s[beats.len() - 1]
            )));
        }
        let usual_s = BeatTrack::of(beats.to_vec())
            .tempo_bpm
            .map_or(0.5, |bpm| 60.0 / bpm);
        // A first beat that comes at once begins the file.
        let n_before = match first_s < shortest {
            true => 0,
            false => (first_s / usual_s).round().max((first_s / longest).ceil()) as u32,
        };
        if n_before > 0 {
            let lead_in = (0..n_before).map(|k| first_s * f64::from(k) / f64::from(n_before));
            slowest = slowest.max(first_s / f64::from(n_before));
            quarters_s.splice(0..0, lead_in);
        }
        let resolution = resolution(slowest.max(usual_s));
        let mut clock = Self {
            resolution: resolution as u16,
            stretches: Vec::new(),
            bars: bars(beats, n_before, resolution as u32),
        };
        let mut now_s = 0.0;
        let ends = quarters_s.iter().skip(1).copied();
        let ends: Vec<f64> = if quarters_s.len() > 1 {
            ends.collect()
        } else {
            vec![usual_s]
        };
        for (quarter, end_s) in ends.into_iter().enumerate() {
            // From where the player is: rounding does not add up.
            let microseconds = ((end_s - now_s) * 1e6).round();
            let same = |last: &Stretch| f64::from(last.microseconds_per_quarter) == microseconds;
            if !clock.stretches.last().is_some_and(same) {
                clock.stretches.push(Stretch {
                    start: quarter as u32 * resolution as u32,
                    start_s: now_s,
                    microseconds_per_quarter: microseconds as u32,
                    ticks_per_second: resolution * 1e6 / microseconds,
                });
            }
            now_s += microseconds / 1e6;
        }
        Ok(clock)
    }

    /// `None` before the start or after a day.
    pub(super) fn tick(&self, time_s: f64) -> Option<u32> {
        if !(0.0..=LONGEST_S).contains(&time_s) {
            return None;
        }
        let after = (self.stretches).partition_point(|stretch| stretch.start_s <= time_s);
        let stretch = self.stretches.get(after.saturating_sub(1))?;
        let ticks = (time_s - stretch.start_s) * stretch.ticks_per_second;
        Some(stretch.start.saturating_add(ticks.round() as u32))
    }
}

/// Ticks per quarter note, where the longest quarter note lasts so long.
fn resolution(longest_s: f64) -> f64 {
    (longest_s / COARSEST_TICK_S / RESOLUTION_STEP).ceil() * RESOLUTION_STEP
}

/// Time signatures under which bars begin at beats of the number 1; none where there is no such beat.
fn bars(beats: &[Beat], n_before: u32, resolution: u32) -> Vec<Bars> {
    let firsts = (n_before..).zip(beats).filter(|(_, beat)| beat.number == 1);
    let firsts: Vec<u32> = firsts.map(|(quarter, _)| quarter).collect();
    let usual = u32::from(BeatTrack::of(beats.to_vec()).beats_per_bar.max(1));
    let Some(&first) = firsts.first() else {
        return Vec::new();
    };
    // What is left over of whole bars before the first one is a short bar at the start.
    let mut starts = Vec::new();
    if first % usual > 0 {
        starts.push((0, first % usual));
    }
    if first >= usual {
        starts.push((first % usual, usual));
    }
    for (index, &quarter) in firsts.iter().enumerate() {
        let next = firsts.get(index + 1);
        starts.push((quarter, next.map_or(usual, |next| next - quarter)));
    }
    starts.dedup_by_key(|&mut (_, length)| length);
    let bars = starts.into_iter().filter_map(|(quarter, length)| {
        Some(Bars {
            start: quarter * resolution,
            n_quarters: u8::try_from(length).ok()?,
        })
    });
    bars.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::midi::{Score, WriteOptions, encode_midi};
    use crate::music::Note;

    /// Beats that slow down and speed up, of bars of `per_bar` beats, the first beat being number `number`.
    fn drifting(from_s: f64, count: u32, per_bar: u8, number: u8) -> BeatTrack {
        let mut time_s = from_s;
        let mut beats = Vec::new();
        for k in 0..count {
            let number = (u32::from(number) - 1 + k) % u32::from(per_bar) + 1;
            beats.push(Beat {
                time_s,
                number: number as u8,
            });
            time_s += 0.5 + 0.1 * (f64::from(k) / 9.0).sin();
        }
        BeatTrack::of(beats)
    }

    fn written(notes: &[Note], track: &BeatTrack) -> Score {
        let options = WriteOptions {
            beats: Some(track),
            ..WriteOptions::default()
        };
        Score::from_bytes(&encode_midi(notes, &options).unwrap(), "memory").unwrap()
    }

    #[test]
    fn notes_stay_where_they_are_and_bars_begin_at_downbeats() {
        for (from_s, per_bar, number) in [
            (0.0, 4, 1),
            (0.02, 4, 1),
            (0.02, 3, 2),
            (0.3, 4, 1),
            (0.9, 3, 3),
            (7.77, 4, 2),
            (3.0, 2, 2),
        ] {
            let case = format!("{from_s} {per_bar} {number}");
            let track = drifting(from_s, 380, per_bar, number);
            let note = |k: u32| Note {
                onset_s: 0.137 * f64::from(k),
                offset_s: 0.137 * f64::from(k) + 0.1,
                pitch: 60 + (k % 12) as u8,
                velocity: 64,
            };
            let notes: Vec<Note> = (0..1700).map(note).collect();
            let score = written(&notes, &track);
            let found = score.notes();
            assert_eq!(found.len(), notes.len(), "{case}");
            for (found, note) in found.iter().zip(&notes) {
                assert!(
                    (found.onset_s - note.onset_s).abs() < 1e-3,
                    "{case}: {found:?} {note:?}"
                );
                assert!((found.offset_s - note.offset_s).abs() < 1e-3, "{case}");
            }
            for downbeat_s in track.downbeats_s().filter(|&time_s| time_s > 0.1) {
                let bar_s = score.bar_start_s(downbeat_s + 0.01).unwrap();
                assert!(
                    (bar_s - downbeat_s).abs() < 1e-3,
                    "{case}: {bar_s} {downbeat_s}"
                );
            }
            let quarters_s = score.quarters_s().unwrap();
            for beat in track.beats.iter().filter(|beat| beat.time_s > 0.1) {
                let near = quarters_s.partition_point(|&s| s < beat.time_s - 1e-3);
                assert!(
                    (quarters_s[near] - beat.time_s).abs() < 1e-3,
                    "{case}: {beat:?}"
                );
            }
        }
    }

    #[test]
    fn bars_may_change_their_length() {
        let numbers = [1, 2, 3, 4, 1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4, 1];
        let beats = numbers.into_iter().zip(0_u8..).map(|(number, k)| Beat {
            time_s: 0.5 * f64::from(k),
            number,
        });
        let score = written(&[], &BeatTrack::of(beats.collect()));
        let found: Vec<(f64, u8)> = (score.time_signatures.iter())
            .map(|signature| (signature.time_s, signature.numerator))
            .collect();
        assert_eq!(found, [(0.0, 4), (2.0, 3), (5.0, 4)]);
        assert!((score.tempo_changes[0].bpm - 120.0).abs() < 1e-6);
    }

    #[test]
    fn odd_beats_are_refused_or_written() {
        let track = |times: &[f64]| {
            let beat = |&time_s: &f64| Beat { time_s, number: 0 };
            BeatTrack {
                beats: times.iter().map(beat).collect(),
                ..BeatTrack::default()
            }
        };
        let refused = |times: &[f64]| {
            let track = track(times);
            let options = WriteOptions {
                beats: Some(&track),
                ..WriteOptions::default()
            };
            encode_midi(&[], &options).unwrap_err().to_string()
        };
        assert!(refused(&[0.0, 0.5, 0.5]).contains("beat 3"));
        assert!(refused(&[0.0, 20.0]).contains("beat 2"));
        assert!(refused(&[-1.0, -0.5]).contains("-1 s"));
        assert!(refused(&[f64::NAN]).contains("NaN"));
        // No beat at all leaves the tempo as it is.
        assert_eq!(written(&[], &track(&[])).tempo_changes[0].bpm, 120.0);
        let note = Note {
            onset_s: 4.0,
            offset_s: 5.0,
            pitch: 60,
            velocity: 64,
        };
        let one = written(&[note], &track(&[3.0]));
        assert!(one.time_signatures.is_empty());
        assert!(
            one.quarters_s()
                .unwrap()
                .iter()
                .any(|s| (s - 3.0).abs() < 1e-3)
        );
    }
}
