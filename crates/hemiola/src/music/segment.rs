use serde::{Deserialize, Serialize};

/// A stretch of time and what is said of it, such as a chord or the name of a section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment<L> {
    /// Seconds.
    pub start_s: f64,
    /// Seconds; not before `start_s`.
    pub end_s: f64,
    pub label: L,
}

impl<L> Segment<L> {
    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.end_s - self.start_s
    }
}
