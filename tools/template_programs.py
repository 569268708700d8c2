"""Random template programs and contexts for tools/template_diff.py: the grammar of Jinja2 that templates use.

A program is made of statements and expressions drawn with weights; many of them fail (a wrong type, an
undefined name), which is as well: both sides must fail alike. Left out is what is random or an address by
nature (the random filter, the text form of functions), what would only blow up (huge repetitions), integers past
64 bits, and what chat templates have no use for and we refuse by name: block, include, import, autoescape, lipsum
and the filters pprint, striptags, urlencode, urlize, wordwrap, xmlattr, filesizeformat, random.
"""

import random
import re

NAMES = ["messages", "tools", "s", "t", "n", "m", "f", "b", "none_value", "items", "empty", "d", "nested", "u",
         "missing", "x", "y", "it", "caller", "words", "rows"]
STRINGS = ["", "a", "Hello World", " padded \n", "x,y,,z", "ÄÖü ß", "line1\nline2\r\n\tline3", "<b>&'\"</b>", "你好 世界",
           "ABC abc 123", "{}", "%s and %d", "0x1F", "3.50", "-7", "true", "e\u0301", "👍🏽", "a-b_c.d", "MiXeD cAsE",
           "don't stop", "'''", "\\n", "ﬁn", "İ", "tab\tend "]
NUMBERS = ["0", "1", "2", "-1", "3", "7", "10", "100", "1.5", "0.1", "2.0", "1e3", "-2.5", "1_000",
           "0x1f", "0o17", "0b101", "1e-7", "1e16", "0.30000000000000004"]
FILTERS_NO_ARGUMENT = ["abs", "capitalize", "count", "length", "escape", "e", "first", "last", "float", "int",
                       "list", "lower", "upper", "title", "trim", "string", "safe", "sort", "unique|list", "reverse", "sum",
                       "max", "min", "tojson", "wordcount", "dictsort", "join", "default", "round", "forceescape",
                       "capitalize", "length", "list", "trim", "tojson", "string"]
TESTS_NO_ARGUMENT = ["defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string",
                     "mapping", "iterable", "sequence", "callable", "odd", "even", "upper", "lower", "escaped"]
