//! Ids as people type them and as lists show them.

use super::*;

fn id(text: &str) -> JobId {
    text.parse().unwrap()
}

#[test]
fn the_beginning_of_an_id_is_a_range_of_ids() {
    let whole = "0197a3f2c4d17b3e8000000000000001";
    assert_eq!(range(whole, JOBS).unwrap(), (id(whole), id(whole)));
    assert_eq!(
        range(" 0197A3F2 ", JOBS).unwrap(),
        (id("0197a3f2000000000000000000000000"), id("0197a3f2ffffffffffffffffffffffff"))
    );
    for bad in ["", "0197a3f", "0197a3fg", "żżżżżżżż", &format!("{whole}0"), "../../etc/passwd"] {
        assert_eq!(range(bad, JOBS).unwrap_err().kind, Kind::Usage, "{bad}");
    }
}

#[test]
fn short_ids_are_as_long_as_it_takes_to_tell_them_apart() {
    let (one, two) = (id("0197a3f2c4d17b3e8000000000000001"), id("0197a3f2c4d17b3f8000000000000001"));
    let other = id("0197a3f2c4d27b3f8000000000000001");
    assert_eq!(short(&[one, other, one]), ["0197a3f2c4d1", "0197a3f2c4d2", "0197a3f2c4d1"]);
    assert_eq!(short(&[one, two]), ["0197a3f2c4d17b3e", "0197a3f2c4d17b3f"]);
    assert_eq!(short(&[]), Vec::<String>::new());
}
