#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pack the Python of hooks/ into a C source: each byte of the payload goes into every target.

    pack_hooks.py OUT.c HOOK.py...

Comments and empty lines go, an indentation is one blank. Then pairs of bytes that are frequent become
one byte from 0x80 on, again and again (byte pair encoding): hook_text.c takes them apart.
"""
import collections
import io
import os
import sys
import tokenize

FIRST_CODE, CODES = 0x80, 128


def minify(text):
    """The same program, in fewer bytes."""
    out, line, indentation, at = [], "", 0, (1, 0)
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
            elif token.start != at:  # there was something between them
                line += " " if token.start[0] == at[0] or line[-1] not in "([{" else ""
            line += token.string
            at = token.end
    return "".join(out)


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


def pack(texts):
    """The texts as lists of bytes, and what the codes stand for."""
    texts, pairs = [list(text.encode("ascii")) for text in texts], []
    while len(pairs) < CODES:
        pairs.append(frequent_pair(texts))
        texts = [replace(text, pairs[-1], FIRST_CODE + len(pairs) - 1) for text in texts]
    return texts, pairs


def unpack(text, pairs):
    out, stack = [], list(reversed(text))
    while stack:
        byte = stack.pop()
        if byte < FIRST_CODE:
            out.append(byte)
        else:
            stack += reversed(pairs[byte - FIRST_CODE])
    return bytes(out).decode("ascii")


def main():
    out, *paths = sys.argv[1:]
    plain = []
    for path in paths:
        with open(path) as f:
            plain.append(minify(f.read()))
    texts, pairs = pack(plain)
    for path, text, wanted in zip(paths, texts, plain):
        compile(wanted, path, "exec")
        assert unpack(text, pairs) == wanted
    with open(out, "w") as f:
        f.write("/* Made by pack_hooks.py. */\n#include \"payload/shadow/hook_text.h\"\n\n")
        f.write("const unsigned char hook_pairs[%d][2] = {%s};\n"
                % (CODES, ", ".join("{%d, %d}" % pair for pair in pairs)))
        for path, text, wanted in zip(paths, texts, plain):
            name = os.path.splitext(os.path.basename(path))[0]
            f.write("const unsigned char hook_%s[] = {%s, 0}; /* %d bytes in %d */\n"
                    % (name, ", ".join(map(str, text)), len(wanted), len(text)))


if __name__ == "__main__":
    main()
