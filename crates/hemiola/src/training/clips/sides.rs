//! Which recordings with labels are for measuring.

use std::collections::BTreeMap;

use super::entries::{Entry, Side};
use super::folders::first_of;
use super::name_hash::hash;

/// How much is for measuring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Share {
    /// Of every label about this share.
    Part(f64),
    /// The first of so many parts, counted from 0.
    Fold(usize, usize),
}

/// A group that recordings on both sides are of.
pub(super) fn on_both(entries: &[Entry]) -> Option<&str> {
    let mut told: BTreeMap<&str, Side> = BTreeMap::new();
    entries.iter().find_map(|entry| {
        let (group, side) = (entry.group.as_deref()?, entry.side?);
        (*told.entry(group).or_insert(side) != side).then_some(group)
    })
}

/// Whether each recording is for measuring: of every label its share, whole groups at a time, and never all groups of a
/// label. Recordings whose side is told are on it.
///
/// The choice follows from the names alone. Labels of few recordings choose first, so that what is chosen for a common
/// label does not use them up.
pub(super) fn sides(
    entries: &[&Entry],
    labels: &[String],
    share: Share,
    notes: &mut Vec<String>,
) -> Vec<bool> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, entry) in entries.iter().enumerate() {
        let group = entry.group.as_deref().unwrap_or(&entry.name);
        groups.entry(group).or_default().push(i);
    }
    // One recording whose side is told tells it of its group.
    let mut chosen: BTreeMap<&str, Side> = BTreeMap::new();
    for (group, members) in &groups {
        if let Some(side) = members.iter().find_map(|&i| entries[i].side) {
            chosen.insert(group, side);
        }
    }
    let told = !chosen.is_empty();
    let mut by_label: Vec<(usize, &String)> = labels
        .iter()
        .map(|label| {
            let with = entries.iter().filter(|e| e.labels.contains(label));
            (with.count(), label)
        })
        .collect();
    by_label.sort();
    let (mut few, mut lone) = (Vec::new(), Vec::new());
    for (count, label) in by_label {
        let counted = |members: &[usize]| {
            let with = members
                .iter()
                .filter(|&&i| entries[i].labels.contains(label));
            with.count()
        };
        let mut with: Vec<(&str, usize)> = groups
            .iter()
            .map(|(group, members)| (*group, counted(members)))
            .filter(|(_, n)| *n > 0)
            .collect();
        with.sort_by_key(|&(group, _)| (hash(group), group));
        if with.len() < 2 {
            if !told {
                lone.push(label.clone());
            }
            continue;
        }
        match share {
            Share::Part(part) => {
                let on = |side, chosen: &BTreeMap<&str, Side>| {
                    let of = with.iter().filter(|(g, _)| chosen.get(g) == Some(&side));
                    of.map(|(_, n)| n).sum::<usize>()
                };
                let wanted = ((part * count as f64).round() as usize).max(1);
                for &(group, _) in &with {
                    if chosen.contains_key(group) {
                        continue;
                    }
                    let left = with
                        .iter()
                        .filter(|(g, _)| chosen.get(g) != Some(&Side::Dev));
                    let side = match on(Side::Dev, &chosen) < wanted && left.count() > 1 {
                        true => Side::Dev,
                        false => Side::Train,
                    };
                    chosen.insert(group, side);
                }
            }
            Share::Fold(fold, folds) => {
                if with.len() < folds {
                    few.push(format!("{label} ({})", with.len()));
                }
                let free = with.iter().filter(|(g, _)| !chosen.contains_key(g));
                let sides: Vec<(&str, Side)> = free
                    .enumerate()
                    .map(|(i, &(group, _))| match i % folds == fold {
                        true => (group, Side::Dev),
                        false => (group, Side::Train),
                    })
                    .collect();
                chosen.extend(sides);
            }
        }
    }
    if !few.is_empty() {
        notes.push(format!(
            "labels of fewer groups of recordings than there are folds are not measured in every fold: {}",
            first_of(&few)
        ));
    }
    if !lone.is_empty() {
        notes.push(format!(
            "labels of a single group of recordings are learned but not measured: {}",
            first_of(&lone)
        ));
    }
    let is_dev = |entry: &&Entry| {
        let group = entry.group.as_deref().unwrap_or(&entry.name);
        chosen.get(group) == Some(&Side::Dev)
    };
    entries.iter().map(is_dev).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: String, label: &str, group: Option<String>) -> Entry {
        Entry {
            path: name.clone().into(),
            name,
            labels: vec![label.to_owned()],
            group,
            side: None,
        }
    }

    fn on_dev(entries: &[Entry], labels: &[&str], share: Share) -> (Vec<bool>, String) {
        let labels: Vec<String> = labels.iter().map(|&l| l.to_owned()).collect();
        let entries: Vec<&Entry> = entries.iter().collect();
        let mut notes = Vec::new();
        let sides = sides(&entries, &labels, share, &mut notes);
        (sides, notes.join("\n"))
    }

    #[test]
    fn no_group_is_on_both_sides_and_every_label_has_its_share() {
        let mut entries = Vec::new();
        for (label, groups) in [("a", 20), ("b", 10), ("c", 2), ("d", 1)] {
            for i in 0..groups * 3 {
                let group = Some(format!("{label}{}", i % groups));
                entries.push(entry(format!("{label}/{i}.wav"), label, group));
            }
        }
        let (dev, notes) = on_dev(&entries, &["a", "b", "c", "d"], Share::Part(0.2));
        for (i, one) in entries.iter().enumerate() {
            for (j, other) in entries.iter().enumerate() {
                assert!(one.group != other.group || dev[i] == dev[j]);
            }
        }
        let of = |label: &str| {
            let all = entries.iter().zip(&dev);
            all.filter(|(e, d)| e.labels[0] == label && **d).count()
        };
        assert_eq!([of("a"), of("b"), of("c"), of("d")], [12, 6, 3, 0]);
        assert!(notes.contains("not measured: d"), "{notes}");
    }

    #[test]
    fn folds_part_all_recordings() {
        let entries: Vec<Entry> = (0..23)
            .map(|i| entry(format!("{i}.wav"), if i < 20 { "a" } else { "b" }, None))
            .collect();
        let mut seen = vec![0; entries.len()];
        for fold in 0..4 {
            let (dev, notes) = on_dev(&entries, &["a", "b"], Share::Fold(fold, 4));
            let n = dev.iter().filter(|d| **d).count();
            assert!((5..=6).contains(&n), "{n}");
            seen.iter_mut()
                .zip(&dev)
                .for_each(|(n, d)| *n += usize::from(*d));
            assert!(notes.contains("b (3)"), "{notes}");
        }
        assert_eq!(seen, vec![1; entries.len()]);
    }
}
