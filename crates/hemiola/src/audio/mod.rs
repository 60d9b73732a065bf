//! Audio in and out: decode, resample, write, render.

pub mod render;
