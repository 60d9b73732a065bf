use rand::{Rng, RngExt};

/// Numbers from the standard normal distribution (Box and Muller, "A Note on the Generation of Random Normal Deviates",
/// 1958).
pub fn noise(rng: &mut impl Rng, count: usize) -> Vec<f32> {
    let mut draw = || {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
    };
    (0..count).map(|_| draw()).collect()
}
