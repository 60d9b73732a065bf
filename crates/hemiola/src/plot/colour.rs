/// An opaque colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colour {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
}

impl Colour {
    pub const BLACK: Self = Self::hex(0x00_00_00);
    pub const WHITE: Self = Self::hex(0xff_ff_ff);
    pub const BLUE: Self = Self::hex(0x00_72_b2);
    pub const ORANGE: Self = Self::hex(0xe6_9f_00);
    pub const GREEN: Self = Self::hex(0x00_9e_73);
    pub const PURPLE: Self = Self::hex(0xcc_79_a7);
    pub const VERMILLION: Self = Self::hex(0xd5_5e_00);
    pub const SKY_BLUE: Self = Self::hex(0x56_b4_e9);
    pub const YELLOW: Self = Self::hex(0xf0_e4_42);

    /// From `0xRRGGBB`.
    pub const fn hex(rgb: u32) -> Self {
        Self {
            red: (rgb >> 16) as u8,
            green: (rgb >> 8) as u8,
            blue: rgb as u8,
        }
    }

    /// The colour of the series `index` of a drawing; they repeat after seven.
    ///
    /// The palette is that of Okabe and Ito, which the colour-blind can tell apart, without its yellow, too light on white.
    /// Neighbours differ in lightness too, and so on a grey print.
    ///
    /// Source: M. Okabe and K. Ito, "Color Universal Design", 2008.
    pub fn series(index: usize) -> Self {
        const SERIES: [Colour; 7] = [
            Colour::BLUE,
            Colour::ORANGE,
            Colour::GREEN,
            Colour::PURPLE,
            Colour::VERMILLION,
            Colour::SKY_BLUE,
            Colour::BLACK,
        ];
        SERIES[index % SERIES.len()]
    }

    fn between(self, other: Self, share: f64) -> Self {
        let mix =
            |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
        Self {
            red: mix(self.red, other.red),
            green: mix(self.green, other.green),
            blue: mix(self.blue, other.blue),
        }
    }
}

/// Colours for numbers: equal steps of a value look equal. Where one end is the low one, light is high.
///
/// Source: N. Smith and S. van der Walt, matplotlib's colour maps (CC0), here at every tenth; C. Brewer, ColorBrewer's
/// RdBu of eleven colours (Apache 2.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourScale {
    /// Dark violet over green to yellow.
    #[default]
    Viridis,
    /// Black over purple to pale yellow.
    Magma,
    /// Blue below, nearly white in the middle, red above, for numbers on both sides of 0.
    BlueRed,
}

const VIRIDIS: [u32; 11] = [
    0x440154, 0x482475, 0x414487, 0x355f8d, 0x2a788e, 0x21918c, 0x22a884, 0x44bf70, 0x7ad151,
    0xbddf26, 0xfde725,
];
const MAGMA: [u32; 11] = [
    0x000004, 0x140e36, 0x3b0f70, 0x641a80, 0x8c2981, 0xb5367a, 0xde4968, 0xf76f5c, 0xfe9f6d,
    0xfece91, 0xfcfdbf,
];
const BLUE_RED: [u32; 11] = [
    0x053061, 0x2166ac, 0x4393c3, 0x92c5de, 0xd1e5f0, 0xf7f7f7, 0xfddbc7, 0xf4a582, 0xd6604d,
    0xb2182b, 0x67001f,
];

impl ColourScale {
    /// The colour of a value from 0 to 1; values outside have the colour of the nearer end.
    pub fn colour(self, value: f64) -> Colour {
        let tenths = match self {
            Self::Viridis => &VIRIDIS,
            Self::Magma => &MAGMA,
            Self::BlueRed => &BLUE_RED,
        };
        let place = value.clamp(0.0, 1.0) * (tenths.len() - 1) as f64;
        let below = (place as usize).min(tenths.len() - 2);
        let share = place - below as f64;
        Colour::hex(tenths[below]).between(Colour::hex(tenths[below + 1]), share)
    }
}
