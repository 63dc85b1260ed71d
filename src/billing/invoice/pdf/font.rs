//! The font of invoices, and what of it a document uses. `DejaVu Sans` may be embedded, cut down
//! and passed on freely; its licence lies beside it.

use std::collections::BTreeMap;

use pdf_writer::Finish as _;
use pdf_writer::Name;
use pdf_writer::Pdf;
use pdf_writer::Rect;
use pdf_writer::Ref;
use pdf_writer::Str;
use pdf_writer::types::CidFontType;
use pdf_writer::types::FontFlags;
use pdf_writer::types::SystemInfo;
use pdf_writer::types::UnicodeCmap;
use subsetter::GlyphRemapper;
use ttf_parser::Face;
use ttf_parser::GlyphId;

const DATA: &[u8] = include_bytes!("DejaVuSans.ttf");
/// Names that begin with six letters and a plus say that the font is cut down (ISO 32000, 9.9.2).
const NAME: Name<'static> = Name(b"TENANT+DejaVuSans");
const SYSTEM: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
const PLACEHOLDER: char = '□';

pub(super) struct Font {
    face: Face<'static>,
    used: GlyphRemapper,
    /// The letter of each glyph as it is numbered in the document.
    letters: BTreeMap<u16, char>,
    /// The width of each, in thousandths of the size.
    widths: BTreeMap<u16, u16>,
    misses: bool,
}

impl Font {
    pub(super) fn embedded() -> Result<Self, String> {
        Ok(Self {
            face: Face::parse(DATA, 0).map_err(|error| error.to_string())?,
            used: GlyphRemapper::new(),
            letters: BTreeMap::new(),
            widths: BTreeMap::new(),
            misses: false,
        })
    }

    /// Whether a letter was asked for that the font does not have.
    pub(super) fn misses(&self) -> bool {
        self.misses
    }

    fn glyph(&self, letter: char) -> Option<GlyphId> {
        self.face.glyph_index(letter)
    }

    /// In thousandths of the size.
    fn advance(&self, glyph: GlyphId) -> u16 {
        let advance = u32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0));
        let unit = u32::from(self.face.units_per_em()).max(1);
        u16::try_from(advance * 1000 / unit).unwrap_or(u16::MAX)
    }

    /// How wide a text is, in points, rounded up.
    pub(super) fn width(&self, text: &str, size: u8) -> i16 {
        let thousandths: u32 = text
            .chars()
            .filter_map(|letter| self.glyph(letter).or_else(|| self.glyph(PLACEHOLDER)))
            .map(|glyph| u32::from(self.advance(glyph)))
            .sum();
        i16::try_from((thousandths * u32::from(size)).div_ceil(1000)).unwrap_or(i16::MAX)
    }

    /// The glyphs of a text, two bytes each, as the document numbers them.
    pub(super) fn glyphs(&mut self, text: &str) -> Vec<u8> {
        let mut glyphs = Vec::with_capacity(text.len() * 2);
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            let (letter, glyph) = if let Some(glyph) = self.glyph(letter) {
                (letter, glyph)
            } else {
                self.misses = true;
                (PLACEHOLDER, self.glyph(PLACEHOLDER).unwrap_or(GlyphId(0)))
            };
            let number = self.used.remap(glyph.0);
            self.letters.entry(number).or_insert(letter);
            self.widths.insert(number, self.advance(glyph));
            glyphs.extend(number.to_be_bytes());
        }
        glyphs
    }

    /// Writes the font with the glyphs that were used.
    pub(super) fn write(self, pdf: &mut Pdf, face: Ref, parts: [Ref; 4]) -> Result<(), String> {
        let [cid, descriptor, letters, file] = parts;
        let data = subsetter::subset(DATA, 0, &self.used).map_err(|error| error.to_string())?;
        pdf.type0_font(face)
            .base_font(NAME)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid)
            .to_unicode(letters);
        let mut font = pdf.cid_font(cid);
        font.subtype(CidFontType::Type2).base_font(NAME).system_info(SYSTEM);
        font.font_descriptor(descriptor).default_width(0.0);
        font.cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = font.widths();
        for (number, width) in &self.widths {
            widths.consecutive(*number, [f32::from(*width)]);
        }
        widths.finish();
        font.finish();
        let scaled = |value: i16| {
            let unit = i32::from(self.face.units_per_em()).max(1);
            f32::from(i16::try_from(i32::from(value) * 1000 / unit).unwrap_or(i16::MAX))
        };
        let outline = self.face.global_bounding_box();
        pdf.font_descriptor(descriptor)
            .name(NAME)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(
                scaled(outline.x_min),
                scaled(outline.y_min),
                scaled(outline.x_max),
                scaled(outline.y_max),
            ))
            .italic_angle(0.0)
            .ascent(scaled(self.face.ascender()))
            .descent(scaled(self.face.descender()))
            .cap_height(scaled(self.face.capital_height().unwrap_or(self.face.ascender())))
            .stem_v(80.0)
            .font_file2(file);
        let mut map = UnicodeCmap::<u16>::new(Name(b"Custom"), SYSTEM);
        for (number, letter) in self.letters {
            map.pair(number, letter);
        }
        pdf.cmap(letters, &map.finish());
        pdf.stream(file, &data).pair(Name(b"Length1"), i32::try_from(data.len()).unwrap_or(0));
        Ok(())
    }
}
