// SPDX-License-Identifier: GPL-3.0-or-later
extern void slow(int), fast(int);
#define COUNT(limit, what) do { static int count; if (++count > (limit)) { what(count); count = 0; } } while (0)
int f(int a, int b)
{
	if (a)
		COUNT(10, slow);
	if (b)
		COUNT(20, fast);
	return a + b;
}
