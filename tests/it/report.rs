//! The page that tells of a period: what it says, that nothing in it is anybody else's markup, and how it looks in a
//! browser, on a desk and on a phone, in light and in dark.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::world::World;

mod browser;
mod past;

use browser::Browser;

fn page(world: &World, arguments: &[&str]) -> String {
    let page = world.run(&[&["audit", "report", "--html", "-"], arguments].concat()).ok().stdout;
    assert!(page.starts_with("<!DOCTYPE html>\n") && page.ends_with("</html>\n"), "{page:.2000}");
    page
}

/// Returns the page without its tags.
fn words(page: &str) -> String {
    let mut words = String::new();
    for part in page.split('<') {
        words.push_str(part.split_once('>').map_or(part, |(_, text)| text));
        words.push(' ');
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_was_dispatched_is_told_and_the_file_is_its_owners() {
    let world = World::with_worker();
    assert!(words(&page(&world, &[])).contains("Nothing to show yet"));
    world.script("say well");
    world.run(&["dispatch", "worker", "count the <b>hosts</b>", "--caller", "a test"]).ok();
    world.run(&["dispatch", "worker", "count the <b>hosts</b>", "--caller", "a test"]).ok();
    world.script("auth-error");
    world.run(&["dispatch", "worker", "fail"]).exits(1);
    world.run(&["dispatch", "nobody", "look"]).exits(4);

    let file = world.path("report.html");
    fs::write(&file, "old").unwrap();
    let told = world.run(&["audit", "report", "--html", file.to_str().unwrap(), "--verify"]).ok();
    assert_eq!(told.stdout, "");
    assert!(told.stderr.starts_with(&format!("wrote {} (", file.display())), "{told:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let page = fs::read_to_string(&file).unwrap();
    let words = words(&page);
    for said in [
        "Dispatches 4 3 on their own, 1 reused",
        "Success rate 33.3 % 1 answered, 2 failed",
        "1 from the cache, 0 joined",
        "Audit trail ✓ Whole",
        "count the &lt;b&gt;hosts&lt;/b&gt;",
        "Asked by “a test”, cli in ",
        "refused: not_found",
        "there is no agent `nobody`",
        "Hint ",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    let command = page.split("agent-dispatch audit show ").nth(1).unwrap();
    world.run(&["audit", "show", &command[..32]]).ok();

    let nowhere = world.run(&["audit", "report", "--html", "nowhere/report.html"]).exits(2);
    assert!(nowhere.stderr.contains("cannot be written"), "{nowhere:?}");
    assert_eq!(
        fs::read_dir(world.path(""))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".report"))
            .count(),
        0
    );
}

#[test]
fn a_trail_of_which_something_is_known_to_be_missing_is_not_called_whole() {
    let world = World::with_worker();
    world.run(&["dispatch", "worker", "look"]).ok();
    // The file outside the store remembers a record that the store does not have.
    let heads = world.home().join(".local/state/agent-dispatch/audit-heads.log");
    let mut heads = fs::OpenOptions::new().append(true).open(heads).unwrap();
    writeln!(heads, "4 {} 2026-11-21T10:15:00.000Z", "ab".repeat(32)).unwrap();
    let told = words(&page(&world, &["--verify"]));
    assert!(told.contains("Audit trail ✗ Incomplete record 4 and what followed it are lost"), "{told}");
}

#[test]
fn a_period_and_an_agent_narrow_it_down() {
    let world = World::new();
    past::fill(&world, "3");
    let all = words(&page(&world, &[]));
    assert!(all.contains("Audit trail Not checked"), "{all}");
    let last =
        page(&world, &["--since", "2026-11-20 08:00", "--until", "2026-11-20 12:00", "--agent", "web"]);
    assert!(last.contains("Only agent <bdi>web</bdi>"), "{last}");
    assert!(!last.contains("<bdi>payments-api</bdi>"), "{last}");
    assert!(last.contains("Spend by hour") && last.contains("<title>20 Nov 2026, 11:00: "), "{last}");
    assert!(
        !last.contains("<title>20 Nov 2026, 12:00: ") && !last.contains("<title>20 Nov 2026, 07:00: "),
        "{last}"
    );
    assert!(words(&page(&world, &["--until", "2020-01-01"])).contains("No dispatch ended in this period."));
    world.run(&["audit", "report", "--html", "-", "--since", "soon"]).exits(2);
    world.run(&["audit", "report", "--html", "-", "--since", "2026-11-20", "--until", "2026-11-19"]).exits(2);
    world.run(&["audit", "report"]).exits(2);
}

#[test]
fn hostile_texts_stay_texts_and_the_page_stays_small() {
    let world = World::new();
    past::fill(&world, "hostile");
    let page = page(&world, &[]);
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
    assert!(
        page.contains("Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline';")
    );
    assert!(page.contains("&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;"), "{page:.3000}");
    for never in ["<script", "<img", "onerror=alert(1)>", "\u{202e}", "\u{2066}", "\0", "\u{1b}", "\u{7}"] {
        assert!(!page.contains(never), "{never:?}");
    }
    // Every field is there, with what it says.
    for name in [
        "Error",
        "Asked by",
        "Inside",
        "Directory",
        "Commit",
        "Profile",
        "Model",
        "Tools",
        "Denied",
        "Conversation",
    ] {
        let field = format!("<dt>{name}</dt><dd><bdi>");
        let begins = |said: &&str| {
            let said = said.trim_start_matches(|char: char| char.is_ascii_digit() || char == '“');
            said.starts_with("&lt;/td&gt;")
        };
        assert!(page.split(&field).skip(1).filter(begins).count() > 20, "{name}");
    }
    let Some(mut browser) = Browser::start() else { return };
    let file = world.path("hostile.html");
    fs::write(&file, &page).unwrap();
    for width in [1280, 360] {
        check(&mut browser, &file, width, "light", "hostile");
    }
    assert_ne!(browser.value("document.title"), "owned");
}

#[test]
fn it_fits_a_desk_and_a_phone_in_light_and_in_dark_and_asks_for_nothing() {
    let world = World::new();
    past::fill(&world, "30");
    let file = world.path("report.html");
    world.run(&["audit", "report", "--html", file.to_str().unwrap(), "--verify"]).ok();
    let Some(mut browser) = Browser::start() else { return };
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        check(&mut browser, &file, width, scheme, "report");
        contrast(&mut browser);
    }
    let links = browser.value(
        "[...document.links].filter(link => !document.querySelector(link.getAttribute('href'))).length",
    );
    assert_eq!(links, 0);
    let foreign = browser.value(
        "document.querySelectorAll('script, link, img, iframe, object, [src], [style], [onclick]').length",
    );
    assert_eq!(foreign, 0);
}

/// Opens the page and checks that it needs no room beside it, asks for nothing and complains of nothing. Leaves a picture.
fn check(browser: &mut Browser, file: &Path, width: u32, scheme: &str, name: &str) {
    browser.open(file, width, scheme);
    let overflow = browser.value("document.scrollingElement.scrollWidth - innerWidth");
    assert_eq!(
        (browser.value("innerWidth"), overflow.as_i64() <= Some(0)),
        (width.into(), true),
        "{overflow} px too wide"
    );
    let picture = format!("{name}-{width}-{scheme}.png");
    browser.picture(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(picture));
    let asked = |event: &&serde_json::Value| event["method"] == "Network.requestWillBeSent";
    let asked: Vec<_> =
        browser.events.iter().filter(asked).map(|event| &event["params"]["request"]["url"]).collect();
    assert_eq!(asked, [&serde_json::json!(format!("file://{}", file.display()))]);
    let complains = ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"];
    let complaint =
        browser.events.iter().find(|event| complains.iter().any(|method| event["method"] == *method));
    assert_eq!(complaint, None);
}

/// Checks that every text stands out from what is behind it, as WCAG AA asks for.
fn contrast(browser: &mut Browser) {
    let worst = browser.value(
        "(() => {
            const parse = color => color.match(/[\\d.]+/g).map(Number);
            const light = color => {
                const [r, g, b] = parse(color).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const behind = element => {
                for (; element; element = element.parentElement) {
                    const color = getComputedStyle(element).backgroundColor;
                    if ((parse(color)[3] ?? 1) > 0) return color;
                }
            };
            let worst = [99, ''];
            for (const element of document.querySelectorAll('body *')) {
                if (!element.textContent.trim()) continue;
                const style = getComputedStyle(element);
                const ink = element.namespaceURI.includes('svg') ? (element.tagName === 'text' ? style.fill : null) : style.color;
                if (!ink) continue;
                const [one, other] = [light(ink), light(behind(element))].sort((a, b) => b - a);
                const ratio = (one + 0.05) / (other + 0.05);
                if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 200)];
            }
            return worst;
        })()",
    );
    assert!(worst[0].as_f64().unwrap() >= 4.5, "{worst}");
}
