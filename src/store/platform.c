/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/utsname.h>

#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"
#include "store/platform.h"

/* What uname(2) calls a machine, and what images call it. */
static const struct {
    const char *machine, *architecture, *variant;
} machines[] = {
    {"x86_64", "amd64", NULL},    {"aarch64", "arm64", NULL},
    {"i686", "386", NULL},        {"i386", "386", NULL},
    {"armv7l", "arm", "v7"},      {"armv6l", "arm", "v6"},
    {"riscv64", "riscv64", NULL}, {"ppc64le", "ppc64le", NULL},
    {"s390x", "s390x", NULL},     {"loongarch64", "loong64", NULL},
    {"mips64", "mips64", NULL},
};

static void this_machine(struct platform *out)
{
    struct utsname name;
    const char *machine = uname(&name) == 0 ? name.machine : "";
    out->os = xstrdup("linux");
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        if (!streq(machines[i].machine, machine))
            continue;
        out->architecture = xstrdup(machines[i].architecture);
        out->variant = machines[i].variant ? xstrdup(machines[i].variant) : NULL;
        return;
    }
    out->architecture = xstrdup(machine);
}

/* Other people's words for the same thing. */
static const char *architecture_word(const char *word)
{
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (streq(machines[i].machine, word))
            return machines[i].architecture;
    return word;
}

int platform_parse(const char *text, struct platform *out, struct error *err)
{
    autostrv parts = {0};
    struct platform platform = {0};
    if (!text) {
        this_machine(out);
        return 0;
    }
    strv_split(&parts, text, '/');
    for (size_t i = 0; i < parts.len; i++)
        if (!parts.items[i][0] || strlen(parts.items[i]) > 32 ||
            strspn(parts.items[i], "abcdefghijklmnopqrstuvwxyz0123456789_") !=
                strlen(parts.items[i]))
            return error_set(
                err, -EINVAL,
                "invalid platform \"%.100s\": it is written OS/ARCHITECTURE[/VARIANT], "
                "as in linux/amd64 or linux/arm/v7",
                text);
    bool with_os = parts.len > 1;
    if (parts.len > 3 || (with_os && !streq(parts.items[0], "linux")) ||
        streq(parts.items[0], "windows"))
        return error_set(err, -EINVAL, "invalid platform \"%.100s\": only linux images can be used",
                         text);
    platform.os = xstrdup("linux");
    platform.architecture = xstrdup(architecture_word(parts.items[with_os ? 1 : 0]));
    platform.variant = parts.len == 3 ? xstrdup(parts.items[2]) : NULL;
    platform.chosen = true;
    *out = platform;
    return 0;
}

void platform_free(struct platform *platform)
{
    free(platform->os);
    free(platform->architecture);
    free(platform->variant);
    *platform = (struct platform){0};
}

bool platform_matches(const struct platform *wanted, const char *os, const char *architecture,
                      const char *variant)
{
    if (!streq(wanted->os, os) || !streq(wanted->architecture, architecture))
        return false;
    if (!wanted->variant || !variant || !*variant || streq(wanted->variant, variant))
        return true;
    /* An arm of a higher version runs what a lower one was built for. */
    return !wanted->chosen && streq(architecture, "arm") && strcmp(variant, wanted->variant) < 0;
}
