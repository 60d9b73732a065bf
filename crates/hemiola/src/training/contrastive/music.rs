//! Recordings without labels, on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::config::{LEAST_DEV, MusicData, Root, SplitBy};
use crate::error::{Error, Result};
use crate::training::clips::{audio_files, check_folder, endings, first_of, hash, name_below};
use crate::training::decoded::Decoded;

/// A recording, not in memory.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    /// The path below its root, with `/` between its parts.
    pub name: String,
    /// What it is not parted from, with [`SplitBy::Folder`].
    pub group: String,
    /// How often it is drawn, against others.
    pub weight: f64,
    pub sound: Decoded,
}

/// Recordings to learn from and to measure by.
#[derive(Debug, Clone)]
pub(super) struct Music {
    pub train: Vec<Recording>,
    pub dev: Vec<Recording>,
}

impl Music {
    /// Finds all recordings, and decodes those that have not been decoded to `cache` before. `note` is told what will take
    /// its time and what is left out.
    ///
    /// # Errors
    /// When there is no such folder, or no recording in one of them that can be read; when there are fewer than
    /// `least_train` to learn from or two to measure by.
    pub fn read(
        data: &MusicData,
        cache: &Path,
        sample_rate: u32,
        least_train: usize,
        note: &(dyn Fn(&str) + Sync),
    ) -> Result<Self> {
        std::fs::create_dir_all(cache).map_err(|e| Error::io(cache, e))?;
        let mut recordings = Vec::new();
        for root in &data.root.list() {
            recordings.extend(read_root(root, cache, sample_rate, note)?);
        }
        Self::of(recordings, data, least_train)
    }

    fn of(recordings: Vec<Recording>, data: &MusicData, least_train: usize) -> Result<Self> {
        let group = |recording: &'_ Recording| match data.split_by {
            SplitBy::Recording => recording.name.clone(),
            SplitBy::Folder => recording.group.clone(),
        };
        let groups: Vec<String> = recordings.iter().map(group).collect();
        let is_dev = on_dev(&groups, data.dev_share, data.dev_most);
        let (mut train, mut dev) = (Vec::new(), Vec::new());
        for (recording, is_dev) in recordings.into_iter().zip(is_dev) {
            match is_dev {
                true => dev.push(recording),
                false => train.push(recording),
            }
        }
        // Whole groups are set apart; what is too much of them is not heard at all.
        dev.truncate(data.dev_most);
        if train.len() < least_train || dev.len() < LEAST_DEV {
            return Err(Error::config(format!(
                "data.root: {} recordings to learn from and {} to measure by are too few; expected at least \
                 run.batch_size = {least_train} and {LEAST_DEV}",
                train.len(),
                dev.len(),
            )));
        }
        Ok(Self { train, dev })
    }

    /// How much there is of it, a sentence.
    pub fn summary(&self, sample_rate: u32) -> String {
        let hours = |recordings: &[Recording]| {
            let samples: f64 = recordings.iter().map(|r| r.sound.len() as f64).sum();
            samples / f64::from(sample_rate) / 3600.0
        };
        format!(
            "{} recordings ({:.1} h) to learn from, {} ({:.1} h) to measure by",
            self.train.len(),
            hours(&self.train),
            self.dev.len(),
            hours(&self.dev)
        )
    }
}

