//! Options that locate stats in memory, for all tools that read values.

use std::path::PathBuf;

/// The heading of these options in help texts. Each names it: `next_help_heading` would also cover
/// the options of a tool that are declared after a flattened [`SourceOptions`].
pub(crate) const HEADING: &str = "Memory of devices, dumps, cores";

/// The location of stats in memory.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SourceOptions {
    /// The address of a region; in a raw image without --load-address, its offset. Can be repeated.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_number, help_heading = HEADING)]
    pub region_address: Vec<u64>,

    /// The ELF file of the program whose memory is read: it has the addresses of regions, and their
    /// directories if these are in flash.
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub elf: Option<PathBuf>,

    /// Only the region of this static, by its name or the end of its path (REGION, app::REGION).
    /// Can be repeated.
    #[arg(long, value_name = "NAME", requires = "elf", help_heading = HEADING)]
    pub symbol: Vec<String>,

    /// The address of a raw image's first byte. Other formats contain it.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_number, help_heading = HEADING)]
    pub load_address: Option<u64>,

    /// Never halt a device to read it; fail instead.
    #[arg(long, help_heading = HEADING)]
    pub no_halt: bool,
}

/// Parses a number: decimal, or hexadecimal after `0x`; underscores may separate digits.
fn parse_number(text: &str) -> Result<u64, String> {
    let (digits, base) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let is_number = digits.starts_with(|first: char| first.is_digit(base))
        && digits.chars().all(|digit| digit.is_digit(base) || digit == '_');
    let parsed = is_number.then(|| u64::from_str_radix(&digits.replace('_', ""), base));
    match parsed {
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => Err(format!("larger than any address (at most {:#x} expected)", u64::MAX)),
        None => Err("not a number (4096, 0x1000 or 0x2000_0000 expected)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decimal_or_hexadecimal() {
        for (text, number) in [
            ("0", 0),
            ("4096", 4096),
            ("007", 7),
            ("1_000_000", 1_000_000),
            ("0x0", 0),
            ("0x1000", 4096),
            ("0X2000_0000", 0x2000_0000),
            ("0xdeadBEEF_", 0xdead_beef),
            ("0xffffffffffffffff", u64::MAX),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_number(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_accepted_forms() {
        for text in [
            "",
            "x",
            "0x",
            "_",
            "_1",
            "0x_1",
            "-1",
            "+1",
            "0x+1",
            "0x-1",
            "1000h",
            "20000000x",
            " 1",
            "1 ",
            "1.5",
            "1e3",
            "dead",
            "٣",
            "0o7",
        ] {
            assert_eq!(
                parse_number(text),
                Err("not a number (4096, 0x1000 or 0x2000_0000 expected)".to_owned()),
                "{text:?}"
            );
        }
        for text in ["18446744073709551616", "0x1_0000_0000_0000_0000"] {
            assert_eq!(
                parse_number(text),
                Err("larger than any address (at most 0xffffffffffffffff expected)".to_owned()),
                "{text}"
            );
        }
    }
}
