use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mmstats_core::{Kind, Type};
use mmstats_std::identity::ProcessId;
use mmstats_std::liveness::{Liveness, Reason, Verdict};
use mmstats_std::read::Field;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::options::top::{Grouping, Sort};
use crate::scraper::{OwnedValue, Scrape, ScrapeError, WriterId, WriterSample};
use crate::top::settings::ViewSettings;

fn field(label: &str, kind: Kind, unit: &str) -> Field {
    let help = "What it means.".to_owned();
    Field { unit: unit.to_owned(), help, ..Field::new(label, kind, Type::U64) }
}

/// An application after this many scrapes, a second apart, of two counters and a gauge of one dead
/// and one live process.
fn app(grouping: Grouping, scrapes: u64) -> App {
    let fields: Arc<[Field]> = [
        field("web.hits", Kind::Counter, ""),
        field("web.misses", Kind::Counter, ""),
        field("web.memory", Kind::Gauge, "bytes"),
    ]
    .into();
    let writer_id = |id: u64| {
        Arc::new(WriterId {
            id,
            name: PathBuf::from(format!("/run/w-{id}-{id}.mmstats")),
            version: 2,
            process: Some(ProcessId::new(id as u32, 0, "", 0)),
            created: None,
            is_new: false,
            other_owner: Some(7).filter(|_| id == 70),
        })
    };
    let origins = [writer_id(70), writer_id(71)];
    let mut app = App::new(
        ViewSettings::new(grouping, Sort::Name, String::new(), false),
        Duration::from_secs(1),
    );
    for scrape in 0..scrapes {
        let values = [1000 + scrape * scrape, 0, 4096].map(|value| Ok(OwnedValue::Unsigned(value)));
        let verdicts = [(Liveness::Alive, Reason::Runs), (Liveness::Dead, Reason::Ended)];
        let sample = origins.iter().zip(verdicts).map(|(writer_id, (liveness, reason))| {
            let verdict = Verdict { liveness, reason };
            WriterSample {
                writer_id: writer_id.clone(),
                fields: fields.clone(),
                values: values.to_vec(),
                verdict,
            }
        });
        let errors = vec![ScrapeError {
            name: "/run/bad.mmstats".into(),
            what: "empty".to_owned(),
            is_new: false,
        }];
        app.apply(Scrape {
            samples: sample.collect(),
            errors,
            ..Scrape::new(SystemTime::UNIX_EPOCH, Duration::from_secs(scrape))
        });
    }
    app
}

fn screen(app: &mut App, columns: u16, lines: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| draw(frame, app, &Palette::new(true))).unwrap();
    let buffer = terminal.backend().buffer();
    let text =
        |line: u16| (0..columns).map(|column| buffer[(column, line)].symbol()).collect::<String>();
    (0..lines).map(|line| text(line).trim_end().to_owned()).collect()
}

fn press(app: &mut App, code: KeyCode) {
    app.handle_key(KeyEvent::new(code, KeyModifiers::NONE));
}

#[test]
fn rows_stand_in_their_columns() {
    assert_eq!(
        screen(&mut app(Grouping::None, 9), 60, 8),
        [
            "topstats  2 writers: 1 alive, 1 dead †  6 fields  every 1s",
            "  NAME↑               VALUE    RATE/s TREND",
            "  web.hits            2.13k        30               ▁▂▃▄▅▆▇█",
            "  web.memory           4KiB                        ▁▁▁▁▁▁▁▁▁",
            "  web.misses              0         0",
            "",
            "",
            "? help  / filter  s sort  Tab group  Enter details",
        ]
    );
}

#[test]
fn groups_of_the_dead_are_marked() {
    let mut app = app(Grouping::File, 2);
    let lines = screen(&mut app, 60, 24);
    assert_eq!(
        (lines[3].as_str(), lines[7].as_str()),
        ("  ▾ /run/w-70-70.mmstats  3 rows", "† ▾ /run/w-71-71.mmstats  3 rows")
    );
    assert!(lines[8].starts_with("†   web.hits"), "{lines:#?}");
    press(&mut app, KeyCode::Char('['));
    assert_eq!(screen(&mut app, 60, 24)[4], "† ▸ /run/w-71-71.mmstats  3 rows");
}

#[test]
fn details_mark_a_file_that_does_not_state_its_owner() {
    let mut app = app(Grouping::None, 2);
    press(&mut app, KeyCode::Enter);
    let lines = screen(&mut app, 120, 40);
    let of = |name: &str| lines.iter().find(|line| line.contains(name)).unwrap();
    assert!(of("w-70-70").ends_with("(owned by user 7, not by its sys.uid)"), "{lines:#?}");
    assert!(!of("w-71-71").contains("owned"), "{lines:#?}");
}

#[test]
fn every_pane_fits_every_size() {
    for grouping in [Grouping::None, Grouping::Prefix, Grouping::File] {
        let mut app = app(grouping, 3);
        for keys in [
            &[][..],
            &[KeyCode::End, KeyCode::Enter],
            &[KeyCode::Char('?'), KeyCode::End],
            &[KeyCode::Char('e')],
            &[KeyCode::Esc, KeyCode::Char('/')],
        ] {
            keys.iter().for_each(|key| press(&mut app, *key));
            for columns in [1, 5, 19, 20, 21, 30, 49, 50, 59, 60, 80, 109, 110, 300] {
                for lines in [1, 4, 5, 6, 9, 10, 12, 24, 43, 44, 60] {
                    screen(&mut app, columns, lines);
                }
            }
        }
    }
}

#[test]
fn the_selected_row_is_the_same_in_another_order() {
    let mut app = app(Grouping::None, 9);
    screen(&mut app, 80, 24);
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Char('s'));
    assert_eq!(&*app.selected_row().unwrap().label, "web.memory");
    let lines = screen(&mut app, 80, 24);
    assert!(
        lines[3].starts_with("  web.memory") && lines[4].starts_with("  web.hits"),
        "{lines:#?}"
    );
}
