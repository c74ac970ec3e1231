//! Weights: one of several destinations takes the call, each in its share of all calls. Whoever
//! calls again comes to the same one.

use crate::base::destination::Destination;
use crate::dialplan::plan::Route;

impl Route {
    /// Where the call of somebody to an extension goes: with weights, to one of the destinations.
    pub fn targets(&self, caller: &str, called: &str) -> Vec<Destination> {
        let drawn = (self.weights.len() == self.to.len()).then(|| draw(&self.weights, caller));
        let one = drawn.flatten().and_then(|at| self.to.get(at..=at));
        self.there(one.unwrap_or(&self.to), called)
    }

    /// Where those calls go that come to nothing there.
    pub fn otherwise(&self, called: &str) -> Vec<Destination> {
        self.there(&self.otherwise, called)
    }

    fn there(&self, to: &[Destination], called: &str) -> Vec<Destination> {
        to.iter().map(|to| to.for_extension(called)).collect()
    }

    /// The share of each destination in a hundred calls, where there are weights.
    pub fn shares(&self) -> Vec<f64> {
        let total: f64 = self.weights.iter().copied().map(f64::from).sum();
        self.weights.iter().map(|weight| f64::from(*weight) / total * 100.0).collect()
    }
}

/// Which of the weights a key falls on; the same each time. `None`: there is none above zero.
fn draw(weights: &[u32], key: &str) -> Option<usize> {
    let total: u64 = weights.iter().copied().map(u64::from).sum();
    let mut rest = mix(key).checked_rem(total)?;
    weights.iter().position(|weight| {
        let weight = u64::from(*weight);
        let falls = rest < weight;
        rest = rest.saturating_sub(weight);
        falls
    })
}

/// A number that looks random, and is the same for the same text: FNV-1a, its bits mixed once more
/// as SplitMix64 does.
fn mix(text: &str) -> u64 {
    let octets = text.bytes();
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_share_and_who_calls_again_comes_to_the_same() {
        let mut counts = [0_u32; 3];
        for caller in 0..10_000 {
            let caller = format!("+49711{caller:05}");
            let at = draw(&[80, 0, 20], &caller).expect("one of them");
            assert_eq!(draw(&[80, 0, 20], &caller), Some(at));
            counts[at] += 1;
        }
        assert!(counts[0].abs_diff(8_000) < 150 && counts[1] == 0, "{counts:?}");
        assert_eq!((draw(&[0, 0], "a"), draw(&[], "a"), draw(&[0, 5], "a")), (None, None, Some(1)));
    }

    #[test]
    fn without_weights_all_are_called() {
        let to: Vec<Destination> =
            ["phone:1", "phone:2"].map(|it| it.parse().expect("a phone")).to_vec();
        let mut route = Route { to: to.clone(), ..Route::to(Destination::Busy) };
        assert_eq!(route.targets("+49711", "5"), to);
        route.weights = vec![0, 7];
        assert_eq!(
            (route.targets("+49711", "5"), route.shares()),
            (to[1..].to_vec(), vec![0.0, 100.0])
        );
    }
}
