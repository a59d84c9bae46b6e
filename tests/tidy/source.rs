//! Rust source as tokens: enough to see paths, without comments and texts.

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// A name, `::`, or one sign.
    pub text: String,
    /// From 1.
    pub line: usize,
    /// Inside `#[cfg(test)] mod … { }` or a `#[test]` function's module.
    pub test: bool,
    /// The inline modules around it.
    pub modules: Vec<String>,
}

/// The tokens of a file.
pub fn tokens(text: &str) -> Vec<Token> {
    place(lex(text))
}

fn lex(text: &str) -> Vec<(String, usize)> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(next) = lexer.peek(0) {
        let line = lexer.line;
        if lexer.skip_comment() || lexer.skip_text() {
            continue;
        }
        if next.is_alphanumeric() || next == '_' {
            found.push((lexer.word(), line));
        } else if next == ':' && lexer.peek(1) == Some(':') {
            lexer.take(2);
            found.push(("::".to_owned(), line));
        } else {
            lexer.take(1);
            if !next.is_whitespace() {
                found.push((next.to_string(), line));
            }
        }
    }
    found
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, c)| self.peek(index) == Some(c))
    }

    fn take(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek(0) == Some('\n') {
                self.line += 1;
            }
            self.at += 1;
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.take(1);
        }
        self.chars[start..self.at].iter().collect()
    }

    fn skip_comment(&mut self) -> bool {
        if self.starts("//") {
            while self.peek(0).is_some_and(|c| c != '\n') {
                self.take(1);
            }
            return true;
        }
        if !self.starts("/*") {
            return false;
        }
        let mut depth = 0;
        loop {
            if self.starts("/*") {
                depth += 1;
                self.take(2);
            } else if self.starts("*/") {
                depth -= 1;
                self.take(2);
            } else {
                self.take(1);
            }
            if depth == 0 || self.peek(0).is_none() {
                return true;
            }
        }
    }

    /// Strings, raw strings, byte strings, characters; not lifetimes.
    fn skip_text(&mut self) -> bool {
        let prefix = ["br", "cr", "r", "b", "c"].into_iter().find(|prefix| self.starts(prefix));
        let start = prefix.map_or(0, str::len);
        let raw = prefix.is_some_and(|prefix| prefix.ends_with('r'));
        let hashes = (0..).take_while(|n| raw && self.peek(start + n) == Some('#')).count();
        if self.peek(start + hashes) == Some('"') {
            self.take(start + hashes + 1);
            let end = format!("\"{}", "#".repeat(hashes));
            while self.peek(0).is_some() && !self.starts(&end) {
                self.take(if !raw && self.peek(0) == Some('\\') { 2 } else { 1 });
            }
            self.take(end.len());
            return true;
        }
        self.skip_character()
    }

    fn skip_character(&mut self) -> bool {
        if self.peek(0) != Some('\'') {
            return false;
        }
        if self.peek(1) == Some('\\') {
            self.take(3);
            while self.peek(0).is_some_and(|c| c != '\'') {
                self.take(1);
            }
            self.take(1);
            return true;
        }
        let character = self.peek(2) == Some('\'');
        self.take(if character { 3 } else { 1 });
        true
    }
}

/// Says of each token in which inline modules it stands and whether they are tests.
fn place(found: Vec<(String, usize)>) -> Vec<Token> {
    let mut open: Vec<(String, usize, bool)> = Vec::new();
    let mut depth = 0;
    let mut placed = Vec::with_capacity(found.len());
    let word = |index: usize| found.get(index).map_or("", |(text, _)| text.as_str());
    for (index, (text, line)) in found.iter().enumerate() {
        match text.as_str() {
            "{" => {
                depth += 1;
                if index >= 2 && word(index - 2) == "mod" {
                    let test = open.iter().any(|(_, _, test)| *test) || is_test_module(&found, index - 2);
                    open.push((word(index - 1).to_owned(), depth, test));
                }
            }
            "}" => {
                open.retain(|(_, at, _)| *at != depth);
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        let modules = open.iter().map(|(name, _, _)| name.clone()).collect();
        let test = open.iter().any(|(_, _, test)| *test);
        placed.push(Token { text: text.clone(), line: *line, test, modules });
    }
    placed
}

/// Whether `#[cfg(test)]` stands before `mod` at this index.
fn is_test_module(found: &[(String, usize)], index: usize) -> bool {
    let from = found[..index].iter().rposition(|(text, _)| [";", "{", "}"].contains(&text.as_str()));
    let attributes: Vec<&str> =
        found[from.map_or(0, |n| n + 1)..index].iter().map(|(text, _)| text.as_str()).collect();
    attributes.windows(4).any(|window| window == ["cfg", "(", "test", ")"])
}

#[test]
fn comments_and_texts_are_no_tokens() {
    let text = r##"a /* b /* c */ d */ e // f
"g \" h" r#"i " j"# b"k" 'l' '\'' '\u{1f}' <'m> n"##;
    let words: Vec<String> = tokens(text).into_iter().map(|token| token.text).collect();
    assert_eq!(words, ["a", "e", "<", "m", ">", "n"]);
}

#[test]
fn tokens_know_their_module() {
    let text = "use a::b;\nmod c {\n d }\n#[cfg(test)]\nmod tests { e { f } }\ng";
    let of = |name: &str| tokens(text).into_iter().find(|token| token.text == name).unwrap();
    assert_eq!((of("d").modules, of("d").test, of("d").line), (vec!["c".to_owned()], false, 3));
    assert_eq!((of("f").modules, of("f").test), (vec!["tests".to_owned()], true));
    assert!(of("g").modules.is_empty());
}
