//! Tests of where settings come from.

use serde_json::{Value, json};

use crate::config::load;
use crate::config::resolve::settings::names;
use crate::config::settings::{Setting, settings, value_of};
use crate::model::Settings;

#[test]
fn each_setting_is_told_with_its_line_also_behind_aliases_and_merge_keys() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("agents.yaml");
    let text = "\u{feff}x-s: &s\n  usage_log: no\nx-c: &c {ttl: 9}\nsettings:\n  <<: *s\n  cache: *c\n  budget:\n    day: 2\n  max_concurrency: ~\n";
    std::fs::write(&path, text).expect("written");
    let config = load(&path, folder.path()).expect("usable");
    let all = settings(&config);
    let of = |key: &str| {
        let Setting { value, line, .. } = all.iter().find(|setting| setting.key == key).expect("known");
        (value.clone(), *line)
    };
    assert_eq!(of("budget.day"), (json!(2.0), Some(8)));
    assert_eq!(of("cache.ttl"), (json!(9), Some(6)));
    assert_eq!(of("usage_log"), (json!(false), Some(5)));
    assert_eq!(of("max_concurrency"), (json!(5), None));
    assert_eq!(of("budget.month"), (Value::Null, None));
}

#[test]
fn every_setting_of_the_table_is_one_that_the_program_has() {
    let written = serde_json::to_value(Settings::default()).expect("JSON");
    let mut left = written.as_object().expect("an object").clone();
    for name in names() {
        let top = name.split('.').next().expect("a name");
        assert!(written.get(top).is_some(), "{name}");
        left.shift_remove(top);
        let known = value_of(&Settings::default(), &name);
        assert!(!known.is_object(), "{name}");
    }
    assert!(left.is_empty(), "{left:?}");
}
