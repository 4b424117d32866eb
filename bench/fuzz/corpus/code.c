// SPDX-License-Identifier: GPL-3.0-or-later
// Code in all the shapes that compilers give it; -DAFTER makes the other side of a pair.
extern int outside(int), warn(const char *, ...);
extern void fail(const char *) __attribute__((cold, noreturn));
extern int shared;
static int count, hits[4];

static __attribute__((noinline)) int partial(const int *list, int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++) {
		if (list[i] < 0)
			fail("negative");
		sum += list[i] + count;
	}
	return sum;
}

static __attribute__((noinline)) int help(int a, int unused)
{
	static int calls;
	static const char *const names[] = { "zero", "one", "two", "three" };
	return warn("%s: %s %d\n", __func__, names[a & 3], ++calls) + a;
}

static __attribute__((noinline)) int first(int a) { static int seen; return a + seen++; }
static __attribute__((noinline)) int second(int a) { static int seen; return a - seen++; }

int choose(int a)
{
	switch (a) {
	case 0: return help(1, 0);
	case 1: return outside(9);
	case 2: return first(14);
	case 3: return second(77);
	case 4: return shared;
#ifdef AFTER
	case 5: return help(3, 1) + 1;
#else
	case 5: return help(3, 1);
#endif
	case 6: return hits[outside(2) & 3]++;
	case 7: return partial(hits, 4);
	}
	return outside(a);
}

int table(int a)
{
	switch (a) {
	case 0: return 5;
	case 1: return 9;
	case 2: return 14;
	case 3: return 77;
	case 4: return 12;
	case 5: return 3;
	}
	return 0;
}

#ifdef AFTER
static __attribute__((noinline)) int added(int a) { static int memory = 5; return outside(a) + memory++; }
int use(int a) { return a > 3 ? added(a) : choose(a); }
#else
int use(int a) { return choose(a); }
int vanishes(int a) { return outside(a) * 3; }
#endif

__attribute__((weak)) int fallback(int a) { return a; }
int alias(int a) __attribute__((alias("use")));
__attribute__((section(".init.text"), cold)) int begin(void) { return outside(1); }
__attribute__((section(".sched.text"))) int sleep_a(int a) { return outside(a) + 1; }
__attribute__((section(".sched.text"))) int sleep_b(int a) { return sleep_a(a) + outside(a); }
int (*volatile pointer)(int) = choose;
