//! Named numbers that a step reports, as metrics of burn's learner.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::backend::ExecutionError;
use burn::tensor::TensorReadError;
use burn::train::ItemLazy;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes,
    NumericEntry, SerializedEntry,
};

/// What a training or an evaluation step reports: a value by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scalars(pub BTreeMap<&'static str, f64>);

impl ItemLazy for Scalars {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<Scalars> for Scalars {
    fn adapt(&self) -> Scalars {
        self.clone()
    }
}

/// The mean over an epoch of one of the [`Scalars`].
#[derive(Clone)]
pub struct ScalarMetric {
    key: &'static str,
    name: MetricName,
    higher_is_better: bool,
    state: NumericMetricState,
}

impl ScalarMetric {
    pub fn new(key: &'static str, higher_is_better: bool) -> Self {
        Self {
            key,
            name: Arc::new(key.to_owned()),
            higher_is_better,
            state: NumericMetricState::default(),
        }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name.clone()).precision(4)
    }
}

impl Metric for ScalarMetric {
    type Input = Scalars;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: self.higher_is_better,
        }
        .into()
    }

    fn update(
        &mut self,
        item: &Scalars,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        if let Some(&value) = item.0.get(self.key) {
            self.state.update(value, 1);
        }
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl Numeric for ScalarMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

/// Means of scalars that arrive one step at a time.
#[derive(Debug, Clone, Default)]
pub struct ScalarMeans(BTreeMap<&'static str, (f64, usize)>);

impl ScalarMeans {
    pub fn add(&mut self, scalars: &Scalars) {
        for (&key, &value) in &scalars.0 {
            let (sum, count) = self.0.entry(key).or_default();
            *sum += value;
            *count += 1;
        }
    }

    /// The means since the last call.
    pub fn take(&mut self) -> BTreeMap<&'static str, f64> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|(key, (sum, count))| (key, sum / count as f64))
            .collect()
    }
}
