//! Histograms as bars.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::{put, put_right};
use super::{Palette, indented, line};
use crate::render::human;
use crate::series::HistogramSnapshot;

/// The last character of a bar, in eighths of a column.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The ratio of the largest to the smallest value from which on the scale is logarithmic.
const MIN_LOGARITHMIC_RATIO: f64 = 16.0;

/// The widths of a bar's upper bound and of its count.
const BOUND_WIDTH: u16 = 9;
const COUNT_WIDTH: u16 = 6;

/// The number of values up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bar {
    up_to: f64,
    count: f64,
}

/// Distributes buckets over at most `max` bars of equal ranges.
fn bars(buckets: &HistogramSnapshot, max: usize) -> Vec<Bar> {
    let (Some(first), Some(last)) = (buckets.filled.first(), buckets.filled.last()) else {
        return Vec::new();
    };
    // One is added to all values, as zero has no logarithm.
    let (low, high) = (first.low as f64 + 1.0, last.high.unwrap_or(last.low) as f64 + 2.0);
    let is_logarithmic = high / low >= MIN_LOGARITHMIC_RATIO;
    let place = |value: f64| if is_logarithmic { value.ln() } else { value };
    let value = |place: f64| if is_logarithmic { place.exp() } else { place };
    let count = if buckets.filled.len() == 1 { 1 } else { max.max(1) };
    let step = (place(high) - place(low)) / count as f64;
    let up_to = |bar: usize| value(place(low) + step * (bar + 1) as f64) - 2.0;
    let mut bars: Vec<Bar> =
        (0..count).map(|bar| Bar { up_to: up_to(bar).max(0.0), count: 0.0 }).collect();
    for bucket in &buckets.filled {
        let middle = bucket
            .high
            .map_or(bucket.low as f64, |high| bucket.low as f64 / 2.0 + high as f64 / 2.0)
            + 1.0;
        let at = ((place(middle) - place(low)) / step) as usize;
        bars[at.min(count - 1)].count += bucket.count as f64;
    }
    bars
}

/// Draws one bar in each line. `text` formats a stored value.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    buckets: &HistogramSnapshot,
    text: impl Fn(u64) -> String,
    palette: &Palette,
) {
    let bars = bars(buckets, area.height.into());
    let max_count = bars.iter().map(|bar| bar.count).fold(1.0, f64::max);
    for (number, bar) in bars.iter().enumerate() {
        let area = line(area, number as u16);
        put_right(
            buffer,
            Rect { width: BOUND_WIDTH.min(area.width), ..area },
            &format!("≤ {}", text(bar.up_to.round() as u64)),
            palette.note,
        );
        let area = indented(area, BOUND_WIDTH + 1);
        let room = area.width.saturating_sub(COUNT_WIDTH + 1);
        let eighths = (bar.count / max_count * f64::from(room) * 8.0).ceil() as usize;
        let text = format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8]);
        let end = put(buffer, area, 0, &text, palette.trend);
        if bar.count > 0.0 {
            put(buffer, area, end + u16::from(end > 0), &human::number(bar.count), palette.note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Bucket;

    fn buckets(filled: &[(u64, u64, u64)]) -> HistogramSnapshot {
        HistogramSnapshot {
            sum: 0,
            filled: filled
                .iter()
                .map(|(low, high, count)| Bucket { low: *low, high: Some(*high), count: *count })
                .collect(),
        }
    }

    #[test]
    fn every_value_is_in_one_bar() {
        for filled in [
            &[(0, 0, 5), (1, 1, 7), (2, 3, 1)][..],
            &[(0, 0, 5), (1 << 40, 1 << 41, 7)],
            &[(100, 109, 1), (110, 119, 2), (120, 129, 3)],
            &[(0, u64::MAX, 3)],
            &[(u64::MAX, u64::MAX, 3)],
        ] {
            for most in 1..20 {
                let bars = bars(&buckets(filled), most);
                assert!(bars.len() <= most);
                assert_eq!(
                    bars.iter().map(|bar| bar.count).sum::<f64>() as u64,
                    filled.iter().map(|(_, _, count)| count).sum::<u64>()
                );
                assert!(bars.windows(2).all(|pair| pair[0].up_to <= pair[1].up_to), "{bars:?}");
            }
        }
        assert_eq!(bars(&HistogramSnapshot::default(), 5), []);
    }

    #[test]
    fn narrow_ranges_have_a_linear_scale() {
        let bars = bars(&buckets(&[(100, 109, 1), (110, 119, 2), (120, 129, 3)]), 3);
        assert_eq!(
            bars.iter().map(|bar| (bar.up_to.round(), bar.count)).collect::<Vec<_>>(),
            [(109.0, 1.0), (119.0, 2.0), (129.0, 3.0)]
        );
    }
}
