//! Chance that can be repeated: the seed is printed, and `WINDLASS_TEST_SEED` gives it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A row of numbers from a seed (splitmix64).
pub struct Chance(u64);

impl Chance {
    /// With a seed of its own, which is printed.
    pub fn new() -> Self {
        let given = std::env::var("WINDLASS_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            u64::try_from(nanos % u128::from(u64::MAX)).unwrap()
        });
        println!("WINDLASS_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    /// Waits for less than so many milliseconds.
    pub fn pause(&mut self, ms_max: u64) {
        std::thread::sleep(Duration::from_millis(self.below(ms_max)));
    }
}
