use super::Degree;

/// A chord's quality in a word: those of Harte et al. 2005, and those that annotations have added since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shorthand {
    Maj,
    Min,
    Dim,
    Aug,
    Maj7,
    Min7,
    Dominant7,
    Dim7,
    HalfDim7,
    MinMaj7,
    Aug7,
    Maj6,
    Min6,
    Dominant9,
    Maj9,
    Min9,
    Dominant11,
    Maj11,
    Min11,
    Dominant13,
    Maj13,
    Min13,
    Sus2,
    Sus4,
    /// The root alone.
    Root,
    /// Root and fifth.
    Power,
}

impl Shorthand {
    pub const ALL: [Self; 26] = [
        Self::Maj,
        Self::Min,
        Self::Dim,
        Self::Aug,
        Self::Maj7,
        Self::Min7,
        Self::Dominant7,
        Self::Dim7,
        Self::HalfDim7,
        Self::MinMaj7,
        Self::Aug7,
        Self::Maj6,
        Self::Min6,
        Self::Dominant9,
        Self::Maj9,
        Self::Min9,
        Self::Dominant11,
        Self::Maj11,
        Self::Min11,
        Self::Dominant13,
        Self::Maj13,
        Self::Min13,
        Self::Sus2,
        Self::Sus4,
        Self::Root,
        Self::Power,
    ];

    /// As labels have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Maj => "maj",
            Self::Min => "min",
            Self::Dim => "dim",
            Self::Aug => "aug",
            Self::Maj7 => "maj7",
            Self::Min7 => "min7",
            Self::Dominant7 => "7",
            Self::Dim7 => "dim7",
            Self::HalfDim7 => "hdim7",
            Self::MinMaj7 => "minmaj7",
            Self::Aug7 => "aug7",
            Self::Maj6 => "maj6",
            Self::Min6 => "min6",
            Self::Dominant9 => "9",
            Self::Maj9 => "maj9",
            Self::Min9 => "min9",
            Self::Dominant11 => "11",
            Self::Maj11 => "maj11",
            Self::Min11 => "min11",
            Self::Dominant13 => "13",
            Self::Maj13 => "maj13",
            Self::Min13 => "min13",
            Self::Sus2 => "sus2",
            Self::Sus4 => "sus4",
            Self::Root => "1",
            Self::Power => "5",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// The degrees within an octave, the root included.
    pub fn degrees(self) -> &'static [Degree] {
        const ROOT: Degree = Degree::UNISON;
        const SECOND: Degree = Degree::natural(2);
        const MINOR: Degree = Degree::flat(3);
        const MAJOR: Degree = Degree::natural(3);
        const FOURTH: Degree = Degree::natural(4);
        const FIFTH: Degree = Degree::natural(5);
        const DIMINISHED: Degree = Degree::flat(5);
        const AUGMENTED: Degree = Degree::sharp(5);
        const SIXTH: Degree = Degree::natural(6);
        const SEVENTH: Degree = Degree::flat(7);
        const DIMINISHED_SEVENTH: Degree = Degree::double_flat(7);
        const LEADING: Degree = Degree::natural(7);
        match self {
            Self::Maj => &[ROOT, MAJOR, FIFTH],
            Self::Min => &[ROOT, MINOR, FIFTH],
            Self::Dim => &[ROOT, MINOR, DIMINISHED],
            Self::Aug => &[ROOT, MAJOR, AUGMENTED],
            Self::Maj7 | Self::Maj9 | Self::Maj11 | Self::Maj13 => &[ROOT, MAJOR, FIFTH, LEADING],
            Self::Min7 | Self::Min9 | Self::Min11 | Self::Min13 => &[ROOT, MINOR, FIFTH, SEVENTH],
            Self::Dominant7 | Self::Dominant9 | Self::Dominant11 | Self::Dominant13 => {
                &[ROOT, MAJOR, FIFTH, SEVENTH]
            }
            Self::Dim7 => &[ROOT, MINOR, DIMINISHED, DIMINISHED_SEVENTH],
            Self::HalfDim7 => &[ROOT, MINOR, DIMINISHED, SEVENTH],
            Self::MinMaj7 => &[ROOT, MINOR, FIFTH, LEADING],
            Self::Aug7 => &[ROOT, MAJOR, AUGMENTED, SEVENTH],
            Self::Maj6 => &[ROOT, MAJOR, FIFTH, SIXTH],
            Self::Min6 => &[ROOT, MINOR, FIFTH, SIXTH],
            Self::Sus2 => &[ROOT, SECOND, FIFTH],
            Self::Sus4 => &[ROOT, FOURTH, FIFTH],
            Self::Root => &[ROOT],
            Self::Power => &[ROOT, FIFTH],
        }
    }

    /// The degrees above the octave.
    pub fn extensions(self) -> &'static [Degree] {
        const UP_TO_13: &[Degree] = &[Degree::natural(9), Degree::natural(11), Degree::natural(13)];
        match self {
            Self::Dominant9 | Self::Maj9 | Self::Min9 => &UP_TO_13[..1],
            Self::Dominant11 | Self::Maj11 | Self::Min11 => &UP_TO_13[..2],
            Self::Dominant13 | Self::Maj13 | Self::Min13 => UP_TO_13,
            _ => &[],
        }
    }
}
