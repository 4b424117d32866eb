// SPDX-License-Identifier: GPL-3.0-or-later
extern void use(int);
int f(int a)
{
	int r = 0;
	{
		static int xxx;
		use(xxx++);
		r += xxx;
	}
	use(a);
	{
		static int xxx;
		use(xxx--);
		r += xxx * a;
	}
	return r;
}
