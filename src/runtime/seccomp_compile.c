/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules to classic BPF.
 *
 * Theory of operation. For every call number the rules that concern it are reduced to a list whose
 * order decides (the strictest first) and an action for when none matches: a verdict. Neighbouring
 * numbers with the same verdict form a range, and the ranges a binary search tree.
 *
 * Jumps of BPF only go forward, and the conditional ones at most 255 instructions. So the program
 * is written from its end: whatever an instruction jumps to exists already, its distance is known,
 * and a target that is too far gets a copy (when it is a return) or a long jump right behind the
 * instruction. Positions count from the end for the same reason. Equal verdicts share their code.
 */
#include <linux/audit.h>
#include <linux/seccomp.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "runtime/seccomp_profile.h"

#define NUMBERS_MAX SECCOMP_NUMBERS_MAX
#define X32_BIT 0x40000000U

static const uint32_t audit_arch[SECCOMP_ARCHES] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386,
                                                    AUDIT_ARCH_AARCH64};

/* --- writing backwards --- */

#define NOWHERE UINT32_MAX

struct writer {
    struct sock_filter code[BPF_MAXINSNS]; /* filled from the end */
    uint32_t used;                         /* the next position, counted from the end */
    bool full;
};

static struct sock_filter *at(struct writer *w, uint32_t position)
{
    return &w->code[BPF_MAXINSNS - 1 - position];
}

static uint32_t put(struct writer *w, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    if (w->used == BPF_MAXINSNS) {
        w->full = true;
        return w->used - 1;
    }
    *at(w, w->used) = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
    return w->used++;
}

/* The position of `return action`: one near enough to be jumped to from here, or a new one. */
static uint32_t put_return(struct writer *w, uint32_t action)
{
    for (uint32_t back = 1; back <= 200 && back <= w->used; back++) {
        struct sock_filter *found = at(w, w->used - back);
        if (found->code == (BPF_RET | BPF_K) && found->k == action)
            return w->used - back;
    }
    return put(w, BPF_RET | BPF_K, 0, 0, action);
}

/* A position with the effect of `target` that the instruction after next can reach. */
static uint32_t near(struct writer *w, uint32_t target)
{
    if (w->used - target <= 250)
        return target;
    struct sock_filter *found = at(w, target);
    if (found->code == (BPF_RET | BPF_K))
        return put_return(w, found->k);
    return put(w, BPF_JMP | BPF_JA, 0, 0, w->used - target - 1);
}

/* if (A op k) goto yes; else goto no. */
static uint32_t put_jump(struct writer *w, uint16_t op, uint32_t k, uint32_t yes, uint32_t no)
{
    if (yes == no)
        return yes;
    yes = near(w, yes);
    no = near(w, no);
    return put(w, BPF_JMP | BPF_K | op, (uint8_t)(w->used - yes - 1), (uint8_t)(w->used - no - 1),
               k);
}

