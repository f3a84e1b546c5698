//! The XHTML of a narrative: formatting only, nothing that runs or loads (narrative.html#xhtml).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

const ELEMENTS: [&str; 55] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "map",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

const ATTRIBUTES: [&str; 47] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "coords",
    "datetime",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "id",
    "lang",
    "longdesc",
    "name",
    "nohref",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "style",
    "summary",
    "tabindex",
    "target",
    "title",
    "type",
    "usemap",
    "valign",
    "width",
    "xml:lang",
];

/// Elements with nothing inside that are still something to see.
const VISIBLE: [&str; 1] = ["img"];

/// Says what is wrong with the text of a narrative.
pub fn check(text: &str) -> Result<(), String> {
    let mut reader = Reader::from_str(text);
    let (mut depth, mut has_content, mut is_over) = (0_u32, false, false);
    loop {
        let event =
            reader.read_event().map_err(|error| format!("not well-formed XHTML: {error}"))?;
        match event {
            Event::Start(tag) => {
                element(&tag, depth, is_over)?;
                depth += 1;
            }
            Event::Empty(tag) => {
                element(&tag, depth, is_over)?;
                has_content |= VISIBLE.contains(&name(&tag).as_str());
                is_over |= depth == 0;
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                is_over |= depth == 0;
            }
            Event::Text(inside) => {
                let has_text = !inside.trim().is_empty();
                if has_text && depth == 0 {
                    return Err("text outside the div".to_owned());
                }
                has_content |= has_text;
            }
            Event::GeneralRef(_) if depth > 0 => has_content = true,
            Event::Comment(_) => {}
            Event::Eof if depth > 0 => {
                return Err("not well-formed XHTML: an element is not closed".to_owned());
            }
            Event::Eof if has_content => return Ok(()),
            Event::Eof => return Err("txt-2: the div is empty; leave the narrative out".to_owned()),
            Event::CData(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {
                return Err("only elements and text can be in a narrative: no declaration, instruction or CDATA".to_owned());
            }
        }
    }
}

fn name(tag: &BytesStart) -> String {
    tag.name().as_ref().to_owned()
}

fn element(tag: &BytesStart, depth: u32, is_over: bool) -> Result<(), String> {
    let name = name(tag);
    if depth == 0 && (name != "div" || is_over) {
        return Err("a narrative is one div".to_owned());
    }
    if !ELEMENTS.contains(&name.as_str()) {
        return Err(format!("txt-1: <{name}> cannot be in a narrative; only basic formatting can"));
    }
    let mut is_xhtml = depth > 0;
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| format!("not well-formed XHTML: {error}"))?;
        let key = attribute.key.as_ref().to_owned();
        let value = attribute.value.into_owned();
        if key == "xmlns" {
            is_xhtml = value == "http://www.w3.org/1999/xhtml";
            continue;
        }
        if !ATTRIBUTES.contains(&key.as_str()) {
            return Err(format!(
                "txt-1: the attribute `{key}` of <{name}> cannot be in a narrative"
            ));
        }
        if matches!(key.as_str(), "href" | "src") && runs(&value) {
            return Err(format!(
                "txt-1: `{key}` of <{name}> must be a link to look at, not a script"
            ));
        }
    }
    if is_xhtml {
        Ok(())
    } else {
        Err("the div must be in the namespace http://www.w3.org/1999/xhtml".to_owned())
    }
}

/// `javascript:` and the like, however it is spelt.
fn runs(link: &str) -> bool {
    let plain: String = link
        .chars()
        .filter(|character| !character.is_whitespace() && !character.is_control())
        .collect();
    let plain = plain.to_ascii_lowercase();
    let is_image = plain.starts_with("data:image/");
    plain.contains("script:") || plain.contains("&#") || plain.starts_with("data:") && !is_image
}
