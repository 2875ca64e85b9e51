/* SPDX-License-Identifier: MIT
 *
 * A library that does nothing, for tools whose work it is to load one.
 */
int bench_nothing(void);

int bench_nothing(void)
{
	return 0;
}
