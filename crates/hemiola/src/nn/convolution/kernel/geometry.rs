//! The sizes of a convolution.

use super::Level;

/// Where a convolution pads its input with zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// So that height and width stay, as PyTorch's `padding="same"`: a kernel of even span has the additional row or
    /// column of zeros after the image.
    #[default]
    Same,
    /// Nowhere: height and width shrink by the kernel's span.
    Valid,
}

impl Padding {
    /// Rows, then columns, of zeros before and after the image.
    pub fn zeros(self, kernel: [usize; 2], dilation: [usize; 2]) -> [[usize; 2]; 2] {
        [0, 1].map(|axis| match self {
            Self::Same => {
                let span = dilation[axis] * (kernel[axis] - 1);
                [span / 2, span - span / 2]
            }
            Self::Valid => [0, 0],
        })
    }
}

/// Sizes of a convolution with stride 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub batch: usize,
    /// Of the input.
    pub height: usize,
    /// Of the input.
    pub width: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Taps along height and width.
    pub kernel: [usize; 2],
    /// Distance of adjacent taps along height and width.
    pub dilation: [usize; 2],
    /// Rows, then columns, of zeros before and after the image; each at most the kernel's span.
    pub padding: [[usize; 2]; 2],
}

impl Geometry {
    /// Height and width of the output; 0 where the padded image is smaller than the kernel.
    pub fn output_size(&self) -> [usize; 2] {
        let span = self.span();
        let size = [self.height, self.width];
        [0, 1].map(|axis| {
            let [before, after] = self.padding[axis];
            (before + size[axis] + after).saturating_sub(span[axis])
        })
    }

    /// Length of the input, [batch, height, width, in_channels].
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels
    }

    /// Length of the output, [batch, output height, output width, out_channels].
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_size();
        self.batch * height * width * self.out_channels
    }

    /// Length of the weight, [out_channels, in_channels, kernel height, kernel width].
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.taps()
    }

    /// Weights of one output channel.
    pub(super) fn taps(&self) -> usize {
        self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// Distance of the first and the last tap along height and width.
    pub(super) fn span(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.dilation[axis] * (self.kernel[axis] - 1))
    }

    /// Width of the image with its zeros.
    pub(super) fn padded_width(&self) -> usize {
        self.width + self.padding[1][0] + self.padding[1][1]
    }

    /// The convolution that leads from the output's gradient to the input's.
    pub(super) fn turned(&self) -> Self {
        let span = self.span();
        let [height, width] = self.output_size();
        Self {
            height,
            width,
            in_channels: self.out_channels,
            out_channels: self.in_channels,
            padding: [0, 1].map(|axis| self.padding[axis].map(|zeros| span[axis] - zeros)),
            ..*self
        }
    }

    pub(super) fn check(&self, level: Level) {
        assert!(level <= Level::best(), "this processor has no {level:?}");
        assert!(
            self.kernel.iter().chain(&self.dilation).all(|&n| n > 0),
            "a kernel and its dilation are at least 1, got {self:?}"
        );
        let span = self.span();
        assert!(
            [0, 1]
                .iter()
                .all(|&axis| self.padding[axis].iter().all(|&zeros| zeros <= span[axis])),
            "more zeros than the kernel spans: {self:?}"
        );
    }
}
