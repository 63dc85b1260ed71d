//! An invoice as a PDF, in Latin (Vietnamese too), Cyrillic and Greek letters: what is used of
//! `DejaVu Sans` is embedded, and the text can be searched and copied. Letters beyond that font are
//! shown as □, with a note that says so. Positions are whole points, 72 to the inch.

mod font;
mod labels;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use pdf_writer::Content;
use pdf_writer::Finish as _;
use pdf_writer::Name;
use pdf_writer::Pdf;
use pdf_writer::Rect;
use pdf_writer::Ref;
use pdf_writer::Str;
use pdf_writer::TextStr;

use self::font::Font;
use self::labels::Labels;
use self::labels::labels;
use super::Invoice;
use super::Kind;
use super::Party;
use crate::billing::calendar::day_of;
use crate::billing::tax::Rounding;
use crate::model::tenant::Language;

/// A4.
const WIDTH: i16 = 595;
const HEIGHT: i16 = 842;
const LEFT: i16 = 56;
const RIGHT: i16 = WIDTH - 56;
const TOP: i16 = HEIGHT - 64;
const BOTTOM: i16 = 64;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
#[error("the font of invoices cannot be used ({0}): this program was built with a broken one")]
pub struct PdfError(String);

/// A text with its place: the left end of it, or the right where it ends.
struct Text {
    at: (i16, i16),
    size: u8,
    glyphs: Vec<u8>,
}

/// Pages that are filled from top to bottom.
struct Sheet {
    font: Font,
    pages: Vec<Vec<Text>>,
    y: i16,
}

impl Sheet {
    fn page(&mut self) -> &mut Vec<Text> {
        if self.pages.is_empty() {
            self.pages.push(Vec::new());
        }
        self.pages.last_mut().expect("because one was just seen to be there")
    }

    /// Goes down, to the next page where this one is full.
    fn down(&mut self, by: i16) {
        self.y -= by;
        if self.y < BOTTOM {
            self.pages.push(Vec::new());
            self.y = TOP;
        }
    }

    fn left(&mut self, x: i16, size: u8, text: &str) {
        let (glyphs, y) = (self.font.glyphs(text), self.y);
        self.page().push(Text { at: (x, y), size, glyphs });
    }

    fn right(&mut self, x: i16, size: u8, text: &str) {
        let width = self.font.width(text, size);
        self.left(x - width, size, text);
    }

    /// Lines of words no wider than `width`; a word that is too long stands alone.
    fn paragraph(&mut self, x: i16, width: i16, size: u8, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if !line.is_empty() && self.font.width(&longer, size) > width {
                self.left(x, size, &line);
                self.down(i16::from(size) + 4);
                word.clone_into(&mut line);
            } else {
                line = longer;
            }
        }
        self.left(x, size, &line);
    }
}

/// Draws an invoice in a language; days are those of the zone.
pub fn pdf(invoice: &Invoice, language: Language, zone: &TimeZone) -> Result<Vec<u8>, PdfError> {
    let labels = labels(language);
    let mut sheet = Sheet { font: Font::embedded().map_err(PdfError)?, pages: Vec::new(), y: TOP };
    let title = match invoice.kind {
        Kind::Invoice => labels.invoice,
        Kind::CreditNote => labels.credit_note,
    };
    let number = invoice.number.as_deref().unwrap_or(labels.draft);
    let title = format!("{title} {number}");
    sheet.left(LEFT, 20, &title);
    sheet.down(34);
    head(&mut sheet, invoice, labels, zone);
    table(&mut sheet, invoice, labels);
    let rounding = match invoice.rounding {
        Rounding::Line => labels.rounded_by_line,
        Rounding::Total => labels.rounded_in_total,
    };
    if !invoice.taxes.is_empty() {
        sheet.down(28);
        sheet.left(LEFT, 8, rounding);
    }
    if sheet.font.misses() {
        sheet.down(14);
        sheet.left(LEFT, 8, labels.missing);
    }
    document(sheet, &title)
}

fn head(sheet: &mut Sheet, invoice: &Invoice, labels: &Labels, zone: &TimeZone) {
    for (label, party) in [(labels.seller, &invoice.seller), (labels.buyer, &invoice.buyer)] {
        person(sheet, label, party, labels);
    }
    let day = |time: Option<jiff::Timestamp>| time.map(|time| day_of(time, zone));
    let mut dates: Vec<(&str, String)> = Vec::new();
    for (label, day) in [
        (labels.issued, day(invoice.issued_at)),
        (labels.due, day(invoice.due_at)),
        (labels.paid, day(invoice.paid_at)),
    ] {
        dates.extend(day.map(|day: Date| (label, day.to_string())));
    }
    if let Some(period) = invoice.period {
        dates.push((labels.period, format!("{} – {}", period.start, period.last_day())));
    }
    for (label, text) in dates {
        sheet.left(LEFT, 9, label);
        sheet.left(LEFT + 120, 9, &text);
        sheet.down(14);
    }
    sheet.down(14);
}

fn person(sheet: &mut Sheet, label: &str, party: &Party, labels: &Labels) {
    sheet.left(LEFT, 9, label);
    sheet.paragraph(LEFT + 120, RIGHT - LEFT - 120, 10, &party.name);
    sheet.down(14);
    for line in &party.address {
        sheet.paragraph(LEFT + 120, RIGHT - LEFT - 120, 9, line);
        sheet.down(13);
    }
    if let Some(tax_id) = &party.tax_id {
        sheet.left(LEFT + 120, 9, &format!("{} {tax_id}", labels.tax_id));
        sheet.down(13);
    }
    sheet.down(8);
}

