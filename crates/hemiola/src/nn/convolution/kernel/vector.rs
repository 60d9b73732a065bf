//! Groups of adjacent output channels that are held in registers, for each instruction set.

/// What the processor can do. Chosen when the program runs, so that one build serves every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Level {
    /// What every processor can do.
    Portable,
    /// AVX2 with FMA: 16 registers of 8 floats.
    Avx2,
    /// AVX-512: 32 registers of 16 floats.
    Avx512,
}

impl Level {
    /// The levels this processor has, slowest first.
    pub fn available() -> Vec<Level> {
        let mut levels = vec![Level::Portable, Level::Avx2, Level::Avx512];
        levels.retain(|level| *level <= Level::best());
        levels
    }

    /// The fastest level this processor has.
    pub fn best() -> Level {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                return Level::Avx512;
            }
            return Level::Avx2;
        }
        Level::Portable
    }

    /// The widest group of channels, in floats.
    pub(super) fn widest(self) -> usize {
        match self {
            Level::Portable => 8,
            Level::Avx2 => 24,
            Level::Avx512 => 32,
        }
    }
}

/// A group of adjacent channels of one position.
///
/// # Safety
/// All methods need the instruction set of the implementing type. `load` and `store` access `LANES` floats.
pub(super) trait Lanes: Copy {
    const LANES: usize;
    /// How many such groups, at most, may be accumulated at a time without running out of registers.
    const TILE: usize;

    unsafe fn zero() -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    /// `self + value · other`
    unsafe fn add_scaled(self, value: f32, other: Self) -> Self;
}

#[derive(Clone, Copy)]
pub(super) struct Plain8([f32; 8]);

impl Lanes for Plain8 {
    const LANES: usize = 8;
    const TILE: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller gives 8 readable floats; an array of floats has their alignment.
        Self(unsafe { from.cast::<[f32; 8]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller gives 8 writable floats.
        unsafe { to.cast::<[f32; 8]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    unsafe fn add_scaled(self, value: f32, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + value * other.0[i]))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    /// Implements [`Lanes`] for a list of registers, each the field of a tuple: field, offset in floats, and the five instructions.
    macro_rules! lanes {
        ($name:ident, $lanes:expr, $tile:expr, $splat:ident, $($field:tt: $register:ty, $offset:expr, $cast:ident, $zero:ident, $load:ident, $store:ident, $add:ident, $fma:ident);+) => {
            #[derive(Clone, Copy)]
            pub(in super::super) struct $name($($register),+);

            impl Lanes for $name {
                const LANES: usize = $lanes;
                const TILE: usize = $tile;

                #[inline(always)]
                unsafe fn zero() -> Self {
                    // SAFETY: the caller has the instruction set.
                    unsafe { Self($($zero()),+) }
                }

                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    // SAFETY: the caller has the instruction set and gives `LANES` readable floats.
                    unsafe { Self($($load(from.add($offset))),+) }
                }

                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    // SAFETY: the caller has the instruction set and gives `LANES` writable floats.
                    unsafe { $($store(to.add($offset), self.$field));+ }
                }

                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: the caller has the instruction set.
                    unsafe { Self($($add(self.$field, other.$field)),+) }
                }

                #[inline(always)]
                unsafe fn add_scaled(self, value: f32, other: Self) -> Self {
                    // SAFETY: the caller has the instruction set.
                    unsafe {
                        let value = $splat(value);
                        Self($($fma($cast(value), other.$field, self.$field)),+)
                    }
                }
            }
        };
    }

    #[inline(always)]
    fn same<T>(register: T) -> T {
        register
    }

    // AVX2 has 16 registers: 12 sums, up to 3 of the other operand, 1 for the broadcast value.
    lanes!(Ymm8, 8, 12, _mm256_set1_ps,
        0: __m256, 0, same, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps);
    lanes!(Ymm16, 16, 6, _mm256_set1_ps,
        0: __m256, 0, same, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps;
        1: __m256, 8, same, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps);
    lanes!(Ymm24, 24, 4, _mm256_set1_ps,
        0: __m256, 0, same, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps;
        1: __m256, 8, same, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps;
        2: __m256, 16, same, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps);

    // AVX-512 has 32 registers: 24 sums, 2 of the other operand, the rest for broadcast values.
    lanes!(Zmm16, 16, 12, _mm512_set1_ps,
        0: __m512, 0, same, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps);
    lanes!(Zmm24, 24, 12, _mm512_set1_ps,
        0: __m512, 0, same, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps;
        1: __m256, 16, _mm512_castps512_ps256, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps);
    lanes!(Zmm32, 32, 12, _mm512_set1_ps,
        0: __m512, 0, same, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps;
        1: __m512, 16, same, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps);
}
