use serde::{Deserialize, Serialize};

/// A beat and its place in the bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Seconds.
    pub time_s: f64,
    /// 1 at the first beat of a bar, 2 at the next.
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
