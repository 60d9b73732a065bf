//! Recordings without labels, on disk, and crops of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Value;

use crate::error::{Error, Result};
use crate::features::FrontEnd;
use crate::tasks::classify::CLIP_S;
use crate::training::clips::{
    ClipShare, audio_files, check_folder, endings, first_of, hash, name_below,
};
use crate::training::decoded::Decoded;

/// Where recordings come from, and what is cut from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicData {
    /// A folder of recordings, or several, each with how often its recordings are heard. Folders inside are read, too.
    pub root: Roots,
    /// Where recordings are kept decoded, 2 bytes a sample (159 MB an hour at 22.05 kHz); the folder `cache` below the run's
    /// output where it is not given. Several runs may share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    /// Seconds of a crop.
    #[serde(default = "default_clip_s")]
    pub clip_s: f64,
    /// How far apart the two crops of a recording may begin, in seconds; anywhere in it where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_distance_s: Option<f64>,
    /// A crop whose root mean square is below this, in dB of full scale, is drawn again, a few times;
    /// -inf takes every one.
    #[serde(default = "default_quietest_db")]
    pub quietest_db: f64,
    /// Share of the recordings that the model is measured by and does not learn from.
    #[serde(default = "default_dev_share")]
    pub dev_share: f64,
    /// The most recordings to measure by.
    #[serde(default = "default_dev_most")]
    pub dev_most: usize,
    /// What is never on both sides.
    #[serde(default)]
    pub split_by: SplitBy,
}

fn default_clip_s() -> f64 {
    CLIP_S
}

fn default_quietest_db() -> f64 {
    -60.0
}

fn default_dev_share() -> f64 {
    0.1
}

fn default_dev_most() -> usize {
    300
}

/// How often a crop that is too quiet is drawn again.
const REDRAWS: usize = 4;

/// One folder, or a list of folders, each a path or a table with its weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Roots {
    One(PathBuf),
    Several(Vec<Root>),
}

impl<'de> Deserialize<'de> for Roots {
    /// Unlike that of an untagged enumeration, the error names the key that is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let root = |value: Value| match value {
            Value::String(folder) => Ok(Root::of(folder.into())),
            table => table.try_into(),
        };
        match Value::deserialize(deserializer)? {
            Value::String(folder) => Ok(Self::One(folder.into())),
            Value::Array(roots) => {
                let roots: std::result::Result<Vec<Root>, _> =
                    roots.into_iter().map(root).collect();
                let fault = |e: toml::de::Error| D::Error::custom(e.message());
                roots.map(Self::Several).map_err(fault)
            }
            _ => Err(D::Error::custom("expected a folder or a list of folders")),
        }
    }
}

/// A folder of recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    pub folder: PathBuf,
    /// How often one of its recordings is heard, in proportion to those of other folders.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

impl Root {
    fn of(folder: PathBuf) -> Self {
        Self {
            folder,
            weight: one(),
        }
    }
}

impl Roots {
    fn list(&self) -> Vec<Root> {
        match self {
            Self::One(folder) => vec![Root::of(folder.clone())],
            Self::Several(roots) => roots.clone(),
        }
    }
}

/// Recordings that stay together when some are set apart to measure by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// Every recording is on its own.
    #[default]
    Recording,
    /// Those that lie directly in one folder, such as those of an album or the parts of one recording; at the root every
    /// one is on its own.
    Folder,
}

