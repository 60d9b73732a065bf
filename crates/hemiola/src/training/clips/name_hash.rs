//! An order of names that is the same on every machine and changes little when names are added.

/// A number that stays with a name on every machine: FNV-1a, its bits mixed as splitmix64 does.
pub(in crate::training) fn hash(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    let z = (fnv ^ (fnv >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_same_number_everywhere() {
        // FNV-1a of "a" is 0xAF63DC4C8601EC8C.
        let z: u64 = 0xAF63_DC4C_8601_EC8C;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        assert_eq!(hash("a"), z ^ (z >> 31));
    }
}
