//! Expressions whose parts fit together, out of a seed.

/// What an expression is of, so that most of those that are generated have a value.
#[derive(Clone, Copy)]
enum Of {
    Text,
    Number,
    Flag,
    /// A list of texts.
    List,
    /// An object with the attributes `a`, of any kind, and `b`.
    Object,
}

impl Of {
    fn leaves(self) -> &'static [&'static str] {
        match self {
            Of::Text => &["local.s", "local.m[0]", "\"a\"", "\"\"", "\"b7\""],
            Of::Number => &["local.n", "local.o.a", "0", "1", "2.5"],
            Of::Flag => &["local.b", "true", "false"],
            Of::List => &["local.l", "tolist([\"a\", \"b\"])", "tolist([local.s, \"a\"])"],
            Of::Object => &["local.o", "{a = local.s, b = 1}", "{a = 1, b = local.n}"],
        }
    }

    /// Patterns in which `S N B L O X` stand for an expression of that kind.
    fn patterns(self) -> &'static [&'static str] {
        match self {
            Of::Text => TEXTS,
            Of::Number => NUMBERS,
            Of::Flag => FLAGS,
            Of::List => LISTS,
            Of::Object => OBJECTS,
        }
    }
}

/// Makes expressions that fit together out of a seed.
pub(super) struct Maker(pub u64);

impl Maker {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn one_of(&mut self, texts: &[&str]) -> String {
        texts[self.below(texts.len())].to_owned()
    }

    pub(super) fn any(&mut self, depth: usize) -> String {
        let of = [Of::Text, Of::Number, Of::Flag, Of::List, Of::Object][self.below(5)];
        self.make(of, depth)
    }

    fn make(&mut self, of: Of, depth: usize) -> String {
        let leaves = of.leaves();
        if depth == 0 || self.below(6) == 0 {
            return self.one_of(leaves);
        }
        let patterns = of.patterns();
        let pattern = self.one_of(patterns);
        let mut text = String::new();
        let mut chars = pattern.chars().peekable();
        let mut before = ' ';
        while let Some(c) = chars.next() {
            let alone = !before.is_alphanumeric() && chars.peek().is_none_or(|next| !next.is_alphanumeric());
            match c {
                'S' if alone => text.push_str(&self.make(Of::Text, depth - 1)),
                'N' if alone => text.push_str(&self.make(Of::Number, depth - 1)),
                'B' if alone => text.push_str(&self.make(Of::Flag, depth - 1)),
                'L' if alone => text.push_str(&self.make(Of::List, depth - 1)),
                'O' if alone => text.push_str(&self.make(Of::Object, depth - 1)),
                'X' if alone => text.push_str(&self.any(depth - 1)),
                c => text.push(c),
            }
            before = c;
        }
        text
    }
}

const TEXTS: &[&str] = &[
    "\"x${S}${N}\"",
    "(B ? S : S)",
    "upper(S)",
    "join(S, L)",
    "tostring(X)",
    "jsonencode(X)",
    "L[0]",
    "element(L, N)",
    "coalesce(S, S)",
    "O.b",
    "lookup(O, \"a\", S)",
    "substr(S, 0, N)",
    "format(\"%s-%v\", S, X)",
    "trimprefix(S, S)",
    "replace(S, S, S)",
    "\"%{ if B }y${S}%{ else }${S}%{ endif }\"",
    "\"%{ for x in L }${x}-%{ endfor }\"",
    "one(toset([S]))",
    "(B ? null : S)",
    "base64encode(S)",
    "sha256(S)",
    "[S, N][1]",
    "try(S, S)",
    "title(S)",
    "{a = S}[S]",
];

const NUMBERS: &[&str] = &[
    "(N + N)",
    "(N * N)",
    "(N - N)",
    "(-N)",
    "(N % 3)",
    "length(X)",
    "(B ? N : N)",
    "max(N, N)",
    "sum([N, N])",
    "length(toset(L))",
    "abs(N)",
    "floor(N)",
    "index(L, S)",
    "tonumber(S)",
    "min([N, N]...)",
    "signum(N)",
    "(B ? 1 : S)",
    "length([for x in L : x if x == S])",
    "length(regexall(\"a\", S))",
];

const FLAGS: &[&str] = &[
    "(X == X)",
    "(S != S)",
    "(N < N)",
    "(N >= N)",
    "(B && B)",
    "(B || B)",
    "(!B)",
    "contains(L, S)",
    "startswith(S, S)",
    "alltrue([B, B])",
    "anytrue([B, B])",
    "(S == null)",
    "strcontains(S, S)",
    "(L == L)",
    "([S, N] == [S, N])",
    "tobool(B)",
    "(B ? B : B)",
    "(O == O)",
    "endswith(S, \"a\")",
    "startswith(\"x-${S}\", \"x\")",
];

const LISTS: &[&str] = &[
    "tolist([S, S])",
    "[for x in L : upper(x)]",
    "concat(L, L)",
    "distinct(L)",
    "sort(L)",
    "reverse(L)",
    "compact(L)",
    "slice(L, 0, 1)",
    "split(\"a\", S)",
    "(B ? L : L)",
    "(B ? L : [S])",
    "keys(tomap({(S) = N}))",
    "flatten([L, [S]])",
    "setunion(L, L)",
    "toset(L)",
    "formatlist(\"%s-x\", L)",
    "L[*]",
    "[for x in L : x if B]",
    "[for k, x in L : \"${k}${x}\"]",
    "setintersection(L, L)",
    "setsubtract(L, L)",
    "chunklist(L, 1)[0]",
    "coalescelist(L, L)",
    "values(tomap({a = S}))",
    "[{a = S}, {a = S}][*].a",
    "regexall(\"[a-c]\", S)",
    "[for o in [O, O] : tostring(o.b)]",
    "matchkeys(L, L, L)",
];

const OBJECTS: &[&str] = &[
    "{a = X, b = S}",
    "merge(O, {a = X})",
    "(B ? O : O)",
    "zipmap([\"a\", \"b\"], [X, S])",
    "[O, O][0]",
    "{for k, v in O : k => v}",
    "{for x in [\"a\", \"b\"] : x => S}",
    "tomap({a = S, b = S})",
    "merge(O, O)",
    "{for k in [\"a\", S, \"b\"] : k => X...}",
    "{(S) = X, b = N, a = 1}",
    "[for x in [O] : x][0]",
    "element([O, O], 1)",
    "jsondecode(jsonencode(O))",
];