impl MusicData {
    /// `least` frames must be in a crop.
    pub fn validate(&self, features: &impl FrontEnd, least: usize) -> Result<()> {
        self.clips().validate(features, least)?;
        let roots = self.root.list();
        if roots.is_empty() {
            return Err(Error::config("data.root is empty; name a folder at least"));
        }
        if let Some(root) = roots
            .iter()
            .find(|r| !(r.weight > 0.0 && r.weight.is_finite()))
        {
            return Err(Error::config(format!(
                "data.root: the weight of {} is {}; it must be above 0",
                root.folder.display(),
                root.weight
            )));
        }
        if let Some(distance) = self.max_distance_s
            && !(distance >= 0.0 && distance.is_finite())
        {
            return Err(Error::config(format!(
                "data.max_distance_s is {distance}; expected 0 or more, or leave it out"
            )));
        }
        if self.quietest_db.is_nan() {
            return Err(Error::config(
                "data.quietest_db is no number; expected dB, such as -60",
            ));
        }
        if self.dev_most < LEAST_DEV {
            return Err(Error::config(format!(
                "data.dev_most is {}; expected {LEAST_DEV} or more",
                self.dev_most
            )));
        }
        Ok(())
    }

    /// Samples of a crop.
    pub fn window(&self, features: &impl FrontEnd) -> usize {
        self.clips().window(features)
    }

    fn clips(&self) -> ClipShare {
        ClipShare {
            clip_s: self.clip_s,
            dev_share: self.dev_share,
        }
    }
}

/// One recording to measure by could not be mistaken for another.
const LEAST_DEV: usize = 2;

/// A recording, not in memory.
#[derive(Debug, Clone)]
pub(super) struct Recording {
    /// The path below its root, with `/` between its parts.
    name: String,
    /// What it is not parted from, with [`SplitBy::Folder`].
    group: String,
    weight: f64,
    sound: Decoded,
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
    fn latest(&self, length: usize) -> usize {
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

/// Two draws of crops of one recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crops {
    /// Samples between the beginnings of the two, at most.
    pub distance: Option<usize>,
    /// Root mean square of full scale below which a crop is drawn again.
    pub quietest: f64,
}

impl Crops {
    pub fn new(data: &MusicData, sample_rate: u32) -> Self {
        let samples = |seconds: f64| (seconds * f64::from(sample_rate)).round() as usize;
        Self {
            distance: data.max_distance_s.map(samples),
            quietest: 10f64.powf(data.quietest_db / 20.0),
        }
    }

