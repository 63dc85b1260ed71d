//! Days, times and money as readers of a language write them, for templates.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::Environment;
use minijinja::Error;
use minijinja::ErrorKind;
use minijinja::State;

/// Adds the filters `date`, `last_day` (the day before one that is not included any more, such as
/// `paidUntil`), `time` and `money`, and the test `defined`. `zone` is where the house keeps its days.
pub(super) fn add_to(environment: &mut Environment<'_>, zone: TimeZone) {
    environment.add_filter("date", |state: &State<'_, '_>, text: String| {
        let day: Date = text.parse().map_err(|_| unreadable(&text, "a day"))?;
        Ok::<_, Error>(date(&language(state), day))
    });
    environment.add_filter("last_day", |state: &State<'_, '_>, text: String| {
        let day: Date = text.parse().map_err(|_| unreadable(&text, "a day"))?;
        let day = day.yesterday().map_err(|_| unreadable(&text, "a day after another"))?;
        Ok::<_, Error>(date(&language(state), day))
    });
    environment.add_test("defined", |value: &minijinja::Value| !value.is_undefined());
    environment.add_filter("time", move |state: &State<'_, '_>, text: String| {
        let at: Timestamp = text.parse().map_err(|_| unreadable(&text, "a time"))?;
        let at = at.to_zoned(zone.clone());
        let day = date(&language(state), at.date());
        Ok::<_, Error>(format!("{day}, {}", at.strftime("%H:%M (%:z)")))
    });
    environment.add_filter("money", |state: &State<'_, '_>, text: String| {
        money(&language(state), &text).ok_or_else(|| unreadable(&text, "an amount"))
    });
}

fn language(state: &State<'_, '_>) -> String {
    state.lookup("language").map(|language| language.to_string()).unwrap_or_default()
}

fn unreadable(text: &str, what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("`{text}` is not {what}"))
}

fn date(language: &str, day: Date) -> String {
    let form = match language {
        "vi" | "id" => "%d/%m/%Y",
        "ru" => "%d.%m.%Y",
        _ => "%-d %B %Y",
    };
    day.strftime(form).to_string()
}

/// `1234567.50 USD` with the separators of the language. The currency stays a code: symbols are
/// shared by several.
fn money(language: &str, text: &str) -> Option<String> {
    let (number, currency) = text.split_once(' ')?;
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => ("−", number),
        None => ("", number),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) {
        return None;
    }
    let (group, point) = match language {
        "vi" | "id" => (".", ","),
        // A space that lines do not break at.
        "ru" => ("\u{a0}", ","),
        _ => (",", "."),
    };
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push_str(group);
        }
        grouped.push(digit);
    }
    let fraction = fraction.map(|fraction| format!("{point}{fraction}")).unwrap_or_default();
    Some(format!("{sign}{grouped}{fraction}\u{a0}{currency}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_as_its_reader_does() {
        for (language, text, written) in [
            ("en", "1234567.50 USD", "1,234,567.50\u{a0}USD"),
            ("vi", "299000 VND", "299.000\u{a0}VND"),
            ("id", "1990000.00 IDR", "1.990.000,00\u{a0}IDR"),
            ("ru", "-1000.125 KWD", "−1\u{a0}000,125\u{a0}KWD"),
            ("en", "7 JPY", "7\u{a0}JPY"),
        ] {
            assert_eq!(money(language, text).as_deref(), Some(written));
        }
        for bad in ["", "USD", "x USD", "1..2 USD", "1. USD"] {
            assert_eq!(money("en", bad), None, "{bad}");
        }
    }

    #[test]
    fn days_are_written_as_their_reader_does() {
        let day = jiff::civil::date(2026, 1, 2);
        let written = ["en", "vi", "id", "ru"].map(|language| date(language, day));
        assert_eq!(written, ["2 January 2026", "02/01/2026", "02/01/2026", "02.01.2026"]);
    }
}
