//! The learning rate over a run.

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};

/// Rises linearly to its peak, then falls along half a cosine.
///
/// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), without
/// restarts.
#[derive(Debug, Clone)]
pub struct WarmupCosine {
    pub peak: f64,
    pub warmup_steps: usize,
    pub steps: usize,
    /// The fraction of the peak at the end.
    pub final_fraction: f64,
    step: usize,
}

impl WarmupCosine {
    pub fn new(peak: f64, warmup_steps: usize, steps: usize, final_fraction: f64) -> Self {
        Self {
            peak,
            warmup_steps,
            steps,
            final_fraction,
            step: 0,
        }
    }

    /// The learning rate of step `step`, counted from 0.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let length = self.steps.saturating_sub(self.warmup_steps).max(1);
        let progress = ((step - self.warmup_steps) as f64 / length as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.peak * (self.final_fraction + (1.0 - self.final_fraction) * cosine)
    }
}

impl LrScheduler for WarmupCosine {
    fn step(&mut self) -> f64 {
        let rate = self.at(self.step);
        self.step += 1;
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.step as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar::<u64>("step") {
            self.step = step as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_to_the_peak_and_falls_to_its_fraction() {
        let schedule = WarmupCosine::new(1e-3, 10, 110, 0.1);
        assert!((schedule.at(0) - 1e-4).abs() < 1e-12);
        assert!((schedule.at(9) - 1e-3).abs() < 1e-12);
        assert!((schedule.at(60) - 1e-3 * 0.55).abs() < 1e-12);
        assert!((schedule.at(110) - 1e-4).abs() < 1e-12);
        assert!((schedule.at(10_000) - 1e-4).abs() < 1e-12);
    }

    #[test]
    fn goes_on_where_its_record_stopped() {
        let mut first = WarmupCosine::new(1e-3, 4, 20, 0.0);
        let all: Vec<f64> = (0..20).map(|_| first.step()).collect();
        let mut second = WarmupCosine::new(1e-3, 4, 20, 0.0);
        (0..7).for_each(|_| {
            second.step();
        });
        let mut resumed = WarmupCosine::new(1e-3, 4, 20, 0.0);
        resumed.load_record(second.to_record());
        let rest: Vec<f64> = (7..20).map(|_| resumed.step()).collect();
        assert_eq!(rest, all[7..]);
    }
}