    /// A crop of `length` samples and where it begins; the second crop is told where the first does.
    pub fn draw(
        &self,
        recording: &Recording,
        length: usize,
        first: Option<usize>,
        rng: &mut ChaCha8Rng,
    ) -> Result<(usize, Vec<f32>)> {
        let latest = recording.latest(length);
        let range = match (first, self.distance) {
            (Some(first), Some(distance)) => {
                first.saturating_sub(distance).min(latest)..=(first + distance).min(latest)
            }
            _ => 0..=latest,
        };
        let mut draws = 0;
        loop {
            let at = rng.random_range(range.clone());
            let samples = recording.crop(at, length)?;
            if draws == REDRAWS || root_mean_square(&samples) >= self.quietest {
                return Ok((at, samples));
            }
            draws += 1;
        }
    }
}

fn root_mean_square(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}

/// `count` different recordings, heavier ones more often.
///
/// Source: Efraimidis and Spirakis, "Weighted Random Sampling with a Reservoir" (2006).
pub(super) fn draw_different(
    recordings: &[Recording],
    count: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<usize> {
    let mut keys: Vec<(f64, usize)> = recordings
        .iter()
        .enumerate()
        // The logarithm of what is never 0.
        .map(|(i, recording)| (-(1.0 - rng.random::<f64>()).ln() / recording.weight, i))
        .collect();
    if count < keys.len() {
        keys.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0));
        keys.truncate(count);
    }
    keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    keys.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::audio::{WavFormat, write_wav};

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
    fn one_folder_or_several_are_named_and_a_wrong_key_is_told() {
        let list = |text: &str| data(&format!("root = {text}\n")).root.list();
        let root = |folder: &str, weight| Root {
            folder: folder.into(),
            weight,
        };
        assert_eq!(list("\"a\""), [root("a", 1.0)]);
        let several = list("[\"a\", { folder = \"b\", weight = 2.5 }]");
        assert_eq!(several, [root("a", 1.0), root("b", 2.5)]);
        let fault = |text: &str| {
            let read = toml::from_str::<MusicData>(&format!("root = {text}\n"));
            read.unwrap_err().to_string()
        };
        assert!(fault("[{ folder = \"b\", wieght = 2.5 }]").contains("wieght"));
        assert!(fault("3").contains("folder or a list"));
        let recipe = data("root = [\"a\", \"b\"]");
        let again: MusicData = toml::from_str(&toml::to_string(&recipe).unwrap()).unwrap();
        assert_eq!(again, recipe);
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

    /// Recordings of one value each.
    fn levels(at: &Path, levels: &[(f32, f64)], length: usize) -> Vec<Recording> {
        let recording = |(i, &(level, weight)): (usize, &(f32, f64))| {
            let path = at.join(format!("{i}.wav"));
            write_wav(&path, &vec![level; length], 1, 8000, WavFormat::Int16).unwrap();
            Recording {
                name: i.to_string(),
                group: String::new(),
                weight,
                sound: Decoded::open(path, 8000).unwrap(),
            }
        };
        levels.iter().enumerate().map(recording).collect()
    }

    #[test]
    fn a_batch_has_different_recordings_heavier_ones_more_often() {
        let at = tempfile::tempdir().unwrap();
        let recordings = levels(
            at.path(),
            &[(0.1, 1.0), (0.1, 1.0), (0.1, 3.0), (0.1, 1.0)],
            10,
        );
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = [0; 4];
        for _ in 0..3000 {
            let [drawn] = draw_different(&recordings, 1, &mut rng)[..] else {
                panic!("one is drawn");
            };
            seen[drawn] += 1;
        }
        for (seen, expected) in seen.into_iter().zip([500.0, 500.0, 1500.0, 500.0]) {
            assert!((f64::from(seen) - expected).abs() < 100.0, "{seen}");
        }
        let mut all = draw_different(&recordings, 4, &mut rng);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
        let two = draw_different(&recordings, 2, &mut rng);
        assert!(two.len() == 2 && two[0] != two[1]);
    }

    #[test]
    fn crops_are_near_one_another_and_not_silent() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("a.wav");
        // Silence but for the last tenth.
        let samples: Vec<f32> = (0..10_000)
            .map(|i| if i < 9000 { 0.0 } else { 0.5 })
            .collect();
        write_wav(&path, &samples, 1, 8000, WavFormat::Int16).unwrap();
        let recording = Recording {
            name: String::new(),
            group: String::new(),
            weight: 1.0,
            sound: Decoded::open(path, 8000).unwrap(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut loud = |quietest_db: f64| {
            let text = format!("root = \"x\"\nmax_distance_s = 0.1\nquietest_db = {quietest_db}\n");
            let crops = Crops::new(&data(&text), 8000);
            let mut loud = 0;
            for _ in 0..300 {
                let (first, samples) = crops.draw(&recording, 100, None, &mut rng).unwrap();
                loud += usize::from(root_mean_square(&samples) > 0.1);
                let (second, _) = crops.draw(&recording, 50, Some(first), &mut rng).unwrap();
                assert!(first.abs_diff(second) <= 800 && second <= 9950);
            }
            loud
        };
        // A tenth of all, or what is left where five draws may fail: 1 - 0.9^5.
        let (anyhow, chosen) = (loud(f64::NEG_INFINITY), loud(-20.0));
        assert!((15..=50).contains(&anyhow), "{anyhow}");
        assert!((95..=150).contains(&chosen), "{chosen}");
        assert_eq!(recording.half(false, 100).unwrap(), [0.0; 100]);
        // A quarter from the end, and all of a recording that is no longer than the crop.
        assert_eq!(recording.half(true, 4000).unwrap(), samples[5500..9500]);
        assert_eq!(recording.half(true, 10_000).unwrap(), samples);
    }
}