ATTRIBUTES = ["role", "content", "name", "a", "b", "k", "missing", "items", "keys", "0", "x", "first", "index"]
METHODS = ["strip()", "lstrip()", "rstrip()", "upper()", "lower()", "title()", "capitalize()", "split()", "splitlines()",
           "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "swapcase()",
           "casefold()", "keys()", "values()", "items()", "copy()", "isnumeric()", "isdecimal()",
           "expandtabs()", ]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def chance(self, p):
        return self.random.random() < p

    def program(self):
        """(template, context)."""
        self.budget = self.random.randint(3, 40)
        self.macros = []
        return self.block(0), self.context()

    # --- contexts ---------------------------------------------------------------------------------

    def value(self, depth=0):
        kind = self.random.randrange(9 if depth < 2 else 6)
        if kind == 0:
            return self.pick(0, 1, 2, -3, 7, 41, 2**40)
        if kind == 1:
            return self.pick(0.5, 2.0, -1.25, 1e20, 3.14159)
        if kind == 2:
            return self.pick(True, False, None)
        if kind <= 5:
            return self.random.choice(STRINGS)
        if kind == 6 or kind == 7:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.pick(*ATTRIBUTES): self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def context(self):
        roles = ["system", "user", "assistant", "tool"]
        messages = [{"role": self.pick(*roles), "content": self.pick(*STRINGS)} for _ in range(self.random.randrange(4))]
        words = [self.pick(*STRINGS) for _ in range(self.random.randrange(5))]
        rows = [{"a": self.random.randrange(3), "b": self.pick("x", "y", "Z"), "k": self.value(1)} for _ in range(3)]
        return {"messages": messages, "tools": self.value(), "s": self.pick(*STRINGS), "t": self.pick(*STRINGS),
                "n": self.random.randrange(-3, 9), "m": self.pick(0, 1, 2, 3), "f": self.pick(0.5, 2.0, -1.75, 10.25),
                "b": self.chance(0.5), "none_value": None, "items": [self.random.randrange(9) for _ in range(4)],
                "empty": self.pick([], {}, ""), "d": {"a": self.value(1), "b": 2, "k": "v"},
                "nested": {"a": {"b": [1, {"k": "deep"}]}}, "words": words, "rows": rows}

    # --- expressions whose types fit ----------------------------------------------------------------

    def text_value(self, depth):
        if depth > 3 or self.chance(0.25):
            return self.expand(depth, "s", "t", "words|first|string", "<Q>", "<Q>")
        return self.expand(depth, 
            "<T> ~ <F>", "(<T> + <T>)", "(<T>)[<bound>:<bound>]", "(<T>).strip()",
            "(<T>).upper()", "(<T>).replace(<Q>, <Q>)", "(<T>).title()", "(<T>).lstrip(<Q>)", "(<T>).rstrip(<Q>)",
            "(<T>)|trim", "(<T>)|upper", "(<T>)|replace(<Q>, <Q>)", "(<T>)|indent(2)", "(<T>)|capitalize",
            "(<T>)|title", "(<T>)|escape", "(<T>)|truncate(9)", "(<T>)|center(14)", "<F>|tojson",
            "(<F>)|tojson(indent=2)", "(<F>)|string", "(<L>)|join(<Q>)",
            "(<T> if <B> else <T>)", "<Q>.join(words)", "(<T>).split(<comma>)|first|string",
            "'%s-%s'|format(<F>, <N>)", "'{}:{k}'.format(<T>, k=<N>)",
            "(<T>)|default(<T>, true)", "missing|default(<T>)", "<T> * <times>", "(<T>)|reverse", "(<T>).swapcase()", "(<T>).removeprefix(<Q>)",
            "'%05.2f|%x|%-6s|'|format(<N>|float, <N>|int, <T>)",
            "(<T>).splitlines()|join('|')", "strftime_now('%d %b %Y')", "(<T>).zfill(7)", "(<T>).partition(',')|join('/')")

    def number_value(self, depth):
        if depth > 3 or self.chance(0.3):
            return self.expand(depth, "n", "m", "f", "1", "2", "7", "0.5", "10", "-3")
        return self.expand(depth, "(<N> + <N>)", "(<N> - <N>)", "(<N> * <N>)", "(<N> / 4)", "(<N> // 3)", "(<N> % 5)", "-(<N>)",
                         "(<T>)|length", "(<L>)|length", "(<N>)|round(1)", "(<N>)|abs",
                         "(<N>)|int", "(<N>)|float", "items|sum", "items|max", "items|min", "(<T>).find(<Q>)",
                         "(<T>).count('a')", "(<T>)|int", "(<T>)|float(1.5)",
                         "(<T>)|wordcount", "(<N>)|round(0, 'floor')", "rows|sum(attribute='a')", "m ** 2")

    def list_value(self, depth):
        if depth > 3 or self.chance(0.3):
            return self.expand(depth, "items", "words", "messages", "rows", "[1, 2, 3]", "['b', 'A', 'c']", "empty|list", "range(4)|list", "d|list")
        return self.expand(depth, "(<L>)[<bound>:<bound>]", "(<L>)[::-1]", "(<L> + <L>)", "(<L>)|list", "(<L>)|reverse|list",
                         "items|sort", "words|sort", "words|sort(reverse=true)|unique|list", "rows|sort(attribute='b')|map(attribute='b')|list",
                         "(<L>)|map('string')|list", "(<L>)|map('tojson')|list", "(<L>)|select('string')|list", "(<L>)|reject('none')|list",
                         "(<L>)|batch(2)|list", "(<L>)|batch(3, 'z')|list", "(<L>)|slice(2)|list", "messages|map(attribute='role')|list",
                         "messages|selectattr('role', 'equalto', 'user')|list", "messages|rejectattr('role', 'in', ['system', 'tool'])|list",
                         "(<T>).split()", "(<T>)|list", "d|items|list", "d|dictsort", "d.items()|list",
                         "rows|groupby('a')|map('last')|map('length')|list", "[<F>, <F>]",
                         "(<F>, <F>)", "rows|map(attribute='missing', default=0)|list",
                         "items|select('odd')|list", "items|reject('divisibleby', 3)|list", "items|map('abs')|list", "words|map('upper')|unique|list")

    def bool_value(self, depth):
        if depth > 3 or self.chance(0.15):
            return self.expand(depth, "b", "true", "false", "missing is defined", "s", "items", "empty")
        return self.expand(depth, "(<B> and <B>)", "(<B> or <B>)", "not (<B>)", "<N> <op> <N>",
                         "<T> <op> <T>", "'a' in (<T>)",
                         "<N> not in items", "'a' in d", "(<F>) is <not><test>",
                         "1 < <N> <= 5", "(<T>).startswith(<Q>)",
                         "(<T>).isalpha()", "(<N>)|int is divisibleby(3)", "(<F>) == (<F>)")

    def dict_value(self, depth):
        if depth > 3 or self.chance(0.4):
            return self.expand(depth, "d", "nested", "nested.a", "{}", "messages|first|default({})")
        return self.expand(depth, "{<Q>: <F>, 'k': <F>}", "dict(a=<F>, b=2)",
                         "dict(d, c=<F>)", "(<D> if <B> else <D>)")

    def expand(self, depth, *choices):
        """One of the choices, its <places> filled in."""
        makers = {"T": self.text_value, "N": self.number_value, "L": self.list_value, "B": self.bool_value, "D": self.dict_value,
                  "F": self.fitting, "E": self.expression}

        def fill(match):
            name = match.group(1)
            if name in makers:
                return makers[name](depth + 1)
            return {"Q": self.string, "bound": self.bound, "test": lambda: self.pick(*TESTS_NO_ARGUMENT[:13]),
                    "not": lambda: self.pick("", "not "), "times": lambda: self.pick("0", "2", "3"), "comma": lambda: self.pick("", "','"),
                    "op": lambda: self.pick("<", "<=", ">", ">=", "==", "!=")}[name]()

        return re.sub(r"<(T|N|L|B|D|F|E|Q|bound|test|not|times|comma|op)>", fill, self.random.choice(choices))

    def bound(self):
        return self.pick("", "", "0", "1", "2", "-1", "-2", "m", "3")

    def fitting(self, depth=0):
        kind = self.random.randrange(12)
        if kind < 4:
            return self.text_value(depth)
        if kind < 6:
            return self.number_value(depth)
        if kind < 9:
            return self.list_value(depth)
        if kind == 9:
            return self.bool_value(depth)
        if kind == 10:
            return self.dict_value(depth)
        return self.expand(depth, "none", "none_value", "missing", "b", "nested.a.b[1].k", "d.a", "d['missing']", "x", "rows[0]", "messages[-1]", "d.get('b')")

    # --- expressions of any kind --------------------------------------------------------------------

    def string(self):
        text = self.random.choice(STRINGS)
        quote = self.pick("'", '"')
        text = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
        if self.chance(0.5):
            text = text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
        return quote + text.replace("{{", "").replace("{%", "").replace("{#", "") + quote

    def literal(self):
        kind = self.random.randrange(10)
        if kind < 4:
            return self.string()
        if kind < 7:
            return self.random.choice(NUMBERS)
        return self.pick("true", "false", "none", "True", "False", "None", "[]", "{}", "()", "''")

    def expression(self, depth=0):
        """Mostly one whose types fit: a program that fails early shows nothing of what comes after."""
        if depth == 0 and self.chance(0.93):
            return self.fitting()
        if depth == 2 and self.chance(0.9):
            return self.pick(self.list_value(1), self.fitting(2))
        if depth > 4 or self.chance(0.25):
            return self.literal() if self.chance(0.4) else self.random.choice(NAMES)
        kind = self.random.randrange(26)
        e = lambda: self.expression(depth + 1)  # noqa: E731
        if kind < 3:
            return f"{e()} {self.pick('+', '-', '*', '/', '//', '%', '~', '~', '+')} {e()}"
        if kind == 3:
            return f"{self.atom(depth)} ** {self.pick('2', '0', '-1', 'm')}"
        if kind == 4:
            return f"{self.pick('-', '+', 'not ')}{self.atom(depth)}"
        if kind < 7:
            op = self.pick("==", "!=", "<", "<=", ">", ">=", "in", "not in")
            more = f" {self.pick('==', '<', '!=', '>=')} {e()}" if self.chance(0.15) else ""
            return f"{e()} {op} {e()}{more}"
        if kind < 9:
            return f"{e()} {self.pick('and', 'or')} {e()}"
        if kind == 9:
            other = f" else {e()}" if self.chance(0.75) else ""
            return f"({e()} if {e()}{other})"
        if kind == 10:
            return "[" + ", ".join(e() for _ in range(self.random.randrange(4))) + self.pick("", "", ",]")[:1].replace(",", "") + "]"
        if kind == 11:
            pairs = ", ".join(f"{self.pick(self.string(), e())}: {e()}" for _ in range(self.random.randrange(3)))
            return "{" + pairs + "}"
        if kind == 12:
            return "(" + ", ".join(e() for _ in range(self.random.randrange(1, 4))) + self.pick("", ",") + ")"
        if kind < 16:
            return self.filtered(depth)
        if kind < 18:
            return f"{self.atom(depth)} is {self.pick('', '', 'not ')}{self.test(depth)}"
        if kind < 21:
            return self.subscript(depth)
        if kind < 23:
            return f"{self.atom(depth)}.{self.method(depth)}"
        if kind == 23:
            return self.call(depth)
        return f"({e()})"

    def atom(self, depth):
        return self.pick(self.random.choice(NAMES), self.literal(), f"({self.expression(depth + 1)})")

    def subscript(self, depth):
        base = self.atom(depth)
        kind = self.random.randrange(5)
        if kind == 0:
            return f"{base}.{self.pick(*ATTRIBUTES)}"
        if kind == 1:
            return f"{base}[{self.pick('0', '-1', '1', 'n', 'm', self.string(), self.expression(depth + 2))}]"
        if kind == 2:
            return f"{base}['{self.pick(*ATTRIBUTES)}']"
        if self.chance(0.9):
            base = self.pick("s", "t", "items", "words", "messages", "rows", "x", "missing", "d", "n")
        bounds = [self.pick("", "", "0", "1", "-1", "2", "-2", "m", "none") for _ in range(3)]
        if self.chance(0.6):
            return f"{base}[{bounds[0]}:{bounds[1]}]"
        return f"{base}[{bounds[0]}:{bounds[1]}:{self.pick('', '1', '-1', '2', '-2', '0')}]"

    def method(self, depth):
        if self.chance(0.5):
            return self.random.choice(METHODS)
        return self.expand(depth + 1,
            f"split(<Q>)", f"split(<Q>, {self.pick('0', '1', '-1')})", f"rsplit(<Q>, 1)", f"strip(<Q>)",
            f"lstrip(<Q>)", f"rstrip(<Q>)", f"replace(<Q>, <Q>)", f"replace(<Q>, <Q>, 1)",
            f"startswith(<Q>)", f"endswith(<Q>)", f"startswith((<Q>, <Q>))", f"find(<Q>)", f"rfind(<Q>)",
            f"count(<Q>)", f"index(<Q>)", f"join(<E>)", f"get(<Q>)", f"get(<Q>, <E>)", f"format(<E>)",
            f"format(<E>, k=<E>)", f"center({self.pick('5', '12')})", f"ljust(6, <Q>)", f"rjust(6)", f"zfill(5)",
            f"partition(<Q>)", f"rpartition(<Q>)", f"removeprefix(<Q>)", f"removesuffix(<Q>)",
            f"append(<E>)", f"pop()", f"update({{'a': <E>}})", f"strip(<Q>).upper()", f"split(<Q>)[-1]",
            f"index(<E>)", f"count(<E>)", f"setdefault('a', 1)")

    def call(self, depth):
        if self.macros and self.chance(0.6):
            name, count = self.random.choice(self.macros)
            arguments = [self.expression(depth + 1) for _ in range(self.random.randrange(count + 2))]
            if self.chance(0.25):
                arguments.append(f"{self.pick('p0', 'p1', 'p2', 'other')}={self.expression(depth + 1)}")
            return f"{name}({', '.join(arguments)})"
        return self.expand(depth + 1, f"range({self.pick('3', 'm', '1, 5', '5, 0, -2', 'n')})", f"range({self.pick('2', '4')})|list",
                         f"dict(a=<E>, b=<E>)", f"namespace(a=<E>).a", f"raise_exception({self.string()})",
                         "cycler('a', 'b').next()", "joiner(', ')()", f"strftime_now({self.pick(repr('%Y-%m-%d'), repr('%d %b %Y'), repr('%H:%M %A %j'))})",
                         "loop.index", "loop.last", "loop.previtem", "loop.nextitem", "loop.cycle('odd', 'even')",
                         f"loop.changed(<E>)", "loop.length", "loop.revindex0", "loop.depth", "loop(x)", "caller()",
                         "range(10000000)|length")

    def filtered(self, depth):
        text = self.atom(depth)
        for _ in range(self.random.randrange(1, 3)):
            text += "|" + self.filter(depth)
        return text

    def filter(self, depth):
        if self.chance(0.45):
            return self.random.choice(FILTERS_NO_ARGUMENT)
        attribute = self.pick("'a'", "'b'", "'role'", "'content'", "'a.b'", "0", "'missing'")
        return self.expand(depth + 1,
            f"default(<E>)", f"default(<E>, true)", f"d(<E>, boolean={self.pick('true', 'false')})",
            f"join(<Q>)", f"join(<Q>, attribute={attribute})", f"join(<Q>, {attribute})", f"replace(<Q>, <Q>)",
            f"replace(<Q>, <Q>, 1)", f"trim(<Q>)", f"indent({self.pick('2', '4', '<Q>')})", "indent(2, true)",
            "indent(width=3, first=true, blank=true)", f"map({self.pick(repr('upper'), repr('trim'), repr('length'), repr('string'), repr('tojson'))})|list",
            f"map(attribute={attribute})|list", f"map(attribute={attribute}, default=<E>)|list", f"map('default', <E>)|list",
            f"select({self.pick(repr('string'), repr('odd'), repr('defined'), repr('none'), repr('mapping'))})|list", "select|list", "reject|list",
            f"reject({self.pick(repr('string'), repr('even'), repr('none'))})|list", f"select('equalto', <E>)|list", f"select('in', <E>)|list",
            f"selectattr({attribute})|list", f"selectattr({attribute}, 'equalto', <E>)|list", f"rejectattr({attribute})|list",
            f"rejectattr({attribute}, 'defined')|list", f"selectattr({attribute}, 'in', <E>)|list", f"sort(attribute={attribute})",
            "sort(reverse=true)", "sort(case_sensitive=true)", f"sort(true, false, {attribute})", f"unique(attribute={attribute})|list",
            "unique(true)|list", f"groupby({attribute})|list|length", f"groupby({attribute})|map('first')|list", f"groupby({attribute}, default='z')|map('last')|list", "batch(2)|list", f"batch(3, <E>)|list",
            "slice(2)|list", f"slice(3, <E>)|list", f"sum(attribute={attribute})", f"sum(start=<E>)", f"max(attribute={attribute})",
            f"min(attribute={attribute})", "dictsort(true)", "dictsort(by='value')", "dictsort(reverse=true)", f"round({self.pick('1', '2', '0')})",
            f"round(1, {self.pick(repr('floor'), repr('ceil'), repr('common'))})", f"int(<E>)", "int(0, 16)", f"float(<E>)",
            f"tojson(indent={self.pick('2', '4', '0')})", "tojson(ensure_ascii=true)", "tojson(sort_keys=true)", "tojson(separators=(',', ':'))",
            f"truncate({self.pick('5', '10')})", "truncate(7, true)", "truncate(6, true, '..', 0)", "center(12)", f"attr(<Q>)", f"attr({attribute})",
            f"format(<E>)", f"format(<E>, <E>)", "items|list", "list|reverse|list", "reverse|list", f"first|default(<E>)", "wordcount",
            "no_such_filter", "string|length", "center", "list|first")

    def test(self, depth):
        if self.chance(0.65):
            return self.random.choice(TESTS_NO_ARGUMENT)
        return self.expand(depth + 1, f"divisibleby({self.pick('2', '3', 'm')})", f"equalto(<E>)", f"eq(<E>)", f"ne(<E>)", f"lt(<E>)",
                         f"gt(<E>)", f"ge(<E>)", f"le(<E>)", f"in(<E>)", f"sameas({self.pick('true', 'none', 'x')})",
                         "filter", "test", "no_such_test", f"in {self.atom(depth + 2)}", f"equalto {self.literal()}", "divisibleby 2")

    # --- statements -------------------------------------------------------------------------------

    def text(self):
        return self.pick("text", " ", "\n", "\n\n", "  \n  ", "a b", "\t", "<|im_start|>", "{ }", "é", "} %", "\r\n", " x\n", "#", "\n    ",
                         "", "'quoted'", "line\n")

    def tag(self, inside):
        left = self.pick("{%", "{%", "{%-", "{%-", "{%+")
        right = self.pick("%}", "%}", "-%}", "-%}", "+%}")
        return f"{left} {inside} {right}"

    def output(self, inside):
        return f"{self.pick('{{', '{{', '{{-')} {inside} {self.pick('}}', '}}', '-}}')}"

    def block(self, depth):
        parts = []
        for _ in range(self.random.randrange(1, 5 if depth < 3 else 3)):
            if self.budget <= 0:
                break
            self.budget -= 1
            parts.append(self.text())
            parts.append(self.statement(depth))
            parts.append(self.text())
        return "".join(parts) or self.text()

    def target(self):
        return self.pick("x", "x", "y", "it", "s", "x", "x", "y")

    def statement(self, depth):
        e = self.expression
        if self.chance(0.004):
            return self.pick("{% endfor %}", "{{ }}", "{{ a b }}", "{% if %}", "{% set 1 = 2 %}", "{{ 'open }}", "{% unknown %}", "{{ x | }}",
                             "{% for x %}", "{{ [1, }}", "{% else %}", "{{ 1 is }}", "{{ (1 }}", "{% break %}", "{% macro %}")
        kind = self.random.randrange(24)
        if kind < 9 or depth > 3:
            return self.output(e())
        if kind < 12:
            target = self.pick("x", "y", "x", "ns.a", "ns.b", "x, y", "s", "messages", "ns.missing")
            if target.startswith("ns.") and self.chance(0.9):
                return self.tag("set ns = namespace(a=1, b=[])") + self.tag(f"set {target} = {e()}") + self.output("ns.a ~ ns.b")
            if target == "x, y":
                return self.tag(f"set {target} = {e()}, {e()}")
            return self.tag(f"set {target} = {self.pick(e(), e(), 'namespace(a=1, b=[])')}")
        if kind == 12:
            bar = f" | {self.filter(2)}" if self.chance(0.4) else ""
            return self.tag(f"set x{bar}") + self.block(depth + 1) + self.tag("endset")
        if kind < 16:
            text = self.tag(f"if {e()}") + self.block(depth + 1)
            while self.chance(0.3):
                text += self.tag(f"elif {e()}") + self.block(depth + 1)
            if self.chance(0.5):
                text += self.tag("else") + self.block(depth + 1)
            return text + self.tag("endif")
        if kind < 20:
            return self.loop(depth)
        if kind == 20:
            return self.macro(depth)
        if kind == 21:
            if self.macros and self.chance(0.8):
                name, count = self.random.choice(self.macros)
                given = ", ".join(e(3) for _ in range(self.random.randrange(count + 1)))
                takes = self.pick("", "", "(x)", "(x, y=2)")
                return self.tag(f"call{takes} {name}({given})") + self.block(depth + 1) + self.tag("endcall")
            return self.tag(f"filter {self.filter(2)}") + self.block(depth + 1) + self.tag("endfilter")
        if kind == 22:
            return self.pick(
                "{# a comment #}", "{#- tight -#}", "{# over\nlines #}\n", self.tag("raw") + "{{ raw }} {% x %}" + self.tag("endraw"),
                self.tag(f"with x = {e()}, y = x") + self.block(depth + 1) + self.tag("endwith"),
                self.tag("generation") + self.block(depth + 1) + self.tag("endgeneration"))
        return self.output(self.call(1))

    def loop(self, depth):
        source = self.pick("messages", "items", "words", "rows", "d.items()", "d", "range(3)", "nested|dictsort", "rows|groupby('b')",
                           self.expression(2), self.expression(2), "'abc'", "missing", "[1, [2, [3]]]")
        clause = f" if {self.expression(2)}" if self.chance(0.25) else ""
        recursive = " recursive" if self.chance(0.15) else ""
        body = self.block(depth + 1)
        if self.chance(0.2):
            body += self.tag(f"if {self.expression(3)}") + self.tag(self.pick("break", "continue")) + self.tag("endif")
        if self.chance(0.4):
            body += self.output(self.pick("loop.index", "loop.index0", "loop.first", "loop.last", "loop.revindex", "loop.length",
                                          "loop.previtem", "loop.nextitem", "loop.cycle('a', 'b', 'c')", "loop.depth0", "loop.changed(x)"))
        if recursive and self.chance(0.6):
            body += self.tag("if x is iterable and x is not string and x|length < 5 and loop.depth < 4") + "[" + self.output("loop(x)") + "]" + self.tag("endif")
        other = self.tag("else") + self.block(depth + 1) if self.chance(0.2) else ""
        target = self.target()
        if source in ("d.items()", "nested|dictsort", "rows|groupby('b')"):
            target = self.pick("k, v", "x, y", "(x, y)", "x")
        elif self.chance(0.03):
            target = "x, y"
        return self.tag(f"for {target} in {source}{clause}{recursive}") + body + other + self.tag("endfor")

    def macro(self, depth):
        name = f"f{len(self.macros)}"
        count = self.random.randrange(3)
        parameters = []
        default = False
        for i in range(count):
            default = default or self.chance(0.4)
            parameters.append(f"p{i}" + (f"={self.expression(3)}" if default else ""))
        body = self.block(depth + 1) + self.output(self.pick("p0", "p1", "varargs", "kwargs", "caller()", "caller is defined", "name", "p0 ~ p1"))
        self.macros.append((name, count))
        return self.tag(f"macro {name}({', '.join(parameters)})") + body + self.tag("endmacro")
