#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pack the Python of hooks/ and its like into a C source: each byte of the payload goes into every target.

    pack_hooks.py OUT.c HOOK.py...

Comments, empty lines, and blanks go but for one an indentation, names are a letter or two. Then what was
there before is copied (Lempel and Ziv, 1977), and each bit of what is said takes the room that it is likely to
need (adaptive binary arithmetic coding, as in LZMA): a quarter less than pairs of bytes took. hook_text.c
takes it apart.
"""
import ast
import collections
import functools
import glob
import io
import keyword
import math
import os
import re
import string
import sys
import tokenize

SEPARATOR = "\f"
# As in hook_text.c.
SEEN_MAX = 48
COPY, SAME, DISTANCE, LENGTH, LITERAL = 0, 2, 3, 35, 67


def minify(text):
    """The same program, in fewer bytes."""
    out, line, indentation = [], "", 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.INDENT:
            indentation += 1
        elif token.type == tokenize.DEDENT:
            indentation -= 1
        elif token.type == tokenize.NEWLINE:
            out.append(line + "\n")
            line = ""
        elif token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER):
            if not line:
                line = " " * indentation
            elif re.match(r"\w\w", line[-1] + token.string[0]):  # two words
                line += " "
            line += token.string
    return "".join(out)


def functions_of(body):
    """Those at the top and in classes there; what is inside of one shares its names."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from functions_of(node.body)
        elif isinstance(node, ast.FunctionDef):
            yield node


def short_names(function):
    """A letter for each name of a function's own. Not for those that are keywords somewhere in it, nor
    for the arguments of one that the program calls."""
    nodes = list(ast.walk(function))
    fixed = {node.arg for node in nodes if isinstance(node, ast.keyword)}
    fixed.update(*[node.names for node in nodes if isinstance(node, ast.Global)])
    own, others = {}, set(fixed)
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            others.add(node.id)
        else:  # a name, an argument, a handler, a function inside
            own[getattr(node, 'id', getattr(node, 'arg', getattr(node, 'name', None)))] = None
    free = iter([letter for letter in string.ascii_lowercase if letter not in others])
    return {name: next(free) for name in own
            if name and name not in fixed | {function.name} and not name.startswith("__")
            and function.name != "__import__"}


def shared_names(texts, paths):
    """Two letters for each name that the texts themselves bind for each other, the frequent ones first.
    Not for those that C asks for. An argument that is named in a call cannot be one of them: short_names()
    leaves it alone, so that here it would become another."""
    asked = set()
    beside = [os.path.splitext(path)[0] + ".c" for path in paths]
    here = glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "*.c"))
    for path in here + [path for path in beside if os.path.exists(path)]:
        with open(path) as f:
            asked.update(re.findall(r'"(\w+)"', f.read()))
    bound = set()
    for node in [node for text in texts for node in ast.parse(text).body]:
        bound.update(x.id for x in ast.walk(node) if isinstance(node, ast.Assign) and
                     isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store))
        bound.add(getattr(node, "name", "__"))
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    named = {node.arg for node in nodes if isinstance(node, ast.keyword)}
    named.update(*[{each.arg for each in node.args.args} for node in nodes
                   if isinstance(node, ast.FunctionDef) and node.name == "__import__"])
    if bound & named:
        sys.exit("bound at the top, and the name of an argument elsewhere: %s" % ", ".join(bound & named))
    words = collections.Counter(re.findall(r"\w+", "".join(texts)))
    letters = string.ascii_lowercase
    free = iter([a + b for a in letters for b in letters
                 if a + b not in words and not keyword.iskeyword(a + b)])
    return {name: next(free) for name in sorted(bound, key=lambda name: (-words[name], name))
            if name not in asked and not name.startswith("__")}


def shorten(text, shared):
    functions = [(function.lineno, function.end_lineno, short_names(function))
                 for function in functions_of(ast.parse(text).body)]
    lines, edits, before = text.splitlines(True), [], None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and before != ".":
            names = [names for first, last, names in functions
                     if first <= token.start[0] <= last and token.string in names] or [shared]
            edits.append((token.start, token.end, names[0].get(token.string, token.string)))
        before = token.string
    for (line, start), (_, end), name in reversed(edits):
        old = lines[line - 1]
        lines[line - 1] = old[:start] + name + old[end:]
    return "".join(lines)


class Chances:
    """How likely each bit is a one, by what it says: learned from those before, as unpack() of hook_text.c
    learns it, whose numbers of these are used."""

    def __init__(self):
        self.of = collections.defaultdict(lambda: (1 << 15, 0))

    def bits(self, what, bit):
        """What it costs to say it, in bits."""
        one = self.of[what][0] / (1 << 16)
        return -math.log2(one if bit else 1 - one)

    def learn(self, what, bit):
        chance, seen = self.of[what]
        wrong = (bit << 16) - chance
        self.of[what] = chance + int(wrong * 2 / (2 * seen + 3)), min(seen + 1, SEEN_MAX)
        return chance


def bits_of_number(first, number):
    """One at least: a one before each bit below the highest, and a zero."""
    for at in range(number.bit_length() - 1):
        yield first + 2 * at, 1
        yield first + 2 * at + 1, number >> at & 1
    yield first + 2 * (number.bit_length() - 1), 0


