/* SPDX-License-Identifier: MIT
 *
 * Calls through the GOT alone, behind more relocations than are read at once.
 */
#include <stdlib.h>
#include <unistd.h>

extern int no_plt_target;
int no_plt_target;

#define TEN(x) x, x, x, x, x, x, x, x, x, x
#define HUNDRED(x)                                                                             \
	TEN(x), TEN(x), TEN(x), TEN(x), TEN(x), TEN(x), TEN(x), TEN(x), TEN(x), TEN(x)
extern int *const no_plt_words[];
int *const no_plt_words[] = {TEN(HUNDRED(&no_plt_target)), TEN(HUNDRED(&no_plt_target))};

void *no_plt_call(void);
void *no_plt_call(void)
{
	return malloc((size_t)getppid());
}
