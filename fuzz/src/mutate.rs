//! Input made from other input, the same for the same seed.

/// Numbers that look random (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let sides = u64::try_from(sides.max(1)).unwrap_or(1);
        usize::try_from(mixed % sides).unwrap_or(0)
    }
}

/// Pieces that readers treat in a way of their own.
const TOKENS: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"0",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\xff",
    b"\0",
    b"'",
    b"(",
    b")",
    b".",
    b"|",
    b"<",
    b"&",
    b"%",
    b"\xe7\x8e\x8b",
    b"resourceType",
    b"@2020-01-01T00:00:00Z",
];

/// Longer input finds little that shorter does not.
const BYTES_MAX: usize = 20_000;

pub fn mutate(dice: &mut Dice, seeds: &[&str]) -> Vec<u8> {
    let mut bytes = pick(dice, seeds).to_vec();
    for _ in 0..=dice.roll(6) {
        let (start, end) = range(dice, bytes.len());
        match dice.roll(7) {
            0 => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte = u8::try_from(dice.roll(256)).unwrap_or(0);
                }
            }
            1 => drop(bytes.drain(start..end)),
            2 => {
                let token = TOKENS.get(dice.roll(TOKENS.len())).copied().unwrap_or_default();
                bytes.splice(start..start, token.iter().copied());
            }
            3 => {
                let token = TOKENS.get(dice.roll(TOKENS.len())).copied().unwrap_or_default();
                bytes.splice(start..end, token.iter().copied());
            }
            4 => {
                let part = bytes.get(start..end).unwrap_or_default().to_vec();
                let times = dice.roll(40);
                bytes.splice(end..end, part.repeat(times));
            }
            5 => {
                let other = pick(dice, seeds);
                let (from, to) = range(dice, other.len());
                bytes.splice(start..end, other.get(from..to).unwrap_or_default().iter().copied());
            }
            _ => {
                let token = TOKENS.get(dice.roll(TOKENS.len())).copied().unwrap_or_default();
                let times = dice.roll(2_000);
                bytes.splice(start..start, token.repeat(times));
            }
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}

fn pick<'a>(dice: &mut Dice, seeds: &[&'a str]) -> &'a [u8] {
    seeds.get(dice.roll(seeds.len())).copied().unwrap_or_default().as_bytes()
}

fn range(dice: &mut Dice, length: usize) -> (usize, usize) {
    let (one, other) = (dice.roll(length + 1), dice.roll(length + 1));
    (one.min(other), one.max(other))
}
