/* SPDX-License-Identifier: MIT
 *
 * The instructions of 3.6 to 3.13, from Lib/opcode.py of each. What is not listed is
 * OPCODE_PLAIN.
 */
#include "payload/opcodes.h"

#include "payload/freestanding.h"

/* clang-format off */
static const struct rule {
	unsigned char op, kind, same_as, first, last; /* minor versions; same_as 0: itself */
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
	{108, OPCODE_NAME,          0, 13, 13},
	{109, OPCODE_FREE,          0, 13, 13},
	{110, OPCODE_LOCAL,         0, 13, 13},
	{111, OPCODE_LOCAL_PAIR,    0, 13, 13},
	{112, OPCODE_LOCAL_PAIR,    0, 13, 13},
	{113, OPCODE_NAME,        114, 13, 13}, /* STORE_GLOBAL */
	{114, OPCODE_NAME,          0, 13, 13}, /* STORE_NAME */
	{149, OPCODE_DROP,          0, 13, 13}, /* RESUME */
};
/* clang-format on */

int opcodes_init(struct opcodes *out, int minor)
{
	if (minor < 6 || minor > 13)
		return -1;
	memset(out, 0, sizeof(*out));
	out->minor = minor;
	out->store_name = minor < 13 ? 90 : 114;
	out->load_const = minor < 13 ? 100 : 83;
	out->pop_top = minor < 13 ? 1 : 32;
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
