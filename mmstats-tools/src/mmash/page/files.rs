//! The files that a browser asks for.

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A script of the page's own.
macro_rules! script {
    ($name:literal) => {
        ($name, SCRIPT, include_bytes!(concat!("../static/", $name)))
    };
}

/// A style sheet of the page's own.
macro_rules! style {
    ($name:literal) => {
        ($name, STYLE, include_bytes!(concat!("../static/", $name)))
    };
}

/// Files of the page: path below `/static/`, content type, bytes.
pub static FILES: &[(&str, &str, &[u8])] = &[
    ("icon.svg", "image/svg+xml", include_bytes!("../static/icon.svg")),
    style!("theme.css"),
    style!("style.css"),
    style!("table.css"),
    style!("plot.css"),
    style!("widths.css"),
    script!("main.js"),
    script!("chart.js"),
    script!("dom.js"),
    script!("exact.js"),
    script!("heat.js"),
    script!("history.js"),
    script!("keys.js"),
    script!("lines.js"),
    script!("panel.js"),
    script!("series.js"),
    script!("spark.js"),
    script!("state.js"),
    script!("stats.js"),
    script!("stream.js"),
    script!("table.js"),
    script!("text.js"),
    script!("theme.js"),
    script!("units.js"),
    // Plots, as they were published: https://github.com/leeoniya/uPlot
    ("uplot/LICENSE", TEXT, include_bytes!("../static/uplot/LICENSE")),
    ("uplot/uPlot.iife.min.js", SCRIPT, include_bytes!("../static/uplot/uPlot.iife.min.js")),
    ("uplot/uPlot.min.css", STYLE, include_bytes!("../static/uplot/uPlot.min.css")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_import_nothing_that_is_not_there() {
        let names: Vec<&str> = FILES.iter().map(|(name, ..)| *name).collect();
        let mut imports = 0;
        for (name, _, bytes) in
            FILES.iter().filter(|(name, kind, _)| *kind == SCRIPT && !name.contains('/'))
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
    fn nothing_is_parsed_as_html_or_evaluated() {
        for (name, kind, bytes) in FILES.iter().filter(|(name, ..)| !name.contains('/')) {
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
