use crate::error::{Error, Result};

/// What a model hears in the passages of a recording: where they begin, and a vector of unit length for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Passages {
    width: usize,
    starts_s: Vec<f64>,
    /// Row-major [passages, width].
    vectors: Vec<f32>,
}

/// A recording as vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    pub duration_s: f64,
    /// Without those that are silent.
    pub passages: Passages,
}

impl Passages {
    /// None yet, of vectors of that many numbers.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            starts_s: Vec::new(),
            vectors: Vec::new(),
        }
    }

    /// Of times and vectors [passages, width], taken as they are; none where they do not fit one another or are not finite.
    pub(super) fn from_parts(width: usize, starts_s: Vec<f64>, vectors: Vec<f32>) -> Option<Self> {
        let fits = starts_s.len().checked_mul(width) == Some(vectors.len());
        let finite =
            vectors.iter().all(|v| v.is_finite()) && starts_s.iter().all(|start| start.is_finite());
        (fits && finite).then_some(Self {
            width,
            starts_s,
            vectors,
        })
    }

    /// Adds a passage; its vector is brought to unit length.
    ///
    /// # Errors
    /// When the vector has another width, has no direction, or is not finite.
    pub fn push(&mut self, start_s: f64, vector: &[f32]) -> Result<()> {
        if vector.len() != self.width {
            return Err(Error::config(format!(
                "a passage's vector has {} numbers; expected {}",
                vector.len(),
                self.width
            )));
        }
        let Some(unit) = unit(vector.iter().map(|&v| f64::from(v))) else {
            return Err(Error::config(format!(
                "the model's vector of the passage at {start_s:.2} s has no direction (all zero, or not finite)"
            )));
        };
        self.starts_s.push(start_s);
        self.vectors.extend(unit);
        Ok(())
    }

    /// Numbers in a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn len(&self) -> usize {
        self.starts_s.len()
    }

    /// Whether nothing was heard.
    pub fn is_empty(&self) -> bool {
        self.starts_s.is_empty()
    }

    /// Where each passage begins, in seconds, ascending.
    pub fn starts_s(&self) -> &[f64] {
        &self.starts_s
    }

    /// Row-major [passages, width].
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// # Panics
    /// When there are no more than `index` passages.
    pub fn vector(&self, index: usize) -> &[f32] {
        &self.vectors[index * self.width..][..self.width]
    }

    /// The direction of the whole recording: the mean of its passages, brought to unit length. None where nothing is heard,
    /// or where passages cancel one another.
    pub fn mean(&self) -> Option<Vec<f32>> {
        let mut sums = vec![0.0; self.width];
        for row in self.vectors.chunks_exact(self.width.max(1)) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        unit(sums.into_iter())
    }
}

/// A vector brought to unit length; none where it has no direction.
fn unit(vector: impl Iterator<Item = f64> + Clone) -> Option<Vec<f32>> {
    let length = vector.clone().map(|v| v * v).sum::<f64>().sqrt();
    (length.is_finite() && length > 0.0).then(|| vector.map(|v| (v / length) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_get_unit_length_and_their_mean_too() {
        let mut passages = Passages::new(2);
        passages.push(0.0, &[3.0, 4.0]).unwrap();
        passages.push(0.5, &[0.0, 1e-30]).unwrap();
        assert_eq!(passages.vector(0), [0.6, 0.8]);
        assert_eq!(passages.vector(1), [0.0, 1.0]);
        // (0.6, 1.8), by Pythagoras √3.6 long.
        let length = 3.6f64.sqrt();
        let expected = [0.6 / length, 1.8 / length];
        for (found, expected) in passages.mean().unwrap().into_iter().zip(expected) {
            assert!((f64::from(found) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        let mut passages = Passages::new(2);
        for bad in [
            &[0.0, 0.0][..],
            &[f32::NAN, 1.0],
            &[f32::INFINITY, 1.0],
            &[1.0],
        ] {
            assert!(passages.push(1.0, bad).is_err(), "{bad:?}");
        }
        assert!(passages.is_empty());
        assert_eq!(passages.mean(), None);
        passages.push(0.0, &[1.0, 0.0]).unwrap();
        passages.push(1.0, &[-1.0, 0.0]).unwrap();
        assert_eq!(passages.mean(), None);
    }
}
