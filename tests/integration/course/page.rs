//! A lesson as a page of the site: of Markdown as much as lessons use.

use std::iter::Peekable;
use std::str::Lines;

/// The name of a lesson's page below www/learn/.
pub(super) fn file(lesson: &str) -> String {
    match lesson {
        "README.md" => "index.html".to_owned(),
        _ => lesson.replace(".md", ".html"),
    }
}

/// The page's address on the site.
pub(super) fn address(lesson: &str) -> String {
    format!("/learn/{}", file(lesson).trim_start_matches("index.html"))
}

/// What a lesson is called.
pub(super) fn title(lesson: &str) -> &str {
    lesson
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# "))
        .unwrap()
}

/// The whole page of a lesson. `titles` has the address and title of each, in order.
pub(super) fn page(name: &str, lesson: &str, titles: &[(String, String)]) -> String {
    let at = titles
        .iter()
        .position(|(it, _)| *it == address(name))
        .unwrap();
    let steps: String = titles
        .iter()
        .enumerate()
        .skip(1)
        .map(|(number, (address, title))| {
            let current = if number == at {
                " aria-current=\"page\""
            } else {
                ""
            };
            format!(
                "  <a href=\"{address}\"{current} title=\"{}\">{number}</a>\n",
                escape(title)
            )
        })
        .collect();
    format!(
        "<!doctype html>
<html lang=\"en\">
<head>
  <meta charset=\"utf-8\">
  <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
  <title>{title}: a course on the web</title>
  <meta name=\"description\" content=\"Part of a course on how the web works, with something to run in each lesson.\">
  <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">
  <link rel=\"stylesheet\" href=\"/style.css\">
</head>
<body>
<a class=\"skip\" href=\"#main\">Skip to the text</a>
<header class=\"top\">
  <a class=\"brand\" href=\"/\"><img src=\"/favicon.svg\" alt=\"\" width=\"34\" height=\"34\">tollgate</a>
  <nav aria-label=\"Pages\">
    <a href=\"/click.html\">A click</a>
    <a href=\"/cgi.html\">CGI</a>
    <a href=\"/toll.html\">The toll</a>
    <a href=\"/programs.html\">Programs</a>
    <a href=\"/learn/\" aria-current=\"{section}\">Learn</a>
  </nav>
</header>
<main id=\"main\" class=\"lesson\">
<nav class=\"lessons\" aria-label=\"Lessons\">
  <a href=\"/learn/\"{current}>Contents</a>
{steps}</nav>
{text}</main>
<footer class=\"bottom\">
  This page is a file, made from <code>docs/course/{name}</code>. No script runs in it.
</footer>
</body>
</html>
",
        title = escape(title(lesson).split_once(". ").map_or(title(lesson), |(_, title)| title)),
        current = if at == 0 { " aria-current=\"page\"" } else { "" },
        section = if at == 0 { "page" } else { "true" },
        text = body(lesson),
    )
}

fn body(lesson: &str) -> String {
    let mut html = String::new();
    let mut lines = lesson.lines().peekable();
    let mut has_server = false;
    while let Some(line) = lines.next() {
        if let Some(word) = line.strip_prefix("```") {
            has_server |= word == "sh server";
            html += &fenced(word, has_server, &mut lines);
        } else if let Some(heading) = line.strip_prefix("### ") {
            html += &format!("<h3>{}</h3>\n", inline(heading));
        } else if let Some(heading) = line.strip_prefix("## ") {
            html += &format!("<h2>{}</h2>\n", inline(heading));
        } else if let Some(heading) = line.strip_prefix("# ") {
            html += &format!("<h1>{}</h1>\n", inline(heading));
        } else if line.starts_with('|') {
            html += &table(line, &mut lines);
        } else if line.starts_with("- ") {
            html += &format!("<ul>\n{}</ul>\n", items(line, "- ", &mut lines));
        } else if line.starts_with("1. ") {
            html += &format!("<ol>\n{}</ol>\n", items(line, "1. ", &mut lines));
        } else if !line.is_empty() {
            let text = joined(line, &mut lines);
            let lead = if html.ends_with("</h1>\n") {
                " class=\"lead\""
            } else {
                ""
            };
            html += &format!("<p{lead}>{}</p>\n", inline(&text));
        }
    }
    html
}

