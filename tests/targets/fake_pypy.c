/* SPDX-License-Identifier: MIT
 *
 * Enough of a libpypy3-c.so to be taken for one: PyPy itself is in no Debian package of the
 * tests. Preloaded into a program that sleeps.
 */
int pypy_main_startup(int argc, char **argv);

__attribute__((visibility("default"))) int pypy_main_startup(int argc, char **argv)
{
	(void)argv;
	return argc;
}
