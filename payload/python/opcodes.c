/* SPDX-License-Identifier: MIT
 *
 * The instructions of 3.6 to 3.15, from Lib/opcode.py of each. What is not listed is
 * OPCODE_PLAIN.
 */
#include "payload/python/opcodes.h"

#include "payload/base/freestanding.h"

/* clang-format off */
static const struct rule {
	unsigned char op, kind, same_as; /* 0: itself */
	unsigned char first : 4, last : 4; /* minor versions */
} rules[] = {
	/* 3.6 to 3.12 grew on one numbering */
	{  0, OPCODE_DROP,          0, 11, 12}, /* CACHE */
	{  2, OPCODE_DROP,          0, 11, 12}, /* PUSH_NULL: x.f() is called with it or without,
						   as x is imported somewhere or not */
	{  9, OPCODE_DROP,          0,  6, 12}, /* NOP */
	{ 48, OPCODE_RAISE,         0,  9,  9}, /* RERAISE */
	{ 83, OPCODE_RETURN,        0,  6, 12},
	{ 85, OPCODE_DROP,          0,  6, 12}, /* SETUP_ANNOTATIONS */
	{ 90, OPCODE_NAME,          0,  6, 12}, /* STORE_NAME */
	{ 91, OPCODE_NAME,          0,  6, 12},
	{ 93, OPCODE_FORWARD,       0,  6, 12}, /* FOR_ITER */
	{ 95, OPCODE_NAME,          0,  6, 12},
	{ 96, OPCODE_NAME,          0,  6, 12},
	{ 97, OPCODE_NAME,         90,  6, 12}, /* STORE_GLOBAL: a function says `global x` */
	{ 98, OPCODE_NAME,         91,  6, 12},
	{100, OPCODE_CONST,         0,  6, 12},
	{101, OPCODE_NAME,          0,  6, 12}, /* LOAD_NAME */
	{106, OPCODE_NAME,          0,  6, 11}, /* LOAD_ATTR */
	{106, OPCODE_NAME_1,        0, 12, 12},
	{108, OPCODE_NAME,          0,  6, 12},
	{109, OPCODE_NAME,          0,  6, 12},
	{110, OPCODE_GO_FORWARD,    0,  6, 12},
	{111, OPCODE_ABSOLUTE,      0,  6, 10}, /* JUMP_IF_FALSE_OR_POP */
	{111, OPCODE_FORWARD,       0, 11, 11},
	{112, OPCODE_ABSOLUTE,      0,  6, 10},
	{112, OPCODE_FORWARD,       0, 11, 11},
	{113, OPCODE_GO_ABSOLUTE,   0,  6, 10},
	{114, OPCODE_ABSOLUTE,      0,  6, 10}, /* POP_JUMP_IF_FALSE */
	{114, OPCODE_FORWARD,       0, 11, 12},
	{115, OPCODE_ABSOLUTE,      0,  6, 10},
	{115, OPCODE_FORWARD,       0, 11, 12},
	{116, OPCODE_NAME,        101,  6, 10}, /* LOAD_GLOBAL */
	{116, OPCODE_NAME_1,      101, 11, 12},
	{119, OPCODE_GO_ABSOLUTE,   0,  6,  7}, /* CONTINUE_LOOP */
	{119, OPCODE_RAISE,         0, 10, 12}, /* RERAISE */
	{120, OPCODE_FORWARD,       0,  6,  7}, /* SETUP_LOOP */
	{121, OPCODE_FORWARD,       0,  6,  7}, /* SETUP_EXCEPT */
	{121, OPCODE_ABSOLUTE,      0,  9, 10}, /* JUMP_IF_NOT_EXC_MATCH */
	{121, OPCODE_RETURN_CONST,  0, 12, 12},
	{122, OPCODE_FORWARD,       0,  6, 10}, /* SETUP_FINALLY */
	{123, OPCODE_FORWARD,       0, 11, 12}, /* SEND */
	{124, OPCODE_LOCAL,         0,  6, 12},
	{125, OPCODE_LOCAL,         0,  6, 12},
	{126, OPCODE_LOCAL,         0,  6, 12},
	{127, OPCODE_NAME,          0,  6,  6}, /* STORE_ANNOTATION */
	{127, OPCODE_LOCAL,         0, 12, 12},
	{128, OPCODE_FORWARD,       0, 11, 12}, /* POP_JUMP_IF_NOT_NONE */
	{129, OPCODE_FORWARD,       0, 11, 12},
	{130, OPCODE_RAISE,         0,  6, 12}, /* RAISE_VARARGS */
	{134, OPCODE_GO_BACKWARD,   0, 11, 12},
	{135, OPCODE_FREE,          0,  6, 12},
	{136, OPCODE_FREE,          0,  6, 12},
	{137, OPCODE_FREE,          0,  6, 12},
	{138, OPCODE_FREE,          0,  6, 12},
	{139, OPCODE_FREE,          0, 11, 12},
	{140, OPCODE_GO_BACKWARD,   0, 11, 12},
	{141, OPCODE_NAME_2,        0, 12, 12}, /* LOAD_SUPER_ATTR */
	{143, OPCODE_FORWARD,       0,  6, 10}, /* SETUP_WITH */
	{143, OPCODE_LOCAL,         0, 12, 12},
	{144, OPCODE_EXTENDED,      0,  6, 12},
	{148, OPCODE_FREE,          0,  6, 11}, /* LOAD_CLASSDEREF */
	{149, OPCODE_DROP,          0, 11, 12}, /* COPY_FREE_VARS */
	{151, OPCODE_DROP,          0, 11, 12}, /* RESUME */
	{154, OPCODE_FORWARD,       0,  6, 10}, /* SETUP_ASYNC_WITH */
	{160, OPCODE_NAME,        106,  7, 11}, /* LOAD_METHOD */
	{161, OPCODE_PLAIN,       131,  7, 10}, /* CALL_METHOD */
	{162, OPCODE_FORWARD,       0,  8,  8}, /* CALL_FINALLY */
	{166, OPCODE_DROP,          0, 11, 11}, /* PRECALL */
	{172, OPCODE_CONST,         0, 11, 12}, /* KW_NAMES */
	{173, OPCODE_BACKWARD,    128, 11, 11}, /* POP_JUMP_BACKWARD_IF_NOT_NONE */
	{174, OPCODE_BACKWARD,    129, 11, 11},
	{175, OPCODE_BACKWARD,    114, 11, 11},
	{175, OPCODE_NAME,          0, 12, 12}, /* LOAD_FROM_DICT_OR_GLOBALS */
	{176, OPCODE_BACKWARD,    115, 11, 11},
	{176, OPCODE_FREE,          0, 12, 12}, /* LOAD_FROM_DICT_OR_DEREF */
	/* 3.13 sorts them by name */
	{  0, OPCODE_DROP,          0, 13, 13}, /* CACHE */
	{ 30, OPCODE_DROP,          0, 13, 13}, /* NOP */
	{ 34, OPCODE_DROP,          0, 13, 13}, /* PUSH_NULL */
	{ 36, OPCODE_RETURN,        0, 13, 13},
	{ 37, OPCODE_DROP,          0, 13, 13}, /* SETUP_ANNOTATIONS */
	{ 62, OPCODE_DROP,          0, 13, 13}, /* COPY_FREE_VARS */
	{ 63, OPCODE_NAME,          0, 13, 13},
	{ 64, OPCODE_FREE,          0, 13, 13},
	{ 65, OPCODE_LOCAL,         0, 13, 13},
	{ 66, OPCODE_NAME,         67, 13, 13}, /* DELETE_GLOBAL */
	{ 67, OPCODE_NAME,          0, 13, 13},
	{ 71, OPCODE_EXTENDED,      0, 13, 13},
	{ 72, OPCODE_FORWARD,       0, 13, 13}, /* FOR_ITER */
	{ 74, OPCODE_NAME,          0, 13, 13},
	{ 75, OPCODE_NAME,          0, 13, 13},
	{ 77, OPCODE_GO_BACKWARD,   0, 13, 13},
	{ 78, OPCODE_GO_BACKWARD,   0, 13, 13},
	{ 79, OPCODE_GO_FORWARD,    0, 13, 13},
	{ 82, OPCODE_NAME_1,        0, 13, 13}, /* LOAD_ATTR */
	{ 83, OPCODE_CONST,         0, 13, 13},
	{ 84, OPCODE_FREE,          0, 13, 13},
	{ 85, OPCODE_LOCAL,         0, 13, 13},
	{ 86, OPCODE_LOCAL,         0, 13, 13},
	{ 87, OPCODE_LOCAL,         0, 13, 13},
	{ 88, OPCODE_LOCAL_PAIR,    0, 13, 13},
	{ 89, OPCODE_FREE,          0, 13, 13},
	{ 90, OPCODE_NAME,          0, 13, 13},
	{ 91, OPCODE_NAME_1,       92, 13, 13}, /* LOAD_GLOBAL */
	{ 92, OPCODE_NAME,          0, 13, 13}, /* LOAD_NAME */
	{ 93, OPCODE_NAME_2,        0, 13, 13}, /* LOAD_SUPER_ATTR */
	{ 94, OPCODE_FREE,          0, 13, 13}, /* MAKE_CELL */
	{ 97, OPCODE_FORWARD,       0, 13, 13},
	{ 98, OPCODE_FORWARD,       0, 13, 13},
	{ 99, OPCODE_FORWARD,       0, 13, 13},
	{100, OPCODE_FORWARD,       0, 13, 13},
	{101, OPCODE_RAISE,         0, 13, 13}, /* RAISE_VARARGS */
	{102, OPCODE_RAISE,         0, 13, 13}, /* RERAISE */
	{103, OPCODE_RETURN_CONST,  0, 13, 13},
	{104, OPCODE_FORWARD,       0, 13, 13}, /* SEND */
	{106, OPCODE_GIVES,         0, 13, 13}, /* SET_FUNCTION_ATTRIBUTE */
	{108, OPCODE_NAME,          0, 13, 13},
	{109, OPCODE_FREE,          0, 13, 13},
	{110, OPCODE_LOCAL,         0, 13, 13},
	{111, OPCODE_LOCAL_PAIR,    0, 13, 13},
	{112, OPCODE_LOCAL_PAIR,    0, 13, 13},
	{113, OPCODE_NAME,        114, 13, 13}, /* STORE_GLOBAL */
	{114, OPCODE_NAME,          0, 13, 13}, /* STORE_NAME */
	{149, OPCODE_DROP,          0, 13, 13}, /* RESUME */
	/* 3.14 renumbers */
	{  0, OPCODE_DROP,          0, 14, 14}, /* CACHE */
	{ 27, OPCODE_DROP,          0, 14, 14}, /* NOP */
	{ 28, OPCODE_DROP,          0, 14, 14}, /* NOT_TAKEN */
	{ 33, OPCODE_DROP,          0, 14, 14}, /* PUSH_NULL */
	{ 35, OPCODE_RETURN,        0, 14, 14}, /* RETURN_VALUE */
	{ 36, OPCODE_DROP,          0, 14, 14}, /* SETUP_ANNOTATIONS */
	{ 60, OPCODE_DROP,          0, 14, 14}, /* COPY_FREE_VARS */
	{ 61, OPCODE_NAME,          0, 14, 14},
	{ 62, OPCODE_FREE,          0, 14, 14},
	{ 63, OPCODE_LOCAL,         0, 14, 14},
	{ 64, OPCODE_NAME,         65, 14, 14}, /* DELETE_GLOBAL */
	{ 65, OPCODE_NAME,          0, 14, 14},
	{ 69, OPCODE_EXTENDED,      0, 14, 14},
	{ 70, OPCODE_FORWARD,       0, 14, 14}, /* FOR_ITER */
	{ 72, OPCODE_NAME,          0, 14, 14},
	{ 73, OPCODE_NAME,          0, 14, 14},
	{ 75, OPCODE_GO_BACKWARD,   0, 14, 14},
	{ 76, OPCODE_GO_BACKWARD,   0, 14, 14},
	{ 77, OPCODE_GO_FORWARD,    0, 14, 14},
	{ 80, OPCODE_NAME_1,        0, 14, 14}, /* LOAD_ATTR */
	{ 81, OPCODE_COMMON,       82, 14, 14}, /* LOAD_COMMON_CONSTANT */
	{ 82, OPCODE_CONST,         0, 14, 14},
	{ 83, OPCODE_FREE,          0, 14, 14},
	{ 84, OPCODE_LOCAL,         0, 14, 14},
	{ 85, OPCODE_LOCAL,         0, 14, 14},
	{ 86, OPCODE_LOCAL,        84, 14, 14}, /* LOAD_FAST_BORROW */
	{ 87, OPCODE_LOCAL_PAIR,   89, 14, 14}, /* LOAD_FAST_BORROW_LOAD_FAST_BORROW */
	{ 88, OPCODE_LOCAL,         0, 14, 14},
	{ 89, OPCODE_LOCAL_PAIR,    0, 14, 14},
	{ 90, OPCODE_FREE,          0, 14, 14},
	{ 91, OPCODE_NAME,          0, 14, 14},
	{ 92, OPCODE_NAME_1,       93, 14, 14}, /* LOAD_GLOBAL */
	{ 93, OPCODE_NAME,          0, 14, 14}, /* LOAD_NAME */
	{ 94, OPCODE_SMALL_INT,    82, 14, 14}, /* LOAD_SMALL_INT */
	{ 96, OPCODE_NAME_2,        0, 14, 14}, /* LOAD_SUPER_ATTR */
	{ 97, OPCODE_FREE,          0, 14, 14},
	{100, OPCODE_FORWARD,       0, 14, 14},
	{101, OPCODE_FORWARD,       0, 14, 14},
	{102, OPCODE_FORWARD,       0, 14, 14},
	{103, OPCODE_FORWARD,       0, 14, 14},
	{104, OPCODE_RAISE,         0, 14, 14}, /* RAISE_VARARGS */
	{105, OPCODE_RAISE,         0, 14, 14}, /* RERAISE */
	{106, OPCODE_FORWARD,       0, 14, 14},
	{108, OPCODE_GIVES,         0, 14, 14}, /* SET_FUNCTION_ATTRIBUTE */
	{110, OPCODE_NAME,          0, 14, 14},
	{111, OPCODE_FREE,          0, 14, 14},
	{112, OPCODE_LOCAL,         0, 14, 14},
	{113, OPCODE_LOCAL_PAIR,    0, 14, 14},
	{114, OPCODE_LOCAL_PAIR,    0, 14, 14},
	{115, OPCODE_NAME,        116, 14, 14}, /* STORE_GLOBAL */
	{116, OPCODE_NAME,          0, 14, 14}, /* STORE_NAME */
	{128, OPCODE_DROP,          0, 14, 14}, /* RESUME */
	/* 3.15 renumbers */
	{  0, OPCODE_DROP,          0, 15, 15}, /* CACHE */
	{ 25, OPCODE_DROP,          0, 15, 15}, /* NOP */
	{ 26, OPCODE_DROP,          0, 15, 15}, /* NOT_TAKEN */
	{ 31, OPCODE_DROP,          0, 15, 15}, /* PUSH_NULL */
	{ 33, OPCODE_RETURN,        0, 15, 15}, /* RETURN_VALUE */
	{ 34, OPCODE_DROP,          0, 15, 15}, /* SETUP_ANNOTATIONS */
	{ 58, OPCODE_DROP,          0, 15, 15}, /* COPY_FREE_VARS */
	{ 59, OPCODE_NAME,          0, 15, 15},
	{ 60, OPCODE_FREE,          0, 15, 15},
	{ 61, OPCODE_LOCAL,         0, 15, 15},
	{ 62, OPCODE_NAME,         63, 15, 15}, /* DELETE_GLOBAL */
	{ 63, OPCODE_NAME,          0, 15, 15},
	{ 67, OPCODE_EXTENDED,      0, 15, 15},
	{ 68, OPCODE_FORWARD,       0, 15, 15}, /* FOR_ITER */
	{ 71, OPCODE_NAME,          0, 15, 15},
	{ 72, OPCODE_IMPORT,        0, 15, 15}, /* IMPORT_NAME */
	{ 74, OPCODE_GO_BACKWARD,   0, 15, 15},
	{ 75, OPCODE_GO_BACKWARD,   0, 15, 15},
	{ 76, OPCODE_GO_FORWARD,    0, 15, 15},
	{ 79, OPCODE_NAME_1,        0, 15, 15}, /* LOAD_ATTR */
	{ 80, OPCODE_COMMON,       81, 15, 15}, /* LOAD_COMMON_CONSTANT */
	{ 81, OPCODE_CONST,         0, 15, 15},
	{ 82, OPCODE_FREE,          0, 15, 15},
	{ 83, OPCODE_LOCAL,         0, 15, 15},
	{ 84, OPCODE_LOCAL,         0, 15, 15},
	{ 85, OPCODE_LOCAL,        83, 15, 15}, /* LOAD_FAST_BORROW */
	{ 86, OPCODE_LOCAL_PAIR,   88, 15, 15}, /* LOAD_FAST_BORROW_LOAD_FAST_BORROW */
	{ 87, OPCODE_LOCAL,         0, 15, 15},
	{ 88, OPCODE_LOCAL_PAIR,    0, 15, 15},
	{ 89, OPCODE_FREE,          0, 15, 15},
	{ 90, OPCODE_NAME,          0, 15, 15},
	{ 91, OPCODE_NAME_1,       92, 15, 15}, /* LOAD_GLOBAL */
	{ 92, OPCODE_NAME,          0, 15, 15}, /* LOAD_NAME */
	{ 93, OPCODE_SMALL_INT,    81, 15, 15}, /* LOAD_SMALL_INT */
	{ 95, OPCODE_NAME_2,        0, 15, 15}, /* LOAD_SUPER_ATTR */
	{ 96, OPCODE_FREE,          0, 15, 15},
	{ 99, OPCODE_FORWARD,       0, 15, 15},
	{100, OPCODE_FORWARD,       0, 15, 15},
	{101, OPCODE_FORWARD,       0, 15, 15},
	{102, OPCODE_FORWARD,       0, 15, 15},
	{103, OPCODE_RAISE,         0, 15, 15}, /* RAISE_VARARGS */
	{104, OPCODE_RAISE,         0, 15, 15}, /* RERAISE */
	{105, OPCODE_FORWARD,       0, 15, 15},
	{107, OPCODE_GIVES,         0, 15, 15}, /* SET_FUNCTION_ATTRIBUTE */
	{109, OPCODE_NAME,          0, 15, 15},
	{110, OPCODE_FREE,          0, 15, 15},
	{111, OPCODE_LOCAL,         0, 15, 15},
	{112, OPCODE_LOCAL_PAIR,    0, 15, 15},
	{113, OPCODE_LOCAL_PAIR,    0, 15, 15},
	{114, OPCODE_NAME,        115, 15, 15}, /* STORE_GLOBAL */
	{115, OPCODE_NAME,          0, 15, 15}, /* STORE_NAME */
	{128, OPCODE_DROP,          0, 15, 15}, /* RESUME */
};
/* clang-format on */

