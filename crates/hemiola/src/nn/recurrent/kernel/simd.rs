//! Vectors of `f32` as wide as the processor offers, chosen at run time, and the activations on them.

/// A set of vector instructions that this processor has.
///
/// Values exist only for instruction sets that were found at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// What every processor can do.
    pub const PORTABLE: Self = Self(Instructions::Portable);

    /// Every level of this processor, narrowest first.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut levels = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Self(Instructions::Avx2));
            }
            if is_x86_feature_detected!("avx512f") {
                levels.push(Self(Instructions::Avx512));
            }
        }
        levels
    }

    /// The widest level of this processor.
    pub fn best() -> Self {
        static BEST: std::sync::LazyLock<Level> = std::sync::LazyLock::new(|| {
            Level::available()
                .pop()
                .expect("the portable level is always there")
        });
        *BEST
    }

    /// Number of `f32` in one vector.
    pub fn lanes(self) -> usize {
        match self.0 {
            Instructions::Portable => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => x86::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => x86::Avx512::LANES,
        }
    }

    /// Runs `job` with this level's vectors, compiled for its instructions.
    pub fn run<J: Job>(self, job: J) -> J::Output {
        match self.0 {
            Instructions::Portable => job.run::<Portable>(),
            // SAFETY: a level is only made where its instructions were found.
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => unsafe { x86::run_avx2(job) },
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => unsafe { x86::run_avx512(job) },
        }
    }
}

/// Work written once for vectors of any width.
///
/// `run` and all it calls must be `#[inline(always)]`: only what is inlined into [`Level::run`] is compiled for the
/// level's instructions.
pub trait Job {
    type Output;
    fn run<V: Vector>(self) -> Self::Output;
}

/// A vector of `f32`.
pub trait Vector: Copy {
    const LANES: usize;
    /// Rows that [`super::product::panel_product`] computes at once, at most 6: as many as keep four vectors of sums each
    /// in registers.
    const ROWS: usize;

    fn splat(value: f32) -> Self;
    /// The first `LANES` values of `from`.
    fn load(from: &[f32]) -> Self;
    /// Overwrites the first `LANES` values of `to`.
    fn store(self, to: &mut [f32]);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// The smaller of the two; `other` where one is NaN.
    fn min(self, other: Self) -> Self;
    /// The larger of the two; `other` where one is NaN.
    fn max(self, other: Self) -> Self;
    /// `self * factor + term`
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The bits of each value moved up by 23, from the lowest bit of the mantissa to that of the exponent.
    fn mantissa_to_exponent(self) -> Self;
}

/// `eˣ − 1 = scale · rest + (scale − 1)` for |x| ≤ 87; returns `scale` and `rest`.
///
/// `scale` is the power of two nearest to `eˣ`; `rest` is the series of `eʳ − 1`, |r| ≤ ln 2 / 2, up to r⁷ / 7!, whose
/// remainder is below 6·10⁻⁹.
#[inline(always)]
fn exponential_parts<V: Vector>(x: V) -> (V, V) {
    // Adding 1.5 · 2²³ rounds to an integer and leaves it in the lowest bits of the mantissa.
    const ROUNDER: f32 = 12_582_912.0;
    const EXPONENT_BIAS: f32 = 127.0;
    // ln 2 in two parts, the first of so few bits that its product with the exponent is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let n = x
        .mul_add(V::splat(std::f32::consts::LOG2_E), V::splat(ROUNDER))
        .sub(V::splat(ROUNDER));
    let r = n.mul_add(V::splat(-LN_2_HIGH), x);
    let r = n.mul_add(V::splat(-LN_2_LOW), r);
    let mut series = V::splat(1.0 / 5040.0);
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        series = series.mul_add(r, V::splat(coefficient));
    }
    let rest = series.mul_add(r.mul(r), r);
    let scale = n
        .add(V::splat(ROUNDER + EXPONENT_BIAS))
        .mantissa_to_exponent();
    (scale, rest)
}

/// `x` kept within ±`limit`; NaN stays NaN.
#[inline(always)]
fn clamp<V: Vector>(x: V, limit: f32) -> V {
    V::splat(limit).min(V::splat(-limit).max(x))
}

/// eˣ, to a relative error below 10⁻⁶; below −87 and above 87 as at these.
#[inline(always)]
pub fn exp<V: Vector>(x: V) -> V {
    let (scale, rest) = exponential_parts(clamp(x, 87.0));
    scale.mul_add(rest, scale)
}

/// 1 / (1 + e⁻ˣ), to a relative error below 10⁻⁶ for |x| ≤ 87.
#[inline(always)]
pub fn sigmoid<V: Vector>(x: V) -> V {
    let minus_x = clamp(V::splat(0.0).sub(x), 87.0);
    let (scale, rest) = exponential_parts(minus_x);
    let one = V::splat(1.0);
    one.div(scale.mul_add(rest, scale.add(one)))
}

/// tanh x = (e²ˣ − 1) / (e²ˣ + 1), to a relative error below 10⁻⁶, near zero too.
#[inline(always)]
pub fn tanh<V: Vector>(x: V) -> V {
    // Beyond ±10, tanh is ±1 in f32.
    let x = clamp(x, 10.0);
    let (scale, rest) = exponential_parts(x.add(x));
    let less_one = scale.mul_add(rest, scale.sub(V::splat(1.0)));
    less_one.div(less_one.add(V::splat(2.0)))
}

