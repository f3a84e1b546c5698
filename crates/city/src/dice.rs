//! Numbers that look random and are always the same (SplitMix64).

pub(crate) struct Dice(u64);

impl Dice {
    /// Dice of their own for each number of each stream, so that nothing depends on what was made before.
    pub(crate) fn new(seed: u64, stream: u64, number: u64) -> Dice {
        let mut dice = Dice(seed ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let mixed = dice.next() ^ number.wrapping_mul(0xA076_1D64_78BD_642F);
        Dice(Dice(mixed).next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `sides`.
    pub(crate) fn roll(&mut self, sides: u32) -> u32 {
        // The remainder is below a u32.
        u32::try_from(self.next() % u64::from(sides.max(1))).unwrap_or(0)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u32::try_from(high.saturating_sub(low).max(0)).unwrap_or(u32::MAX - 1);
        low + i64::from(self.roll(width + 1))
    }

    /// Around `mean`, rarely further away than `width`.
    pub(crate) fn about(&mut self, mean: i64, width: i64) -> i64 {
        let width = width.max(0);
        (0..3).fold(mean, |sum, _| sum + self.between(-width, width) / 2)
    }

    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.roll(100) < percent
    }

    /// One of the items; the default of nothing.
    pub(crate) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let place = self.roll(u32::try_from(items.len()).unwrap_or(u32::MAX));
        usize::try_from(place).ok().and_then(|place| items.get(place)).copied().unwrap_or_default()
    }

    /// One of the items, each as often as its weight says.
    pub(crate) fn weigh<T: Copy + Default>(&mut self, items: &[T], weight: fn(&T) -> u32) -> T {
        let mut rest = self.roll(items.iter().map(weight).sum());
        for item in items {
            match rest.checked_sub(weight(item)) {
                Some(left) => rest = left,
                None => return *item,
            }
        }
        T::default()
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_rolls_the_same_and_weights_are_kept() {
        let rolls = |seed| Dice::new(seed, 1, 7).next();
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
        let mut dice = Dice::new(1, 2, 3);
        let often = (0..1_000).filter(|_| dice.weigh(&[(1, 9), (2, 1)], |item| item.1).0 == 1);
        assert!((850..950).contains(&often.count()));
        assert!((0..1_000).all(|_| (-3..=3).contains(&dice.between(-3, 3))));
    }
}
