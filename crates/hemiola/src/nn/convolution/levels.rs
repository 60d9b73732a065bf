//! One pass over data, compiled for each instruction set.

/// Compiles a function once for each level; its first argument chooses.
macro_rules! for_each_level {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),+ $(,)?) $body:block) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        pub(super) fn $name(level: Level, $($argument: $type),+) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($argument: $type),+) $body

            #[cfg(target_arch = "x86_64")]
            #[allow(clippy::too_many_arguments)]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),+) {
                body($($argument),+)
            }

            #[cfg(target_arch = "x86_64")]
            #[allow(clippy::too_many_arguments)]
            #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
            fn avx512($($argument: $type),+) {
                body($($argument),+)
            }

            match level {
                // SAFETY: the level is one the processor has.
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => unsafe { avx512($($argument),+) },
                // SAFETY: the level is one the processor has.
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => unsafe { avx2($($argument),+) },
                _ => body($($argument),+),
            }
        }
    };
}

pub(super) use for_each_level;
