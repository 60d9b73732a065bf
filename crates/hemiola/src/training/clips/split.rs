//! Which recordings are for measuring.

/// A number that stays with a name on every machine: FNV-1a, its bits mixed as splitmix64 does.
pub(super) fn hash(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    let z = (fnv ^ (fnv >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Whether each of the named recordings is part of the dev set: of every group about `share`, but at least `least` and
/// never all where a group has more than `least`; the others are for training.
///
/// The choice follows from the names alone, so that it is the same for every run and changes little when recordings are
/// added.
pub(in crate::training) fn split(names: &[(&str, usize)], share: f64, least: usize) -> Vec<bool> {
    let mut is_dev = vec![false; names.len()];
    let groups = names.iter().map(|(_, group)| group + 1).max().unwrap_or(0);
    for group in 0..groups {
        let mut members: Vec<usize> = (0..names.len()).filter(|&i| names[i].1 == group).collect();
        members.sort_by_key(|&i| (hash(names[i].0), names[i].0));
        if members.len() <= least {
            continue;
        }
        let wanted = (share * members.len() as f64).round() as usize;
        for &i in &members[..wanted.clamp(least, members.len() - 1)] {
            is_dev[i] = true;
        }
    }
    is_dev
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize, group: usize) -> Vec<(String, usize)> {
        (0..count)
            .map(|i| (format!("{group}/{i}.wav"), group))
            .collect()
    }

    fn split_of(names: &[(String, usize)], share: f64) -> Vec<bool> {
        let names: Vec<(&str, usize)> = names.iter().map(|(n, g)| (n.as_str(), *g)).collect();
        split(&names, share, 1)
    }

    #[test]
    fn every_class_has_its_share_on_both_sides() {
        let mut all = names(40, 0);
        all.extend(names(2, 1));
        all.extend(names(1, 2));
        all.extend(names(7, 3));
        let is_dev = split_of(&all, 0.25);
        let dev_of = |group| {
            let of = all.iter().zip(&is_dev);
            of.filter(|((_, g), dev)| *g == group && **dev).count()
        };
        assert_eq!([dev_of(0), dev_of(1), dev_of(2), dev_of(3)], [10, 1, 0, 2]);
        assert_eq!(
            split_of(&names(2, 0), 0.9).iter().filter(|d| **d).count(),
            1
        );
    }

    #[test]
    fn the_choice_follows_from_the_names_whatever_their_order() {
        let all = names(30, 0);
        let mut reversed = all.clone();
        reversed.reverse();
        let mut backwards = split_of(&reversed, 0.2);
        backwards.reverse();
        assert_eq!(split_of(&all, 0.2), backwards);
        // Of 30 recordings at least 28 keep their side when one more comes.
        let one_more = split_of(&names(31, 0), 0.2);
        let kept = split_of(&all, 0.2);
        let same = kept.iter().zip(&one_more).filter(|(a, b)| a == b).count();
        assert!(same >= 28, "{same}");
        // Not simply the first ones.
        assert_ne!(&kept[..6], &[true; 6]);
    }

    #[test]
    fn a_name_has_the_same_number_everywhere() {
        // FNV-1a of "a" is 0xAF63DC4C8601EC8C.
        let z: u64 = 0xAF63_DC4C_8601_EC8C;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        assert_eq!(hash("a"), z ^ (z >> 31));
    }
}
