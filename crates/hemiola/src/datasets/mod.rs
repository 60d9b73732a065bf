//! Data sets to train and to evaluate on: one file each, read and validated.
