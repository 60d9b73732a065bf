//! What was wrong with a recording, in words for its owner.

use symphonia::core::errors::Error as SymphoniaError;

/// Damaged packets that get a warning of their own; the rest are counted in one more.
const MAX_DAMAGE_WARNINGS: usize = 5;

/// What is wrong with a recording that can be read nonetheless.
#[derive(Default)]
pub(super) struct Damage {
    pub(super) packets: usize,
    pub(super) truncated: bool,
    first_error: Option<String>,
    pub(super) warnings: Vec<String>,
    /// Where in `warnings` the damaged packets beyond the first few are counted.
    counted_at: Option<usize>,
    reported: usize,
    /// Whether the gap that follows was announced by a damaged packet.
    announced: bool,
}

impl Damage {
    pub(super) fn packet(&mut self, time_s: f64, error: &SymphoniaError) {
        self.packets += 1;
        self.announced = true;
        self.first_error.get_or_insert_with(|| error.to_string());
        self.report(format!(
            "a damaged packet at {time_s:.3} s was skipped ({error})"
        ));
    }

    pub(super) fn gap(&mut self, time_s: f64, lost_s: f64) {
        if !std::mem::take(&mut self.announced) {
            self.report(format!(
                "{lost_s:.3} s from {time_s:.3} s on are missing; they were filled with silence"
            ));
        }
    }

    fn report(&mut self, warning: String) {
        self.reported += 1;
        if self.reported <= MAX_DAMAGE_WARNINGS {
            self.warnings.push(warning);
            return;
        }
        let more = self.reported - MAX_DAMAGE_WARNINGS;
        let count = format!("{more} more damaged places");
        let at = *self.counted_at.get_or_insert(self.warnings.len());
        match self.warnings.get_mut(at) {
            Some(warning) => *warning = count,
            None => self.warnings.push(count),
        }
    }

    pub(super) fn nothing_decoded(&self) -> String {
        match &self.first_error {
            Some(error) => format!(
                "none of its audio can be decoded: {} damaged packets, the first because: {error}. Is it complete, and really audio?",
                self.packets
            ),
            None => "ends before its first packet of audio; is it a truncated download or copy?"
                .to_string(),
        }
    }
}
