//! Seeded variations of audio for training.
