//! Long answers, of which only a part is ever shown: every part is the right one, wherever it is shown.

use serde_json::{Value, json};

use crate::client::{Client, Home};

/// Reads an answer from `offset` to its end, so many characters at a time.
fn pages(client: &mut Client, reference: &Value, mut offset: Option<u64>, max_chars: u64) -> String {
    let mut read = String::new();
    while let Some(at) = offset {
        let page =
            client.document("fetch_result", &json!({"ref": reference, "offset": at, "max_chars": max_chars}));
        read.push_str(page["result"].as_str().expect("there is a page"));
        offset = page["next_offset"].as_u64();
        assert!(offset.is_none_or(|next| next == at + max_chars), "{at}: {offset:?}");
    }
    read
}

fn text(document: &Value) -> &str {
    document["result"].as_str().unwrap_or_else(|| panic!("no text: {document}"))
}

#[test]
fn an_answer_of_ten_megabytes_is_read_page_by_page() {
    const SIZE: usize = 10_000_000;
    let home = Home::new();
    let client = &mut home.client();
    let task = json!({"agent": "worker", "task": format!("fake: flood {SIZE}")});
    let head = client.document("dispatch", &task);
    let reference = &head["ref"];
    let whole = pages(client, reference, Some(0), 499_999);
    assert_eq!(whole.len(), SIZE);
    // Numbered blocks: one that is missing, doubled or in another place would show.
    for (number, block) in whole.as_bytes().chunks(64).enumerate() {
        assert!(block.starts_with(format!("{number:08x}-").as_bytes()), "block {number}");
    }

    let beginning = &whole[..45_000];
    assert!(text(&head) == beginning);
    let again = client.document("dispatch", &task);
    assert!(again["cached"] == true && text(&again) == beginning);
    for (tool, arguments) in
        [("dispatch_status", json!({"job_id": reference})), ("dispatch_wait", json!({"job_id": reference}))]
    {
        let shown = client.document(tool, &arguments);
        assert!(text(&shown["result"]) == beginning, "{tool}");
        assert_eq!(
            (&shown["result"]["size"], &shown["result"]["next_offset"]),
            (&json!(SIZE), &json!(45_000)),
            "{tool}"
        );
    }
    let several = client.document("dispatch_parallel", &json!({"dispatches": [task]}));
    assert!(text(&several["individual_results"][0]) == beginning);
    let id = client.request(
        "resources/read",
        &json!({"uri": format!("agent-dispatch://results/{}", reference.as_str().expect("it is a text"))}),
    );
    let resource = client.result(id);
    let shown = resource["contents"][0]["text"].as_str().expect("there is a text");
    let (part, rest) = shown.split_once("\n\n[cut here").expect("it says so");
    assert!(part == &whole[..500_000] && rest.contains("offset=500000"), "{rest}");
}

#[test]
fn pages_are_counted_in_characters_and_not_in_bytes() {
    let home = Home::with_settings("  max_answer_chars: 1000\n");
    let client = &mut home.client();
    let said: String = (0..20_000).map(|number| format!("żółw {number} 🐢 ")).collect();
    let said = said.trim_end();
    let task = json!({"agent": "worker", "task": format!("fake: say {said}")});
    let head = client.document("dispatch", &task);
    assert_eq!(head["size"], said.chars().count());
    assert_eq!(text(&head), said.chars().take(1000).collect::<String>());
    for max_chars in [99_991, 12_345] {
        assert!(pages(client, &head["ref"], Some(0), max_chars) == said, "pages of {max_chars}");
    }
    let merged = json!({
        "dispatches": [task, {"agent": "worker", "task": "fake: say short"}],
        "aggregate": "other",
    });
    let merged = client.document("dispatch_parallel", &merged);
    assert_eq!(text(&merged["individual_results"][0]).chars().count(), 1000);
    let job = merged["aggregated"]["job_id"].clone();
    let asked = client.document("dispatch_status", &json!({"job_id": job}));
    assert_eq!(asked["status"], "done", "{asked}");
}
