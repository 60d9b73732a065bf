//! Spectra of audio, from whole files and from streams.
