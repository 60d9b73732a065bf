use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A beat and its place in the bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Seconds.
    pub time_s: f64,
    /// 1 at the first beat of a bar, 2 at the next; 0 where it is not known.
    pub number: u8,
}

/// The pulse of a recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BeatTrack {
    /// Beats a minute, of the commonest distance between beats; `None` where no pulse is heard.
    pub tempo_bpm: Option<f64>,
    /// How many beats a bar has, the first and the last bar apart.
    pub beats_per_bar: u8,
    /// In the order of time.
    pub beats: Vec<Beat>,
}

/// Distances between beats that differ by less than this, as a share, are of one tempo.
const SAME_TEMPO: f64 = 0.08;

impl BeatTrack {
    /// Beats in the order of time, with the tempo and the length of bars that they tell: the mean of the distances near
    /// the median one, and the commonest distance between first beats.
    ///
    /// ```
    /// use hemiola::music::{Beat, BeatTrack};
    ///
    /// let beat = |k: u8| Beat { time_s: 0.5 * f64::from(k), number: 1 + k % 3 };
    /// let track = BeatTrack::of((0..9).map(beat).collect());
    /// assert_eq!((track.tempo_bpm, track.beats_per_bar), (Some(120.0), 3));
    /// ```
    pub fn of(beats: Vec<Beat>) -> Self {
        Self {
            tempo_bpm: tempo_bpm(&beats),
            beats_per_bar: beats_per_bar(&beats),
            beats,
        }
    }

    /// When bars begin, in seconds.
    pub fn downbeats_s(&self) -> impl Iterator<Item = f64> {
        let first = self.beats.iter().filter(|beat| beat.number == 1);
        first.map(|beat| beat.time_s)
    }
}

fn tempo_bpm(beats: &[Beat]) -> Option<f64> {
    let distances = beats.windows(2).map(|two| two[1].time_s - two[0].time_s);
    let mut distances: Vec<f64> = distances.filter(|distance| *distance > 0.0).collect();
    distances.sort_by(f64::total_cmp);
    let median = *distances.get(distances.len() / 2)?;
    let near = |distance: &&f64| (**distance / median - 1.0).abs() < SAME_TEMPO;
    let (sum, count) = distances
        .iter()
        .filter(near)
        .fold((0.0, 0.0), |(sum, count), distance| {
            (sum + distance, count + 1.0)
        });
    Some(60.0 * count / sum).filter(|bpm| bpm.is_finite())
}

fn beats_per_bar(beats: &[Beat]) -> u8 {
    let firsts: Vec<usize> = (0..beats.len())
        .filter(|&index| beats[index].number == 1)
        .collect();
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    for two in firsts.windows(2) {
        *lengths.entry(two[1] - two[0]).or_default() += 1;
    }
    let commonest = lengths.into_iter().max_by_key(|&(_, count)| count);
    let highest = beats.iter().map(|beat| beat.number).max();
    commonest
        .and_then(|(length, _)| u8::try_from(length).ok())
        .or(highest)
        .unwrap_or(0)
}

/// Two tempi that listeners tap, the slower first, and how many of them tap that one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Tempi {
    /// Beats a minute; 0 where there is none.
    pub bpm: [f64; 2],
    /// Share of the first, 0–1.
    pub weight: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(beats: &[(f64, u8)]) -> BeatTrack {
        let beat = |&(time_s, number): &(f64, u8)| Beat { time_s, number };
        BeatTrack::of(beats.iter().map(beat).collect())
    }

    #[test]
    fn tempo_is_that_of_most_beats() {
        // One beat missing and one moved do not count.
        let found = track(&[
            (0.0, 0),
            (0.5, 0),
            (1.0, 0),
            (2.0, 0),
            (2.51, 0),
            (3.0, 0),
            (3.5, 0),
        ]);
        assert!((found.tempo_bpm.unwrap() - 120.0).abs() < 0.5, "{found:?}");
        assert_eq!(track(&[(1.0, 1)]).tempo_bpm, None);
        assert_eq!(track(&[(1.0, 1), (1.0, 2)]).tempo_bpm, None);
        assert_eq!(track(&[]), BeatTrack::default());
    }

    #[test]
    fn bars_are_as_long_as_most_of_them() {
        let numbers = [4, 1, 2, 3, 4, 1, 2, 1, 2, 3, 4, 1];
        let beats: Vec<(f64, u8)> = (0..12_u8).map(f64::from).zip(numbers).collect();
        let found = track(&beats);
        assert_eq!(found.beats_per_bar, 4);
        assert_eq!(
            found.downbeats_s().collect::<Vec<_>>(),
            [1.0, 5.0, 7.0, 11.0]
        );
        assert_eq!(track(&[(0.0, 2), (0.5, 3)]).beats_per_bar, 3);
    }
}