def bits_of_character(character):
    node = 1
    for at in reversed(range(7)):
        bit = character >> at & 1
        yield LITERAL + node, bit
        node = node * 2 + bit


def bits_of(text, steps):
    """All that is to be said of the text, which is characters and copies of what was before."""
    at, distance, was_copy = 0, 0, 0
    for length, back in steps:
        yield COPY + was_copy, int(length > 1)
        if length == 1:
            yield from bits_of_character(text[at])
        else:
            if not was_copy:
                yield SAME, int(back == distance)
            if was_copy or back != distance:
                yield from bits_of_number(DISTANCE, back)
            yield from bits_of_number(LENGTH, length - 1)
            distance = back
        was_copy = int(length > 1)
        at += length


def copies(text):
    """For each place the longer and longer copies that could be made there, and from how far."""
    places, out = collections.defaultdict(list), []
    for at in range(len(text)):
        longest, found = 1, []
        for before in reversed(places[text[at:at + 2]]):
            length = 2
            while at + length < len(text) and text[before + length] == text[at + length]:
                length += 1
            if length > longest:
                found.append((length, at - before))
                longest = length
        out.append(found)
        places[text[at:at + 2]].append(at)
    return out


def cheapest(text, found, chances):
    """The steps that cost least, if the chances were these all the time."""
    @functools.lru_cache(None)
    def number(first, value):
        return sum(chances.bits(*each) for each in bits_of_number(first, value))

    @functools.lru_cache(None)
    def character(value):
        return sum(chances.bits(*each) for each in bits_of_character(value)) + chances.bits(COPY, 0)

    best = [(0, None)] + [(math.inf, None)] * len(text)
    for at in range(len(text)):
        cost = best[at][0]
        best[at + 1] = min(best[at + 1], (cost + character(text[at]), (1, 0)))
        shortest = 2
        for longest, back in found[at]:
            for length in range(shortest, longest + 1):
                more = chances.bits(COPY, 1) + number(DISTANCE, back) + number(LENGTH, length - 1)
                best[at + length] = min(best[at + length], (cost + more, (length, back)))
            shortest = longest + 1
    steps, at = [], len(text)
    while at:
        steps.append(best[at][1])
        at -= best[at][1][0]
    return steps[::-1]


def pack(text):
    """Arithmetic coding: each bit takes the lower part of the range for a one, as large as that is likely."""
    found, chances = copies(text), Chances()
    for _ in range(4):
        steps, chances = cheapest(text, found, chances), Chances()
        for each in bits_of(text, steps):
            chances.learn(*each)
    chances, low, size, length = Chances(), 0, (1 << 32) - 1, 4
    for what, bit in bits_of(text, steps):
        while size < 1 << 24:
            low, size, length = low << 8, size << 8, length + 1
        ones = (size >> 16) * chances.learn(what, bit)
        low, size = (low, ones) if bit else (low + ones, size - ones)
    return low.to_bytes(length, "big")


def unpack(packed, size):
    """As hook_text.c does it."""
    chances, out, at, was_copy = Chances(), [], 4, 0
    code, room = int.from_bytes(packed[:4], "big"), (1 << 32) - 1

    def bit(what):
        nonlocal code, room, at
        while room < 1 << 24:
            code, room, at = code << 8 | packed[at], room << 8, at + 1
        ones = (room >> 16) * chances.of[what][0]
        is_one = code < ones
        code, room = (code, ones) if is_one else (code - ones, room - ones)
        chances.learn(what, int(is_one))
        return is_one

    def number(first):
        value = place = 0
        while bit(first + 2 * place):
            value |= bit(first + 2 * place + 1) << place
            place += 1
        return value | 1 << place

    while len(out) < size:
        if not bit(COPY + was_copy):
            node = 1
            while node < 128:
                node = node * 2 + bit(LITERAL + node)
            out.append(node - 128)
            was_copy = 0
            continue
        if was_copy or not bit(SAME):
            distance = number(DISTANCE)
        for _ in range(number(LENGTH) + 1):
            out.append(out[-distance])
        was_copy = 1
    return bytes(out)


def main():
    out, *paths = sys.argv[1:]
    sources = []
    for path in paths:
        with open(path) as f:
            sources.append(f.read())
    shared = shared_names(sources, paths)
    short = [shorten(source, shared) for source in sources]
    plain = [minify(text) for text in short]
    text = SEPARATOR.join(plain).encode("ascii")
    packed = pack(text)
    assert unpack(packed, len(text)) == text
    for source, wanted in zip(short, plain):
        assert SEPARATOR not in source and ast.dump(ast.parse(wanted)) == ast.dump(ast.parse(source))
    with open(out, "w") as f:
        f.write("/* Made by pack_hooks.py. */\n#include \"payload/python/hook_text.h\"\n\n")
        for number, path in enumerate(paths):
            name = os.path.splitext(os.path.basename(path))[0].upper()
            f.write("_Static_assert(HOOK_%s == %d, \"as in meson.build\");\n" % (name, number))
        f.write("const unsigned hook_size = %d;\n" % len(text))
        f.write("const unsigned char hook_packed[%d] = {%s};\n" % (len(packed), ", ".join(map(str, packed))))


if __name__ == "__main__":
    main()