/* Each numbering's own: up to 3.12, then one a version. */
static const unsigned char numbering[][11] = {
	{95, 60, 101, 100, 106, 144, 90, 91, 1, 89, 138},
	{108, 39, 92, 83, 82, 71, 114, 67, 32, 31, 109},
	{110, 38, 93, 82, 80, 69, 116, 65, 31, 30, 111},
	{109, 36, 92, 81, 79, 67, 115, 63, 29, 28, 110},
};
#define OPCODES_LAST 15 /* four bits of struct rule */
_Static_assert(sizeof(numbering) / sizeof(*numbering) == OPCODES_LAST - 11, "3.12 to the last");

int opcodes_init(struct opcodes *out, int minor)
{
	if (minor < 6 || minor > OPCODES_LAST)
		return -1;
	memset(out, 0, sizeof(*out));
	out->minor = minor;
	memcpy(out->numbers, numbering[minor < 13 ? 0 : minor - 12], sizeof(out->numbers));
	out->store_deref = (unsigned char)(out->store_deref - (minor < 11));
	out->pop_block = minor < 11 ? 87 : out->pop_except;
	for (int op = 0; op < 256; op++)
		out->same_as[op] = (unsigned char)op;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const struct rule *rule = &rules[i];
		if (minor < rule->first || minor > rule->last)
			continue;
		out->kind[rule->op] = rule->kind;
		if (rule->same_as)
			out->same_as[rule->op] = rule->same_as;
	}
	return 0;
}