fn table(sheet: &mut Sheet, invoice: &Invoice, labels: &Labels) {
    sheet.left(LEFT, 9, labels.item);
    sheet.right(RIGHT, 9, labels.amount);
    sheet.down(18);
    for line in &invoice.lines {
        let share = line.share.map_or(String::new(), |share| {
            format!(" × {}/{} {}", share.days, share.of, labels.days)
        });
        let explained = format!("{} × {}{share}", line.quantity, line.unit);
        sheet.right(RIGHT, 10, &line.amount.to_string());
        sheet.paragraph(LEFT, RIGHT - LEFT - 130, 10, &line.text);
        sheet.down(13);
        sheet.left(LEFT, 8, &explained);
        sheet.down(17);
    }
    sheet.down(6);
    let mut sums = vec![(labels.net.to_owned(), invoice.net, 10)];
    for tax in &invoice.taxes {
        sums.push((format!("{} {}", tax.name, tax.rate), tax.amount, 10));
    }
    sums.push((labels.total.to_owned(), invoice.total, 13));
    for (label, money, size) in sums {
        sheet.right(RIGHT - 130, size, &label);
        sheet.right(RIGHT, size, &money.to_string());
        sheet.down(18);
    }
}

fn document(sheet: Sheet, title: &str) -> Result<Vec<u8>, PdfError> {
    let Sheet { font, pages, .. } = sheet;
    let mut references = (1..).map(Ref::new);
    let mut reference = || references.next().expect("because there are more numbers than pages");
    let (catalog, tree, info, face) = (reference(), reference(), reference(), reference());
    let font_parts = [reference(), reference(), reference(), reference()];
    let name = Name(b"F");
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.document_info(info).title(TextStr(title)).producer(TextStr("Tenantry"));
    let ids: Vec<(Ref, Ref)> = pages.iter().map(|_| (reference(), reference())).collect();
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for ((page, content), texts) in ids.iter().zip(&pages) {
        let mut writer = pdf.page(*page);
        writer.media_box(Rect::new(0.0, 0.0, f32::from(WIDTH), f32::from(HEIGHT)));
        writer.parent(tree).contents(*content);
        writer.resources().fonts().pair(name, face);
        writer.finish();
        let mut drawn = Content::new();
        for text in texts {
            let (x, y) = text.at;
            drawn.begin_text();
            drawn.set_font(name, f32::from(text.size));
            drawn.next_line(f32::from(x), f32::from(y));
            drawn.show(Str(&text.glyphs));
            drawn.end_text();
        }
        pdf.stream(*content, &drawn.finish());
    }
    font.write(&mut pdf, face, font_parts).map_err(PdfError)?;
    Ok(pdf.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::invoice::InvoiceLine;
    use crate::billing::tax::Tax;
    use crate::model::money::Money;
    use uuid::Uuid;

    fn invoice(lines: usize) -> Invoice {
        let money = |text: &str| text.parse::<Money>().unwrap();
        let party = |name: &str| Party {
            name: name.into(),
            address: vec!["12 Đường Nguyễn Huệ, Quận 1".into()],
            tax_id: Some("0312345678".into()),
        };
        let line = InvoiceLine {
            text: "Lớp học trực tuyến · Класс".into(),
            quantity: 1,
            unit: money("299000 VND"),
            share: Some(crate::billing::quote::Share { days: 21, of: 31 }),
            amount: money("202548 VND"),
        };
        let tax = Tax {
            name: "VAT".into(),
            rate: "10%".parse().unwrap(),
            net: money("202548 VND"),
            amount: money("20255 VND"),
        };
        Invoice {
            id: Uuid::nil(),
            number: Some("KC-000001".into()),
            issuer: "KC".into(),
            kind: Kind::Invoice,
            corrects: None,
            corrected_by: None,
            customer: "acme".parse().unwrap(),
            subscription: None,
            seller: party("Công ty Diều ớ"),
            buyer: party("Щербаков Ёжик"),
            rounding: Rounding::Line,
            period: None,
            lines: vec![line; lines],
            taxes: vec![tax],
            net: money("202548 VND"),
            tax: money("20255 VND"),
            total: money("222803 VND"),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            issued_at: Some(jiff::Timestamp::UNIX_EPOCH),
            due_at: None,
            delivered_at: None,
            paid_at: None,
            paid_by: None,
        }
    }

    fn contains(document: &[u8], text: &str) -> bool {
        document.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn vietnamese_and_cyrillic_letters_have_glyphs_that_can_be_copied_as_text() {
        let mut font = Font::embedded().unwrap();
        font.glyphs("Nguyễn Thị Ớt, Щербаков Ёжик, ₫");
        assert!(!font.misses());
        let document = pdf(&invoice(1), Language::Vi, &TimeZone::UTC).unwrap();
        assert!(document.starts_with(b"%PDF-") && document.trim_ascii_end().ends_with(b"%%EOF"));
        for letter in ["<1EDB>", "<0429>", "<0401>"] {
            assert!(contains(&document, letter), "{letter} maps to its letter");
        }
        assert!(document.len() < 120_000, "only what is used is embedded: {}", document.len());
    }

    #[test]
    fn a_letter_without_a_glyph_is_told() {
        let mut font = Font::embedded().unwrap();
        assert_eq!(font.glyphs("漢"), font.glyphs("□"));
        assert!(font.misses());
    }

    #[test]
    fn many_lines_go_on_over_pages() {
        let document = pdf(&invoice(100), Language::Ru, &TimeZone::UTC).unwrap();
        assert!(contains(&document, "/Count 5") || contains(&document, "/Count 6"));
    }
}
