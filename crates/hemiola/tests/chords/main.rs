//! Chords and keys: their labels, their files, and scores equal to mir_eval's.

#[path = "../support/mod.rs"]
mod support;

mod evaluation;
mod files;
mod grammar;
mod keys;
mod vocabularies;
