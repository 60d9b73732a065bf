//! What models of spectrograms share.

use burn::tensor::Tensor;

use crate::error::{Error, Result};

/// The mean over frequency and time: [batch, frequency, time, channels] → [batch, channels].
pub(super) fn average(x: Tensor<4>) -> Tensor<2> {
    let [batch, frequency, time, channels] = x.dims();
    x.reshape([batch, frequency * time, channels])
        .mean_dim(1)
        .squeeze_dim(1)
}

/// Refuses a batch of spectrograms [batch, bins, time] with other than `bins` bins or with fewer than `least` frames.
pub(super) fn validate_spectrogram(
    model: &str,
    [batch, found, time]: [usize; 3],
    bins: usize,
    least: usize,
) -> Result<()> {
    let fail = |message: String| Err(Error::config(format!("{model}: {message}")));
    if batch == 0 {
        return fail("there is no spectrogram in the batch".into());
    }
    if found != bins {
        return fail(format!(
            "expected spectrograms of {bins} bands, found {found}; use the front end that the model was trained with"
        ));
    }
    if time < least {
        let frames = if least == 1 { "frame" } else { "frames" };
        return fail(format!(
            "expected at least {least} {frames}, found {time}; the recording is too short"
        ));
    }
    Ok(())
}
