//! The style of every picture, and what text needs before it can stand in one.

/// The style sheet of every picture, so that all look alike. The page has the same colours, and those for a dark screen.
pub const STYLE: &str = "text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#4a5666}\
.head{font-size:14px;font-weight:600;fill:#1b2430}.alarm{font-weight:600;fill:#a8200d}.paper{fill:#fff}\
.grid{stroke:#d9dee5;fill:none}.axis{stroke:#4a5666;fill:none}.line,.area,.bar{--line:#0b5cad}.b{--line:#8a5200}.c{--line:#136c3a}.d{--line:#7a2d8f}\
.line{stroke:var(--line);stroke-width:1.6;fill:none;stroke-linejoin:round}.area{fill:var(--line);opacity:.14}.bar{fill:var(--line)}\
.b{stroke-dasharray:6 3}.c{stroke-dasharray:2 2}.d{stroke-dasharray:8 2 2 2}.bad{--line:#a8200d}.cursor{display:none}";

/// A text fit for HTML and SVG, in elements and in quoted attributes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            control if control.is_control() => out.push('?'),
            other => out.push(other),
        }
    }
    out
}
