//! A linear probe: how much of a class a vector tells to a linear model.
//!
//! Alain and Bengio, "Understanding intermediate layers using linear classifier probes" (2016).

/// Steps of the descent; it ends earlier where the slope is gone.
const MAX_STEPS: usize = 2000;
/// The largest slope at which the descent ends.
const FLAT: f64 = 1e-6;

/// Multinomial logistic regression on features brought to mean 0 and variance 1.
///
/// Its weights minimise the sum of the cross entropies and half of the squares of the weights, as scikit-learn's
/// `LogisticRegression` does with C = 1; biases are free.
#[derive(Debug, Clone)]
pub struct LinearProbe {
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// [classes, features + 1]; the last is the bias.
    weights: Vec<Vec<f64>>,
}

impl LinearProbe {
    /// Learns from rows of features and their classes, numbered from 0.
    ///
    /// # Panics
    /// When there are not as many classes as rows, rows are of several widths or empty, or a class is not below `n_classes`.
    pub fn fit(rows: &[Vec<f64>], classes: &[usize], n_classes: usize) -> Self {
        assert_eq!(rows.len(), classes.len());
        assert!(!rows.is_empty() && classes.iter().all(|&class| class < n_classes));
        let (mean, scale) = moments(rows);
        let mut probe = Self {
            weights: vec![vec![0.0; mean.len() + 1]; n_classes],
            mean,
            scale,
        };
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| probe.scaled(row)).collect();
        // The cross entropy of softmax curves by at most half the square of a row's length.
        let curvature = rows
            .iter()
            .map(|row| row.iter().map(|x| x * x).sum::<f64>())
            .sum::<f64>()
            / 2.0
            + 1.0;
        // Nesterov's accelerated descent, begun anew where it would go uphill (O'Donoghue and Candès 2015).
        let mut ahead = probe.weights.clone();
        let mut momentum = 1.0f64;
        for _ in 0..MAX_STEPS {
            let slope = slope(&ahead, &rows, classes);
            let steepest = slope.iter().flatten().fold(0.0f64, |a, b| a.max(b.abs()));
            if steepest < FLAT {
                break;
            }
            let next_momentum = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
            let inertia = (momentum - 1.0) / next_momentum;
            let mut uphill = 0.0;
            for ((now, ahead), slope) in probe.weights.iter_mut().zip(&mut ahead).zip(&slope) {
                for ((now, ahead), slope) in now.iter_mut().zip(ahead).zip(slope) {
                    let next = *ahead - slope / curvature;
                    uphill += slope * (next - *now);
                    *ahead = next + inertia * (next - *now);
                    *now = next;
                }
            }
            momentum = next_momentum;
            if uphill > 0.0 {
                momentum = 1.0;
                ahead.clone_from(&probe.weights);
            }
        }
        probe.weights = ahead;
        probe
    }

    /// The likeliest class of a row.
    ///
    /// # Panics
    /// On a row of another width than those learned from.
    pub fn predict(&self, row: &[f64]) -> usize {
        let row = self.scaled(row);
        let scores = self.weights.iter().map(|weights| dot(weights, &row));
        let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(0, |(class, _)| class)
    }

    /// With a 1 for the bias.
    fn scaled(&self, row: &[f64]) -> Vec<f64> {
        assert_eq!(row.len(), self.mean.len());
        let scaled = row.iter().zip(&self.mean).zip(&self.scale);
        let scaled = scaled.map(|((x, mean), scale)| (x - mean) * scale);
        scaled.chain([1.0]).collect()
    }
}

/// The mean of each column, and what brings its variance to 1; 0 for one that never changes.
pub fn moments(rows: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let count = rows.len() as f64;
    let width = rows.first().map_or(0, Vec::len);
    let mean = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>() / count;
    let mean: Vec<f64> = (0..width).map(mean).collect();
    let scale = |i: usize| {
        let variance = rows.iter().map(|row| (row[i] - mean[i]).powi(2));
        let deviation = (variance.sum::<f64>() / count).sqrt();
        match deviation > 1e-9 * (1.0 + mean[i].abs()) {
            true => 1.0 / deviation,
            false => 0.0,
        }
    };
    let scale = (0..width).map(scale).collect();
    (mean, scale)
}

/// The gradient of the penalised cross entropy.
fn slope(weights: &[Vec<f64>], rows: &[Vec<f64>], classes: &[usize]) -> Vec<Vec<f64>> {
    let mut slope: Vec<Vec<f64>> = weights.to_vec();
    for of_class in &mut slope {
        if let Some(bias) = of_class.last_mut() {
            *bias = 0.0;
        }
    }
    for (row, &class) in rows.iter().zip(classes) {
        let scores: Vec<f64> = weights.iter().map(|w| dot(w, row)).collect();
        let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
        let sum: f64 = powers.iter().sum();
        for (of_class, (slope, power)) in slope.iter_mut().zip(&powers).enumerate() {
            let error = power / sum - f64::from(u8::from(of_class == class));
            slope.iter_mut().zip(row).for_each(|(s, x)| *s += error * x);
        }
    }
    slope
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clusters in the plane, a column that never changes, and their classes.
    fn clusters() -> (Vec<Vec<f64>>, Vec<usize>) {
        let centres = [(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)];
        let points = (0..30).map(|i| {
            let (x, y) = centres[i % 3];
            let wave = i as f64 * 2.4;
            (vec![x + wave.sin(), y + wave.cos(), 7.0], i % 3)
        });
        points.unzip()
    }

    #[test]
    fn classes_in_clusters_are_told() {
        let (rows, classes) = clusters();
        let probe = LinearProbe::fit(&rows, &classes, 3);
        let told: Vec<usize> = rows.iter().map(|row| probe.predict(row)).collect();
        assert_eq!(told, classes);
        assert_eq!(probe.predict(&[9.0, 1.0, 0.0]), 1);
    }

    #[test]
    fn weights_lie_where_the_slope_is_gone() {
        let (rows, classes) = clusters();
        let probe = LinearProbe::fit(&rows, &classes, 3);
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| probe.scaled(row)).collect();
        let slope = slope(&probe.weights, &rows, &classes);
        assert!(slope.iter().flatten().all(|s| s.abs() < 1e-4), "{slope:?}");
        assert!(probe.weights.iter().flatten().any(|w| w.abs() > 0.5));
    }

    #[test]
    fn without_labels_that_differ_there_is_one_answer() {
        let probe = LinearProbe::fit(&[vec![1.0], vec![2.0]], &[1, 1], 2);
        assert_eq!(probe.predict(&[-100.0]), 1);
    }
}
