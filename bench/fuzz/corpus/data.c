// SPDX-License-Identifier: GPL-3.0-or-later
// Data of every kind that the kernel has; -DAFTER makes the other side of a pair.
#define in(name) __attribute__((section(name)))
struct operations { int (*open)(int), (*close)(int); const char *name; const void *self; };
extern int outside(int);
int common_one, common_two[64];
int initialised = 7, zero, many[100];
const int constant = 3, list[] = { 1, 2, 3, 4, 5 };
const char text[] = "a text with a name";
static char scratch[4096];
in(".data..read_mostly") int mostly_read = 1;
in(".data..ro_after_init") int after_init = 2;
in(".data..percpu") int each;
in(".data..percpu") long each_too;
in(".data.once") char warned;
in("__param") const void *parameter = &initialised;
in(".init.data") int early = 4;
in(".modinfo") const char licence[] = "license=GPL";
in(".discard.addressable") void *addressable = many;

static int own_open(int a) { return outside(a) + initialised; }
#ifdef AFTER
static int own_close(int a) { return outside(a) - zero + 1; }
#else
static int own_close(int a) { return outside(a) - zero; }
#endif
const struct operations operations = { own_open, own_close, "operations", &operations };
static const struct operations hidden = { own_open, outside, "hidden", &operations };
const struct operations *selected[] = { &operations, &hidden, 0, (void *)&many[100], (void *)((char *)list - 8) };
const char *words[] = { "one", "two", "a longer word", "word", "er word" };
const int *wide[] = { (const int *)L"wide", (const int *)L"strings", (const int *)L"" };
const unsigned short *half[] = { u"half", u"as wide" };
int *compound = (int[]){ 3, 1, 4, 1, 5 };
struct node { struct node *next; int value; };
extern struct node ring_b;
struct node ring_a = { &ring_b, 1 }, ring_b = { &ring_a, 2 };
#ifdef AFTER
int fresh = 11;
static const char *const extra[] = { "fresh", "data" };
const char *read_fresh(int a) { return extra[(a + fresh++) & 1]; }
#endif

const char *name_of(int a)
{
	static const char *const local[] = { "null", "eins", "zwei" };
	static int last;
	last = a;
	scratch[a & 4095] = *words[a % 5];
	return local[(a + last + list[a % 5] + many[a % 100]) % 3];
}

const struct operations *select_one(int a) { return a ? selected[a & 3] : &hidden; }
int sum(int a) { return each + (int)each_too + mostly_read + after_init + early + common_one + common_two[a] + half[0][a] + wide[a & 1][0] + *compound + ring_a.value; }
