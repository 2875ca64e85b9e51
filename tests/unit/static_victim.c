/* SPDX-License-Identifier: MIT
 *
 * A program without a dynamic section, for what reads ELF files.
 */
int main(void)
{
	return 0;
}
