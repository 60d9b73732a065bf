//! From ticks to seconds.

use super::TempoChange;

/// The tempo of a file that sets none: 120 BPM.
pub(super) const DEFAULT_MICROSECONDS_PER_QUARTER: u32 = 500_000;

/// A stretch of constant tempo.
struct Segment {
    start_tick: u64,
    start_s: f64,
    seconds_per_tick: f64,
}

/// Where each tick of a file lies in time.
pub(super) struct TempoMap {
    segments: Vec<Segment>,
    ticks_per_quarter: f64,
}

impl TempoMap {
    /// Beats: `changes` are (tick, microseconds per quarter note) in order of their ticks; none of them is zero.
    pub(super) fn metrical(
        ticks_per_quarter: u16,
        changes: impl IntoIterator<Item = (u64, u32)>,
    ) -> Self {
        let ticks_per_quarter = f64::from(ticks_per_quarter);
        let seconds_per_tick =
            |microseconds: u32| 60.0 / ((6e7 / f64::from(microseconds)) * ticks_per_quarter);
        let mut map = Self {
            segments: vec![Segment {
                start_tick: 0,
                start_s: 0.0,
                seconds_per_tick: seconds_per_tick(DEFAULT_MICROSECONDS_PER_QUARTER),
            }],
            ticks_per_quarter,
        };
        for (tick, microseconds) in changes {
            let seconds_per_tick = seconds_per_tick(microseconds);
            let last = map.segment_at(u64::MAX);
            if tick == 0 {
                map.segments[0].seconds_per_tick = seconds_per_tick;
            } else if seconds_per_tick != last.seconds_per_tick {
                let start_s = map.seconds(tick);
                map.segments.push(Segment {
                    start_tick: tick,
                    start_s,
                    seconds_per_tick,
                });
            }
        }
        map
    }

    /// SMPTE time code, where a tick has a fixed length and tempi mean nothing.
    pub(super) fn timecode(ticks_per_second: f64) -> Self {
        Self {
            segments: vec![Segment {
                start_tick: 0,
                start_s: 0.0,
                seconds_per_tick: 1.0 / ticks_per_second,
            }],
            // At the default tempo a quarter note lasts half a second.
            ticks_per_quarter: ticks_per_second / 2.0,
        }
    }

    fn segment_at(&self, tick: u64) -> &Segment {
        let after = self.segments.partition_point(|s| s.start_tick <= tick);
        &self.segments[after.saturating_sub(1)]
    }

    pub(super) fn seconds(&self, tick: u64) -> f64 {
        let segment = self.segment_at(tick);
        segment.start_s + segment.seconds_per_tick * (tick - segment.start_tick) as f64
    }

    /// The tick that is nearest to a time from 0 s on.
    pub(super) fn tick(&self, time_s: f64) -> u64 {
        let after = self.segments.partition_point(|s| s.start_s <= time_s);
        let segment = &self.segments[after.saturating_sub(1)];
        let ticks = (time_s - segment.start_s) / segment.seconds_per_tick;
        segment.start_tick + ticks.round() as u64
    }

    pub(super) fn changes(&self) -> Vec<TempoChange> {
        let change = |s: &Segment| TempoChange {
            time_s: s.start_s,
            bpm: 60.0 / (s.seconds_per_tick * self.ticks_per_quarter),
        };
        self.segments.iter().map(change).collect()
    }
}
