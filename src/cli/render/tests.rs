//! What foreign texts cannot do, and that tables fit.

use super::*;

const WIDE: Screen = Screen { terminal: false, colour: false, width: None };

fn terminal(width: u16) -> Screen {
    Screen { terminal: true, colour: false, width: Some(width) }
}

#[test]
fn a_terminal_gets_no_orders_from_an_answer() {
    for (answer, shown) in [
        ("plain\ttext\nand more", "plain\ttext\nand more\n"),
        ("clear \u{1b}[2J and title \u{1b}]0;x\u{7}", "clear \\u{1b}[2J and title \\u{1b}]0;x\\u{7}\n"),
        ("first\rsecond", "first\\rsecond\n"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("c1 \u{9b}31m del \u{7f}", "c1 \\u{9b}31m del \\u{7f}\n"),
        ("bidi \u{202e}live", "bidi \\u{202e}live\n"),
        ("żółw 🐢 👩\u{200d}🚀", "żółw 🐢 👩\u{200d}🚀\n"),
    ] {
        assert_eq!(terminal(80).text(answer), shown);
    }
}

#[test]
fn a_program_gets_an_answer_as_it_is() {
    assert_eq!(WIDE.text("a\u{1b}[31m\r\nb"), "a\u{1b}[31m\r\nb\n");
}

#[test]
fn json_says_the_same_and_steers_nothing() {
    let value = serde_json::json!({"text": "\u{1b}[2J \u{9b} \u{7f} \u{202e} ż 🐢", "empty": []});
    let text = json_text(&value).unwrap();
    assert!(!text.chars().any(|char| char != '\n' && steers(char)), "{text:?}");
    assert!(text.contains("ż 🐢"), "{text}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    let nothing: [u8; 0] = [];
    assert_eq!(json_text(&nothing).unwrap(), "[]\n");
}

#[test]
fn a_foreign_text_stays_behind_its_indent() {
    let text = "one\nstatus        done\r\n\u{1b}[1Athree\nfour";
    assert_eq!(
        indented(text, 3),
        "    one\n    status        done\n    \\u{1b}[1Athree\n    … 1 more line\n"
    );
    assert_eq!(indented("", 3), "");
}

fn rows() -> Vec<Vec<Cell>> {
    vec![
        vec![
            Cell::new("0197a3f2c4d1"),
            Cell::new("done").toned(Tone::Good),
            Cell::new("look\nat \u{1b}[31mthis"),
        ],
        vec![
            Cell::new("0197a3f2c4d2"),
            Cell::new("failed"),
            Cell::new("a task with a good many words in it"),
        ],
    ]
}

#[test]
fn a_table_is_one_line_a_row_and_fits_the_terminal() {
    let table = WIDE.table(&["JOB", "STATUS", "TASK"], rows());
    let want = "JOB           STATUS  TASK\n\
                0197a3f2c4d1  done    look at this\n\
                0197a3f2c4d2  failed  a task with a good many words in it\n";
    assert_eq!(table, want);
    for width in [20, 30, 40, 80, 200] {
        let table = terminal(width).table(&["JOB", "STATUS", "TASK"], rows());
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= usize::from(width)), "{width}:\n{table}");
    }
}

#[test]
fn columns_that_say_least_go_first_where_there_is_no_room() {
    let columns = [("JOB", 0), ("STATUS", 1), ("TASK", 0)];
    assert_eq!(WIDE.ranked_table(&columns, rows()), WIDE.table(&["JOB", "STATUS", "TASK"], rows()));
    let at = |width| terminal(width).ranked_table(&columns, rows());
    assert!(at(80).contains("failed  a task with a good many words in it\n"), "{}", at(80));
    // The last column keeps what it needs, and is cut only when nothing else can go.
    assert!(at(48).contains("STATUS") && at(48).contains("…\n"), "{}", at(48));
    assert!(
        !at(47).contains("STATUS") && at(47).contains("0197a3f2c4d2  a task with a good many"),
        "{}",
        at(47)
    );
    for width in [20, 30, 47, 48, 80] {
        assert!(
            at(width).lines().all(|line| line.chars().count() <= usize::from(width)),
            "{width}:\n{}",
            at(width)
        );
    }
}

#[test]
fn what_people_type_is_never_cut() {
    let rows = || {
        let row = |name: &str, id: &str| {
            let cells = [Cell::new(name).whole(), Cell::new("done (cached)"), Cell::new(id).whole()];
            cells.into_iter().chain([Cell::new("a task with a good many words in it")]).collect()
        };
        vec![row("bookkeeping-and-taxes", "0197a3f2c4d17b3e8"), row("web", "0197a3f2c4d17b3e9")]
    };
    let headings = ["AGENT", "STATUS", "JOB", "TASK"];
    for width in [40, 41, 46, 47, 52, 53, 60, 80, 200] {
        for table in [
            terminal(width).table(&headings, rows()),
            terminal(width).ranked_table(&headings.map(|heading| (heading, 0)), rows()),
        ] {
            for typed in ["bookkeeping-and-taxes  ", "  0197a3f2c4d17b3e8", "web  ", "  0197a3f2c4d17b3e9"] {
                assert!(table.contains(typed), "{width}: {table}");
            }
            assert_eq!(table.lines().count(), 3, "{table}");
            assert!(
                table.lines().all(|line| line.chars().count() <= usize::from(width)),
                "{width}:\n{table}"
            );
        }
    }
}

#[test]
fn colours_come_only_where_they_are_wanted() {
    let coloured = Screen { terminal: true, colour: true, width: Some(80) };
    assert!(coloured.table(&["JOB", "STATUS", "TASK"], rows()).contains("\u{1b}["));
    assert!(!terminal(80).table(&["JOB", "STATUS", "TASK"], rows()).contains('\u{1b}'));
}

#[test]
fn sizes_are_said_as_people_say_them() {
    for (bytes, said) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (10 * 1024, "10 KiB"),
        (1_048_575, "1023 KiB"),
        (1_572_864, "1.5 MiB"),
        (62 << 30, "62 GiB"),
        (u64::MAX, "1677721 TiB"),
    ] {
        assert_eq!(size(bytes), said, "{bytes}");
    }
}

#[test]
fn a_bar_is_as_long_as_its_share() {
    let shares = [
        (0.0, ""),
        (0.04, "▎"),
        (0.5, "████▌"),
        (1.0, "█████████"),
        (f64::NAN, ""),
        (f64::INFINITY, ""),
        (-1.0, ""),
    ];
    for (share, shown) in shares {
        assert_eq!(bar(share, 9), shown, "{share}");
    }
}

#[test]
fn times_are_said_as_people_say_them() {
    let now = Timestamp::from_millis(1_800_000_000_000);
    for (seconds, said) in [
        (0, "just now"),
        (4, "just now"),
        (5, "5 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86_399, "23 h ago"),
    ] {
        assert_eq!(when(now.minus_millis(seconds * 1000), now), said);
    }
    let long_ago = now.minus_millis(3 * 86_400_000);
    assert_eq!(when(long_ago, now), long_ago.local()[..16]);
    assert_eq!(when(now.plus_millis(5000), now), "just now");
    for (millis, said) in [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (59_999, "59.9 s"),
        (60_000, "1 min 0 s"),
        (3_725_000, "1 h 2 min"),
    ] {
        assert_eq!(duration(millis), said);
    }
}
