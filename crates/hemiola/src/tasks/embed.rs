//! What an encoder of clips needs beside its weights.

use serde::{Deserialize, Serialize};

use crate::features::MelConfig;
use crate::tasks::classify::CLIP_S;

/// What a clip is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbedderConfig {
    /// Seconds of the clips that the model was trained with.
    pub clip_s: f64,
    pub features: MelConfig,
}

impl Default for EmbedderConfig {
    fn default() -> Self {
        Self {
            clip_s: CLIP_S,
            features: MelConfig::default(),
        }
    }
}
