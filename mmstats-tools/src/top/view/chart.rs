//! Histories, drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Span;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

use super::Palette;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values as bars of eight heights, one column each. What has `zero` as its floor shows nothing for
/// zero; otherwise the smallest is the lowest bar.
pub(super) fn sparkline(values: &[f32], zero: bool) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let most = finite().fold(f32::NEG_INFINITY, f32::max);
    let least = finite().fold(f32::INFINITY, f32::min);
    let floor = if zero { least.min(0.0) } else { least };
    let bar = |value: &f32| match value {
        value if !value.is_finite() || (zero && *value == 0.0) => ' ',
        _ if most <= floor => BARS[0],
        value => BARS[((value - floor) / (most - floor) * 7.0).round().clamp(0.0, 7.0) as usize],
    };
    values.iter().map(bar).collect()
}

/// A line over time: seconds since the latest look, which are not positive, and values.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    points: &[(f64, f64)],
    from_zero: bool,
    text: impl Fn(f64) -> String,
    palette: &Palette,
) {
    let finite: Vec<(f64, f64)> =
        points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let Some((oldest, _)) = finite.first().copied().filter(|_| finite.len() > 1) else {
        super::text::put(buffer, area, 1, "nothing to draw yet", palette.note);
        return;
    };
    let most = finite.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let least = finite.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let least = if from_zero { least.min(0.0) } else { least };
    // A line that is flat lies in the middle, or on the ground.
    let (low, high) = if most > least {
        (least, most)
    } else if most == 0.0 {
        (0.0, 1.0)
    } else {
        (least - most.abs() / 2.0, most + most.abs() / 2.0)
    };
    let note = |text: String| Span::styled(text, palette.note);
    let time = Axis::default()
        .bounds([oldest, 0.0])
        .labels([note(ago(-oldest)), note("now".to_owned())])
        .style(palette.note);
    let values = Axis::default().bounds([low, high]).labels([
        note(text(low)),
        note(text((low + high) / 2.0)),
        note(text(high)),
    ]);
    let line = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .style(palette.trend)
        .data(&finite);
    Chart::new(vec![line])
        .x_axis(time)
        .y_axis(values.style(palette.note))
        .style(Style::new())
        .render(area, buffer);
}

/// A time in the past.
fn ago(seconds: f64) -> String {
    format!("{} ago", crate::render::human::quantity(seconds.round(), "seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_values() {
        assert_eq!(sparkline(&[0.0, 1.0, 4.0, 8.0], true), " ▂▅█");
        assert_eq!(sparkline(&[100.0, 101.0, 107.0, f32::NAN], false), "▁▂█ ");
        assert_eq!(sparkline(&[5.0, 5.0], false), "▁▁");
        assert_eq!(sparkline(&[5.0, 5.0], true), "██");
        assert_eq!(sparkline(&[0.0, 0.0], true), "  ");
        assert_eq!(sparkline(&[-1.0, 0.0, 1.0], true), "▁ █");
        assert_eq!(sparkline(&[], true), "");
    }
}
