//! Which events may follow others, for generation that cannot go wrong.

use super::event::{
    EOS, Event, LONGEST_SHIFT, NOTE_OFFS, PAD, TIME_SHIFTS, VELOCITIES, VOCABULARY,
};

const WORDS: usize = VOCABULARY.div_ceil(64);

/// A set of ids of the vocabulary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventSet([u64; WORDS]);

impl EventSet {
    pub fn contains(&self, id: u16) -> bool {
        let (word, bit) = (usize::from(id / 64), id % 64);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }

    /// In rising order.
    pub fn ids(&self) -> impl Iterator<Item = u16> + '_ {
        (0..VOCABULARY as u16).filter(|&id| self.contains(id))
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    /// Makes everything outside the set impossible: logit i, that of id i, becomes −∞.
    pub fn restrict(&self, logits: &mut [f32]) {
        for (id, logit) in logits.iter_mut().enumerate() {
            if !u16::try_from(id).is_ok_and(|id| self.contains(id)) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn insert(&mut self, id: u16) {
        if let Some(word) = self.0.get_mut(usize::from(id / 64)) {
            *word |= 1 << (id % 64);
        }
    }

    fn remove(&mut self, id: u16) {
        if let Some(word) = self.0.get_mut(usize::from(id / 64)) {
            *word &= !(1 << (id % 64));
        }
    }

    fn insert_range(&mut self, ids: std::ops::Range<u16>) {
        ids.for_each(|id| self.insert(id));
    }

    /// The pitches, as bits, of the ids from `first` on, which is a multiple of 64.
    fn insert_pitches(&mut self, first: u16, pitches: u128) {
        let word = usize::from(first / 64);
        self.0[word] |= pitches as u64;
        self.0[word + 1] |= (pitches >> 64) as u64;
    }
}

/// Where a sequence of events stands, and what may follow.
///
/// What it allows is what [`encode`](super::encode) writes for [separated](crate::music::separated) notes, and only that, but
/// for the order of the starts and of the ends at one step:
/// - a pitch that sounds does not begin, and one that does not sound does not end;
/// - at one step, ends stand before starts, so that every note has a length;
/// - a velocity event changes the velocity, and a note-on follows it; the first note-on has one before it;
/// - a time shift follows another only if that was the longest;
/// - [`EOS`](super::EOS) stands after at least one note, and when none sounds.
///
/// There is always something allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventState {
    /// Bit p is set while pitch p sounds.
    sounding: u128,
    /// Pitches that sound more than once, as often as they do beyond the first; empty in sequences that keep the rules.
    repeated: Vec<u8>,
    velocity_bin: Option<u8>,
    last: Option<Event>,
    /// Whether a note began at this step.
    started: bool,
    /// Whether a note began at all.
    has_notes: bool,
    ended: bool,
}

impl EventState {
    /// Before the first event.
    pub fn new() -> Self {
        Self::default()
    }

    /// After a sequence, such as a piece to be continued; it need not keep the rules.
    pub fn after(ids: &[u16]) -> Self {
        let mut state = Self::new();
        for &id in ids {
            state.advance(id);
        }
        state
    }

    /// Everything that may follow; after [`EOS`](super::EOS), padding.
    pub fn allowed(&self) -> EventSet {
        let mut set = EventSet::default();
        if self.ended {
            set.insert(PAD);
            return set;
        }
        if self.velocity_bin.is_some() {
            set.insert_pitches(0, !self.sounding);
        }
        if matches!(self.last, Some(Event::Velocity(_))) && !set.is_empty() {
            return set;
        }
        if !self.started {
            set.insert_pitches(NOTE_OFFS, self.sounding);
        }
        if !matches!(self.last, Some(Event::TimeShift(steps)) if steps < LONGEST_SHIFT) {
            set.insert_range(TIME_SHIFTS..VELOCITIES);
        }
        if self.sounding != u128::MAX {
            set.insert_range(VELOCITIES..PAD);
            if let Some(bin) = self.velocity_bin {
                set.remove(Event::Velocity(bin).id());
            }
        }
        if self.sounding == 0 && self.has_notes {
            set.insert(EOS);
        }
        set
    }

    /// Goes on by one id and tells whether it was allowed; if not, it is understood as [`decode`](super::decode) does.
    pub fn advance(&mut self, id: u16) -> bool {
        let allowed = self.allowed().contains(id);
        if self.ended {
            return allowed;
        }
        if id == EOS {
            self.ended = true;
            self.sounding = 0;
            self.repeated.clear();
        }
        let Some(event) = Event::from_id(id) else {
            return allowed;
        };
        match event {
            Event::NoteOn(pitch) => {
                let bit = 1 << pitch;
                if self.sounding & bit != 0 {
                    self.repeated.push(pitch);
                }
                self.sounding |= bit;
                self.started = true;
                self.has_notes = true;
            }
            Event::NoteOff(pitch) => match self.repeated.iter().position(|&p| p == pitch) {
                Some(index) => {
                    self.repeated.swap_remove(index);
                }
                None => self.sounding &= !(1 << pitch),
            },
            Event::TimeShift(_) => self.started = false,
            Event::Velocity(bin) => self.velocity_bin = Some(bin),
        }
        self.last = Some(event);
        allowed
    }

    /// The pitches that sound, rising.
    pub fn sounding(&self) -> impl Iterator<Item = u8> + '_ {
        (0..128).filter(|&pitch| self.sounding >> pitch & 1 == 1)
    }

    /// The shortest way to end every note that sounds: its note-offs, after a time shift of one step where notes have
    /// just begun. After it the sequence may end.
    pub fn closing(&self) -> Vec<u16> {
        let mut ids = Vec::new();
        if self.sounding != 0 && self.started {
            ids.push(Event::TimeShift(1).id());
        }
        let pitches = self.sounding().chain(self.repeated.iter().copied());
        ids.extend(pitches.map(|pitch| Event::NoteOff(pitch).id()));
        ids
    }
}
