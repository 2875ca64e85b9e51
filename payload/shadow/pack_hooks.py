#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pack the Python of hooks/ and its like into a C source: each byte of the payload goes into every target.

    pack_hooks.py OUT.c HOOK.py...

Comments, empty lines, and blanks go but for one an indentation, names are a letter or two. Then pairs of
bytes that are frequent become one byte, again and again (byte pair encoding), and the least useful of these
give way to others: a byte is the number of a character, or from there on that of a pair; hook_text.c takes
them apart.
"""
import ast
import collections
import glob
import io
import keyword
import os
import re
import string
import sys
import tokenize

CODES = 256


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
    Not for those that C asks for."""
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


def frequent_pair(texts):
    pairs = collections.Counter()
    for text in texts:
        pairs.update(zip(text, text[1:]))
    return max(pairs, key=lambda pair: (pairs[pair], pair))


def replace(text, pair, code):
    out, at = [], 0
    while at < len(text):
        is_pair = tuple(text[at:at + 2]) == pair
        out.append(code if is_pair else text[at])
        at += 2 if is_pair else 1
    return out


def frequent_words(texts):
    """The characters, and the words that frequent pairs of them, and of what they make, come to."""
    words = ["\0"] + sorted(set("".join(texts)))
    texts = [[words.index(character) for character in text] for text in texts]
    while len(words) < CODES:
        pair = frequent_pair(texts)
        words.append(words[pair[0]] + words[pair[1]])
        texts = [replace(text, pair, len(words) - 1) for text in texts]
    return set(words[1:])


def shortest(text, words):
    """The text as the fewest words."""
    longest = max(map(len, words))
    counts, first = [0] * (len(text) + 1), list(text)
    for at in reversed(range(len(text))):
        first[at] = min((text[at:end] for end in range(at + 1, min(at + longest, len(text)) + 1)
                         if text[at:end] in words), key=lambda word: counts[at + len(word)])
        counts[at] = 1 + counts[at + len(first[at])]
    out, at = [], 0
    while at < len(text):
        out.append(first[at])
        at += len(first[at])
    return out


def halves(word, words):
    """The pairs of words that it is made of."""
    return [(word[:at], word[at:]) for at in range(1, len(word)) if word[:at] in words and word[at:] in words]


def exchange(words, texts):
    """The least used words, which no other is made of alone, give way to frequent pairs."""
    used = collections.Counter(word for text in texts for word in text)
    made = [halves(word, words) for word in words]
    needed = {half for pairs in made if len(pairs) == 1 for half in pairs[0]}
    least = sorted(words - needed, key=lambda word: (len(word) == 1, used[word], word))[:2]
    kept = set()
    for word in sorted(words, key=len):
        if word not in least and (len(word) == 1 or halves(word, kept)):
            kept.add(word)
    pairs = collections.Counter(pair for text in texts for pair in zip(text, text[1:]))
    for (one, other), _ in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0])):
        if len(kept) < CODES - 1 and one in kept and other in kept:
            kept.add(one + other)
    return kept


def pack(texts):
    """The texts as lists of bytes, the characters, and the pairs that the others stand for."""
    words, tried = frequent_words(texts), []
    for _ in range(30):
        parsed = [shortest(text, words) for text in texts]
        tried.append((sum(map(len, parsed)), sorted(words, key=lambda word: (len(word), word))))
        words = exchange(words, parsed)
    words = [""] + min(tried)[1]
    numbers = {word: number for number, word in enumerate(words)}
    pairs = [tuple(numbers[half] for half in halves(word, numbers)[0]) for word in words if len(word) > 1]
    return ([[numbers[word] for word in shortest(text, numbers)] for text in texts],
            ["\0"] + [word for word in words if len(word) == 1], pairs)


def unpack(text, characters, pairs):
    out, stack = [], list(reversed(text))
    while stack:
        byte = stack.pop()
        if byte < len(characters):
            out.append(characters[byte])
        else:
            stack += reversed(pairs[byte - len(characters)])
    return "".join(out)


def main():
    out, *paths = sys.argv[1:]
    sources = []
    for path in paths:
        with open(path) as f:
            sources.append(f.read())
    shared = shared_names(sources, paths)
    short = [shorten(source, shared) for source in sources]
    plain = [minify(text) for text in short]
    texts, characters, pairs = pack(plain)
    for source, text, wanted in zip(short, texts, plain):
        assert ast.dump(ast.parse(wanted)) == ast.dump(ast.parse(source))
        assert unpack(text, characters, pairs) == wanted
    with open(out, "w") as f:
        f.write("/* Made by pack_hooks.py. */\n#include \"payload/python/hook_text.h\"\n\n")
        f.write("const unsigned hook_character_count = %d;\n" % len(characters))
        f.write("const unsigned char hook_characters[] = {%s};\n" % ", ".join(map(str, map(ord, characters))))
        f.write("const unsigned char hook_pairs[][2] = {%s};\n"
                % ", ".join("{%d, %d}" % pair for pair in pairs))
        for path, text, wanted in zip(paths, texts, plain):
            name = os.path.splitext(os.path.basename(path))[0]
            f.write("const unsigned char hook_%s[] = {%s, 0}; /* %d bytes in %d */\n"
                    % (name, ", ".join(map(str, text)), len(wanted), len(text)))


if __name__ == "__main__":
    main()
