/* SPDX-License-Identifier: MIT
 *
 * A Python of which nothing can be called from outside: linked statically, exporting nothing.
 */
int Py_BytesMain(int argc, char **argv);

int main(int argc, char **argv)
{
	return Py_BytesMain(argc, argv);
}
