// SPDX-License-Identifier: GPL-3.0-or-later
// The tables that the kernel keeps about code, written as its macros write them; -DAFTER makes the other
// side of a pair.
#define push(name, rest) ".pushsection " name "," rest "\n"
#define pop ".popsection\n"
#define text(x) #x
#define line(x) text(x)
#define about(section) push(section, "\"a\"") ".balign 4\n.long 991b - .\n" pop
#define bug() asm volatile("991: ud2\n" push("__bug_table", "\"aw\"") "2: .long 991b - 2b\n.long %c0 - 2b\n" \
	".word %c1\n.word 0\n.org 2b + 12\n" pop push(".discard.reachable", "\"a\"") ".long 991b - .\n" pop \
	:: "i"(__FILE__), "i"(__LINE__))
#define alternative(length) asm volatile("991: .skip " #length ", 0x90\n" push(".altinstructions", "\"a\"") \
	".long 991b - .\n.long 993f - .\n.word 55\n.byte " #length ", 994f - 993f\n" pop \
	push(".altinstr_replacement", "\"ax\"") "993: call outside\n994:\n" pop)
#define aux() asm volatile("991: jmp 995f\n" push(".altinstructions", "\"a\"") ".long 991b - .\n.long 993f - .\n.word 112\n.byte 5, 5\n" pop \
	push(".altinstr_replacement", "\"ax\"") "993: jmp 996f\n" pop push(".altinstr_aux", "\"ax\"") \
	"995: testb $1, shared(%%rip)\njnz 996f\njmp 997f\n" pop "996: nop\n997:\n" ::: "memory")
#define exception() asm volatile("991: movl (%0), %%eax\n992:\n" push(".fixup", "\"ax\"") "993: xorl %%eax, %%eax\njmp 992b\n" pop \
	push("__ex_table", "\"a\"") ".balign 4\n.long 991b - .\n.long 993b - .\n.long 1\n" pop :: "r"(&shared) : "eax")
#define key(name) asm volatile("991: .byte 0x0f, 0x1f, 0x44, 0, 0\n" push("__jump_table", "\"aw\"") \
	".balign 8\n.long 991b - .\n.long 992f - .\n.quad " #name " + 1 - .\n" pop "992:\n")
#define static_call(name) asm volatile("991: call __SCT__" #name "\n" push(".static_call_sites", "\"aw\"") \
	".balign 4\n.long 991b - .\n.long __SCK__" #name " - .\n" pop)
#define locked() asm volatile(push(".smp_locks", "\"a\"") ".balign 4\n.long 991f - .\n" pop "991: lock incl shared(%%rip)\n" ::: "memory")
#define paravirt() asm volatile("991: call *pv_ops+8(%%rip)\n992:\n" push(".parainstructions", "\"a\"") \
	".balign 8\n.quad 991b\n.byte 1\n.byte 992b - 991b\n" pop ::: "memory")
#define site(section) asm volatile("991: nop\n" about(section))

extern int outside(int), shared, late_key, pv_ops, __SCT__hook, __SCK__hook;
int own_key;
static int debugged[4] __attribute__((section("__dyndbg"), used)) = { 1, 2, __LINE__, 4 };
const char *printed[] __attribute__((section(".printk_index"))) = { "%s\n", __FILE__ };
const int exported __attribute__((section("___ksymtab+one"))) = 1;

int warns(int a)
{
	if (a > 3)
		bug();
	locked();
	if (a < -3)
		bug();
	exception();
	return outside(a);
}

int alters(int a)
{
	alternative(5);
	aux();
	alternative(6);
	paravirt();
#ifdef AFTER
	aux();
	locked();
#endif
	return outside(a) + 1;
}

int branches(int a)
{
	key(own_key);
	key(late_key);
	static_call(hook);
	site(".retpoline_sites");
	site(".call_sites");
	return outside(a + debugged[a & 3]);
}

int sites(int a)
{
	site(".return_sites");
	site(".ibt_endbr_seal");
	site(".cfi_sites");
	site(".orc_unwind_ip");
	site(".discard.unreachable");
	site("__mcount_loc");
	site("__patchable_function_entries");
#ifdef AFTER
	bug();
	key(late_key);
#endif
	return outside(a) + 2;
}

asm(push(".initcall6.init", "\"a\"") ".long warns - .\n" pop);
asm(push(".text.grouped", "\"axG\",@progbits,group_of_two,comdat") ".globl grouped\n.type grouped, @function\ngrouped: jmp outside\n.size grouped, . - grouped\n" pop);
asm(push(".text.grouped_too", "\"axG\",@progbits,group_of_two,comdat") ".type grouped_too, @function\ngrouped_too: jmp grouped\n.size grouped_too, . - grouped_too\n" pop);
asm(push("__tracepoints_strings", "\"aMS\",@progbits,1") "5: .asciz \"event\"\n" pop push("__tracepoints", "\"aw\"") ".quad 5b, 0, warns\n" pop);
asm(push(".rodata.cst16", "\"aM\",@progbits,16") "pool: .octa 1, 2, 3\n" pop);
int pooled(void) { int a; asm("movl pool+20(%%rip), %0" : "=r"(a)); return a; }