fn fenced(word: &str, has_server: bool, lines: &mut Peekable<Lines<'_>>) -> String {
    let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
    let (class, caption) = match word {
        "sh server" => ("run", "In the first terminal"),
        "sh" | "sh fails" if has_server => ("run", "In the second terminal"),
        "sh" | "sh fails" => ("run", "In a terminal"),
        "output" => ("printed", "It prints"),
        _ => ("shown", ""),
    };
    let caption = match caption {
        "" => String::new(),
        caption => format!("<figcaption>{caption}</figcaption>"),
    };
    let text = escape(&text.join("\n"));
    format!(
        "<figure class=\"{class}\">{caption}<pre tabindex=\"0\"><code>{text}\n</code></pre></figure>\n"
    )
}

/// The lines of a paragraph, or of an item, as one.
fn joined(first: &str, lines: &mut Peekable<Lines<'_>>) -> String {
    let mut text = first.to_owned();
    let goes_on = |line: &&str| {
        let begins = ["```", "#", "|", "- ", "1. "]
            .iter()
            .any(|it| line.starts_with(it));
        !line.is_empty() && !begins
    };
    while let Some(line) = lines.next_if(goes_on) {
        text += &format!("\n{}", line.trim_start());
    }
    text
}

fn items(first: &str, mark: &str, lines: &mut Peekable<Lines<'_>>) -> String {
    let mut html = String::new();
    let mut item = Some(first);
    while let Some(line) = item {
        let text = joined(line.strip_prefix(mark).unwrap(), lines);
        html += &format!("  <li>{}</li>\n", inline(&text));
        item = lines.next_if(|line| line.starts_with(mark));
    }
    html
}

fn table(first: &str, lines: &mut Peekable<Lines<'_>>) -> String {
    let row = |line: &str, of: fn(usize) -> (&'static str, &'static str)| {
        let cells = line.trim_matches('|').split('|').enumerate();
        let cells: String = cells
            .map(|(at, cell)| {
                let (open, close) = of(at);
                format!("<{open}>{}</{close}>", inline(cell.trim()))
            })
            .collect();
        format!("  <tr>{cells}</tr>\n")
    };
    let mut html = row(first, |_| ("th scope=\"col\"", "th"));
    while let Some(line) = lines.next_if(|line| line.starts_with('|')) {
        if !line.starts_with("|---") {
            html += &row(line, |at| match at {
                0 => ("th scope=\"row\"", "th"),
                _ => ("td", "td"),
            });
        }
    }
    format!("<div class=\"scroll\"><table>\n{html}</table></div>\n")
}

/// Code, emphasis and links within a line.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (at, piece) in text.split('`').enumerate() {
        match at % 2 {
            0 => html += &links(&emphasis(&escape(piece))),
            _ => html += &format!("<code>{}</code>", escape(piece)),
        }
    }
    html
}

fn emphasis(text: &str) -> String {
    let wrap = |text: &str, mark: &str, tag: &str| {
        let pieces = text.split(mark).enumerate();
        pieces
            .map(|(at, piece)| match at % 2 {
                0 => piece.to_owned(),
                _ => format!("<{tag}>{piece}</{tag}>"),
            })
            .collect::<String>()
    };
    wrap(&wrap(text, "**", "strong"), "*", "em")
}

/// Links to other lessons lead to their pages; those into the repository are text on the site.
fn links(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let (label, after) = after.split_once("](").unwrap();
        let (target, after) = after.split_once(')').unwrap();
        html += before;
        html += &match target {
            _ if target.contains("://") => format!("<a href=\"{target}\">{label}</a>"),
            _ if target.ends_with(".md") && !target.contains('/') => {
                format!("<a href=\"{}\">{label}</a>", address(target))
            }
            _ => label.to_owned(),
        };
        rest = after;
    }
    html + rest
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