/// All recordings of a folder that can be read.
fn read_root(
    root: &Root,
    cache: &Path,
    sample_rate: u32,
    note: &(dyn Fn(&str) + Sync),
) -> Result<Vec<Recording>> {
    let folder = &root.folder;
    check_folder(folder)?;
    let files = audio_files(folder)?;
    if files.is_empty() {
        return Err(Error::input(
            folder,
            format!(
                "expected recordings, files that end in {}; found none",
                endings()
            ),
        ));
    }
    let stem = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let missing = files
        .par_iter()
        .filter(|file| !Decoded::is_there(file, &stem(file), cache, sample_rate))
        .count();
    if missing > 0 {
        note(&format!(
            "{}: decoding {missing} of {} recordings into {}, once",
            folder.display(),
            files.len(),
            cache.display()
        ));
    }
    let seen = AtomicUsize::new(0);
    let decode = |file: &PathBuf| {
        let decoded = Decoded::of(file, &stem(file), cache, sample_rate);
        let seen = 1 + seen.fetch_add(1, Ordering::Relaxed);
        if missing > MANY && seen * 10 / files.len() > (seen - 1) * 10 / files.len() {
            note(&format!(
                "{}: {seen} of {} recordings",
                folder.display(),
                files.len()
            ));
        }
        match decoded {
            Ok(decoded) if decoded.len() == 0 => Err(Error::input(file, "there is no sound in it")),
            decoded => decoded,
        }
    };
    let decoded: Vec<Result<Decoded>> = files.par_iter().map(decode).collect();
    let faults: Vec<String> = decoded
        .iter()
        .filter_map(|decoded| decoded.as_ref().err().map(ToString::to_string))
        .collect();
    if faults.len() == files.len() {
        return Err(Error::input(
            folder,
            format!(
                "none of its {} recordings can be read; {}",
                files.len(),
                faults[0]
            ),
        ));
    }
    if !faults.is_empty() {
        note(&format!(
            "{} of {} recordings cannot be read and are left out: {}",
            faults.len(),
            files.len(),
            first_of(&faults)
        ));
    }
    let recordings = files.iter().zip(decoded).filter_map(|(file, sound)| {
        let name = name_below(folder, file);
        Some(Recording {
            group: group(folder, &name),
            name,
            weight: root.weight,
            sound: sound.ok()?,
        })
    });
    Ok(recordings.collect())
}

/// More recordings than these are counted while they are decoded.
const MANY: usize = 100;

/// The folder that a recording lies in, below the root's name; its own name where that is the root.
fn group(root: &Path, name: &str) -> String {
    let root = root.file_name().unwrap_or_default().to_string_lossy();
    let folder = name.rsplit_once('/').map_or(name, |(folder, _)| folder);
    format!("{root}/{folder}")
}

/// For each recording, given its group, whether it is to measure by: about `share` of them, at least two and at most
/// `most`, never a part of a group. The choice follows from the names of the groups alone.
fn on_dev(groups: &[String], share: f64, most: usize) -> Vec<bool> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for group in groups {
        *sizes.entry(group).or_default() += 1;
    }
    let mut order: Vec<(&str, usize)> = sizes.into_iter().collect();
    order.sort_by_key(|(group, _)| (hash(group), *group));
    let wanted = (share * groups.len() as f64).round() as usize;
    let wanted = wanted.min(most).max(LEAST_DEV);
    let mut chosen = BTreeSet::new();
    let mut count = 0;
    for (group, size) in &order {
        if count + size <= wanted {
            chosen.insert(*group);
            count += size;
        }
    }
    // Of large groups alone, one.
    if count < LEAST_DEV
        && let Some((group, _)) = order.iter().min_by_key(|(_, size)| *size)
    {
        chosen.insert(group);
    }
    groups
        .iter()
        .map(|group| chosen.contains(group.as_str()))
        .collect()
}

impl Recording {
    /// Where a crop may begin at the latest; 0 where the recording is shorter.
    pub fn latest(&self, length: usize) -> usize {
        self.sound.len().saturating_sub(length)
    }

    /// `length` samples from `first` on; a recording that ends before is repeated.
    pub fn crop(&self, first: usize, length: usize) -> Result<Vec<f32>> {
        self.sound.read_round(first, length)
    }

    /// Up to `most` clips of `length` samples, evenly spread from the beginning to the end; they do not overlap.
    pub fn clips(&self, length: usize, most: usize) -> Result<Vec<Vec<f32>>> {
        let count = (self.sound.len() / length.max(1)).clamp(1, most);
        let latest = self.latest(length);
        let starts = (0..count).map(|i| latest * i / (count - 1).max(1));
        starts.map(|first| self.crop(first, length)).collect()
    }

