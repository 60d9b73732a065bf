use super::{Harmony, HarmonyAnalyser, commonest_tonic};
use crate::error::Result;
use crate::models::chord_gnn::Messages;
use crate::music::SoundingChord;

impl HarmonyAnalyser {
    /// The graph that the chords were read as, how much each edge counts under the key of its target, and how much each
    /// chord counts for the mode of the whole. `harmony` is the analysis of these chords.
    ///
    /// # Errors
    /// When the analysis has another number of chords, or the model refuses them.
    pub fn graph(&self, chords: &[SoundingChord], harmony: &Harmony) -> Result<Messages> {
        let keys = || harmony.chords.iter().map(|chord| chord.key);
        let tonics: Vec<u8> = keys().map(|key| key.tonic()).collect();
        let tonic = commonest_tonic(keys());
        self.model
            .messages(chords, &self.config.graph, &tonics, tonic)
    }
}
