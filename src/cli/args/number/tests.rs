//! Tests of what is taken for a number.

use super::*;

#[test]
fn whole_numbers_are_taken_within_their_bounds() {
    let parse = whole::<u32>(1..=1000);
    assert_eq!((parse("1"), parse(" 1000 ")), (Ok(1), Ok(1000)));
    for text in ["0", "1001", "-1", "x", "", "1.5", "99999999999999999999"] {
        assert_eq!(parse(text), Err("expected a whole number from 1 to 1000".to_owned()), "{text}");
    }
}

#[test]
fn an_amount_is_a_number_that_ends() {
    assert_eq!((amount("7"), amount("-0.5")), (Ok(7.0), Ok(-0.5)));
    for text in ["x", "", "nan", "inf", "1,5"] {
        assert_eq!(amount(text), Err("expected a number".to_owned()), "{text}");
    }
}