    /// The middle of the first half, or of the second, of the recording: `length` samples.
    pub fn half(&self, second: bool, length: usize) -> Result<Vec<f32>> {
        let latest = self.latest(length);
        let middle = self.sound.len() * if second { 3 } else { 1 } / 4;
        self.crop(middle.saturating_sub(length / 2).min(latest), length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{WavFormat, write_wav};
    use crate::training::contrastive::config::Roots;

    fn data(text: &str) -> MusicData {
        toml::from_str(text).unwrap()
    }

    fn write(path: PathBuf, samples: &[f32]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_wav(path, samples, 1, 8000, WavFormat::Float32).unwrap();
    }

    fn read(data: &MusicData, cache: &Path, least: usize) -> (Result<Music>, String) {
        let notes = std::sync::Mutex::new(Vec::new());
        let note = |note: &str| notes.lock().unwrap().push(note.to_owned());
        let music = Music::read(data, cache, 8000, least, &note);
        (music, notes.into_inner().unwrap().join("\n"))
    }

    #[test]
    fn recordings_are_found_below_the_folder_and_broken_ones_told() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path().join("music");
        for name in [
            "rock/live/B.WAV",
            "a.wav",
            "c.wave",
            "._a.wav",
            ".cache/d.wav",
        ] {
            write(root.join(name), &[0.25; 90]);
        }
        std::fs::write(root.join("notes.txt"), "x").unwrap();
        std::fs::write(root.join("broken.mp3"), "no sound").unwrap();
        let cache = at.path().join("decoded");
        let data = data(&format!("root = {root:?}\n"));
        let (music, notes) = read(&data, &cache, 1);
        let music = music.unwrap();
        let mut names: Vec<&str> = music.train.iter().map(|r| r.name.as_str()).collect();
        names.extend(music.dev.iter().map(|r| r.name.as_str()));
        names.sort_unstable();
        assert_eq!(names, ["a.wav", "c.wave", "rock/live/B.WAV"]);
        assert_eq!(music.dev.len(), 2);
        for said in [
            "decoding 4 of 4",
            "1 of 4 recordings cannot be read",
            "broken.mp3",
        ] {
            assert!(notes.contains(said), "{said} is not in: {notes}");
        }
        // The second time only what could not be read is tried again.
        assert!(read(&data, &cache, 1).1.contains("decoding 1 of 4"));
        let message = read(&data, &cache, 2).0.unwrap_err().to_string();
        assert!(message.contains("batch_size = 2"), "{message}");
        let none = MusicData {
            root: Roots::One(root.join("none")),
            ..data
        };
        let message = read(&none, &cache, 1).0.unwrap_err().to_string();
        assert!(message.contains("no such folder"), "{message}");
    }

    #[test]
    fn a_group_is_on_one_side_and_the_dev_set_has_its_size() {
        let groups = |n: usize, size: usize| -> Vec<String> {
            (0..n * size).map(|i| format!("{}", i / size)).collect()
        };
        let chosen = |groups: &[String], share, most| -> Vec<usize> {
            let dev = on_dev(groups, share, most);
            (0..dev.len()).filter(|&i| dev[i]).collect()
        };
        let dev = chosen(&groups(100, 1), 0.1, 300);
        assert_eq!(dev.len(), 10);
        // Not simply the first ones, and most of them also where there is one recording more.
        assert!(dev.last().unwrap() > &20);
        let more = chosen(&groups(101, 1), 0.1, 300);
        assert!(dev.iter().filter(|i| more.contains(i)).count() >= 9);
        assert_eq!(chosen(&groups(100, 1), 0.5, 7).len(), 7);
        assert_eq!(chosen(&groups(3, 1), 0.1, 7).len(), 2);
        let albums = groups(20, 5);
        let dev = chosen(&albums, 0.1, 300);
        assert_eq!(dev.len(), 10);
        assert!(dev.chunks(5).all(|d| d[0] % 5 == 0 && d[4] == d[0] + 4));
        // Where every group is larger than the share, one is taken.
        assert_eq!(chosen(&groups(3, 40), 0.1, 300).len(), 40);
        let group = |name| group(Path::new("x/music"), name);
        assert_eq!(group("a.wav"), "music/a.wav");
        assert_eq!(group("ann/live/a.wav"), group("ann/live/b.wav"));
        assert_ne!(group("ann/live/a.wav"), group("ann/a.wav"));
    }
}