/// Four values at a time in plain Rust; compilers turn it into the baseline's vectors.
#[derive(Clone, Copy)]
pub struct Portable([f32; 4]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let (a, b) = (self.0, other.0);
        Self([f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])])
    }
}

impl Vector for Portable {
    const LANES: usize = 4;
    const ROWS: usize = 3;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        Self([from[0], from[1], from[2], from[3]])
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        to[..4].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        self.mul(factor).add(term)
    }
    #[inline(always)]
    fn mantissa_to_exponent(self) -> Self {
        Self(self.0.map(|value| f32::from_bits(value.to_bits() << 23)))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Job, Vector};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx2,fma")]
    pub fn run_avx2<J: Job>(job: J) -> J::Output {
        job.run::<Avx2>()
    }

    #[target_feature(enable = "avx512f,avx2,fma")]
    pub fn run_avx512<J: Job>(job: J) -> J::Output {
        job.run::<Avx512>()
    }

    /// A vector type on top of the processor's intrinsics.
    macro_rules! vector {
        ($name:ident, $inner:ident, $lanes:literal, $rows:literal, $splat:ident, $load:ident, $store:ident, $add:ident,
         $sub:ident, $mul:ident, $div:ident, $min:ident, $max:ident, $fma:ident, $to_bits:ident, $shift:ident, $from_bits:ident) => {
            #[derive(Clone, Copy)]
            pub struct $name($inner);

            // SAFETY of all methods: only `Level::run` names this type, where its instructions were found; `load`
            // and `store` check the length of the slice.
            impl Vector for $name {
                const LANES: usize = $lanes;
                const ROWS: usize = $rows;

                #[inline(always)]
                fn splat(value: f32) -> Self {
                    Self(unsafe { $splat(value) })
                }
                #[inline(always)]
                fn load(from: &[f32]) -> Self {
                    Self(unsafe { $load(from[..$lanes].as_ptr()) })
                }
                #[inline(always)]
                fn store(self, to: &mut [f32]) {
                    unsafe { $store(to[..$lanes].as_mut_ptr(), self.0) }
                }
                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    Self(unsafe { $sub(self.0, other.0) })
                }
                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    Self(unsafe { $mul(self.0, other.0) })
                }
                #[inline(always)]
                fn div(self, other: Self) -> Self {
                    Self(unsafe { $div(self.0, other.0) })
                }
                #[inline(always)]
                fn min(self, other: Self) -> Self {
                    Self(unsafe { $min(self.0, other.0) })
                }
                #[inline(always)]
                fn max(self, other: Self) -> Self {
                    Self(unsafe { $max(self.0, other.0) })
                }
                #[inline(always)]
                fn mul_add(self, factor: Self, term: Self) -> Self {
                    Self(unsafe { $fma(self.0, factor.0, term.0) })
                }
                #[inline(always)]
                fn mantissa_to_exponent(self) -> Self {
                    Self(unsafe { $from_bits($shift::<23>($to_bits(self.0))) })
                }
            }
        };
    }

    vector!(
        Avx2,
        __m256,
        8,
        3,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        _mm256_min_ps,
        _mm256_max_ps,
        _mm256_fmadd_ps,
        _mm256_castps_si256,
        _mm256_slli_epi32,
        _mm256_castsi256_ps
    );
    vector!(
        Avx512,
        __m512,
        16,
        6,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_div_ps,
        _mm512_min_ps,
        _mm512_max_ps,
        _mm512_fmadd_ps,
        _mm512_castps_si512,
        _mm512_slli_epi32,
        _mm512_castsi512_ps
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Activations<'a>(&'a [f32]);

    impl Job for Activations<'_> {
        type Output = Vec<(f32, f32)>;

        #[inline(always)]
        fn run<V: Vector>(self) -> Self::Output {
            let mut s = vec![0.0; V::LANES];
            let mut t = vec![0.0; V::LANES];
            self.0
                .iter()
                .map(|&x| {
                    sigmoid(V::splat(x)).store(&mut s);
                    tanh(V::splat(x)).store(&mut t);
                    (s[0], t[0])
                })
                .collect()
        }
    }

    #[test]
    fn activations_agree_with_f64_at_every_level() {
        let mut xs: Vec<f32> = (-40_000..=40_000).map(|i| i as f32 * 1e-3).collect();
        xs.extend((1..2000).map(|i| i as f32 * 1e-6));
        xs.extend([-1e30, -500.0, 500.0, 1e30]);
        for level in Level::available() {
            for (&x, (s, t)) in xs.iter().zip(level.run(Activations(&xs))) {
                let exact_s = 1.0 / (1.0 + (-f64::from(x)).exp());
                let exact_t = f64::from(x).tanh();
                assert!(
                    (f64::from(s) - exact_s).abs() <= 1e-6 * exact_s + 1e-30,
                    "{level:?}: sigmoid({x}) = {s}, not {exact_s}"
                );
                assert!(
                    (f64::from(t) - exact_t).abs() <= 1e-6 * exact_t.abs(),
                    "{level:?}: tanh({x}) = {t}, not {exact_t}"
                );
            }
        }
    }
}
