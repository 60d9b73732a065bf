//! What a model of chroma needs beside its weights.

use serde::{Deserialize, Serialize};

use crate::features::MelConfig;

/// The frames that the model reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChromaConfig {
    pub features: MelConfig,
}
