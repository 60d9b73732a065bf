use std::io::Write;
use std::path::Path;

use super::write_atomically;
use crate::error::{Error, Result};

/// What the header's length is a multiple of, the bytes before it counted, so that the numbers are aligned in memory maps.
const ALIGNMENT: usize = 64;

/// The signature, the version of the format, and the length of the header.
const PREAMBLE_LEN: usize = 10;

/// Digits that NumPy keeps room for in the first dimension, so that an array can grow in place.
const GROWTH_DIGITS: usize = 21;

/// An array of float32 as the bytes of an NPY file (version 1.0, rows first), as NumPy's `save` writes them.
///
/// # Errors
/// The number of values is not that of the shape.
///
/// Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
pub fn encode_npy(shape: &[usize], values: &[f32]) -> Result<Vec<u8>> {
    let cells = shape
        .iter()
        .try_fold(1usize, |cells, side| cells.checked_mul(*side));
    if cells != Some(values.len()) {
        return Err(Error::config(format!(
            "{} values for an array of the shape {shape:?}",
            values.len()
        )));
    }
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    let shape_text = match sides.as_slice() {
        [side] => format!("({side},)"),
        sides => format!("({})", sides.join(", ")),
    };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape_text}, }}");
    if let Some(first) = sides.first() {
        header.push_str(&" ".repeat(GROWTH_DIGITS.saturating_sub(first.len())));
    }
    let unpadded = PREAMBLE_LEN + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| {
        Error::config(format!(
            "an array of {} dimensions; the header of an NPY file has no room for them",
            shape.len()
        ))
    })?;

    let mut bytes = Vec::with_capacity(PREAMBLE_LEN + header.len() + 4 * values.len());
    bytes.extend_from_slice(b"\x93NUMPY\x01\x00");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Ok(bytes)
}

/// Writes an NPY file, whole or not at all; see [`encode_npy`].
///
/// # Errors
/// The number of values is not that of the shape, or the file cannot be written.
pub fn write_npy(path: impl AsRef<Path>, shape: &[usize], values: &[f32]) -> Result<()> {
    let bytes = encode_npy(shape, values)?;
    write_atomically(path, |file| file.write_all(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What NumPy 2.4 writes for `numpy.save(file, numpy.float32(...))`.
    #[test]
    fn files_are_those_that_numpy_writes() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let mut expected = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        expected.extend_from_slice(format!("{header:117}\n").as_bytes());
        for value in [0.0f32, 1.0, 2.0, 3.0, 4.0, -0.5] {
            expected.extend_from_slice(&value.to_le_bytes());
        }
        assert_eq!(expected.len(), 128 + 24);
        let values = [0.0, 1.0, 2.0, 3.0, 4.0, -0.5];
        assert_eq!(encode_npy(&[2, 3], &values).unwrap(), expected);

        for (shape, text) in [
            (&[6][..], "(6,), }"),
            (&[1, 2, 3], "(1, 2, 3), }"),
            (&[0, 6], "(0, 6), }"),
        ] {
            let values = &values[..shape.iter().product()];
            let bytes = encode_npy(shape, values).unwrap();
            let header = &bytes[..bytes.len() - 4 * values.len()];
            assert_eq!(header.len() % 64, 0);
            let header = String::from_utf8_lossy(&header[10..]);
            assert!(header.contains(text), "{header}");
        }
    }

    #[test]
    fn another_number_of_values_than_cells_is_refused() {
        let fault = encode_npy(&[2, 2], &[0.0; 3]).unwrap_err().to_string();
        assert!(
            fault.contains("3 values") && fault.contains("[2, 2]"),
            "{fault}"
        );
        assert!(encode_npy(&[usize::MAX, 2], &[0.0; 3]).is_err());
    }
}