/* A = word at `offset`; goto next. */
static uint32_t put_load(struct writer *w, uint32_t offset, uint32_t next)
{
    if (next + 1 != w->used) {
        struct sock_filter *found = at(w, next);
        if (found->code == (BPF_RET | BPF_K))
            put(w, BPF_RET | BPF_K, 0, 0, found->k);
        else
            put(w, BPF_JMP | BPF_JA, 0, 0, w->used - next - 1);
    }
    return put(w, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

/* --- conditions --- */

static uint32_t low_offset(unsigned argument)
{
    return (uint32_t)offsetof(struct seccomp_data, args) + 8 * argument; /* little endian */
}

/* Whether (word & mask) == value is "none of these bits": one instruction that leaves the word. */
static bool tests_bits(uint32_t mask, uint32_t value)
{
    return value == 0 && mask != UINT32_MAX;
}

/* Half of a masked comparison: (word & mask) == value. */
static uint32_t put_masked(struct writer *w, uint32_t offset, uint32_t mask, uint32_t value,
                           uint32_t yes, uint32_t no)
{
    if ((value & ~mask) != 0)
        return no;
    if (mask == 0)
        return yes;
    if (yes == no)
        return yes;
    if (tests_bits(mask, value))
        return put_load(w, offset, put_jump(w, BPF_JSET, mask, no, yes));
    uint32_t position = put_jump(w, BPF_JEQ, value, yes, no);
    if (mask != UINT32_MAX)
        position = put(w, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
    return put_load(w, offset, position);
}

/* The upper halves decide unless they are equal; then `op` on the lower halves does. */
static uint32_t put_ordered(struct writer *w, uint32_t offset, uint16_t op, uint64_t value,
                            uint32_t yes, uint32_t no)
{
    uint32_t low = put_load(w, offset, put_jump(w, op, (uint32_t)value, yes, no));
    uint32_t high = (uint32_t)(value >> 32);
    uint32_t equal = put_jump(w, BPF_JEQ, high, low, no);
    return put_load(w, offset + 4, put_jump(w, BPF_JGT, high, yes, equal));
}

static uint32_t put_condition(struct writer *w, const struct seccomp_condition *c, uint32_t yes,
                              uint32_t no)
{
    uint32_t offset = low_offset(c->argument);
    if (yes == no)
        return yes;
    switch ((enum seccomp_operator)c->op) {
    case SECCOMP_OP_NE:
        return put_condition(w,
                             &(struct seccomp_condition){.value = UINT64_MAX,
                                                         .value_two = c->value,
                                                         .argument = c->argument,
                                                         .op = SECCOMP_OP_MASKED_EQ},
                             no, yes);
    case SECCOMP_OP_EQ:
        return put_condition(w,
                             &(struct seccomp_condition){.value = UINT64_MAX,
                                                         .value_two = c->value,
                                                         .argument = c->argument,
                                                         .op = SECCOMP_OP_MASKED_EQ},
                             yes, no);
    case SECCOMP_OP_GT:
        return put_ordered(w, offset, BPF_JGT, c->value, yes, no);
    case SECCOMP_OP_GE:
        return put_ordered(w, offset, BPF_JGE, c->value, yes, no);
    case SECCOMP_OP_LE:
        return put_ordered(w, offset, BPF_JGT, c->value, no, yes);
    case SECCOMP_OP_LT:
        return put_ordered(w, offset, BPF_JGE, c->value, no, yes);
    case SECCOMP_OP_MASKED_EQ:
        break;
    }
    uint32_t low = put_masked(w, offset, (uint32_t)c->value, (uint32_t)c->value_two, yes, no);
    return put_masked(w, offset + 4, (uint32_t)(c->value >> 32), (uint32_t)(c->value_two >> 32),
                      low, no);
}

/* --- verdicts --- */

/* What happens to one call: its rules, strictest first, then `otherwise`. */
struct verdict {
    uint16_t *rules; /* into the verdicts' pool */
    size_t count;
    uint32_t otherwise;
    uint32_t position; /* where its code is, NOWHERE before it was written */
};

struct range {
    uint32_t first;
    uint32_t verdict;
};

struct compiler {
    const struct seccomp_profile *profile;
    struct writer w;
    uint16_t *pool;
    size_t pool_used;
    struct verdict verdicts[2 * NUMBERS_MAX + 8];
    uint32_t verdict_count;
    struct range ranges[NUMBERS_MAX + 4];
    size_t range_count;
};

int seccomp_strictness(uint32_t action)
{
    /* The kernel compares the action part as a signed number; kill thread is 0. */
    return (int)((int32_t)(action & SECCOMP_RET_ACTION_FULL) >> 16);
}

uint32_t seccomp_beyond(uint32_t default_action)
{
    switch (default_action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_TRACE:
        return default_action;
    default:
        return SECCOMP_RET_ERRNO | ENOSYS;
    }
}

static const struct seccomp_rule *rule_at(const struct compiler *c, uint16_t index)
{
    return &c->profile->rules[index];
}

/* The verdict with these contents, adding it when it is new. */
static uint32_t intern(struct compiler *c, size_t count, uint32_t otherwise)
{
    uint16_t *rules = c->pool + c->pool_used;
    for (uint32_t i = 0; i < c->verdict_count; i++) {
        const struct verdict *v = &c->verdicts[i];
        if (v->otherwise == otherwise && v->count == count &&
            (count == 0 || memcmp(v->rules, rules, count * sizeof *rules) == 0))
            return i;
    }
    c->verdicts[c->verdict_count] = (struct verdict){
        .rules = rules, .count = count, .otherwise = otherwise, .position = NOWHERE};
    c->pool_used += count;
    return c->verdict_count++;
}

/* Orders the rules that wait at the end of the pool, drops those that can not decide. */
static uint32_t verdict_of(struct compiler *c, size_t count)
{
    uint16_t *rules = c->pool + c->pool_used;
    uint32_t otherwise = c->profile->default_action;
    for (size_t i = 1; i < count; i++) { /* stable: profiles have few rules for one call */
        uint16_t moving = rules[i];
        size_t j = i;
        for (; j > 0 && seccomp_strictness(rule_at(c, rules[j - 1])->action) >
                            seccomp_strictness(rule_at(c, moving)->action);
             j--)
            rules[j] = rules[j - 1];
        rules[j] = moving;
    }
    size_t kept = 0;
    for (; kept < count; kept++) {
        if (rule_at(c, rules[kept])->count == 0) {
            otherwise = rule_at(c, rules[kept])->action;
            break;
        }
    }
    /* At the end, rules that do what happens anyway say nothing. */
    while (kept > 0 && rule_at(c, rules[kept - 1])->action == otherwise)
        kept--;
    return intern(c, kept, otherwise);
}

static bool same_condition(const struct seccomp_condition *a, const struct seccomp_condition *b)
{
    return a->argument == b->argument && a->op == b->op && a->value == b->value &&
           a->value_two == b->value_two;
}

/* When `c` does not hold, its word is still loaded: if the code at `no`, the last written, starts
 * by loading the same, it starts behind that. Only for a `no` that nothing else jumps to: then
 * nothing was written after it. */
static uint32_t without_load(struct writer *w, const struct seccomp_condition *c, uint32_t no)
{
    uint32_t mask = (uint32_t)c->value;
    uint32_t length = mask == UINT32_MAX || tests_bits(mask, (uint32_t)c->value_two) ? 1 : 2;
    if (c->op != SECCOMP_OP_MASKED_EQ || c->value >> 32 != 0 || c->value_two >> 32 != 0 ||
        mask == 0 || (c->value_two & ~c->value) != 0 || no + 1 != w->used || w->used <= length)
        return no;
    const struct sock_filter *load = at(w, no), *and = at(w, no - 1);
    if (load->code != (BPF_LD | BPF_W | BPF_ABS) || load->k != low_offset(c->argument) ||
        (length == 2 && (and->code != (BPF_ALU | BPF_AND | BPF_K) || and->k != mask)))
        return no;
    w->used -= length;
    return w->used - 1;
}

/* The code of `rules` from their condition number `depth` on: neighbours whose next condition is
 * the same test it once. */
static uint32_t put_rules(struct compiler *c, const uint16_t *rules, size_t count, unsigned depth,
                          uint32_t no)
{
    const uint32_t outer = no;
    size_t end = count;
    while (end > 0) {
        const struct seccomp_rule *last = rule_at(c, rules[end - 1]);
        size_t start = end - 1;
        if (last->count == depth) {
            no = put_return(&c->w, last->action);
            end = start;
            continue;
        }
        for (; start > 0; start--) {
            const struct seccomp_rule *before = rule_at(c, rules[start - 1]);
            if (before->count <= depth ||
                !same_condition(&before->conditions[depth], &last->conditions[depth]))
                break;
        }
        uint32_t yes = put_rules(c, rules + start, end - start, depth + 1, no);
        if (yes != no && no != outer)
            no = without_load(&c->w, &last->conditions[depth], no);
        no = put_condition(&c->w, &last->conditions[depth], yes, no);
        end = start;
    }
    return no;
}

static uint32_t put_verdict(struct compiler *c, uint32_t index)
{
    struct verdict *v = &c->verdicts[index];
    if (v->count == 0)
        return put_return(&c->w, v->otherwise);
    if (v->position == NOWHERE)
        v->position = put_rules(c, v->rules, v->count, 0, put_return(&c->w, v->otherwise));
    return v->position;
}

/* --- ranges and the tree --- */

static void add_range(struct compiler *c, uint32_t first, uint32_t verdict)
{
    if (c->range_count > 0 && c->ranges[c->range_count - 1].verdict == verdict)
        return;
    c->ranges[c->range_count++] = (struct range){.first = first, .verdict = verdict};
}

static uint32_t plain(struct compiler *c, uint32_t action)
{
    return intern(c, 0, action);
}

/* The ranges of one architecture. */
static void make_ranges(struct compiler *c, enum seccomp_arch arch)
{
    const struct seccomp_profile *p = c->profile;
    uint16_t first[NUMBERS_MAX + 1] = {0}; /* rules of number n: sorted[first[n]..first[n + 1]) */
    int highest = -1;
    autofree uint16_t *sorted = xcalloc(p->entry_count + 1, sizeof *sorted);
    for (size_t i = 0; i < p->entry_count; i++) {
        int number = seccomp_call_number(p->entries[i].call, arch);
        if (number < 0)
            continue;
        first[number + 1]++;
        highest = number > highest ? number : highest;
    }
    for (int n = 0; n < NUMBERS_MAX; n++)
        first[n + 1] = (uint16_t)(first[n + 1] + first[n]);
    uint16_t filled[NUMBERS_MAX] = {0};
    for (size_t i = 0; i < p->entry_count; i++) {
        int number = seccomp_call_number(p->entries[i].call, arch);
        if (number >= 0)
            sorted[first[number] + filled[number]++] = p->entries[i].rule;
    }
    c->range_count = 0;
    for (int n = 0; n <= highest; n++) {
        size_t count = filled[n];
        if (count > 0)
            memcpy(c->pool + c->pool_used, sorted + first[n], count * sizeof *sorted);
        add_range(c, (uint32_t)n, verdict_of(c, count));
    }
    uint32_t beyond = plain(c, seccomp_beyond(p->default_action));
    add_range(c, (uint32_t)(highest + 1), beyond);
    if (arch == SECCOMP_X86_64) {
        add_range(c, X32_BIT, plain(c, SECCOMP_RET_KILL_PROCESS));
        /* -1 is no x32 call but how a tracer skips one. */
        add_range(c, UINT32_MAX, beyond);
    }
}

/* The search among ranges[from..to). One number in the middle of a range takes one comparison. */
static uint32_t put_tree(struct compiler *c, size_t from, size_t to)
{
    const struct range *r = c->ranges;
    if (to - from == 1)
        return put_verdict(c, r[from].verdict);
    if (to - from == 3 && r[from].verdict == r[from + 2].verdict &&
        r[from + 1].first + 1 == r[from + 2].first) {
        uint32_t around = put_verdict(c, r[from].verdict);
        uint32_t single = put_verdict(c, r[from + 1].verdict);
        return put_jump(&c->w, BPF_JEQ, r[from + 1].first, single, around);
    }
    size_t middle = from + (to - from + 1) / 2;
    uint32_t above = put_tree(c, middle, to);
    uint32_t below = put_tree(c, from, middle);
    return put_jump(&c->w, BPF_JGE, r[middle].first, above, below);
}

static uint32_t put_arch(struct compiler *c, enum seccomp_arch arch)
{
    make_ranges(c, arch);
    uint32_t tree = put_tree(c, 0, c->range_count);
    return put_load(&c->w, (uint32_t)offsetof(struct seccomp_data, nr), tree);
}

static void put_whole(struct compiler *c)
{
    const struct seccomp_profile *p = c->profile;
    uint32_t foreign = put_return(&c->w, SECCOMP_RET_KILL_PROCESS);
    if (p->compat) {
        uint32_t i386 = put_arch(c, SECCOMP_I386);
        foreign = put_jump(&c->w, BPF_JEQ, audit_arch[SECCOMP_I386], i386, foreign);
    }
    uint32_t native = put_arch(c, p->native);
    uint32_t start = put_jump(&c->w, BPF_JEQ, audit_arch[p->native], native, foreign);
    put_load(&c->w, (uint32_t)offsetof(struct seccomp_data, arch), start);
}

int seccomp_profile_compile(const struct seccomp_profile *profile, struct seccomp_program *out,
                            struct error *err)
{
    autofree struct compiler *c = xcalloc(1, sizeof *c);
    /* Every entry once per architecture. */
    autofree uint16_t *pool = xcalloc(2 * profile->entry_count + 1, sizeof *pool);
    c->profile = profile;
    c->pool = pool;
    put_whole(c);
    if (c->w.full)
        return error_set(err, -E2BIG,
                         "its program is longer than the %d instructions that the kernel takes: "
                         "use fewer conditions on arguments",
                         BPF_MAXINSNS);
    size_t size = c->w.used * sizeof(struct sock_filter);
    struct seccomp_program program = {
        .code = xmalloc(size),
        .count = (unsigned short)c->w.used,
        .flags = profile->flags,
        .notifies = profile->notifies,
        .owned = true,
        .ignored = profile->ignored.len > 0 ? xstrdup(profile->ignored.data) : NULL,
    };
    memcpy(program.code, at(&c->w, c->w.used - 1), size);
    *out = program;
    return 0;
}

void seccomp_program_free(struct seccomp_program *program)
{
    if (program->owned)
        free(program->code);
    free(program->ignored);
    *program = (struct seccomp_program){0};
}
