//! Which server of a plan is asked.

use super::{Bounds, Plan};
use crate::sys::random::Random;

/// Numbers that need not be hard to guess (xorshift).
pub struct Dice(u32);

impl Dice {
    pub fn new(random: &mut Random) -> Self {
        Self(u32::from(random.u16()) << 16 | u32::from(random.u16()) | 1)
    }

    /// The server to ask, of those that are not much farther away than the best: nearly always the
    /// one of the least score, with some jitter.
    pub fn choose(&mut self, plan: &Plan, bounds: &Bounds) -> usize {
        if plan.servers.len() == 1 {
            return 0;
        }
        let scores = plan.servers.iter().map(|server| server.score);
        let farthest = scores.fold(f32::INFINITY, f32::min) + bounds.farther;
        let near = || plan.servers.iter().enumerate().filter(|(_, one)| one.score <= farthest);
        if self.roll().is_multiple_of(bounds.explore_one_in) {
            let chosen = self.roll() as usize % near().count().max(1);
            return near().nth(chosen).map_or(0, |(at, _)| at);
        }
        let mut best = (f32::INFINITY, 0);
        for (at, server) in near() {
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
