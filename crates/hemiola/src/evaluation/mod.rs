//! Metrics equal to mir_eval.
