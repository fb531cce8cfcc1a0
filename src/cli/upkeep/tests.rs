//! One line says what went.

use super::*;

#[test]
fn a_summary_names_what_went_and_nothing_else() {
    let none = Tally::default();
    let some = Tally { jobs: 1, sessions: 2, pieces: 1, ..none };
    let all = Tally { jobs: 12, cache_entries: 1, sessions: 1, decisions: 3, pieces: 2, run_folders: 1 };
    for (tally, dry_run, want) in [
        (none, false, "nothing to remove\n"),
        (none, true, "nothing to remove\n"),
        (some, true, "would remove 1 job, 2 conversations, 1 lost piece\n"),
        (
            all,
            false,
            "removed 12 jobs, 1 conversation, 1 cached answer, 1 run folder, 3 old decisions, 2 lost pieces\n",
        ),
    ] {
        assert_eq!(summary(&tally, dry_run), want);
    }
}
