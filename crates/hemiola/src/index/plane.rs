//! Tracks on a plane, those that sound alike near one another as far as a plane can show it.

use nalgebra::{DMatrix, DMatrixView, SymmetricEigen};

use super::{TrackId, TrackVectors};

/// Where a track lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub track: TrackId,
    pub x: f64,
    pub y: f64,
}

/// Tracks along the two directions in which they differ most: the principal components of their vectors, around their mean.
///
/// Which way a direction points is fixed by its largest number, so that the same tracks give the same plane.
pub fn plane(tracks: &TrackVectors) -> Vec<Place> {
    let (width, n) = (tracks.width(), tracks.len());
    if n == 0 {
        return Vec::new();
    }
    let columns = DMatrixView::from_slice(tracks.vectors(), width, n);
    let mean = columns.column_mean();
    let mut centred: DMatrix<f32> = columns.into_owned();
    for mut column in centred.column_iter_mut() {
        column -= &mean;
    }
    let covariance = (&centred * centred.transpose()).map(f64::from) / n as f64;
    let eigen = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let along = |rank: usize| -> Vec<f64> {
        let Some(&which) = order.get(rank) else {
            return vec![0.0; n];
        };
        let direction = eigen.eigenvectors.column(which);
        let largest = direction[direction.icamax()];
        let direction = direction.map(|v| (v * largest.signum()) as f32);
        let places = centred.tr_mul(&direction);
        places.iter().map(|&v| f64::from(v)).collect()
    };
    let ids = tracks.ids().iter().copied();
    ids.zip(along(0))
        .zip(along(1))
        .map(|((track, x), y)| Place { track, x, y })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_of_flat_data_keeps_distances() {
        // A rectangle of 4 × 2 in three dimensions, turned: its sides along (0, 0.6, 0.8) and (1, 0, 0).
        let corners = [(0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (0.0, 2.0)];
        let mut tracks = TrackVectors::new(3);
        for (id, (long, short)) in corners.into_iter().enumerate() {
            let point = [short + 5.0, 0.6 * long, 0.8 * long - 3.0];
            tracks.push(id as TrackId, &point.map(|v: f64| v as f32));
        }
        let places = plane(&tracks);
        let found: Vec<(f64, f64)> = places.iter().map(|p| (p.x, p.y)).collect();
        let expected = [(-2.0, -1.0), (2.0, -1.0), (2.0, 1.0), (-2.0, 1.0)];
        for ((x, y), (expected_x, expected_y)) in found.into_iter().zip(expected) {
            assert!((x - expected_x).abs() < 1e-5 && (y - expected_y).abs() < 1e-5);
        }
    }

    #[test]
    fn few_tracks_and_narrow_vectors_have_places() {
        assert_eq!(plane(&TrackVectors::new(4)), []);
        let mut one = TrackVectors::new(1);
        one.push(7, &[1.0]);
        let expected = Place {
            track: 7,
            x: 0.0,
            y: 0.0,
        };
        assert_eq!(plane(&one), [expected]);
    }
}
