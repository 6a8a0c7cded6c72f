//! Which server of a plan is asked.

use super::Plan;
use crate::sys::random::Random;

/// Numbers that need not be hard to guess (xorshift).
pub struct Dice(u32);

impl Dice {
    pub fn new(random: &mut Random) -> Self {
        Self(u32::from(random.u16()) << 16 | u32::from(random.u16()) | 1)
    }

    /// The server to ask: nearly always the one of the least score, with some jitter.
    pub fn choose(&mut self, plan: &Plan, explore_one_in: u32) -> usize {
        let count = plan.servers.len();
        if count == 1 {
            return 0;
        }
        if self.roll().is_multiple_of(explore_one_in) {
            return self.roll() as usize % count;
        }
        let mut best = (f32::INFINITY, 0);
        for (at, server) in plan.servers.iter().enumerate() {
            let jitter = 0.85 + 0.3 * (self.roll() as f32 / u32::MAX as f32);
            if server.score * jitter < best.0 {
                best = (server.score * jitter, at);
            }
        }
        best.1
    }

    fn roll(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}
