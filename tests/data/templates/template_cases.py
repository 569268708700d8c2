"""The cases of golden.json: (name, template, context). All are our own; see tools/make_template_golden.py."""

CHAT = [
    {"role": "system", "content": "Be brief.\n"},
    {"role": "user", "content": " Hello, <b>你好</b> & \"é\" "},
    {"role": "assistant", "content": "Hi!"},
    {"role": "user", "content": "What's up?"},
]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather \"now\" <here> & é",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 3}},
            "required": ["city"],
        },
    },
}
TOOL_CHAT = [
    {"role": "user", "content": "Weather in Paris?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "a1", "type": "function",
             "function": {"name": "get_weather", "arguments": {"city": "Paris", "days": 1.5, "raw": True}}}
        ],
    },
    {"role": "tool", "name": "get_weather", "content": "20 degrees"},
]

CHATML = """{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set system_message = 'You are a helpful assistant.' %}
    {%- set rest = messages %}
{%- endif %}
{{- '<|im_start|>system\\n' + system_message | trim + '<|im_end|>\\n' }}
{%- for message in rest %}
    {%- if message.role not in ['user', 'assistant', 'tool'] %}
        {{- raise_exception('Unknown role: ' ~ message.role) }}
    {%- endif %}
    {{- '<|im_start|>' ~ message['role'] ~ '\\n' ~ (message.content or '') ~ '<|im_end|>' ~ '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""

LLAMA_STYLE = """{{- bos_token }}
{%- set ns = namespace(first=true, tools=none) %}
{%- if tools is defined and tools %}{% set ns.tools = tools %}{% endif %}
{#- A comment that goes away, with the space around it. -#}
{%- set date = strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' %}
{%- if messages and messages[0].role == 'system' %}
    {%- set system = messages[0].content | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = '' %}
{%- endif %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: ' + date + '\\n\\n' }}
{%- if ns.tools is not none %}
    {%- for tool in ns.tools %}
        {{- tool | tojson(indent=4) }}
        {{- '\\n\\n' }}
    {%- endfor %}
{%- endif %}
{{- system + '<|eot_id|>' }}
{%- for message in messages %}
    {%- if message.tool_calls is defined %}
        {%- if not message.tool_calls | length == 1 %}
            {{- raise_exception('One tool call at a time') }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {{- '{"name": "' + call.name + '", "parameters": ' + call.arguments | tojson + '}' }}
        {{- '<|eot_id|>' }}
    {%- elif message.role in ('tool', 'ipython') %}
        {{- '<|start_header_id|>ipython<|end_header_id|>\\n\\n' + message.content | tojson + '<|eot_id|>' }}
    {%- else %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

DATA = {
    "n": 7, "f": 2.5, "s": "hello world", "t": True, "z": None, "e": [], "u": "Straße ÉÈ ß ﬁ 你好",
    "l": [3, 1, 2], "w": ["b", "A", "c", "a", "B"], "d": {"b": 1, "a": [1, 2, {"x": "y"}], "C": None},
    "users": [
        {"name": "Ann", "age": 30, "city": "Rome", "ok": True},
        {"name": "bob", "age": 25, "city": "oslo", "ok": False},
        {"name": "Cid", "age": 30, "city": "Oslo", "ok": True, "tag": "x"},
    ],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}, {"v": 5, "kids": []}],
    "big": 9007199254740993, "text": "one\n two\n\n  three \r\nfour",
}

CASES = []


def add(group, *templates, context=DATA):
    for index, template in enumerate(templates):
        CASES.append((f"{group}/{index}", template, context))


for style, template in (("chatml", CHATML), ("llama", LLAMA_STYLE)):
    for name, context in {
        "plain": {"messages": CHAT[1:2], "add_generation_prompt": True},
        "system": {"messages": CHAT[:2], "add_generation_prompt": True},
        "turns": {"messages": CHAT, "add_generation_prompt": False},
        "tools": {"messages": CHAT[:2], "tools": [TOOL, TOOL], "add_generation_prompt": True},
        "calls": {"messages": TOOL_CHAT, "tools": [TOOL]},
        "wrong": {"messages": [{"role": "alien", "content": "?", "tool_calls": []}]},
    }.items():
        CASES.append((f"{style}/{name}", template, {"bos_token": "<s>", **context}))

add(
    "space",
    'a\n  {% if true %}\n  b\n  {% endif %}\nc\n',
    '  {{ n }}  \n',
    ' {%- if t -%} x {%- endif -%} \n y',
    'a {%+ if t %} b\n{%+ endif %} c',
    'x{# gone #}\ny',
    'x\n   {#- gone -#}   \n y',
    'a\n\n{{- n -}}\n\nb',
    '{% raw %}{{ n }} {% if %}{% endraw %}\n!',
    'a\n  {%- raw -%}  {{ x }} {%- endraw +%}\nb',
    'a\r\nb\rc\n\n',
    '{% if t %}\n\n  x{% endif %}',
    '\t{% set a = 1 %}\n\t{{ a }}\n',
    'one {% if t +%}\n two{% endif %}\n',
    "{{ '{{' }} {{ '%}' }}",
    "{{ {'a': {'b': 1}}['a']['b'] }}",
    'a{#+ c +#}\nb',
    "{ {% if t %}{{ '}' }}{% endif %} }{",
    '  {# c #}  \n  x',
    '{% for i in l %}\n  {{ i }}\n{% endfor %}\nend',
    '',
    '\n',
    '\n\n',
    '{{n}}\n\n',
)
add(
    "literal",
    '{{ \'a\\nb\\t\\\\ \\\' \\" \\x41 \\u00e9 \\U0001f600 \\101 \\q\' }}',
    '{{ \'a\' \'b\' "c" }}',
    '{{ 1_000 + 0x1F + 0b11 + 0o17 }}',
    '{{ 1.5e3 }} {{ 2.0 }} {{ 1e-7 }} {{ 1e16 }} {{ 123456789012345.0 }} {{ 0.1 + 0.2 }} {{ 1e22 }} {{ 5e-324 }}',
    "{{ [1, 'a', none, true, 2.0, [], {}, (1,), (1, 2), ()] }}",
    "{{ {'a': 1, 2: 'b', none: [1.5], true: 'x'} }}",
    '{{ true }} {{ True }} {{ false }} {{ none }} {{ None }}',
    '{{ (1, 2) }} {{ 1, 2 }} {{ (1) }}',
    "{{ [1, 2,] }}{{ {'a': 1,} }}",
    '{{ "it\'s" }} {{ ["it\'s", \'say "x"\', "it\'s \\""] }}',
    "{{ ['é', '\\n', '\\x00', '\\u200b', '\\\\'] }}",
    "{{ 'a\\\nb' }}",
    '{{ d }} {{ users[0] }}',
    '{{ big }} {{ -big }}',
    "{{ '你好' ~ 1 ~ none ~ 2.0 ~ true }}",
    '{{ 0 }}{{ 00 }}',
    '{{ l.0 }}',
)
add(
    "operator",
    '{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 6 / 2 }}',
    '{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 2.0 ** 0.5 }}',
    '{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }}',
    '{{ 1 + 2 * 3 - 4 / 2 }}',
    "{{ 'a' * 3 }} {{ 3 * 'ab' }} {{ [1] * 2 }} {{ 'a' * -1 }}|",
    '{{ [1] + [2, 3] }} {{ (1,) + (2,) }}',
    "{{ 'a' ~ 1 + 2 }}",
    '{{ 1 ~ 2 * 3 }}',
    '{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 == true }}',
    "{{ 'a' in 'cat' }} {{ 'x' not in 'cat' }} {{ 2 in l }} {{ 'a' in d }} {{ 1 in d }} {{ '' in '' }}",
    "{{ [1, 2] == [1, 2.0] }} {{ {'a': 1} == {'a': 1.0} }} {{ (1, 2) == [1, 2] }} {{ 'a' == 1 }} {{ none == false }}",
    "{{ [1, 2] < [1, 3] }} {{ (1,) < (1, 0) }} {{ 'Z' < 'a' }} {{ 'é' > 'z' }}",
    '{{ not t }} {{ not not e }} {{ not e and t }}',
    "{{ '' or 'x' }} {{ 'a' and 'b' }} {{ 0 or none or 'z' }} {{ e and n }}",
    "{{ 'yes' if t else 'no' }} {{ 'x' if e }}|",
    "{{ 'a' if e else 'b' if e else 'c' }}",
    '{{ -n }} {{ +n }} {{ - -n }} {{ -f }} {{ -true }}',
    '{{ true + true }} {{ t * 3 }}',
    '{{ 1 if none is none else 2 }}',
    '{{ 5 % 0 }}',
    "{{ 'a' + 1 }}",
    "{{ 1 + 'a' }}",
    '{{ none + 1 }}',
    "{{ 1 < 'a' }}",
    '{{ 5 / 0 }}',
    "{{ -'a' }}",
    '{{ 9007199254740993 == 9007199254740992.0 }}',
    '{{ 1 in 1 }}',
    '{{ [1] + (1,) }}',
    '{{ n is odd and n > 3 or missing.x }}',
    "{{ 'x' ~ missing ~ 'y' }}",
    '{{ missing == missing2 }} {{ missing != 1 }} {{ missing == none }}',
    '{{ 1 not in l }}',
    '{{ 1 - -1 }}',
    "{{ '%s is %d and %.2f, %5s|%-5s|%05d %x %%' % ('a', 3.9, 2.555, 'r', 'l', 42, 255) }}",
    "{{ '%(a)s %(b)r' % {'a': 1, 'b': 'x'} }}",
    "{{ '%s' % 'x' }} {{ '%s' % [1] }} {{ '%+d % d' % (3, 4) }} {{ '%e %g %G' % (12345.678, 1e-10, 1e20) }}",
    "{{ '%d' % 'x' }}",
    "{{ '%s %s' % ('a',) }}",
    "{{ '%s' % ('a', 'b') }}",
    "{{ '%c%c' % (65, 'B') }} {{ '%.1s|%3.1s' % ('abc', 'xyz') }} {{ '%#x %#o %X' % (255, 8, 171) }}",
)
add(
    "access",
    "{{ d.a[2].x }} {{ d['a'][0] }} {{ d['nope'] }}|{{ d.nope }}|",
    "{{ {'items': 5}['items'] }}",
    '{{ l[0] }} {{ l[-1] }} {{ l[9] }}| {{ s[0] }} {{ s[-1] }} {{ s[99] }}|',
    '{{ u[0] }} {{ u[4] }} {{ u[-1] }} {{ u[:6] }} {{ u[::-1] }}',
    '{{ l[1:] }} {{ l[:-1] }} {{ l[::2] }} {{ l[::-1] }} {{ l[5:] }} {{ l[-2:] }} {{ s[2:5] }} {{ s[-5:-2] }} {{ s[8:2:-2] }}',
    "{{ (1, 2, 3)[1:] }} {{ range(5)[1:3] | list }} {{ 'abc'[1:none] }}",
    '{{ missing }}|{{ missing is defined }}',
    '{{ missing.x }}',
    '{{ d.nope.x }}',
    '{{ d.nope is defined }} {{ d.b is defined }} {{ d.C is none }}',
    '{{ z.x }}|{{ n.x }}|{{ s.x }}',
    '{{ missing[0] }}',
    "{{ l['x'] }}|{{ d[1] }}|{{ d[[1]] }}|",
    '{{ s.__class__ }}|{{ d.__init__ }}',
    '{{ s.__class__.__mro__ }}',
    '{{ l.append(1) }}',
    '{{ d.update({}) }}',
    "{{ d.pop('a') }}",
    '{{ d.nope() }}',
    '{{ l[1:2:0] }}',
    "{{ d.get('b') }} {{ d.get('q') }} {{ d.get('q', 5) }} {{ d.keys() | list }} {{ d.values() | list }} {{ d.items() | list }}",
    "{{ d.keys() }} {{ {'a': 1}.items() }} {{ d.copy() == d }}",
    '{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}',
    "{{ s['upper']() }}",
    '{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }} {{ (1, 2).index(2) }}',
    '{{ [1].index(5) }}',
    '{{ 2.0.is_integer() }} {{ f.is_integer() }}',
    '{{ n() }}',
)
add(
    "string",
    "{{ '  a b '.strip() }}|{{ '  a '.lstrip() }}|{{ ' a  '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.lstrip('ab') }}|{{ '\u3000a\xa0'.strip() }}|",
    "{{ 'a,b,,c'.split(',') }} {{ ' a  b c '.split() }} {{ 'a b c'.split(' ', 1) }} {{ ' a b  c '.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }}",
    "{{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ 'a b c d'.rsplit(maxsplit=2) }} {{ 'é è ê'.rsplit(none, 1) }}",
    "{{ s.startswith('he') }} {{ s.endswith(('x', 'ld')) }} {{ s.startswith('l', 2) }} {{ s.endswith('o', 0, 5) }} {{ s.startswith('') }} {{ s.startswith('', 99) }}",
    "{{ s.replace('l', 'L') }} {{ s.replace('l', '', 2) }} {{ 'abc'.replace('', '-') }} {{ 'aaa'.replace('aa', 'b') }} {{ 'abc'.replace('', '-', 2) }}",
    '{{ u.upper() }} {{ u.lower() }} {{ \'ΑΣ ΣΑΣ\'.lower() }} {{ s.title() }} {{ "they\'re x2y".title() }} {{ \'hELLO wORLD\'.capitalize() }} {{ \'aB\'.swapcase() }}',
    "{{ ', '.join(['a', 'b']) }} {{ ''.join('abc') }} {{ '-'.join(d) }}",
    "{{ ','.join([1]) }}",
    "{{ s.find('o') }} {{ s.find('o', 5) }} {{ s.rfind('o') }} {{ s.find('zz') }} {{ u.find('你') }} {{ s.count('l') }} {{ s.index('w') }}",
    "{{ s.index('zz') }}",
    "{{ '{} {1}'.format(1, 2) }}",
    "{{ '{} {}'.format(1, 'b') }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x}-{y[k]}-{z.k}'.format(x=1, y={'k': 2}, z={'k': 3}) }}",
    "{{ '{:>5}|{:<5}|{:^5}|{:*^7}|{:05d}|{:+.2f}|{:,}|{:x}|{:#x}|{:%}'.format('a', 'b', 'c', 'd', 42, 3.14159, 1234567, 255, 255, 0.25) }}",
    "{{ '{!r} {!s} {{}} {:.3}'.format('a', 'b', 'abcdef') }} {{ '{:{}}|'.format('x', 4) }} {{ '{:e} {:g} {:g}'.format(1234.5, 1e-5, 100000.0) }}",
    "{{ '{} {}'.format(1) }}",
    "{{ '{' .format() }}",
    "{{ 'a-b-c'.partition('-') }} {{ 'abc'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.rpartition('-') }}",
    "{{ text.splitlines() }} {{ 'a\\nb\\n'.splitlines(true) }} {{ ''.splitlines() }}",
    "{{ 'prefix_x'.removeprefix('prefix_') }} {{ 'x.txt'.removesuffix('.txt') }} {{ 'x'.removeprefix('y') }}",
    "{{ 'a'.ljust(3, '.') }}|{{ 'a'.rjust(3) }}|{{ 'ab'.center(5, '*') }}|{{ 'abc'.center(6, '*') }}|{{ '-4'.zfill(5) }}",
    "{{ 'abc'.isalpha() }} {{ 'a1'.isalnum() }} {{ '12'.isdigit() }} {{ ' '.isspace() }} {{ ''.isalpha() }} {{ 'aB'.isupper() }} {{ 'AB1'.isupper() }} {{ 'ab1'.islower() }} {{ 'A Bc'.istitle() }} {{ 'é'.isascii() }}",
    "{{ 'a\\tb'.expandtabs(4) }}",
    '{{ s.nope() }}',
    '{{ s.strip(1) }}',
    "{{ 'a'.split('') }}",
    "{{ 'abc'.upper(1) }}",
    '{% set f = s.upper %}{{ f() }}',
    "{{ '{a}'.format_map({'a': 1}) }}",
)
add(
    "filter",
    "{{ '  x ' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ n | trim }}|{{ missing | trim }}|",
    '{{ s | length }} {{ u | length }} {{ l | count }} {{ d | length }} {{ missing | length }}',
    '{{ n | length }}',
    "{{ s | upper }} {{ 'ABC' | lower }} {{ 'foo-bar (baz) qUX' | title }} {{ 'foo BAR' | capitalize }} {{ 5 | upper }}",
    "{{ l | join }} {{ l | join(', ') }} {{ users | join('; ', attribute='name') }} {{ 'abc' | join('-') }} {{ missing | join }}|",
    "{{ l | first }} {{ l | last }} {{ e | first }}| {{ 'abc' | first }} {{ 'abc' | last }} {{ d | first }} {{ d | last }}",
    "{{ missing | default('x') }} {{ '' | default('x') }}| {{ '' | default('x', true) }} {{ z | d('y') }} {{ z | d('y', boolean=true) }} {{ missing | default }}|",
    '{{ d | tojson }} {{ users[0] | tojson(indent=2) }}',
    '{{ u | tojson }} {{ u | tojson(ensure_ascii=true) }} {{ \'😀\\x7f\\x01"\\\\/<>&\\\'\' | tojson }} {{ \'😀\\x7f\' | tojson(true) }}',
    "{{ d | tojson(separators=(',', ':')) }} {{ d | tojson(sort_keys=true) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true, indent='  ') }}",
    '{{ [] | tojson(indent=2) }} {{ {} | tojson(indent=2) }} {{ [[], {}] | tojson(indent=1) }} {{ (1, 2) | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ 1.0 | tojson }} {{ 1e100 | tojson }} {{ [1] | tojson(indent=0) }}',
    '{{ missing | tojson }}',
    '{{ range(2) | tojson }}',
    '{{ d.items() | tojson }}',
    '{{ d | items | list }} {{ missing | items | list }}',
    '{{ n | items | list }}',
    "{{ d | dictsort }} {{ {'b': 1, 'A': 3, 'c': 2} | dictsort }} {{ {'b': 1, 'A': 3} | dictsort(true) }} {{ {'b': 1, 'A': 3} | dictsort(by='value', reverse=true) }}",
    "{{ users | map(attribute='name') | list }} {{ w | map('upper') | join }} {{ users | map(attribute='tag', default='-') | list }} {{ [[1, 2], [3]] | map('length') | list }} {{ ['a.b'] | map('replace', '.', '_') | first }}",
    '{{ l | map | list }}',
    "{{ l | select('odd') | list }} {{ l | reject('odd') | list }} {{ [0, 1, ''] | select | list }} {{ l | select('gt', 1) | list }} {{ l | reject('in', [1, 2]) | list }}",
    "{{ users | selectattr('ok') | map(attribute='name') | list }} {{ users | rejectattr('ok') | map(attribute='name') | list }} {{ users | selectattr('age', 'equalto', 30) | list | length }} {{ users | selectattr('tag', 'defined') | map(attribute='name') | join }} {{ users | rejectattr('city', '==', 'Rome') | list | length }}",
    "{{ w | unique | list }} {{ w | unique(true) | list }} {{ users | unique(attribute='age') | map(attribute='name') | list }}",
    "{{ w | sort }} {{ w | sort(case_sensitive=true) }} {{ l | sort(reverse=true) }} {{ users | sort(attribute='age') | map(attribute='name') | list }} {{ users | sort(attribute='age,name', reverse=true) | map(attribute='name') | list }} {{ users | sort(true, attribute='age') | map(attribute='name') | list }}",
    "{{ [1, 'a'] | sort }}",
    "{{ l | reverse | list }} {{ 'añb' | reverse }} {{ d | reverse | list }}",
    "{{ 5 | string }} {{ none | string }} {{ [1, 'a'] | string }} {{ 1.0 | string | length }}",
    "{{ '42' | int }} {{ '4.7' | int }} {{ 'x' | int }} {{ 'x' | int(9) }} {{ '0x1F' | int(base=16) }} {{ 'ff' | int(0, 16) }} {{ 3.99 | int }} {{ -3.99 | int }} {{ none | int }} {{ ' 5 ' | int }} {{ '1_000' | int }} {{ true | int }} {{ '1e3' | int }}",
    "{{ '4.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ '1e3' | float }} {{ 'inf' | float }} {{ none | float(1.5) }} {{ 'nan' | float }}",
    '{{ -5 | abs }} {{ -2.5 | abs }} {{ (-5) | abs }}',
    "{{ 42.55 | round }} {{ 42.55 | round(1) }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 42.55 | round(1, 'floor') }} {{ 42.11 | round(1, 'ceil') }} {{ 5 | round }} {{ 1234 | round(-2) }} {{ 1250 | round(-2) }} {{ 1234.5 | round(-2) }} {{ 2.675 | round(2) }} {{ 7 | round(0, 'ceil') }}",
    "{{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 1) }} {{ 123 | replace(2, 'x') }}",
    '{{ \'<a>\' | safe }} {{ \'<a> & "q" \\\'s\\\'\' | escape }} {{ \'<\' | e | e }} {{ \'<\' | e | forceescape }} {{ (\'<a>\' | safe) + \'<b>\' }} {{ \'<b>\' + (\'<a>\' | safe) }} {{ (\'<a>\' | safe) ~ \'<b>\' }} {{ [\'<a>\' | safe] }}',
    "{{ ('<%s>' | safe) % '<x>' }} {{ ('a' | safe).upper() + '<' }} {{ 'x' * 2 | e }}",
    "{{ (d | tojson | safe) + '&' }}",
    "{{ text | indent }}|{{ text | indent(2, true) }}|{{ text | indent(width='> ', blank=true) }}|{{ 'a' | indent(first=true) }}|{{ '' | indent }}|{{ 'a\\n' | indent }}|",
    '{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 0) | list }} {{ [] | batch(2) | list }}',
    '{{ [1, 2, 3, 4, 5, 6, 7] | slice(3) | list }} {{ [1, 2, 3, 4] | slice(3, 0) | list }}',
    "{{ l | sum }} {{ users | sum(attribute='age') }} {{ l | sum(start=10) }} {{ [] | sum }} {{ [1.5, 2] | sum }}",
    "{{ l | min }} {{ l | max }} {{ w | min }} {{ w | max }} {{ e | min }}| {{ users | max(attribute='age') | attr('nope') }}|{{ (users | min(attribute='age')).name }}",
    "{{ 'one two-three four_5' | wordcount }}",
    "{% for city, items in users | groupby('city') %}{{ city }}:{{ items | map(attribute='name') | join(',') }};{% endfor %}",
    "{% for g in users | groupby('age') %}{{ g.grouper }}={{ g.list | length }} {{ g[0] }};{% endfor %}",
    "{{ users | groupby('tag', default='none') | map('first') | list }}",
    "{{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11) }} {{ 'foo bar baz qux' | truncate(11, false, '..', 0) }}",
    "{{ '%s-%s' | format('a', 1) }} {{ '%(x)s' | format(x=2) }}",
    "{{ 'ab' | center(7) }}|",
    "{{ s | attr('upper') is callable }} {{ d | attr('b') }}|",
    "{% filter upper | replace('A', 'x') %}a {{ s }}{% endfilter %}",
    "{{ l | list is sequence }} {{ 'abc' | list }} {{ d | list }}",
    "{{ (l | map('string')) | length }}",
    "{{ (l | map('string'))[0] }}|",
    "{% if [] | map('upper') %}true{% endif %}",
    '{{ n | list }}',
    "{{ l | join(',', 'x') }}",
    "{{ 'a' | upper(1) }}",
    '{{ s | nope }}',
    "{{ l | select('gt') | list }}",
)
add(
    "test",
    '{{ n is odd }} {{ n is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }}',
    '{{ n is defined }} {{ missing is undefined }} {{ z is none }} {{ n is not none }} {{ d.x is not defined }}',
    '{% for v in [n, f, s, t, z, l, d, missing, (1,), range(2), d.items(), d.keys()] %}{{ v is string }},{{ v is number }},{{ v is integer }},{{ v is float }},{{ v is boolean }},{{ v is mapping }},{{ v is iterable }},{{ v is sequence }},{{ v is callable }},{{ v is true }},{{ v is false }};{% endfor %}',
    "{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'aB' is lower }}",
    '{{ 1 is eq 1 }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 1 is le 1 }} {{ 2 is gt 1 }} {{ 2 is ge(3) }} {{ 1 is equalto 1 }} {{ 3 is greaterthan 2 }} {{ 3 is lessthan 2 }}',
    "{{ 1 is in [1, 2] }} {{ 'x' is not in 'abc' }} {{ 3 is in(l) }}",
    '{{ true is sameas true }} {{ 1 is sameas true }} {{ none is sameas none }}',
    "{{ 'upper' is filter }} {{ 'nope' is filter }} {{ 'odd' is test }}",
    "{{ ('a' | safe) is escaped }} {{ 'a' is escaped }}",
    '{{ range is callable }} {{ s.upper is callable }} {{ namespace is defined }}',
    '{{ n is nope }}',
    "{{ 'a' is odd }}",
    '{{ missing is odd }}',
    '{{ n is divisibleby }}',
    '{{ not n is odd }} {{ n is odd == true }}',
)
add(
    "for",
    '{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}',
    '{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }};{% endfor %}',
    "{% for i in l %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i > 1) }} {% endfor %}",
    '{% for i in e %}x{% else %}empty{% endfor %}',
    '{% for i in missing %}x{% else %}none{% endfor %}',
    '{% for i in z %}x{% endfor %}',
    '{% for i in range(10) if i is odd %}{{ loop.index }}/{{ loop.length }}:{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}',
    '{% for i in l if i > 5 %}x{% else %}none{% endfor %}',
    '{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}',
    '{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}',
    '{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}',
    '{% for a, b in [1] %}{% endfor %}',
    '{% for a, b in [(1, 2, 3)] %}{% endfor %}',
    "{% for c in 'añb' %}[{{ c }}]{% endfor %}",
    '{% for k in d %}{{ k }}{% endfor %}',
    '{% for k, v in d | dictsort %}{{ k }}:{{ v }} {% endfor %}',
    '{% for n in tree recursive %}{{ n.v }}@{{ loop.depth }}{% if n.kids %}[{{ loop(n.kids) }}]{% endif %}{% if not loop.last %},{% endif %}{% endfor %}',
    '{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }} {% endfor %}{{ x }}',
    "{% for i in l %}{% for j in 'ab' %}{{ loop.index }}{{ j }}{% endfor %}{{ loop.index }};{% endfor %}",
    '{% set ns = namespace(stop=false) %}{% for i in range(5) if not ns.stop %}{{ i }}{% if i == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}',
    '{% for i in l %}{{ i }}{% endfor %}{{ i }}|{{ loop }}|',
    '{% for i in l %}{% set o = loop %}{% for j in l %}{{ o.index }}{{ loop.index }} {% endfor %}{% endfor %}',
    '{% for x in l recursive %}{{ x }}{% endfor %}',
    '{% for x in l %}{{ loop(x) }}{% endfor %}',
    '{% for i in 1, 2, 3 %}{{ i }}{% endfor %}',
    '{% for i in [1, 2] + [3] %}{{ i }}{% endfor %}',
    '{% for i in (l if t else e) %}{{ i }}{% endfor %}',
    "{% for i in l %}{{ loop['index'] }}{{ loop | length }}{% endfor %}",
    '{% for i in range(3, 0, -1) %}{{ i }}{% endfor %} {{ range(3) }} {{ range(1, 9, 2) }} {{ range(2) | list }}',
    '{{ range(1000000) | length }}',
    '{% for i in l %}{% if loop.last %}{{ loop.index }}{% endif %}{% endfor %}',
    "{% for x in l | select('odd') %}{{ x }}{{ loop.last }}{{ loop.length }}{% endfor %}",
)
add(
    "set",
    '{% set a = 1 %}{% set b, c = 2, 3 %}{{ a }}{{ b }}{{ c }}',
    '{% set x %}a {{ n }} b{% endset %}[{{ x }}]{{ x is string }}',
    '{% set x | upper | trim %} abc {% endset %}[{{ x }}]',
    "{% set ns = namespace(a=1, b='x') %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.nope }}|",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }} {{ ns['a'] }} {{ ns }}",
    '{% set ns = namespace() %}{% set ns.x = [1] %}{{ ns.x }}',
    '{% set d.x = 1 %}',
    '{% set q.x = 1 %}',
    '{% set ns = namespace(_a=1) %}',
    '{% if t %}{% set inner = 5 %}{% endif %}{{ inner }}',
    '{% if e %}{% set inner = 5 %}{% endif %}{{ inner }}|',
    '{% set n = n + 1 %}{{ n }}',
    '{% set a = b = 1 %}',
    '{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}|',
    '{% with %}{% set k = 1 %}{{ k }}{% endwith %}{{ k }}|',
    '{% set x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% endwith %}',
    '{% set a, b = [1] %}',
    '{% set (a, b) = (1, 2) %}{{ a }}{{ b }}',
    '{% set x = (1, 2) %}{{ x }}',
    "{% set x = 'a', %}{{ x }}",
    '{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y }}|',
    '{% set ns = namespace(l=[]) %}{% for i in l %}{% set ns.l = ns.l + [i * 2] %}{% endfor %}{{ ns.l }}',
)
add(
    "if",
    '{% if n > 10 %}a{% elif n > 5 %}b{% else %}c{% endif %}',
    '{% if e %}a{% elif z %}b{% else %}c{% endif %}',
    '{% if t and not e and n in [7] %}x{% endif %}',
    "{% if 'a' in s or 'h' in s: %}y{% endif %}",
    '{% if missing %}a{% else %}b{% endif %}',
    '{% if d.nope and d.nope.x %}a{% else %}b{% endif %}',
    '{% if (n, 1) %}t{% endif %}',
    '{% if namespace(a=1) %}t{% endif %}',
)
add(
    "macro",
    '{% macro m(a, b=2) %}{{ a }}-{{ b }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}{{ m() }}',
    '{% macro m(x) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }}',
    '{% macro m(x) %}{{ x }}{% endmacro %}{{ m(1, 2) }}',
    '{% macro m(x) %}{{ x }}{% endmacro %}{{ m(y=1) }}',
    "{% macro w(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call w('b') %}x{{ n }}{% endcall %}",
    "{% macro w() %}{% for i in [1, 2] %}{{ caller(i, 'z') }}{% endfor %}{% endmacro %}{% call(a, b='q') w() %}{{ a }}{{ b }} {% endcall %}",
    '{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}',
    '{% set g = 1 %}{% macro m() %}{{ g }}{% endmacro %}{{ m() }}{% set g = 2 %}{{ m() }}',
    '{% macro m() %}{% set g = 9 %}{{ g }}{% endmacro %}{{ m() }}{{ g }}|',
    '{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}',
    '{% macro m(a=1, b) %}{% endmacro %}',
    '{{ m() }}{% macro m() %}x{% endmacro %}',
    '{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}',
    '{% macro m(a) %}{{ a }}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m is callable }}',
    "{% macro m() %} x {% endmacro %}{{ m() | trim | upper }}[{{ m() + 'y' }}]",
    '{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}',
    '{% macro a() %}[{{ b() }}]{% endmacro %}{% macro b() %}b{% endmacro %}{{ a() }}',
    '{% macro m(x) %}{{ x.y }}{% endmacro %}{{ m() }}',
    "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3, 'b': 4}) }}{{ m(5, *[6]) }}",
    '{% macro inner() %}{{ caller() }}!{% endmacro %}{% macro outer() %}{% call inner() %}o{% endcall %}{% endmacro %}{{ outer() }}',
    '{% call nope() %}{% endcall %}',
    '{% call 5 %}{% endcall %}',
    '{% macro m() %}{% break %}{% endmacro %}',
)
add(
    "global",
    "{{ raise_exception('no: {} é') }}",
    "{{ strftime_now('%Y-%m-%d %H:%M:%S %j %A %B %a %b %d %y %p %I %-d %% %f %z|') }}",
    "{{ strftime_now('%d %b %Y') }}",
    "{{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) }} {{ dict([('k', 'v')]) }} {{ dict() }} {{ dict.fromkeys(['a', 'b'], 0) }}",
    "{% set j = joiner(' | ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}",
    '{{ range() }}',
    '{{ range(1, 5, 0) }}',
    "{{ range('a') }}",
    '{% generation %}a{{ n }}{% set y = 1 %}{% endgeneration %}{{ y }}|',
    '{% for m in l %}\n  {% generation %}\n  {{ m }}\n  {% endgeneration %}\n{% endfor %}',
    '{% print n, s %}',
    '{{ cycler() }}',
)
add(
    "syntax",
    '{{ n',
    '{% if n %}',
    '{% for i in l %}{% endif %}',
    '{{ n + }}',
    '{% nope %}',
    '{{ (1, 2 }}',
    "{{ 'abc }}",
    '{% raw %}x',
    '{# x',
    '{% endif %}',
    '{{ }}',
    '{% set %}',
    '{% for in l %}{% endfor %}',
    '{{ a b }}',
    '{% break %}',
    '{{ 1 | }}',
    '{{ f(a=1, 2) }}',
    '{{ [1, }}',
    '{{ {1: } }}',
    '{{ n ? 1 : 2 }}',
    '{% if n is odd is even %}{% endif %}',
    '{{ ) }}',
    '{{ l[ }}',
    '{% set 5 = 1 %}',
    '{% set true = 1 %}',
    "{{ '\\x4' }}",
    '{% else %}',
    '{{ n } }',
    '{% macro %}{% endmacro %}',
    '{% set a.b.c = 1 %}',
    '{{ $ }}',
    '{% if %}{% endif %}',
    '{{ not }}',
    '{{ 1 2 }}',
    '{{ .5 }}',
    '{% for loop in l %}{% endfor %}',
)
