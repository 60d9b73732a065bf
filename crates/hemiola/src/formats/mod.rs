//! Note lists in and out as CSV, TSV and JSON.
