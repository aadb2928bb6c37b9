//! The page of `mmash` with any labels, units, helps, texts, file names, errors and queries: an
//! HTML parser finds no element and attribute that a harmless page lacks, and the labels as text.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use html5gum::{DefaultEmitter, Token, Tokenizer};
use libfuzzer_sys::fuzz_target;
use mmstats_fuzz::writers::{field, scrape, texts};
use mmstats_tools::mmash::page::{PageRequest, render};

/// The elements of a page with the names of their attributes, and the texts of the links in rows.
#[derive(Default)]
struct Document {
    elements: BTreeSet<String>,
    links: Vec<String>,
}

/// Parses a page.
fn parse(html: &str) -> Document {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let (mut document, mut is_row, mut link) = (Document::default(), false, None);
    for token in Tokenizer::new_with_emitter(html, emitter) {
        match token.expect("a text cannot fail") {
            Token::StartTag(tag) => {
                let mut element = text(&tag.name);
                is_row = element == "th" || is_row && element == "a";
                link = (is_row && element == "a").then(String::new);
                for (name, value) in &tag.attributes {
                    let (name, value) = (text(name), text(value));
                    let is_local =
                        ["?", "./", "../", "#"].iter().any(|start| value.starts_with(start));
                    assert!(!matches!(&name[..], "href" | "src") || is_local, "{name}={value}");
                    element = format!("{element} {name}");
                }
                document.elements.insert(element);
            }
            Token::String(part) => {
                link.iter_mut().for_each(|link| link.push_str(&text(&part)));
            }
            Token::EndTag(_) => document.links.extend(link.take()),
            Token::Comment(comment) => panic!("a comment: {comment:?}"),
            Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    document
}

/// Every element that a page can have.
static HARMLESS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let harmless = ["a.b", "c", "d"].map(|label| field(0, label, "bytes", "text"));
    let texts = [0, 1, 2, 3].map(|kind| field(kind, "kinds", "", "text"));
    let mut elements = BTreeSet::new();
    for fields in [&harmless[..], &texts[..], &[]] {
        let scrape = scrape(&["a", "b"], fields, "error");
        for (query, graph) in [("", false), ("q=&plot=c&plot=kinds&plot=none", true)] {
            elements.append(&mut parse(&render(&scrape, &PageRequest { query, graph })).elements);
        }
    }
    elements
});

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    let mut texts = texts(data);
    let [query, name, error] = [(); 3].map(|()| texts.next().unwrap_or_default());
    let texts: Vec<String> = texts.take(15).collect();
    let fields: Vec<_> = texts
        .chunks(3)
        .enumerate()
        .map(|(index, part)| {
            let [label, unit, help] = [0, 1, 2].map(|at| part.get(at).map_or("", |text| &text[..]));
            field(mode.wrapping_add(index as u8), label, unit, help)
        })
        .collect();
    let scrape = scrape(&[&name, "b"], &fields, &error);
    // Without a search all labels are shown; details of one of them are always asked for.
    let query = if mode & 0x40 == 0 {
        let label: String = texts
            .first()
            .map_or("", |text| &text[..])
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        format!("plot={label}")
    } else {
        query
    };
    let html = render(&scrape, &PageRequest { query: &query, graph: mode & 0x80 != 0 });
    let document = parse(&html);
    let added: Vec<_> = document.elements.difference(&HARMLESS).collect();
    assert!(added.is_empty(), "{added:?} in {html}");
    for label in fields.iter().map(|(field, _)| &field.label).filter(|_| mode & 0x40 == 0) {
        // Other characters are shown as escape sequences.
        if label.chars().all(|character| matches!(character, ' '..='~')) {
            assert!(document.links.contains(label), "{label:?} of {:?}: {html}", document.links);
        }
    }
});
