//! The scripts, style sheets and other files that the page loads.

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! asset {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_bytes!(concat!("../static/", $name)))
    };
}

/// The files of the page: path below `/static/`, content type, bytes.
pub static ASSETS: &[(&str, &str, &[u8])] = &[
    asset!("icon.svg", "image/svg+xml"),
    asset!("theme.css", STYLE),
    asset!("style.css", STYLE),
    asset!("table.css", STYLE),
    asset!("plot.css", STYLE),
    asset!("media.css", STYLE),
    asset!("main.js", SCRIPT),
    asset!("chart.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("grouping.js", SCRIPT),
    asset!("heatmap.js", SCRIPT),
    asset!("history.js", SCRIPT),
    asset!("json.js", SCRIPT),
    asset!("keyboard.js", SCRIPT),
    asset!("panel.js", SCRIPT),
    asset!("series.js", SCRIPT),
    asset!("sparkline.js", SCRIPT),
    asset!("state.js", SCRIPT),
    asset!("stats.js", SCRIPT),
    asset!("stream.js", SCRIPT),
    asset!("table.js", SCRIPT),
    asset!("text.js", SCRIPT),
    asset!("theme.js", SCRIPT),
    asset!("units.js", SCRIPT),
    // The plot library, as published at https://github.com/leeoniya/uPlot.
    asset!("uplot/LICENSE", TEXT),
    asset!("uplot/uPlot.iife.min.js", SCRIPT),
    asset!("uplot/uPlot.min.css", STYLE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_import_only_existing_files() {
        let names: Vec<&str> = ASSETS.iter().map(|(name, ..)| *name).collect();
        let mut imports = 0;
        for (name, _, bytes) in
            ASSETS.iter().filter(|(name, kind, _)| *kind == SCRIPT && !name.contains('/'))
        {
            let text = std::str::from_utf8(bytes).unwrap();
            for imported in
                text.lines().filter_map(|line| line.split_once(" from \"./")?.1.strip_suffix("\";"))
            {
                assert!(names.contains(&imported), "{name} imports {imported}");
                imports += 1;
            }
        }
        assert!(imports > 20);
    }

    #[test]
    fn scripts_neither_parse_html_nor_evaluate_text() {
        for (name, kind, bytes) in ASSETS.iter().filter(|(name, ..)| !name.contains('/')) {
            let text = std::str::from_utf8(bytes).unwrap();
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "DOMParser",
                "http://",
                "https://",
            ] {
                assert!(!text.contains(word) || *kind == "image/svg+xml", "{name} has {word}");
            }
        }
    }
}
