//! What a stranger types: mistakes are told in words, with what to type next, and what is shown can be typed again.

use crate::world::World;

#[test]
fn what_is_no_number_is_told_in_words() {
    let world = World::with_worker();
    for (typed, told) in [
        (&["jobs", "-n", "x"][..], "expected a whole number from 1 to 1000"),
        (&["jobs", "-n", "0"], "expected a whole number from 1 to 1000"),
        (&["update", "worker", "--timeout", "abc"], "expected a whole number from 0 to 86400"),
        (&["test", "worker", "--timeout", "5"], "expected a whole number from 10 to 7200"),
        (&["wait", "12345678", "--timeout", "0"], "expected a whole number from 1 to 86400"),
        (&["stats", "--days", "-1"], "expected a whole number from 0 to 36500"),
        (&["audit", "--min-cost", "much"], "expected a number"),
        (&["gc", "--days", "x"], "expected a number"),
        (&["gc", "--days", "0"], "--days: 0.0 is not an age in days"),
    ] {
        let done = world.run(typed).exits(2);
        assert!(done.stderr.contains(told), "{typed:?}: {}", done.stderr);
    }
}
